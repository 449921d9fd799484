//! Where settings are read from, to be read again: before the daemon starts, and for each change that the page asks for, which is
//! checked as it would be at the next start.

use std::collections::BTreeMap;

use platform::directories::Directories;

use super::environment::Environment;
use super::layers::{Layers, Words};
use super::page::{Page, Values};
use super::{Settings, state_dir};

/// The environment, and the folders of the user.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(super) environment: Environment,
    pub(super) directories: Directories,
}

/// Settings, and who says what; secrets among that, so it is not for printing.
#[derive(Clone)]
pub(crate) struct Read {
    pub(crate) settings: Settings,
    /// By name, what somebody says.
    pub(crate) words: BTreeMap<String, Words>,
}

/// What the daemon goes by.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) sources: Sources,
    pub(crate) read: Read,
    pub(crate) page: Page,
    /// What of that counts.
    counts: Values,
    /// Why what the page keeps does not count, or not all of it.
    pub(crate) trouble: Option<String>,
}

impl Sources {
    /// This process's.
    ///
    /// # Errors
    /// If this user has no home folder.
    pub(super) fn system() -> anyhow::Result<Self> {
        let environment = Environment::read();
        let directories = Directories::of_user(environment.surroundings.home()?);
        Ok(Self { environment, directories })
    }

    /// Those of a user at `home` with these variables.
    #[cfg(test)]
    pub(crate) fn of(home: &std::path::Path, variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { environment: Environment::of(variables), directories: Directories::of_user(home) }
    }

    /// Reads the files again, under or over what the page keeps.
    ///
    /// # Errors
    /// The first value that makes no sense, with where it stands.
    pub(crate) fn read(&self, page: Option<(&Page, &Values)>) -> anyhow::Result<Read> {
        let page = page.map(|(page, values)| (page.path.as_path(), values));
        let layers = Layers::read(&self.directories.config, &self.environment, page)?;
        let settings = Settings::check(layers.raw()?, &self.directories, &self.environment)?;
        Ok(Read { settings, words: layers.words() })
    }

    /// Where the state lies is said by every other layer, so that the page's can be found there.
    fn page(&self) -> anyhow::Result<Page> {
        let layers = Layers::read(&self.directories.config, &self.environment, None)?;
        Ok(Page::read(&state_dir(&layers.raw()?, &self.directories)?))
    }

    /// Reads all layers, with as much of the page's as the box can start with: else it would be nobody's to mend.
    ///
    /// # Errors
    /// If without the page's they make no sense.
    pub(crate) fn served(self) -> anyhow::Result<Served> {
        let page = self.page()?;
        let trouble = page.trouble.clone();
        match self.read(Some((&page, &page.values))) {
            Ok(read) => Ok(Served { sources: self, read, counts: page.values.clone(), page, trouble }),
            Err(error) => {
                let counts = self.sifted(&page);
                let read = self.read(Some((&page, &counts)))?;
                let trouble = Some(left_out(&page.values, &counts, &error));
                Ok(Served { sources: self, read, counts, page, trouble })
            }
        }
    }

    /// What the box can start with. That it is reached comes first.
    fn sifted(&self, page: &Page) -> Values {
        let mut counts = Values::new();
        let (first, others): (Vec<_>, Vec<_>) = page.values.iter().partition(|(name, _)| *name == REACHED);
        for (name, text) in first.into_iter().chain(others) {
            counts.insert(name.clone(), text.clone());
            if self.read(Some((page, &counts))).is_err() {
                counts.remove(name);
            }
        }
        counts
    }
}

/// Without it the page could be out of reach.
const REACHED: &str = "lan.open";

/// What of the page's values stays, where the box does not start with them, tried in turn: all but the doors that a changed address
/// shuts; what it is reached by and who may what; who may what alone. That last is never given up: a box that does not come up as its
/// owner wanted must not come up more open than that.
const STAYS: [fn(&str) -> bool; 3] =
    [|name| !name.starts_with("plaintext."), |name| name == REACHED || bounds(name), bounds];

/// Whether a setting says who may what, and how much.
fn bounds(name: &str) -> bool {
    name.starts_with("limits.")
        || ["name", "loopback.require_key", "lan.share", "lan.route", "lan.split", "registry.trusted"]
            .contains(&name)
}

impl Served {
    /// The same with less of what the page keeps, as the box could not start with it. `None` if it cannot be less.
    ///
    /// # Errors
    /// If there are none with less.
    pub(crate) fn with_less(self, because: &anyhow::Error) -> anyhow::Result<Option<Self>> {
        let kept = |stays: &fn(&str) -> bool| {
            let kept = self.counts.iter().filter(|(name, _)| stays(name));
            kept.map(|(name, text)| (name.clone(), text.clone())).collect::<Values>()
        };
        let Some(counts) = STAYS.iter().map(kept).find(|counts| counts.len() < self.counts.len()) else {
            return Ok(None);
        };
        let read = self.sources.read(Some((&self.page, &counts)))?;
        let trouble = Some(left_out(&self.page.values, &counts, because));
        Ok(Some(Self { read, counts, trouble, ..self }))
    }
}

