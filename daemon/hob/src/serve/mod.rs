//! `hob serve`: reads the settings, builds the parts, runs them until it is told to stop.

mod decided;
mod doors;
mod lenders;
pub(crate) mod neighbours;
mod placed;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use access::audit::Action;
use access::{Access, Provision};
use anyhow::Context as _;
use backup::{Backups, Folder};
use discovery::Discovery;
use identity::pairing::Peers;
use identity::{DeviceId, Identity, Names, OwnCertificate};
use platform::process::WorkerProgram;
use platform::service::NotifyState;
use registry::{Neighbourhood, Registry};
use scheduler::{Lenders, Scheduler};
use state::{Clock, State, StateError};
use store::{ModelName, Store};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::decided::Decided;
use self::doors::{Doors, Handed};
use self::lenders::Neighbours;
use self::placed::Done;
use self::upkeep::Upkeep;
use crate::settings::{Rules, Served, Settings};
use crate::telemetry;

/// `hob serve` has no options of its own: its settings come from files and the environment.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

/// How long answers that are cut off get to say so.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// A setting, an address or a folder that cannot be used.
pub(crate) fn run(Arguments {}: Arguments) -> anyhow::Result<()> {
    platform::memory::keep_little();
    let mut served = Settings::load_served()?;
    let log = telemetry::start(&served.read.settings.log)?;
    let done = Done::at_start(&served.read.settings)?;
    if done.is_some() {
        // The page's are others now.
        served = Settings::load_served()?;
    }
    for left_out in &served.read.settings.door.origins_left_out {
        tracing::warn!("OLLAMA_ORIGINS: {left_out}; it was left out, and HOB_ORIGINS may say more");
    }
    // Before anything else is opened: they are known by their numbers.
    let handed = Handed::over()?;
    let open_files = platform::process::raise_open_files();
    // Translating takes little; what computes is in the workers.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let ended = runtime.context("cannot start the runtime")?.block_on(async {
        let mut hob = Hob::begin(served, &log, &handed, open_files, done.as_ref())?;
        if let Some(done) = done {
            done.record(&hob.upkeep.access);
        }
        hob.announce();
        hob.run().await
    })?;
    match ended {
        Ended::ForGood => Ok(()),
        Ended::ToRunAnew => match platform::process::run_anew(handed.into_sockets())
            .context("cannot run anew, as was asked for")? {},
    }
}

/// Why the daemon has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It was told to by a signal.
    ForGood,
    /// The page asked for a restart.
    ToRunAnew,
}

/// All parts, every address bound, nothing served yet.
struct Hob {
    doors: Doors,
    front: front::Config,
    app: axum::Router,
    api: api::Api,
    upkeep: Upkeep,
    discovery: Option<Discovery>,
    decided: Arc<Decided>,
    /// Models that are loaded at start.
    preload: Vec<ModelName>,
    scheduler: Scheduler,
    drain: Duration,
}

impl Hob {
    /// What was set on the page must not keep the box from serving, as it could not be mended there then.
    fn begin(
        served: Served,
        log: &api::Log,
        handed: &Handed,
        open_files: u64,
        done: Option<&Done>,
    ) -> anyhow::Result<Self> {
        let built = Self::build(served.clone(), log.clone(), handed.again()?, open_files, done);
        let Err(error) = built else { return built };
        match served.with_less(&error)? {
            Some(less) => Self::begin(less, log, handed, open_files, done),
            None => Err(error),
        }
    }

