//! The environment, read once: Hob's own names, Ollama's as aliases, and what systemd and the journal say. No other file
//! reads it.

use std::collections::HashMap;
use std::path::PathBuf;

use super::surroundings::{FOLDERS, Surroundings};

/// What the environment says, sorted by whose word it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Environment {
    /// Settings by their dotted name, from Hob's own variables.
    pub(super) own: Vec<(String, String)>,
    /// Names of variables that look like ours and are none.
    pub(super) mistaken: Vec<String>,
    /// Settings by their dotted name, from Ollama's variables.
    pub(super) aliases: Vec<(String, String)>,
    /// Where systemd wants state.
    pub(super) state_directory: Option<String>,
    /// Where systemd wants what lives as long as the daemon.
    pub(super) runtime_directory: Option<String>,
    /// Standard error goes to the journal.
    pub(super) journal: bool,
    /// The editor that the user's other programs open.
    pub(super) editor: Option<String>,
    /// <https://no-color.org>
    pub(super) no_colour: bool,
    pub(super) surroundings: Surroundings,
}

/// Hob's variables without a section; others have one, as in `HOB_MODELS__DIR`.
const PLAIN: &[&str] = &["HOB_HOST", "HOB_HOSTS", "HOB_KEY", "HOB_LAN", "HOB_LISTEN", "HOB_ORIGINS"];

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
        let mut own: Vec<_> =
            variables.iter().filter_map(|(name, value)| Some((key(name)?, value.clone()))).collect();
        own.sort();
        let mut mistaken: Vec<_> = variables.keys().filter(|name| is_mistaken(name)).cloned().collect();
        mistaken.sort();
        let mut aliases: Vec<_> = ALIASES
            .iter()
            .filter_map(|(name, key)| Some(((*key).to_owned(), variables.get(*name)?.clone())))
            // For a client it may name a box, which is nowhere to listen.
            .filter(|(key, value)| key != "listen" || is_address(value))
            .collect();
        for (name, key) in [("OLLAMA_NOHISTORY", "cli.history"), ("OLLAMA_NOPRUNE", "models.prune")] {
            if variables.contains_key(name) {
                aliases.push((key.into(), "false".into()));
            }
        }
        Self {
            own,
            mistaken,
            aliases,
            state_directory: variables.get("STATE_DIRECTORY").cloned(),
            runtime_directory: variables.get("RUNTIME_DIRECTORY").cloned(),
            journal: variables.contains_key("JOURNAL_STREAM"),
            editor: variables.get("VISUAL").or(variables.get("EDITOR")).cloned(),
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
        assert_eq!(environment.own, [variable("models.dir", "/a")]);
        assert_eq!(environment.aliases, [variable("models.dir", "/b")]);
        assert_eq!(environment.mistaken, ["HOB_LOOPBACK_REQUIRE_KEY"]);
        for (host, listens) in
            [("kitchen", false), ("kitchen:11443", false), ("0.0.0.0", true), ("[::1]:8", true), ("::", true)]
        {
            let aliases = Environment::of([variable("OLLAMA_HOST", host)]).aliases;
            assert_eq!(aliases.iter().any(|(key, _)| key == "listen"), listens, "{host}");
        }
    }
}
