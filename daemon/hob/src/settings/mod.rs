//! Settings: layers of files and environment, read once into one typed struct. An unknown key is an error.

mod credentials;
mod environment;
mod raw;
mod surroundings;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use front::{InvalidOrigin, OriginPattern};
use platform::directories::Directories;
use protocol::{CacheType, CacheTypes};
use registry::Credential;
use scheduler::{KeepAlive, MemoryLimit};
use store::ModelName;

use self::environment::Environment;
use self::raw::Raw;
pub(crate) use self::surroundings::Surroundings;

/// Everything that an owner can decide, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Where the daemon listens; loopback addresses only.
    pub(crate) listen: Vec<SocketAddr>,
    /// Host names that are ours, besides the loopback's.
    pub(crate) hosts: Vec<String>,
    /// Origins of pages that may call us, besides the loopback's.
    pub(crate) origins: Vec<OriginPattern>,
    /// Origins that Ollama lets in and we do not, and why.
    pub(crate) origins_left_out: Vec<InvalidOrigin>,
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

/// A time-out that is "never" is a day.
const LONGEST_PATIENCE: Duration = Duration::from_secs(24 * 3600);

impl Settings {
    /// Reads all layers: the machine's files, the user's file, Ollama's variables, Hob's own.
    ///
    /// # Errors
    /// The first value that makes no sense, with where it stands.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let environment = Environment::read();
        let directories = Directories::of_user(environment.surroundings.home()?);
        let raw = raw::read(&directories.config, &environment)?;
        Self::check(raw, &directories, &environment)
    }

    fn check(raw: Raw, directories: &Directories, environment: &Environment) -> anyhow::Result<Self> {
        let state_dir = environment.state_directory.as_ref().map(PathBuf::from);
        let state_dir = raw.state.dir.or(state_dir).unwrap_or_else(|| directories.state.clone());
        let state_dir = std::path::absolute(&state_dir)
            .with_context(|| format!("setting state.dir: {}", state_dir.display()))?;
        let models_dir = raw.models.dir.unwrap_or_else(|| state_dir.join("models"));
        let cache_disk = size("cache.disk", raw.cache.disk.as_deref().unwrap_or("0"))?;
        let target = if environment.journal { LogTarget::Journal } else { LogTarget::StandardError };
        let (origins, origins_left_out) = origins(raw.origins.as_deref(), environment)?;
        Ok(Self {
            listen: addresses(raw.listen.as_deref())?,
            hosts: list(raw.hosts.as_deref()),
            origins,
            origins_left_out,
            models_dir: absolute(&models_dir)?,
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
            cache_disk: (cache_disk > 0).then(|| (state_dir.join("cache"), cache_disk)),
            keep_free: size("models.keep_free", raw.models.keep_free.as_deref().unwrap_or("1GiB"))?,
            prune: raw.models.prune.unwrap_or(true),
            registry: registry_settings(raw.registry)?,
            client_host: raw.host,
            history: raw.cli.history.unwrap_or(true),
            editor: raw.cli.editor.or(environment.editor.clone()).unwrap_or_else(|| "vi".into()),
            colours: !environment.no_colour,
            log: LogSettings { level: raw.log.level.unwrap_or_else(|| "info".into()), target },
            surroundings: environment.surroundings.clone(),
        })
    }
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

/// Bytes, as in `8GiB`, `500MB` or `4096`.
fn size(name: &str, text: &str) -> anyhow::Result<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit.trim() {
        "" | "B" => 1,
        "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => 0,
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes
        .filter(|_| unit > 0)
        .with_context(|| format!("setting {name}: \"{text}\" is no size; write it like 8GiB or 500MB"))
}

/// A time after which something is given up; 0 and negative ones are never.
fn patience(name: &str, text: &str) -> anyhow::Result<Duration> {
    Ok(match time(name, text)? {
        KeepAlive::For(Duration::ZERO) | KeepAlive::Forever => LONGEST_PATIENCE,
        KeepAlive::For(time) => time.min(LONGEST_PATIENCE),
    })
}