    fn build(
        served: Served,
        log: api::Log,
        handed: Handed,
        open_files: u64,
        done: Option<&Done>,
    ) -> anyhow::Result<Self> {
        let settings = &served.read.settings.clone();
        let clock = Clock::system();
        let outside = doors::lead_outside(settings, &handed);
        let identity = outside.then(|| identity(settings, clock.clone())).transpose()?;
        let doors = Doors::open(settings, handed, identity.as_ref())?;
        let store = Store::open(settings.models_dir.clone())?.with_floor(settings.keep_free);
        if let Some(done) = done {
            done.make_models(&store);
        }
        if settings.prune {
            tokio::task::spawn_blocking(prune(&store));
        }
        let state = State::open(&settings.state_dir, clock.clone()).map_err(no_state)?;
        let access = access(settings, &state, clock.clone())?;
        let memory = platform::memory::available_bytes().unwrap_or(u64::MAX);
        let front = front::Config {
            access: access.clone(),
            limits: settings.door.limits.clone().within_open_files(open_files).within_memory(memory),
            origins: settings.door.origins.clone(),
            hosts: settings.door.hosts.clone(),
            loopback: match settings.door.require_key {
                true => front::Loopback::RequiresKey,
                false => front::Loopback::Local,
            },
        };
        let by_tls = doors.served_by_tls();
        let peers = Peers::open(folder(settings).peers())?;
        let backups = backups(settings, (&state, &store, &peers), identity.as_ref(), clock);
        let among = (by_tls, !peers.list().is_empty());
        let discovery = neighbours::discovery(&settings.neighbours, identity.as_ref(), &access, among);
        let neighbourhood = neighbourhood(peers, discovery.clone());
        let registry = Registry::new(store.clone(), registry_config(settings))?.beside(neighbourhood.clone());
        let scheduler = Scheduler::start(scheduler_config(settings, &neighbourhood)?);
        let relay = relay(settings)?;
        let decided = Arc::new(Decided::new(served, scheduler.clone()));
        let parts = api::Parts {
            store,
            registry,
            neighbourhood,
            relay,
            discovery: discovery.clone(),
            scheduler: scheduler.clone(),
            state,
            access: access.clone(),
            identity: identity.clone(),
            settings: decided.clone(),
            backups,
            log,
        };
        let api = api::Api::new(parts, api_config(settings));
        let app = api::router(api.clone());
        let upkeep = Upkeep { access, identity, discovery: discovery.clone(), health: api.health() };
        let (preload, drain) = (settings.preload.clone(), settings.door.drain);
        Ok(Self { doors, front, app, api, upkeep, discovery, decided, preload, scheduler, drain })
    }

    fn announce(&mut self) {
        let health = self.api.health();
        health.listens_at(self.doors.addresses());
        for (what, reason) in self.doors.shut.drain(..) {
            let _news = health.degrade(what, reason);
        }
        if let Some(trouble) = self.decided.trouble() {
            tracing::warn!("{trouble}");
            let _news = health.degrade("settings", trouble);
        }
        // What the box is called and reached by is there from the first request on.
        self.upkeep.look();
        for listener in &self.doors.listeners {
            tracing::info!("listening on {listener}");
        }
        if let Some(identity) = &self.upkeep.identity {
            self.introduce(identity);
        }
        tell_systemd(&[NotifyState::Ready]);
    }

    /// What a person needs who stands before the box.
    fn introduce(&self, identity: &Identity) {
        tracing::info!(
            "this box is {} ({} for short), known as {}",
            identity.id(),
            identity.id().short(),
            identity.label()
        );
        let addresses = self.doors.addresses();
        let reached = addresses.iter().find(|address| address.starts_with("https://"));
        let address = reached.map_or("ADDRESS", |address| address.trim_start_matches("https://"));
        if let Some(code) = self.upkeep.access.setup_code() {
            let code = code.reveal();
            tracing::info!(
                "nobody owns this box yet, and the network gets nothing from it; claim it with the code {code}, as by \
                 `hob --host {address} claim {code}`"
            );
        }
    }

    async fn run(self) -> anyhow::Result<Ended> {
        let (stop, stopped) = (CancellationToken::new(), CancellationToken::new());
        let (api, preload) = (self.api.clone(), self.preload);
        tokio::spawn(async move { api.preload(&preload).await });
        let api = self.api.clone();
        tokio::spawn(async move { api.keep_history().await });
        self.upkeep.record(Action::Start);
        if let Some(discovery) = self.discovery.clone() {
            tokio::spawn(neighbours::follow(discovery, self.upkeep.access.clone()));
        }
        let upkeep = tokio::spawn(self.upkeep.run(stopped.clone()));
        let mut serving =
            tokio::spawn(front::serve(self.doors.listeners, self.app, self.front, stop.clone()));
        let ended = told_to_end(&self.decided.restart).await?;
        let word = if ended == Ended::ForGood { "stopping" } else { "ending, to run anew" };
        tracing::info!("{word}; running answers get {} seconds", self.drain.as_secs());
        match ended {
            Ended::ForGood => tell_systemd(&[NotifyState::Stopping]),
            // By word that it stops, systemd would end what it is to run anew.
            Ended::ToRunAnew => platform::service::reloading().unwrap_or_else(untold),
        }
        self.api.health().stops();
        // While those who come are still let in, and before they find nobody there.
        if let Some(discovery) = self.discovery {
            discovery.stop().await;
        }
        stop.cancel();
        let drained = async {
            // Nothing more can be asked for once it returns.
            let _served = (&mut serving).await;
            self.api.drain().await;
        };
        if tokio::time::timeout(self.drain, drained).await.is_err() {
            tracing::warn!("answers were cut off");
            self.api.cut();
            if !serving.is_finished() {
                let _said = tokio::time::timeout(LAST_WORDS, serving).await;
            }
        }
        self.api.stop().await;
        self.scheduler.shutdown().await;
        stopped.cancel();
        upkeep.await??;
        Ok(ended)
    }
}

