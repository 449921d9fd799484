//! `hob serve`: reads the settings, builds the parts, runs them until it is told to stop.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use platform::process::WorkerProgram;
use platform::service::NotifyState;
use registry::Registry;
use scheduler::Scheduler;
use state::{Clock, State, StateError};
use store::{ModelName, Store};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;
use crate::telemetry;

/// `hob serve` has no options of its own: its settings come from files and the environment.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

/// How long running answers get to end.
const DRAIN: Duration = Duration::from_secs(30);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// A setting, an address or a folder that cannot be used.
pub(crate) fn run(Arguments {}: Arguments) -> anyhow::Result<()> {
    platform::memory::keep_little();
    let settings = Settings::load()?;
    telemetry::start(&settings.log)?;
    for left_out in &settings.door.origins_left_out {
        tracing::warn!("OLLAMA_ORIGINS: {left_out}; it was left out, and HOB_ORIGINS may say more");
    }
    let open_files = platform::process::raise_open_files();
    // Translating takes little; what computes is in the workers.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(async {
        let hob = Hob::build(&settings, open_files)?;
        hob.announce();
        hob.run().await
    })
}

/// All parts, every address bound, nothing served yet.
struct Hob {
    listeners: Vec<front::Listener>,
    door: front::Config,
    app: axum::Router,
    api: api::Api,
    /// Models that are loaded at start.
    preload: Vec<ModelName>,
    scheduler: Scheduler,
}

impl Hob {
    fn build(settings: &Settings, open_files: u64) -> anyhow::Result<Self> {
        let listeners = bind(&settings.door.listen)?;
        let store = Store::open(settings.models_dir.clone())?.with_floor(settings.keep_free);
        if settings.prune {
            tokio::task::spawn_blocking(prune(&store));
        }
        let state = State::open(&settings.state_dir, Clock::system()).map_err(no_state)?;
        let registry = Registry::new(store.clone(), registry_config(settings))?;
        let scheduler = Scheduler::start(scheduler::Config {
            worker: WorkerProgram::this_executable().context("cannot tell where this program lies")?,
            max_loaded: settings.max_loaded,
            memory: settings.memory,
            keep_alive: settings.keep_alive,
            max_queue: settings.max_queue,
            load_timeout: settings.load_timeout,
            stuck_after: settings.stuck_after,
            cache_bytes: settings.cache_ram,
            cache_disk: settings.cache_disk.clone(),
        });
        let config = api::Config {
            version: env!("CARGO_PKG_VERSION").into(),
            context_tokens: settings.context_tokens,
            sequences: settings.sequences,
            max_step_ms: settings.max_step_ms,
            speculation: settings.speculation,
            cache_types: settings.cache_types,
            threads: settings.threads,
        };
        let api = api::Api::new(store, registry, scheduler.clone(), state, config);
        let app = api::router(api.clone());
        let memory = platform::memory::available_bytes().unwrap_or(u64::MAX);
        let door = front::Config {
            origins: settings.door.origins.clone(),
            hosts: settings.door.hosts.clone(),
            limits: settings.door.limits.clone().within_open_files(open_files).within_memory(memory),
        };
        let preload = settings.preload.clone();
        Ok(Self { listeners, door, app, api, preload, scheduler })
    }

    fn announce(&self) {
        for listener in &self.listeners {
            tracing::info!("listening on http://{}", listener.address());
        }
        tell_systemd(&[NotifyState::Ready]);
    }

    async fn run(self) -> anyhow::Result<()> {
        let stop = CancellationToken::new();
        let (api, preload) = (self.api.clone(), self.preload);
        tokio::spawn(async move { api.preload(&preload).await });
        let serving = tokio::spawn(front::serve(self.listeners, self.app, self.door, stop.clone()));
        told_to_stop().await?;
        tracing::info!("stopping; running answers get {} seconds", DRAIN.as_secs());
        tell_systemd(&[NotifyState::Stopping]);
        stop.cancel();
        let ended = async {
            // Nothing more can be asked for once it returns.
            let _served = serving.await;
            self.api.drain().await;
        };
        if tokio::time::timeout(DRAIN, ended).await.is_err() {
            tracing::warn!("answers were cut off");
        }
        self.api.stop().await;
        self.scheduler.shutdown().await;
        Ok(())
    }
}

fn registry_config(settings: &Settings) -> registry::Config {
    registry::Config {
        hosts: settings.registry.trusted.clone(),
        credentials: settings.registry.credentials.clone(),
        proxy: settings.registry.proxy.clone(),
        bytes_per_second: settings.registry.bytes_per_second,
        version: env!("CARGO_PKG_VERSION").into(),
    }
}

/// What is to be done if the state cannot be opened. Nothing is served then: a daemon that began anew, or forgot all it is told,
/// would say that what was kept is not there, and nobody would look.
fn no_state(error: StateError) -> anyhow::Error {
    let hint = match &error {
        // These say it themselves.
        StateError::Newer { .. } | StateError::Damaged { .. } => return anyhow::anyhow!("{error}"),
        _ => "see to it that this user can write there, or name another folder by state.dir",
    };
    anyhow::anyhow!("{error}\nhint: {hint}")
}

/// Gives back the room of what nobody names, beside everything else.
fn prune(store: &Store) -> impl FnOnce() + Send + 'static {
    let store = store.clone();
    move || match store.prune() {
        Ok(pruned) if pruned.files > 0 => {
            tracing::info!(files = pruned.files, bytes = pruned.bytes, "removed what no model names")
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "what no model names stays"),
    }
}

/// A loopback address of a family that the machine does not have is no reason not to serve the other.
fn bind(addresses: &[SocketAddr]) -> anyhow::Result<Vec<front::Listener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        match front::bind(*address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.is_unavailable() && addresses.len() > 1 => {
                tracing::warn!(%error, "not listening there")
            }
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::ensure!(!listeners.is_empty(), "there is no address to listen on");
    Ok(listeners)
}

async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn tell_systemd(state: &[NotifyState<'_>]) {
    if let Err(error) = platform::service::tell(state) {
        tracing::warn!(%error, "systemd was not told");
    }
}