fn models(text: Option<&str>) -> anyhow::Result<Vec<ModelName>> {
    let name = |name: String| {
        name.parse().with_context(|| format!("setting models.preload: {name:?} is no model's name"))
    };
    list(text).into_iter().map(name).collect()
}

/// Those that are let in; and those that are not, where Ollama's variable names them, which was set for another program.
fn origins(
    text: Option<&str>,
    environment: &Environment,
) -> anyhow::Result<(Vec<OriginPattern>, Vec<InvalidOrigin>)> {
    let is_named = |variables: &[(String, String)]| variables.iter().any(|(key, _)| key == "origins");
    let ollamas = is_named(&environment.aliases) && !is_named(&environment.own);
    let (mut origins, mut left_out) = (Vec::new(), Vec::new());
    for origin in list(text) {
        match origin.parse() {
            Ok(origin) => origins.push(origin),
            Err(error) if ollamas => left_out.push(error),
            Err(error) => return Err(error).context("setting origins"),
        }
    }
    Ok((origins, left_out))
}

fn cache_type(name: &str, text: Option<&str>) -> anyhow::Result<CacheType> {
    text.map_or(Ok(CacheType::F16), |text| text.parse().with_context(|| format!("setting {name}")))
}

fn time(name: &str, text: &str) -> anyhow::Result<KeepAlive> {
    text.parse().with_context(|| format!("setting {name}"))
}

fn ranged(name: &str, given: Option<u32>, default: u32, low: u32, high: u32) -> anyhow::Result<u32> {
    let value = given.unwrap_or(default);
    anyhow::ensure!(
        (low..=high).contains(&value),
        "setting {name} is {value}, it must be from {low} to {high}"
    );
    Ok(value)
}

fn list(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(Into::into)
        .collect()
}

/// The default is Ollama's port on both loopbacks.
fn addresses(text: Option<&str>) -> anyhow::Result<Vec<SocketAddr>> {
    let Some(text) = text else {
        return Ok(vec![([127, 0, 0, 1], PORT).into(), (std::net::Ipv6Addr::LOCALHOST, PORT).into()]);
    };
    list(Some(text)).iter().map(|part| address(part)).collect()
}

const PORT: u16 = 11434;

fn address(text: &str) -> anyhow::Result<SocketAddr> {
    let bare =
        text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/').replace("localhost", "127.0.0.1");
    let parsed = bare.parse::<SocketAddr>().or_else(|_| bare.parse().map(|ip| SocketAddr::new(ip, PORT)));
    let address = parsed.with_context(|| {
        format!("setting listen: \"{text}\" is no address; write it like 127.0.0.1:11434")
    })?;
    anyhow::ensure!(
        address.ip().is_loopback(),
        "setting listen: {address} is open to the network, which hob does not serve without TLS; use a loopback address \
         such as 127.0.0.1:{}",
        address.port()
    );
    Ok(address)
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("setting models.dir: {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let directories = Directories::of_user(Path::new("/home/somebody"));
        let environment =
            Environment::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let raw = raw::read(Path::new("/nowhere"), &environment).map_err(|error| format!("{error:#}"))?;
        Settings::check(raw, &directories, &environment).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_defaults_are_ollamas_where_it_has_them() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.listen[0].to_string(), "127.0.0.1:11434");
        assert_eq!(settings.keep_alive, KeepAlive::For(Duration::from_secs(300)));
        assert_eq!(settings.models_dir, Path::new("/home/somebody/.local/share/hob/models"));
        assert_eq!(settings.state_dir, Path::new("/home/somebody/.local/share/hob"));
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
    fn of_ollamas_origins_what_cannot_be_had_is_left_out() {
        let given = settings(&[("OLLAMA_ORIGINS", "*,https://home.example")]).unwrap();
        assert_eq!(given.origins, ["https://home.example".parse().unwrap()]);
        assert!(
            given.origins_left_out[0].to_string().contains("https://home.example or chrome-extension://*")
        );
        let ours = settings(&[("OLLAMA_ORIGINS", "*"), ("HOB_ORIGINS", "app://obsidian.md")]).unwrap();
        assert!(ours.origins_left_out.is_empty());
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