/// Requests are passed to paired boxes only where the owner wants that.
fn relay(settings: &Settings) -> anyhow::Result<Option<api::Relay>> {
    let secret = || {
        let path = folder(settings).aliases();
        platform::durable::secret(&path).with_context(|| format!("cannot read or make {}", path.display()))
    };
    settings.neighbours.route.then(|| secret().map(api::Relay::new)).transpose()
}

/// Where all is kept but the models.
fn folder(settings: &Settings) -> Folder {
    Folder::of(settings.state_dir.clone())
}

/// The box in one file, and back.
fn backups(
    settings: &Settings,
    (state, store, peers): (&State, &Store, &Peers),
    identity: Option<&Identity>,
    clock: Clock,
) -> Backups {
    Backups::new(backup::Parts {
        folder: folder(settings),
        state: state.clone(),
        store: store.clone(),
        peers: peers.clone(),
        identity: identity.map(|identity| *identity.id()),
        clock,
        version: env!("CARGO_PKG_VERSION").into(),
        settings: Arc::new(Rules),
    })
}

/// Who the box is.
fn identity(settings: &Settings, clock: Clock) -> anyhow::Result<Identity> {
    let names = Names { hostname: platform::network::hostname(), extra: settings.tls.names.clone() };
    let own = settings.tls.own.clone();
    let own = own.map(|files| OwnCertificate { cert: files.certificate, key: files.key });
    let build_date = env!("HOB_BUILT").parse().context("this build does not know its date")?;
    let config = identity::Config { names, now: Arc::new(move || clock.now()), build_date, own };
    Ok(Identity::open(&folder(settings).identity(), config)?)
}

/// The boxes that this one is paired with, and where each is said to be, if that is listened to.
fn neighbourhood(peers: Peers, discovery: Option<Discovery>) -> Neighbourhood {
    let whereabouts =
        move |id: &DeviceId| discovery.as_ref().map_or_else(Vec::new, |found| found.where_is(id));
    Neighbourhood::new(peers, Arc::new(whereabouts))
}

/// Who may do what.
fn access(settings: &Settings, state: &State, clock: Clock) -> anyhow::Result<Access> {
    let provision = settings.claim.as_ref().map(|claim| {
        let password_hash = claim.password_hash()?.reveal().to_owned();
        Ok::<_, anyhow::Error>(Provision { name: claim.name.clone(), password_hash })
    });
    let config = access::Config {
        clock,
        runtime_dir: settings.runtime_dir.clone(),
        audit_dir: folder(settings).audit(),
        provision: provision.transpose()?,
    };
    Ok(Access::open(state.clone(), config)?)
}

fn api_config(settings: &Settings) -> api::Config {
    api::Config {
        version: env!("CARGO_PKG_VERSION").into(),
        sequences: settings.sequences,
        max_step_ms: settings.max_step_ms,
        speculation: settings.speculation,
        cache_types: settings.cache_types,
        threads: settings.threads,
        lends: settings.neighbours.split.then(|| engine::BUILD.into()),
    }
}

fn scheduler_config(settings: &Settings, neighbourhood: &Neighbourhood) -> anyhow::Result<scheduler::Config> {
    let lenders = || Arc::new(Neighbours::new(neighbourhood.clone())) as Arc<dyn Lenders>;
    Ok(scheduler::Config {
        worker: WorkerProgram::this_executable().context("cannot tell where this program lies")?,
        max_loaded: settings.max_loaded,
        memory: settings.memory,
        keep_alive: settings.keep_alive,
        max_queue: settings.max_queue,
        load_timeout: settings.load_timeout,
        stuck_after: settings.stuck_after,
        cache_bytes: settings.cache_ram,
        cache_disk: settings.cache_disk.clone(),
        lenders: settings.neighbours.split.then(lenders),
    })
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

async fn told_to_end(restart: &CancellationToken) -> anyhow::Result<Ended> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => Ok(Ended::ForGood),
        _ = interrupt.recv() => Ok(Ended::ForGood),
        () = restart.cancelled() => Ok(Ended::ToRunAnew),
    }
}

fn tell_systemd(state: &[NotifyState<'_>]) {
    platform::service::tell(state).unwrap_or_else(untold);
}

fn untold(error: std::io::Error) {
    tracing::warn!(%error, "systemd was not told");
}
