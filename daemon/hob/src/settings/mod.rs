//! Settings: layers of files, of what the page keeps, and of the environment, read into one typed struct. An unknown key is an error.

pub(crate) mod catalogue;
mod credentials;
mod door;
mod environment;
mod layers;
mod limits;
mod neighbours;
mod ownership;
mod page;
mod raw;
mod secret;
mod sources;
mod surroundings;
mod values;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use backup::Folder;
use platform::directories::Directories;
use protocol::{CacheType, CacheTypes};
use registry::Credential;
use scheduler::{KeepAlive, MemoryLimit};
use store::ModelName;

pub(crate) use self::door::DoorSettings;
use self::environment::Environment;
pub(crate) use self::layers::Words;
pub(crate) use self::neighbours::{Announce, NeighbourSettings};
use self::ownership::absolute;
pub(crate) use self::ownership::{AdminSettings, ClaimSettings, TlsSettings};
pub(crate) use self::page::{Page, Rules, Values};
use self::raw::Raw;
pub(crate) use self::secret::Secret;
pub(crate) use self::sources::{Read, Served, Sources};
pub(crate) use self::surroundings::Surroundings;
use self::values::{list, patience, ranged, size, time};
use crate::telemetry;

/// Everything that an owner can decide, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// What people call the box.
    pub(crate) name: String,
    /// Who comes in where.
    pub(crate) door: DoorSettings,
    pub(crate) neighbours: NeighbourSettings,
    pub(crate) tls: TlsSettings,
    /// A claim without anybody at the box.
    pub(crate) claim: Option<ClaimSettings>,
    pub(crate) admin: AdminSettings,
    /// Where what lives only as long as the daemon lies.
    pub(crate) runtime_dir: PathBuf,
    pub(crate) models_dir: PathBuf,
    /// Where what else is kept lies.
    pub(crate) state_dir: PathBuf,
    pub(crate) keep_alive: KeepAlive,
    /// In memory from the start, to stay.
    pub(crate) preload: Vec<ModelName>,
    pub(crate) context_tokens: u32,
    /// Requests that one model answers at once.
    pub(crate) sequences: u32,
    pub(crate) max_loaded: usize,
    /// What all models together may take.
    pub(crate) memory: MemoryLimit,
    pub(crate) max_queue: usize,
    pub(crate) load_timeout: Duration,
    /// Milliseconds that a step may take while somebody waits for their next token.
    pub(crate) max_step_ms: u32,
    /// How long a worker at work, which says so every second, may say nothing.
    pub(crate) stuck_after: Duration,
    /// Text that repeats itself is guessed ahead.
    pub(crate) speculation: bool,
    pub(crate) threads: Option<u32>,
    /// In what a KV cache is kept.
    pub(crate) cache_types: CacheTypes,
    /// Bytes of memory of a worker for prefixes outside its KV cache.
    pub(crate) cache_ram: u64,
    /// Folder and bytes for prefixes that outlive workers.
    pub(crate) cache_disk: Option<(PathBuf, u64)>,
    /// What nobody names is removed at start.
    pub(crate) prune: bool,
    /// Bytes of the disk that pulls leave free.
    pub(crate) keep_free: u64,
    pub(crate) registry: RegistrySettings,
    /// Which daemon the command line talks to.
    pub(crate) client_host: Option<String>,
    /// By which the command line is known to it.
    pub(crate) client_key: Option<Secret>,
    /// Where the boxes are kept that the command line was paired with.
    pub(crate) boxes_dir: PathBuf,
    /// The console keeps a history.
    pub(crate) history: bool,
    /// What the console opens for a long message: a program and its arguments.
    pub(crate) editor: String,
    /// The user wants colours.
    pub(crate) colours: bool,
    pub(crate) log: LogSettings,
    /// Where other programs and their settings lie.
    pub(crate) surroundings: Surroundings,
}

/// How registries are talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RegistrySettings {
    /// Hosts that may be on the inside of the network, and be asked by plain HTTP.
    pub(crate) trusted: registry::Hosts,
    pub(crate) proxy: Option<String>,
    /// What registries are told of us, by host.
    pub(crate) credentials: HashMap<String, Credential>,
    /// `None` is all there are.
    pub(crate) bytes_per_second: Option<u64>,
}

/// What is logged, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogSettings {
    pub(crate) level: String,
    pub(crate) target: LogTarget,
}

