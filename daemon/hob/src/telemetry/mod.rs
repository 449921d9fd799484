//! Where logs go: the journal under systemd, else standard error; and the last of them to memory. Never a prompt, never a key.

mod recent;

use std::io::Write;
use std::process::ExitCode;

use api::Log;
use state::Clock;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::recent::Recent;
use crate::settings::{LogSettings, LogTarget};

/// Starts logging, once; what is logged last is in what this returns.
///
/// # Errors
/// If the level cannot be read.
pub(crate) fn start(settings: &LogSettings) -> anyhow::Result<Log> {
    let filter = filter(&settings.level)?;
    let log = Log::default();
    let recent = Recent { log: log.clone(), clock: Clock::system() };
    let registry = tracing_subscriber::registry().with(filter).with(recent);
    if settings.target == LogTarget::Journal
        && let Ok(journal) = tracing_journald::layer()
    {
        registry.with(journal).init();
        return Ok(log);
    }
    registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false)).init();
    Ok(log)
}

/// What is logged at a level, or by a list of them.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::builder().parse(level);
    filter.map_err(|error| anyhow::anyhow!("setting log.level: \"{level}\" is no level: {error}"))
}

/// Tells the user why the program ends.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    // With standard error closed, the exit code is all there is.
    let _unwritten = writeln!(std::io::stderr(), "Error: {error:#}");
    ExitCode::FAILURE
}
