//! What the owner has decided, for the page: told, checked, kept, and in force at once where it can be. Reading it is `settings`'.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::settings::{Changes, Counts, InForce, Layer, Origin, Setting, SettingsError, Value};
use scheduler::Scheduler;
use tokio_util::sync::CancellationToken;

use crate::settings::catalogue::{CATALOGUE, Known, known};
use crate::settings::{Page, Read, Served, Settings, Sources, Values, Words};

/// The settings of a daemon that runs.
pub(super) struct Decided {
    sources: Sources,
    scheduler: Scheduler,
    held: Mutex<Held>,
    trouble: Option<String>,
    /// Cancelled when the daemon is to end and to run anew.
    pub(super) restart: CancellationToken,
}

struct Held {
    page: Page,
    /// Who says what of what is in force.
    words: BTreeMap<String, Words>,
    /// Where the machine decides, and nobody said anything.
    derived: BTreeMap<&'static str, String>,
    in_force: Arc<InForce>,
}

impl Decided {
    pub(super) fn new(served: Served, scheduler: Scheduler) -> Self {
        let Served { sources, read: Read { settings, words }, page, trouble, .. } = served;
        let held = Held { page, words, derived: derived(&settings), in_force: Arc::new(in_force(&settings)) };
        Self { sources, scheduler, held: Mutex::new(held), trouble, restart: CancellationToken::new() }
    }

    /// Why what the page keeps does not count, or not all of it, since the start.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the page would keep, and all that the box would start with then.
    fn checked(&self, held: &Held, changes: &Changes) -> Result<(Values, Read), SettingsError> {
        let mut values = held.page.values.clone();
        for (name, value) in changes {
            let known = known(name).ok_or_else(|| SettingsError::Unknown(name.clone()))?;
            match value {
                // To take one's word back is always right.
                None => drop(values.remove(name)),
                Some(text) => {
                    held.admit(known, text)?;
                    values.insert(name.clone(), text.clone());
                }
            }
        }
        match self.sources.read(Some((&held.page, &values))) {
            Ok(read) => Ok((values, read)),
            Err(error) => {
                let name = self.at_fault(&held.page, &values, changes);
                Err(SettingsError::Invalid { name, message: format!("{error:#}") })
            }
        }
    }

    /// Whose fault it is that the box would not start: of what is wrong by itself, else of what was changed and is well left
    /// out. The words of the error name a setting as well, but that may be one of a file.
    fn at_fault(&self, page: &Page, values: &Values, changes: &Changes) -> Option<String> {
        let fails = |values: &Values| self.sources.read(Some((page, values))).is_err();
        let alone = |(name, text): (&String, &String)| Values::from([(name.clone(), text.clone())]);
        let wrong = values.iter().find(|one| fails(&alone(*one))).map(|(name, _)| name.clone());
        let without = |name: &&String| {
            let mut fewer = values.clone();
            fewer.remove(*name);
            !fails(&fewer)
        };
        wrong.or_else(|| changes.keys().find(without).cloned())
    }
}

impl Held {
    /// Whether the page may set it to this.
    fn admit(&self, known: &Known, text: &str) -> Result<(), SettingsError> {
        let name = known.name.to_owned();
        if let Some(why) = self.locked(known) {
            return Err(SettingsError::Locked { name, why });
        }
        known.fault(text).map_or(Ok(()), |message| Err(SettingsError::Invalid { name: Some(name), message }))
    }

    fn locked(&self, known: &Known) -> Option<String> {
        let by_machine = known.locked.map(ToOwned::to_owned);
        by_machine.or_else(|| match self.words.get(known.name) {
            Some((_, Origin { layer: Layer::Environment, place: Some(variable) })) => {
                Some(format!("the variable {variable} of the daemon says it, and counts above the page"))
            }
            _ => None,
        })
    }

    fn told(&self, known: &Known) -> Setting {
        let (words, origin) = match self.words.get(known.name) {
            Some((text, origin)) => (Some(text.as_str()), origin.clone()),
            None => (
                known.default.or_else(|| self.derived.get(known.name).map(String::as_str)),
                Origin { layer: Layer::Default, place: None },
            ),
        };
        Setting {
            name: known.name,
            kind: known.kind,
            about: known.about,
            default: known.default.map(ToOwned::to_owned),
            value: known.shown(words),
            origin,
            kept: self.page.values.get(known.name).map_or(Value::None, |text| known.shown(Some(text))),
            locked: self.locked(known),
            counts: known.counts,
            needs: known.needs,
        }
    }
}