/// Where logs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogTarget {
    Journal,
    StandardError,
}

impl Settings {
    /// Reads all layers but the page's, which only the daemon goes by: the machine's files, the user's file, Ollama's variables,
    /// Hob's own.
    ///
    /// # Errors
    /// The first value that makes no sense, with where it stands.
    pub(crate) fn load() -> anyhow::Result<Self> {
        Ok(Sources::system()?.read(None)?.settings)
    }

    /// Reads all layers, for the daemon.
    ///
    /// # Errors
    /// The same. What the page keeps is left out if the box could not start with it.
    pub(crate) fn load_served() -> anyhow::Result<Served> {
        Sources::system()?.served()
    }

    fn check(raw: Raw, directories: &Directories, environment: &Environment) -> anyhow::Result<Self> {
        let state_dir = state_dir(&raw, directories)?;
        let models_dir = raw.models.dir.clone().unwrap_or_else(|| Folder::of(state_dir.clone()).models());
        let cache_disk = size("cache.disk", raw.cache.disk.as_deref().unwrap_or("0"))?;
        let target = if environment.journal { LogTarget::Journal } else { LogTarget::StandardError };
        let runtime_dir = ownership::runtime_dir(environment.runtime_directory.as_deref(), &state_dir);
        Ok(Self {
            name: name(raw.name.as_deref())?,
            door: DoorSettings::check(&raw, environment)?,
            neighbours: NeighbourSettings::check(&raw.lan)?,
            admin: ownership::admin(&raw, &runtime_dir)?,
            tls: ownership::tls(raw.tls)?,
            claim: ownership::claim(raw.claim)?,
            runtime_dir,
            models_dir: absolute("models.dir", &models_dir)?,
            state_dir: state_dir.clone(),
            keep_alive: time("models.keep_alive", raw.models.keep_alive.as_deref().unwrap_or("5m"))?,
            preload: models(raw.models.preload.as_deref())?,
            context_tokens: ranged(
                "models.context",
                raw.models.context.filter(|n| *n > 0),
                4096,
                4,
                1 << 24,
            )?,
            sequences: ranged("models.parallel", raw.models.parallel.filter(|n| *n > 0), 4, 1, 64)?,
            max_loaded: max_loaded(raw.models.max_loaded)?,
            memory: memory_limit(&raw.memory)?,
            max_queue: ranged("models.max_queue", raw.models.max_queue, 512, 1, 1 << 16)? as usize,
            load_timeout: patience(
                "models.load_timeout",
                raw.models.load_timeout.as_deref().unwrap_or("5m"),
            )?,
            max_step_ms: ranged("engine.max_step_ms", raw.engine.max_step_ms, 200, 1, 60_000)?,
            stuck_after: patience("engine.stuck_after", raw.engine.stuck_after.as_deref().unwrap_or("60s"))?,
            speculation: raw.engine.speculation.unwrap_or(true),
            threads: raw.engine.threads.map(|n| ranged("engine.threads", Some(n), 1, 1, 1024)).transpose()?,
            cache_types: CacheTypes {
                k: cache_type("cache.k", raw.cache.k.as_deref())?,
                v: cache_type("cache.v", raw.cache.v.as_deref())?,
            },
            cache_ram: size("cache.ram", raw.cache.ram.as_deref().unwrap_or("256MiB"))?,
            cache_disk: (cache_disk > 0).then(|| (Folder::of(state_dir.clone()).cache(), cache_disk)),
            keep_free: size("models.keep_free", raw.models.keep_free.as_deref().unwrap_or("1GiB"))?,
            prune: raw.models.prune.unwrap_or(true),
            registry: registry_settings(raw.registry)?,
            client_host: raw.host,
            client_key: raw.key.map(Secret::from),
            boxes_dir: directories.config.join("boxes"),
            history: raw.cli.history.unwrap_or(true),
            editor: raw.cli.editor.unwrap_or_else(|| "vi".into()),
            colours: !environment.no_colour,
            log: LogSettings { level: level(raw.log.level)?, target },
            surroundings: environment.surroundings.clone(),
        })
    }
}

/// Where what is kept lies.
fn state_dir(raw: &Raw, directories: &Directories) -> anyhow::Result<PathBuf> {
    absolute("state.dir", raw.state.dir.as_ref().unwrap_or(&directories.state))
}

