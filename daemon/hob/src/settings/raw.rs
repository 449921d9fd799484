//! The layers as they are written, before anything is checked.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use config::{Config, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};
use serde::Deserialize;

use super::environment::Environment;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    pub(super) listen: Option<String>,
    pub(super) host: Option<String>,
    pub(super) hosts: Option<String>,
    pub(super) origins: Option<String>,
    pub(super) lan: Lan,
    pub(super) key: Option<String>,
    pub(super) loopback: Loopback,
    pub(super) plaintext: Plaintext,
    pub(super) limits: Limits,
    pub(super) tls: Tls,
    pub(super) claim: Claim,
    pub(super) admin: Admin,
    pub(super) models: Models,
    pub(super) state: State,
    pub(super) memory: Memory,
    pub(super) engine: Engine,
    pub(super) cache: Cache,
    pub(super) registry: Registry,
    pub(super) log: Log,
    pub(super) cli: Cli,
}

/// Beside this it may be what `open` says, alone: `lan = "on"`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Lan {
    pub(super) open: Option<String>,
    pub(super) announce: Option<String>,
    pub(super) interfaces: Option<String>,
    pub(super) skip: Option<String>,
    pub(super) share: Option<bool>,
    pub(super) route: Option<String>,
    pub(super) split: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Loopback {
    pub(super) require_key: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Plaintext {
    pub(super) listen: Option<String>,
    pub(super) allow: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) connections: Option<u32>,
    pub(super) connections_per_address: Option<u32>,
    pub(super) unauthenticated_per_address: Option<u32>,
    pub(super) handshake_time: Option<String>,
    pub(super) streams: Option<u32>,
    pub(super) network_streams: Option<u32>,
    pub(super) header_time: Option<String>,
    pub(super) header_bytes: Option<String>,
    pub(super) header_bytes_h2: Option<String>,
    pub(super) headers: Option<u32>,
    pub(super) body_idle: Option<String>,
    pub(super) body_time: Option<String>,
    pub(super) unpacked_bytes: Option<String>,
    pub(super) held_bytes: Option<String>,
    pub(super) stranger_bytes: Option<String>,
    pub(super) passing_bytes: Option<String>,
    pub(super) write_idle: Option<String>,
    pub(super) idle: Option<String>,
    pub(super) farewell: Option<String>,
    pub(super) resets: Option<u32>,
    pub(super) drain: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) names: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Claim {
    pub(super) name: Option<String>,
    pub(super) password_hash_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Admin {
    pub(super) socket: Option<PathBuf>,
    pub(super) group: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Models {
    pub(super) dir: Option<PathBuf>,
    pub(super) keep_alive: Option<String>,
    pub(super) preload: Option<String>,
    pub(super) context: Option<u32>,
    pub(super) parallel: Option<u32>,
    pub(super) max_loaded: Option<u32>,
    pub(super) max_queue: Option<u32>,
    pub(super) load_timeout: Option<String>,
    pub(super) keep_free: Option<String>,
    pub(super) prune: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct State {
    pub(super) dir: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Memory {
    pub(super) limit: Option<String>,
    pub(super) floor: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Registry {
    pub(super) trusted: Option<String>,
    pub(super) proxy: Option<String>,
    pub(super) limit: Option<String>,
    pub(super) credentials: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Engine {
    pub(super) max_step_ms: Option<u32>,
    pub(super) stuck_after: Option<String>,
    pub(super) speculation: Option<bool>,
    pub(super) threads: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Cache {
    pub(super) k: Option<String>,
    pub(super) v: Option<String>,
    pub(super) ram: Option<String>,
    pub(super) disk: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) level: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Cli {
    pub(super) history: Option<bool>,
    pub(super) editor: Option<String>,
}

/// Lays the layers over each other.
pub(super) fn read(user: &Path, environment: &Environment) -> anyhow::Result<Raw> {
    if let Some(name) = environment.mistaken.first() {
        anyhow::bail!(
            "the variable {name} is no setting; where a setting has a section there are two underscores between them, as in \
             HOB_MODELS__DIR"
        );
    }
    let mut builder = Config::builder();
    for path in files(user) {
        builder = builder.add_source(Layer(path));
    }
    for (key, value) in environment.aliases.iter().chain(&environment.own) {
        builder = builder.set_override(key, value.as_str()).with_context(|| format!("setting {key}"))?;
    }
    let layers = builder.build().map_err(with_hint).context("the settings cannot be read")?;
    layers.try_deserialize().context("the settings make no sense")
}

/// TOML has one value of a name, and says so in words of its own.
fn with_hint(error: ConfigError) -> anyhow::Error {
    let said = error.to_string();
    let twice = said.contains("dotted key") || said.contains("duplicate key");
    match twice && said.contains("lan") {
        true => anyhow::anyhow!(
            "{said}\nhint: beside lan.route and its like, lan = \"on\" is written lan.open = \"on\""
        ),
        false => error.into(),
    }
}

/// One file.
#[derive(Clone, Debug)]
struct Layer(PathBuf);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let mut values = File::from(self.0.as_path()).format(FileFormat::Toml).collect()?;
        // `lan = "on"` in one file and `[lan]` in the next are about one thing.
        if let Some(lan) = values.get_mut("lan")
            && !matches!(lan.kind, ValueKind::Table(_))
        {
            let open = Map::from_iter([("open".to_owned(), lan.clone())]);
            *lan = Value::new(lan.origin().map(ToOwned::to_owned).as_ref(), ValueKind::Table(open));
        }
        Ok(values)
    }
}

/// Files that are there, the later ones over the earlier.
fn files(user: &Path) -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/hob/hob.toml")];
    let folder = std::fs::read_dir("/etc/hob/conf.d").into_iter().flatten().flatten();
    let mut parts: Vec<PathBuf> = folder.map(|entry| entry.path()).collect();
    parts.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    parts.sort();
    files.append(&mut parts);
    files.push(user.join("hob.toml"));
    files.retain(|path| path.is_file());
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lan_as_a_value_and_as_a_section_in_one_file_says_how_it_is_written() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("hob.toml");
        for text in [
            "lan = \"on\"\nlan.route = \"neighbours\"\n",
            "lan.route = \"neighbours\"\nlan = \"on\"\n",
            "lan = \"on\"\n[lan]\nroute = \"neighbours\"\n",
        ] {
            std::fs::write(&path, text).unwrap();
            let error =
                Config::builder().add_source(Layer(path.clone())).build().map_err(with_hint).unwrap_err();
            let said = error.to_string();
            assert!(said.contains("lan.open = \"on\""), "{said}");
        }
    }
}
