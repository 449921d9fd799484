//! Where settings are read from, to be read again: before the daemon starts, and for each change that the page asks for, which is
//! checked as it would be at the next start.

use std::collections::BTreeMap;

use platform::directories::Directories;

use super::catalogue::known;
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
                let counts = self.sifted(&page)?;
                let read = self.read(Some((&page, &counts)))?;
                let trouble = Some(left_out(&page.values, &counts, &error));
                Ok(Served { sources: self, read, counts, page, trouble })
            }
        }
    }

    /// What the box can start with: what makes no sense is left out, and no door that the page had shut is open for that.
    fn sifted(&self, page: &Page) -> anyhow::Result<Values> {
        let beneath = self.beneath()?;
        let mut counts = Values::new();
        let mut left: Vec<&str> = page.values.keys().map(String::as_str).collect();
        while let Some(first) = left.pop() {
            let group = DOORS.into_iter().find(|door| door.contains(&first)).unwrap_or(&[]);
            let (mut together, others): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|name| group.contains(name));
            together.push(first);
            left = others;
            let mut tried = counts.clone();
            tried.extend(together.iter().map(|name| ((*name).to_owned(), page.values[*name].clone())));
            if self.read(Some((page, &tried))).is_ok() {
                counts = tried;
            } else {
                together.into_iter().for_each(|name| shut(&mut counts, name, &beneath));
            }
        }
        Ok(counts)
    }

    /// What every layer but the page's says.
    fn beneath(&self) -> anyhow::Result<BTreeMap<String, Words>> {
        Ok(Layers::read(&self.directories.config, &self.environment, None)?.words())
    }
}

/// What can be right and not be had, as somebody else may be there; what is there for convenience first, and last what the page is
/// reached by.
const DOORS: [&[&str]; 2] = [&["plaintext.allow", "plaintext.listen"], &["lan.open"]];

/// Leaves out what the page keeps of this setting. What is beneath it may be wider, and does not count then.
fn shut(counts: &mut Values, name: &str, beneath: &BTreeMap<String, Words>) {
    counts.remove(name);
    if let Some((known, strict)) = known(name).and_then(|known| Some((known, known.strict?)))
        && (beneath.contains_key(name) || known.default.unwrap_or_default() != strict)
    {
        counts.insert(name.to_owned(), strict.to_owned());
    }
}

impl Served {
    /// The same with a door less of what the page keeps, as the box could not start with it. Everything else that it keeps counts.
    /// `None` if it cannot be that.
    ///
    /// # Errors
    /// If there are none with less.
    pub(crate) fn with_less(self, because: &anyhow::Error) -> anyhow::Result<Option<Self>> {
        let beneath = self.sources.beneath()?;
        for door in DOORS {
            let mut counts = self.counts.clone();
            door.iter()
                .filter(|name| self.counts.contains_key(**name))
                .for_each(|name| shut(&mut counts, name, &beneath));
            if counts != self.counts {
                let read = self.sources.read(Some((&self.page, &counts)))?;
                let trouble = Some(left_out(&self.page.values, &counts, because));
                return Ok(Some(Self { read, counts, trouble, ..self }));
            }
        }
        Ok(None)
    }
}

fn left_out(kept: &Values, counts: &Values, because: &anyhow::Error) -> String {
    let told = |(name, text): (&String, &String)| match counts.get(name) {
        Some(strict) if strict == text => None,
        Some(strict) => Some(format!("{name} (instead of it \"{strict}\" does)")),
        None => Some(name.clone()),
    };
    let names = kept.iter().filter_map(told).collect::<Vec<_>>().join(", ");
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
    fn a_value_that_makes_no_sense_opens_nothing_that_the_page_may_have_shut() {
        let home = tempfile::TempDir::new().unwrap();
        let user = home.path().join(".config/hob");
        std::fs::create_dir_all(&user).unwrap();
        std::fs::write(user.join("hob.toml"), "lan.open = \"on\"\norigins = \"https://a.example\"\n")
            .unwrap();
        keep(
            home.path(),
            "origins = \"*\"\n[lan]\nopen = \"perhaps\"\nshare = \"perhaps\"\n[loopback]\nrequire_key = \"perhaps\"\n\
             [plaintext]\nlisten = \"192.168.1.5\"\nallow = \"192.168.1.20/32\"\n",
        );

        let served = sources(home.path()).served().unwrap();

        let Settings { door, neighbours, .. } = &served.read.settings;
        assert!(door.require_key && door.origins.is_empty() && !neighbours.share);
        assert_eq!(door.lan, crate::settings::door::Lan::Off);
        assert!(door.plaintext.is_some(), "either is right with the other");
        let trouble = served.trouble.unwrap();
        assert!(trouble.contains("loopback.require_key (instead of it \"true\" does)"), "{trouble}");
    }

    #[test]
    fn a_box_that_does_not_come_up_does_without_its_doors_one_by_one_and_keeps_everything_else() {
        let home = tempfile::TempDir::new().unwrap();
        keep(
            home.path(),
            "name = \"Kitchen\"\n[lan]\nopen = \"on\"\n[loopback]\nrequire_key = true\n\
             [plaintext]\nlisten = \"192.168.1.5\"\nallow = \"192.168.1.20/32\"\n",
        );
        let in_use = anyhow::anyhow!("the address is in use");
        let doors = |served: &Served| {
            let Settings { name, door, .. } = &served.read.settings;
            assert_eq!((name.as_str(), door.require_key), ("Kitchen", true));
            (door.plaintext.is_some(), door.lan.clone())
        };
        let served = sources(home.path()).served().unwrap();
        assert_eq!(doors(&served), (true, crate::settings::door::Lan::Everywhere));

        let less = served.with_less(&in_use).unwrap().unwrap();
        assert_eq!(doors(&less), (false, crate::settings::door::Lan::Everywhere));
        assert!(less.trouble.as_ref().unwrap().contains("count: plaintext.allow, plaintext.listen;"));
        let least = less.with_less(&in_use).unwrap().unwrap();
        assert_eq!(doors(&least), (false, crate::settings::door::Lan::Off));
        assert!(least.with_less(&in_use).unwrap().is_none());
    }

    #[test]
    fn a_door_of_the_page_that_cannot_be_had_opens_none_of_a_files() {
        let home = tempfile::TempDir::new().unwrap();
        let user = home.path().join(".config/hob");
        std::fs::create_dir_all(&user).unwrap();
        std::fs::write(user.join("hob.toml"), "[plaintext]\nlisten = \"10.0.0.5\"\nallow = \"10.0.0.0/8\"\n")
            .unwrap();
        keep(home.path(), "[plaintext]\nlisten = \"192.168.1.5\"\nallow = \"192.168.1.20/32\"\n");

        let served = sources(home.path()).served().unwrap();

        let less = served.with_less(&anyhow::anyhow!("there is no such address")).unwrap().unwrap();
        assert_eq!(less.read.settings.door.plaintext, None);
        assert!(less.with_less(&anyhow::anyhow!("something else")).unwrap().is_none());
    }
}
