//! A daemon for one `hob run`, where none was running and none was asked for by address.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use platform::process::Background;

use super::{
    Context,
    client::{Client, ClientError},
    remark,
};

const START_DEADLINE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// Makes sure that a daemon answers; `Some` if one had to be started, which the caller stops.
pub(crate) async fn ensure_running(context: &Context, client: &Client) -> anyhow::Result<Option<Background>> {
    match client.version().await {
        Err(ClientError::Unreachable { .. }) if context.asked_host().is_none() => {}
        answer => return Ok(answer.map(|_| None)?),
    }
    let state = context.state_dir()?;
    std::fs::create_dir_all(&state).with_context(|| format!("cannot create {}", state.display()))?;
    let path = state.join("serve.log");
    let program = std::env::current_exe().context("cannot tell where this program lies")?;
    let mut daemon =
        Background::start(&program, &["serve"], log(&path)?).context("cannot start the daemon")?;
    remark(&format!("no hob is running: started one for this session (log: {})", path.display()));
    let ready = tokio::select! {
        ready = answers(&mut daemon, client) => ready,
        () = deadline() => Err(anyhow::anyhow!("it did not answer within {} seconds", START_DEADLINE.as_secs())),
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    match ready {
        Ok(()) => Ok(Some(daemon)),
        Err(error) => {
            // What went wrong before is what the user needs to hear; one that has ended cannot be stopped.
            let _ = stop(daemon);
            Err(error.context(format!("the daemon did not start, see {}", path.display())))
        }
    }
}

/// Asks the daemon to end, and waits until it did.
pub(crate) fn stop(daemon: Background) -> anyhow::Result<()> {
    tokio::task::block_in_place(|| daemon.stop()).context("cannot stop the daemon that was started")?;
    Ok(())
}

fn log(path: &Path) -> anyhow::Result<File> {
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    log.with_context(|| format!("cannot open {}", path.display()))
}

async fn deadline() {
    // Times out by design: nothing else ever ends it.
    let _ = tokio::time::timeout(START_DEADLINE, std::future::pending::<()>()).await;
}

async fn answers(daemon: &mut Background, client: &Client) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(POLL);
    loop {
        ticks.tick().await;
        if let Some(status) = daemon.ended()? {
            anyhow::bail!("it ended with {status}");
        }
        match client.version().await {
            Err(ClientError::Unreachable { .. }) => {}
            answer => return Ok(answer.map(drop)?),
        }
    }
}
