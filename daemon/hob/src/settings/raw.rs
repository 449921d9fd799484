//! The settings as they are written, before anything is checked. Which layer says what is `layers`'.

use std::path::PathBuf;

use serde::Deserialize;

#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    pub(super) name: Option<String>,
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
#[cfg_attr(test, derive(serde::Serialize))]
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
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(super) struct Loopback {
    pub(super) require_key: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(super) struct Plaintext {
    pub(super) listen: Option<String>,
    pub(super) allow: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
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
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) names: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(super) struct Claim {
    pub(super) name: Option<String>,
    pub(super) password_hash_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(super) struct Admin {
    pub(super) socket: Option<PathBuf>,
    pub(super) group: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
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
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(super) struct State {
    pub(super) dir: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(super) struct Memory {
    pub(super) limit: Option<String>,
    pub(super) floor: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(super) struct Registry {
    pub(super) trusted: Option<String>,
    pub(super) proxy: Option<String>,
    pub(super) limit: Option<String>,
    pub(super) credentials: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(super) struct Engine {
    pub(super) max_step_ms: Option<u32>,
    pub(super) stuck_after: Option<String>,
    pub(super) speculation: Option<bool>,
    pub(super) threads: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(super) struct Cache {
    pub(super) k: Option<String>,
    pub(super) v: Option<String>,
    pub(super) ram: Option<String>,
    pub(super) disk: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) level: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(super) struct Cli {
    pub(super) history: Option<bool>,
    pub(super) editor: Option<String>,
}