/// The longest name of a box, in characters.
const LONGEST_NAME: usize = 40;

fn name(given: Option<&str>) -> anyhow::Result<String> {
    let Some(name) = given.map(str::trim) else { return Ok("Hob".into()) };
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    anyhow::ensure!(
        fits,
        "setting name: what people call the box has 1 to {LONGEST_NAME} characters, on one line"
    );
    Ok(name.to_owned())
}

fn level(given: Option<String>) -> anyhow::Result<String> {
    let level = given.unwrap_or_else(|| "info".into());
    telemetry::filter(&level)?;
    Ok(level)
}

fn registry_settings(raw: raw::Registry) -> anyhow::Result<RegistrySettings> {
    let trusted = raw.trusted.as_deref().unwrap_or_default().parse().context("setting registry.trusted")?;
    let limit = raw.limit.as_deref().map(|text| size("registry.limit", text)).transpose()?;
    let credentials = raw.credentials.as_deref().map(credentials::read).transpose()?.unwrap_or_default();
    let bytes_per_second = limit.filter(|rate| *rate > 0);
    Ok(RegistrySettings { trusted, proxy: raw.proxy, credentials, bytes_per_second })
}

/// With 0, only memory counts.
fn max_loaded(given: Option<u32>) -> anyhow::Result<usize> {
    match given {
        Some(0) => Ok(usize::MAX),
        given => Ok(ranged("models.max_loaded", given, 3, 1, 64)? as usize),
    }
}

fn memory_limit(raw: &raw::Memory) -> anyhow::Result<MemoryLimit> {
    let floor_bytes = size("memory.floor", raw.floor.as_deref().unwrap_or("512MiB"))?;
    match raw.limit.as_deref() {
        None | Some("auto") => Ok(MemoryLimit::Free { floor_bytes }),
        Some(text) => Ok(MemoryLimit::Bytes(size("memory.limit", text)?)),
    }
}

fn models(text: Option<&str>) -> anyhow::Result<Vec<ModelName>> {
    let name = |name: String| {
        name.parse().with_context(|| format!("setting models.preload: {name:?} is no model's name"))
    };
    list(text).into_iter().map(name).collect()
}