fn left_out(kept: &Values, counts: &Values, because: &anyhow::Error) -> String {
    let names =
        kept.keys().filter(|name| !counts.contains_key(*name)).cloned().collect::<Vec<_>>().join(", ");
    format!(
        "the box does not start with all that was set on its page, so this does not count: {names}; change it there, and restart the \
         box: {because:#}"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use api::settings::Layer;

    use super::*;

    fn sources(home: &Path) -> Sources {
        Sources::of(home, &[])
    }

    fn keep(home: &Path, text: &str) {
        let state = Directories::of_user(home).state;
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(state.join("settings.toml"), text).unwrap();
    }

    #[test]
    fn what_the_page_keeps_counts_above_files_and_beneath_the_environment_and_for_the_daemon_alone() {
        let home = tempfile::TempDir::new().unwrap();
        let user = home.path().join(".config/hob");
        std::fs::create_dir_all(&user).unwrap();
        std::fs::write(user.join("hob.toml"), "models.context = 64\nmodels.parallel = 2\nname = \"File\"\n")
            .unwrap();
        keep(home.path(), "name = \"Page\"\n[models]\ncontext = 128\nparallel = 8\n");
        let sources = Sources::of(home.path(), &[("HOB_MODELS__PARALLEL", "16")]);

        let alone = sources.read(None).unwrap().settings;
        let served = sources.served().unwrap();

        assert_eq!((alone.name.as_str(), alone.context_tokens, alone.sequences), ("File", 64, 16));
        let settings = &served.read.settings;
        assert_eq!((settings.name.as_str(), settings.context_tokens, settings.sequences), ("Page", 128, 16));
        assert_eq!(served.read.words["models.context"].1.layer, Layer::Page);
        assert_eq!(served.trouble, None);
    }

    #[test]
    fn the_page_is_kept_where_the_state_is_whoever_says_where() {
        let (home, state) = (tempfile::TempDir::new().unwrap(), tempfile::TempDir::new().unwrap());
        std::fs::write(state.path().join("settings.toml"), "name = \"Elsewhere\"\n").unwrap();
        let variable = ("HOB_STATE__DIR", state.path().to_str().unwrap());

        let served = Sources::of(home.path(), &[variable]).served().unwrap();

        assert_eq!(served.read.settings.name, "Elsewhere");
    }

    #[test]
    fn what_the_box_cannot_start_with_is_left_out_and_nothing_else_is() {
        let home = tempfile::TempDir::new().unwrap();
        keep(home.path(), "name = \"Kitchen\"\n[lan]\nopen = \"on\"\n[models]\nparallel = 1000\n");

        let served = sources(home.path()).served().unwrap();

        let settings = &served.read.settings;
        assert_eq!((settings.name.as_str(), settings.sequences), ("Kitchen", 4));
        assert_eq!(settings.door.lan, crate::settings::door::Lan::Everywhere);
        let trouble = served.trouble.unwrap();
        assert!(trouble.contains("count: models.parallel;") && trouble.contains("from 1 to 64"), "{trouble}");
    }

    #[test]
    fn a_box_that_does_not_come_up_gives_up_its_doors_and_never_who_may_what() {
        let home = tempfile::TempDir::new().unwrap();
        let text = "name = \"Kitchen\"\n[lan]\nopen = \"on\"\nshare = false\n[loopback]\nrequire_key = true\n\
                    [models]\nparallel = 2\n[plaintext]\nlisten = \"192.0.2.1:80\"\nallow = \"192.0.2.0/24\"\n";
        keep(home.path(), text);
        let in_use = anyhow::anyhow!("the address is in use");
        let is_on = |served: &Served| served.read.settings.door.lan == crate::settings::door::Lan::Everywhere;
        let bounded = |served: &Served| {
            let settings = &served.read.settings;
            settings.door.require_key && !settings.neighbours.share && settings.name == "Kitchen"
        };
        let served = sources(home.path()).served().unwrap();
        assert!(bounded(&served));

        let doors = served.with_less(&in_use).unwrap().unwrap();
        assert!(bounded(&doors) && is_on(&doors) && doors.read.settings.sequences == 2);
        assert!(doors.trouble.as_ref().unwrap().contains("count: plaintext.allow, plaintext.listen;"));
        let reached = doors.with_less(&in_use).unwrap().unwrap();
        assert!(bounded(&reached) && is_on(&reached) && reached.read.settings.sequences == 4);
        let least = reached.with_less(&in_use).unwrap().unwrap();
        assert!(bounded(&least) && !is_on(&least));
        assert!(least.with_less(&in_use).unwrap().is_none());
    }
}