impl api::settings::Settings for Decided {
    fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.held().in_force)
    }

    fn all(&self) -> Vec<Setting> {
        let held = self.held();
        CATALOGUE.iter().map(|known| held.told(known)).collect()
    }

    fn check(&self, changes: &Changes) -> Result<(), SettingsError> {
        self.checked(&self.held(), changes).map(drop)
    }

    fn keep(&self, changes: &Changes) -> Result<(), SettingsError> {
        let mut held = self.held();
        let (values, read) = self.checked(&held, changes)?;
        held.page.keep(values)?;
        for known in CATALOGUE.iter().filter(|known| known.counts == Counts::AtOnce) {
            match read.words.get(known.name) {
                Some(words) => drop(held.words.insert(known.name.to_owned(), words.clone())),
                None => drop(held.words.remove(known.name)),
            }
        }
        held.in_force = Arc::new(in_force(&read.settings));
        self.scheduler.keep_models_for(read.settings.keep_alive);
        Ok(())
    }

    fn shown(&self, name: &str, text: &str) -> Value {
        known(name).map_or(Value::Hidden, |known| known.shown(Some(text)))
    }

    fn restart(&self) {
        self.restart.cancel();
    }
}

fn in_force(settings: &Settings) -> InForce {
    InForce {
        name: settings.name.clone(),
        context_tokens: settings.context_tokens,
        share: settings.neighbours.share,
    }
}