fn cache_type(name: &str, text: Option<&str>) -> anyhow::Result<CacheType> {
    text.map_or(Ok(CacheType::F16), |text| text.parse().with_context(|| format!("setting {name}")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::values::LONGEST_PATIENCE;
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let directories = Directories::of_user(Path::new("/home/somebody"));
        let environment =
            Environment::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let read = Sources { environment, directories }.read(None).map_err(|error| format!("{error:#}"))?;
        Ok(read.settings)
    }

    #[test]
    fn the_defaults_are_ollamas_where_it_has_them() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.door.listen[0].to_string(), "127.0.0.1:11434");
        assert_eq!(settings.keep_alive, KeepAlive::For(Duration::from_secs(300)));
        assert_eq!(settings.models_dir, Path::new("/home/somebody/.local/share/hob/models"));
        assert_eq!(settings.state_dir, Path::new("/home/somebody/.local/share/hob"));
    }

    #[test]
    fn a_box_has_a_name_that_fits_on_a_page() {
        let name = |text: &str| settings(&[("HOB_NAME", text)]).map(|settings| settings.name);
        assert_eq!(settings(&[]).unwrap().name, "Hob");
        assert_eq!(name("  Kitchen ").unwrap(), "Kitchen");
        assert_eq!(name(&"厨".repeat(40)).unwrap().chars().count(), 40);
        assert!(name(&"k".repeat(41)).unwrap_err().contains("1 to 40 characters"));
        assert!(name("a\nb").unwrap_err().contains("on one line"));
    }

    /// What the page shows where nobody said anything is what is in force then.
    #[test]
    fn the_catalogues_defaults_are_those_that_count() {
        let variables: Vec<(String, &str)> = catalogue::CATALOGUE
            .iter()
            .filter_map(|known| {
                let name = known.name.to_uppercase().replace('.', "__");
                Some((
                    format!("HOB_{}", if name == "LAN__OPEN" { "LAN".into() } else { name }),
                    known.default?,
                ))
            })
            .collect();
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        assert_eq!(settings(&variables).unwrap(), settings(&[]).unwrap());
    }

    #[test]
    fn models_lie_with_the_rest_of_the_state_unless_they_have_a_place_of_their_own() {
        let folders = |variables: &[(&str, &str)]| {
            let settings = settings(variables).unwrap();
            (settings.state_dir, settings.models_dir)
        };
        let service = ("STATE_DIRECTORY", "/var/lib/hob");
        assert_eq!(folders(&[service]), ("/var/lib/hob".into(), "/var/lib/hob/models".into()));
        assert_eq!(folders(&[service, ("HOB_STATE__DIR", "/a")]), ("/a".into(), "/a/models".into()));
        let apart = [("HOB_STATE__DIR", "/a"), ("HOB_MODELS__DIR", "/b")];
        assert_eq!(folders(&apart), ("/a".into(), "/b".into()));
    }

    #[test]
    fn our_own_variables_win_over_ollamas() {
        let settings =
            settings(&[("OLLAMA_MODELS", "/old"), ("HOB_MODELS__DIR", "/new"), ("OLLAMA_KEEP_ALIVE", "-1")]);
        let settings = settings.unwrap();
        assert_eq!(settings.models_dir, Path::new("/new"));
        assert_eq!(settings.keep_alive, KeepAlive::Forever);
    }

    #[test]
    fn the_socket_and_the_boxes_lie_where_daemon_and_command_line_both_look() {
        let service = settings(&[("RUNTIME_DIRECTORY", "/run/hob"), ("HOB_KEY", "hob_planted")]).unwrap();
        assert_eq!(service.admin.socket, Path::new("/run/hob/admin.sock"));
        assert_eq!(service.boxes_dir, Path::new("/home/somebody/.config/hob/boxes"));
        assert_eq!(service.client_key.as_ref().unwrap().reveal(), "hob_planted");
        assert!(!format!("{service:?}").contains("planted"));
        let user = settings(&[]).unwrap();
        assert_eq!(user.admin.socket, Path::new("/home/somebody/.local/share/hob/run/admin.sock"));
    }

    #[test]
    fn patience_may_be_endless() {
        let stuck_after = |text| settings(&[("HOB_ENGINE__STUCK_AFTER", text)]).unwrap().stuck_after;
        assert_eq!(settings(&[]).unwrap().stuck_after, Duration::from_secs(60));
        assert_eq!(stuck_after("10m"), Duration::from_secs(600));
        assert_eq!((stuck_after("0"), stuck_after("-1")), (LONGEST_PATIENCE, LONGEST_PATIENCE));
    }

    #[test]
    fn memory_is_what_is_free_but_for_a_floor_or_what_the_owner_says() {
        let memory = |variables| settings(variables).unwrap().memory;
        assert_eq!(memory(&[]), MemoryLimit::Free { floor_bytes: 512 << 20 });
        assert_eq!(
            memory(&[("HOB_MEMORY__LIMIT", "auto"), ("HOB_MEMORY__FLOOR", "1GiB")]),
            MemoryLimit::Free { floor_bytes: 1 << 30 }
        );
        assert_eq!(memory(&[("HOB_MEMORY__LIMIT", "6GiB")]), MemoryLimit::Bytes(6 << 30));
        assert_eq!(settings(&[("OLLAMA_MAX_LOADED_MODELS", "0")]).unwrap().max_loaded, usize::MAX);
    }

    #[test]
    fn a_value_that_makes_no_sense_is_named() {
        let wrong = |name, value| settings(&[(name, value)]).unwrap_err();
        assert!(
            wrong("HOB_MODELS__PARALLEL", "1000")
                .contains("models.parallel is 1000, it must be from 1 to 64")
        );
        assert!(wrong("HOB_MODELS__DIRR", "/x").contains("dirr"));
        assert!(wrong("HOB_LISTEN", "0.0.0.0:11434").contains("TLS"));
        assert!(wrong("HOB_MODELS__KEEP_ALIVE", "soon").contains("models.keep_alive"));
        assert!(wrong("HOB_MODELS__KEEP_FREE", "8 gigs").contains("8GiB"));
        assert!(wrong("HOB_MEMORY__LIMIT", "plenty").contains("memory.limit"));
        assert!(wrong("HOB_ORIGINS", "*").contains("origins: \"*\" is every page"));
        assert!(wrong("HOB_REGISTRY__TRUSTED", "a/b").contains("registry.trusted"));
    }
}
