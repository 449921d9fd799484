//! The environment, read once: Hob's own names, Ollama's as aliases, and what systemd and the journal say. No other file
//! reads it.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use super::surroundings::{FOLDERS, Surroundings};

/// A setting that a variable says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Variable {
    /// Its own name.
    pub(super) name: String,
    /// The setting's, dotted.
    pub(super) setting: String,
    pub(super) value: String,
}

/// What the environment says, sorted by whose word it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Environment {
    /// From Hob's own variables.
    pub(super) own: Vec<Variable>,
    /// Names of variables that look like ours and are none.
    pub(super) mistaken: Vec<String>,
    /// From Ollama's variables.
    pub(super) aliases: Vec<Variable>,
    /// From variables that other programs go by: they count where nothing else is said, not even in a file.
    pub(super) usual: Vec<Variable>,
    /// Where systemd wants what lives as long as the daemon.
    pub(super) runtime_directory: Option<String>,
    /// Standard error goes to the journal.
    pub(super) journal: bool,
    /// <https://no-color.org>
    pub(super) no_colour: bool,
    pub(super) surroundings: Surroundings,
}

/// Hob's variables without a section; others have one, as in `HOB_MODELS__DIR`.
const PLAIN: &[&str] =
    &["HOB_HOST", "HOB_HOSTS", "HOB_KEY", "HOB_LAN", "HOB_LISTEN", "HOB_NAME", "HOB_ORIGINS"];

const ALIASES: &[(&str, &str)] = &[
    ("OLLAMA_HOST", "listen"),
    ("OLLAMA_HOST", "host"),
    ("OLLAMA_MODELS", "models.dir"),
    ("OLLAMA_KEEP_ALIVE", "models.keep_alive"),
    ("OLLAMA_CONTEXT_LENGTH", "models.context"),
    ("OLLAMA_NUM_PARALLEL", "models.parallel"),
    ("OLLAMA_MAX_LOADED_MODELS", "models.max_loaded"),
    ("OLLAMA_MAX_QUEUE", "models.max_queue"),
    ("OLLAMA_KV_CACHE_TYPE", "cache.k"),
    ("OLLAMA_KV_CACHE_TYPE", "cache.v"),
    ("OLLAMA_LOAD_TIMEOUT", "models.load_timeout"),
    ("OLLAMA_ORIGINS", "origins"),
    ("OLLAMA_EDITOR", "cli.editor"),
    ("HTTPS_PROXY", "registry.proxy"),
    ("https_proxy", "registry.proxy"),
];

/// The first of several that is there counts: the user's editor has two names.
const USUAL: &[(&str, &str)] =
    &[("STATE_DIRECTORY", "state.dir"), ("VISUAL", "cli.editor"), ("EDITOR", "cli.editor")];

/// Its value may be a secret.
impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Variable").field(&self.name).finish()
    }
}

impl Environment {
    pub(super) fn read() -> Self {
        let mut environment = Self::of(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        // Where no variable says it, the system does.
        environment.surroundings.home = std::env::home_dir();
        environment
    }

    pub(super) fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables: HashMap<String, String> = variables
            .into_iter()
            // Ollama trims blanks and quotes; an empty variable says nothing.
            .map(|(name, value)| (name, value.trim().trim_matches(['"', '\'']).to_owned()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let said = |name: &str, setting: &str| {
            let value = variables.get(name)?.clone();
            Some(Variable { name: name.to_owned(), setting: setting.to_owned(), value })
        };
        let mut own: Vec<_> = variables.keys().filter_map(|name| said(name, &key(name)?)).collect();
        own.sort_by(|one, other| one.name.cmp(&other.name));
        let mut mistaken: Vec<_> = variables.keys().filter(|name| is_mistaken(name)).cloned().collect();
        mistaken.sort();
        let mut aliases: Vec<_> = ALIASES
            .iter()
            .filter_map(|(name, setting)| said(name, setting))
            // For a client it may name a box, which is nowhere to listen.
            .filter(|variable| variable.setting != "listen" || is_address(&variable.value))
            .collect();
        for (name, setting) in [("OLLAMA_NOHISTORY", "cli.history"), ("OLLAMA_NOPRUNE", "models.prune")] {
            aliases
                .extend(said(name, setting).map(|variable| Variable { value: "false".into(), ..variable }));
        }
        let mut usual: Vec<_> = USUAL.iter().filter_map(|(name, setting)| said(name, setting)).collect();
        // What is said later counts above what was said before.
        usual.reverse();
        Self {
            own,
            mistaken,
            aliases,
            usual,
            runtime_directory: variables.get("RUNTIME_DIRECTORY").cloned(),
            journal: variables.contains_key("JOURNAL_STREAM"),
            no_colour: variables.contains_key("NO_COLOR"),
            surroundings: surroundings(&variables),
        }
    }
}

fn surroundings(variables: &HashMap<String, String>) -> Surroundings {
    let programs = variables.get("PATH").map(|path| std::env::split_paths(path).collect());
    let folder = |name: &&str| Some(((*name).to_owned(), PathBuf::from(variables.get(*name)?)));
    Surroundings {
        home: variables.get("HOME").map(PathBuf::from),
        programs: programs.unwrap_or_default(),
        folders: FOLDERS.iter().filter_map(folder).collect(),
    }
}

/// Whether it says where to listen, as Ollama takes it.
fn is_address(text: &str) -> bool {
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest).trim_end_matches('/');
    let host = match bare.rsplit_once(':') {
        Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) && !host.ends_with(':') => host,
        _ => bare,
    };
    let host = host.trim_matches(['[', ']']);
    host.is_empty() || host == "localhost" || host.parse::<std::net::IpAddr>().is_ok()
}

/// The scripts' own, which find their downloads by it.
const OF_SCRIPTS: &str = "HOB_CACHE";

/// A variable that looks like ours and is none: whoever set it believes that it does something.
fn is_mistaken(name: &str) -> bool {
    name.starts_with("HOB_") && name != OF_SCRIPTS && key(name).is_none()
}

fn key(name: &str) -> Option<String> {
    let rest = name.strip_prefix("HOB_")?;
    let ours = PLAIN.contains(&name) || rest.contains("__");
    let key = rest.to_lowercase().replace("__", ".");
    ours.then(|| if key == "lan" { "lan.open".into() } else { key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_names_and_ollamas_are_told_apart() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let environment = Environment::of([
            variable("HOB_MODELS__DIR", "/a"),
            variable("HOB_CACHE", "/not/a/setting"),
            variable("HOB_LOOPBACK_REQUIRE_KEY", "true"),
            variable("OLLAMA_MODELS", " \"/b\" "),
            variable("OLLAMA_KEEP_ALIVE", ""),
        ]);
        let said = |name: &str, setting: &str, value: &str| Variable {
            name: name.into(),
            setting: setting.into(),
            value: value.into(),
        };
        assert_eq!(environment.own, [said("HOB_MODELS__DIR", "models.dir", "/a")]);
        assert_eq!(environment.aliases, [said("OLLAMA_MODELS", "models.dir", "/b")]);
        assert_eq!(environment.mistaken, ["HOB_LOOPBACK_REQUIRE_KEY"]);
        for (host, listens) in
            [("kitchen", false), ("kitchen:11443", false), ("0.0.0.0", true), ("[::1]:8", true), ("::", true)]
        {
            let aliases = Environment::of([variable("OLLAMA_HOST", host)]).aliases;
            assert_eq!(aliases.iter().any(|variable| variable.setting == "listen"), listens, "{host}");
        }
    }
}