fn derived(settings: &Settings) -> BTreeMap<&'static str, String> {
    let path = |path: &Path| path.display().to_string();
    BTreeMap::from([
        ("state.dir", path(&settings.state_dir)),
        ("models.dir", path(&settings.models_dir)),
        ("admin.socket", path(&settings.admin.socket)),
    ])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use api::settings::{Kind, Needs, Settings as _};
    use platform::process::WorkerProgram;
    use scheduler::{Config, KeepAlive, MemoryLimit};
    use tempfile::TempDir;

    use super::*;

    /// A box whose owner has a file and variables.
    struct Desk {
        home: TempDir,
        sources: Sources,
    }

    impl Desk {
        fn new(file: &str, variables: &[(&str, &str)]) -> Self {
            let home = TempDir::new().unwrap();
            let user = home.path().join(".config/hob");
            std::fs::create_dir_all(&user).unwrap();
            std::fs::write(user.join("hob.toml"), file).unwrap();
            let sources = Sources::of(home.path(), variables);
            Self { home, sources }
        }

        /// As the daemon starts.
        fn start(&self) -> Decided {
            let scheduler = Scheduler::start(Config {
                worker: WorkerProgram { program: "/bin/false".into(), args: Vec::new() },
                max_loaded: 1,
                memory: MemoryLimit::Bytes(1 << 30),
                keep_alive: KeepAlive::Forever,
                max_queue: 1,
                load_timeout: Duration::from_secs(9),
                stuck_after: Duration::from_secs(9),
                cache_bytes: 0,
                cache_disk: None,
                lenders: None,
            });
            Decided::new(self.sources.clone().served().unwrap(), scheduler)
        }
    }

    fn changes(changes: &[(&str, Option<&str>)]) -> Changes {
        changes.iter().map(|(name, text)| ((*name).to_owned(), text.map(ToOwned::to_owned))).collect()
    }

    fn told(decided: &Decided, name: &str) -> Setting {
        decided.all().into_iter().find(|setting| setting.name == name).unwrap()
    }

    fn text(value: &Value) -> Option<&str> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    #[tokio::test]
    async fn what_is_kept_is_in_force_at_once_where_it_can_be_and_after_a_restart_everywhere() {
        let desk = Desk::new("models.context = 64\nmodels.parallel = 2\n", &[]);
        let decided = desk.start();

        decided
            .keep(&changes(&[
                ("name", Some("Kitchen")),
                ("models.context", Some("128")),
                ("models.parallel", Some("8")),
                ("lan.share", Some("false")),
            ]))
            .unwrap();

        let expected = InForce { name: "Kitchen".into(), context_tokens: 128, share: false };
        assert_eq!(*decided.in_force(), expected);
        let context = told(&decided, "models.context");
        assert_eq!((text(&context.value), context.origin.layer), (Some("128"), Layer::Page));
        let parallel = told(&decided, "models.parallel");
        assert_eq!((text(&parallel.value), parallel.origin.layer), (Some("2"), Layer::File));
        assert_eq!(text(&parallel.kept), Some("8"));
        let again = desk.start();
        assert_eq!(*again.in_force(), expected);
        assert_eq!(text(&told(&again, "models.parallel").value), Some("8"));
        again.keep(&changes(&[("models.context", None)])).unwrap();
        let context = told(&again, "models.context");
        assert_eq!((text(&context.value), context.origin.layer), (Some("64"), Layer::File));
        assert_eq!(again.in_force().context_tokens, 64);
    }

    #[tokio::test]
    async fn of_changes_of_which_one_is_wrong_none_is_kept_and_it_is_named() {
        let desk = Desk::new("", &[]);
        let decided = desk.start();
        let refused = |wanted: &[(&str, Option<&str>)]| match decided.keep(&changes(wanted)).unwrap_err() {
            SettingsError::Invalid { name, message } => (name.unwrap_or_default(), message),
            other => panic!("{other}"),
        };

        for (name, value, words) in [
            ("models.parallel", "1000", "from 1 to 64"),
            ("models.parallel", "many", "a whole number"),
            ("models.keep_alive", "soon", "soon"),
            ("memory.limit", "plenty", "8GiB"),
            ("name", "", "1 to 40"),
            ("log.level", "hob=loudly", "no level"),
            ("lan.open", "yes please", "lan is on, off, or a list"),
            ("lan.route", "everywhere", "off or neighbours"),
            ("plaintext.listen", "192.168.1.5", "plaintext.allow says for whom"),
            ("origins", "*", "every page"),
        ] {
            let (field, message) = refused(&[("name", Some("Kitchen")), (name, Some(value))]);
            assert_eq!(field, name, "{message}");
            assert!(message.contains(words), "{message}");
        }
        // Either is right by itself.
        let wanted =
            [("plaintext.listen", Some("192.168.1.5")), ("plaintext.allow", Some("192.168.1.20/32"))];
        decided.check(&changes(&wanted)).unwrap();
        let unknown = decided.keep(&changes(&[("models.dirr", None)])).unwrap_err();
        assert!(matches!(unknown, SettingsError::Unknown(_)), "{unknown}");

        assert_eq!(decided.in_force().name, "Hob");
        assert!(!desk.home.path().join(".local/share/hob/settings.toml").exists());
    }

    #[tokio::test]
    async fn what_the_machine_or_a_variable_decides_is_locked_and_says_why() {
        let desk = Desk::new("", &[("OLLAMA_KEEP_ALIVE", "1h"), ("HOB_KEY", "hob_planted")]);
        let decided = desk.start();
        let why = |name: &str, text: &str| match decided.keep(&changes(&[(name, Some(text))])).unwrap_err() {
            SettingsError::Locked { why, .. } => why,
            other => panic!("{other}"),
        };

        assert!(why("models.keep_alive", "1m").contains("OLLAMA_KEEP_ALIVE"));
        assert!(why("models.dir", "/etc").contains("files of this machine"));
        assert!(why("listen", "127.0.0.1:1").contains("set on the machine"));
        let keep_alive = told(&decided, "models.keep_alive");
        assert_eq!((text(&keep_alive.value), keep_alive.origin.layer), (Some("1h"), Layer::Environment));
        assert!(keep_alive.locked.unwrap().contains("OLLAMA_KEEP_ALIVE"));
        // To take back what does not count is no harm.
        decided.keep(&changes(&[("models.keep_alive", None)])).unwrap();
        let shown = |text: &str| decided.shown("registry.proxy", text);
        assert_eq!(told(&decided, "registry.proxy").value, Value::None);
        assert_eq!(
            shown("http://ada:planted@proxy:3128"),
            Value::Hidden,
            "also where nothing was set before"
        );
        assert_eq!(shown("http://proxy:3128"), Value::Text("http://proxy:3128".into()));
        assert_eq!(decided.shown("keys", "hob_planted"), Value::Hidden);
        let key = told(&decided, "key");
        assert_eq!((key.value, key.kind), (Value::Hidden, Kind::Secret));
        assert!(!format!("{:?}", decided.all()).contains("planted"));
    }

    #[tokio::test]
    async fn what_is_told_has_defaults_and_where_the_machine_decides_what_it_made_of_it() {
        let desk = Desk::new("", &[]);
        let decided = desk.start();

        let parallel = told(&decided, "models.parallel");
        assert_eq!((text(&parallel.value), parallel.default.as_deref()), (Some("4"), Some("4")));
        assert_eq!(parallel.origin, Origin { layer: Layer::Default, place: None });
        let models = told(&decided, "models.dir");
        assert!(text(&models.value).unwrap().ends_with(".local/share/hob/models"));
        assert_eq!(models.default, None);
        assert_eq!(told(&decided, "origins").needs, Needs::Password);
        assert_eq!(told(&decided, "name").needs, Needs::Admin);
    }
}
