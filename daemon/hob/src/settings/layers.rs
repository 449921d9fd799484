//! The layers, as they lie over each other: what is usual on this machine, files, what the page keeps, the environment. Which of
//! them says a setting is known here; what it means is not.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use api::settings::{Layer, Origin};
use config::{Config, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};

use super::environment::{Environment, Variable};
use super::raw::Raw;

/// All of them, each over those before it.
pub(super) struct Layers(Vec<Said>);

/// What one file, one variable or the page says.
#[derive(Clone)]
struct Said {
    origin: Origin,
    values: Map<String, Value>,
}

/// Secrets may be among the values.
impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Said").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// The words of a setting, and who wrote them.
pub(crate) type Words = (String, Origin);

impl Layers {
    /// Reads the files.
    ///
    /// # Errors
    /// If one of them makes no sense, or a variable that looks like ours is none.
    pub(super) fn read(
        user: &Path,
        environment: &Environment,
        page: Option<(&Path, &BTreeMap<String, String>)>,
    ) -> anyhow::Result<Self> {
        if let Some(name) = environment.mistaken.first() {
            anyhow::bail!(
                "the variable {name} is no setting; where a setting has a section there are two underscores between them, as in \
                 HOB_MODELS__DIR"
            );
        }
        let mut layers: Vec<Said> = environment.usual.iter().map(Said::by_variable).collect();
        for path in files(user) {
            layers.push(Said::in_file(&path)?);
        }
        layers.extend(page.map(|(path, values)| Said::on_page(path, values)));
        layers.extend(environment.aliases.iter().chain(&environment.own).map(Said::by_variable));
        Ok(Self(layers))
    }

    /// Lays them over each other.
    ///
    /// # Errors
    /// If there is a setting that is none, or one of them is no text, number or flag where it should be.
    pub(super) fn raw(&self) -> anyhow::Result<Raw> {
        let mut builder = Config::builder();
        for said in &self.0 {
            builder = builder.add_source(said.clone());
        }
        let layers = builder.build().context("the settings cannot be read")?;
        layers.try_deserialize().context("the settings make no sense")
    }

    /// Every setting that somebody says, in the words that count.
    pub(super) fn words(&self) -> BTreeMap<String, Words> {
        let mut words = BTreeMap::new();
        for said in &self.0 {
            let flat = flat(&said.values).into_iter();
            words.extend(flat.map(|(name, text)| (name, (text, said.origin.clone()))));
        }
        words
    }
}

impl Said {
    fn in_file(path: &Path) -> anyhow::Result<Self> {
        let origin = Origin { layer: Layer::File, place: Some(path.display().to_string()) };
        let values = values(path).map_err(with_hint).context("the settings cannot be read")?;
        Ok(Self { origin, values })
    }

    fn on_page(path: &Path, values: &BTreeMap<String, String>) -> Self {
        let place = path.display().to_string();
        let values =
            values.iter().map(|(name, text)| (name.clone(), Value::new(Some(&place), text.as_str())));
        let values = values.collect();
        Self { origin: Origin { layer: Layer::Page, place: Some(place) }, values }
    }

    fn by_variable(variable: &Variable) -> Self {
        let origin = Origin { layer: Layer::Environment, place: Some(variable.name.clone()) };
        let value = Value::new(Some(&variable.name), variable.value.as_str());
        Self { origin, values: Map::from_iter([(variable.setting.clone(), value)]) }
    }
}

impl Source for Said {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.values.clone())
    }
}

/// What a file says, by dotted name.
///
/// # Errors
/// If it cannot be read, or is no TOML.
pub(super) fn words_of(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    Ok(flat(&values(path).map_err(with_hint)?))
}

fn values(path: &Path) -> Result<Map<String, Value>, ConfigError> {
    let mut values = File::from(path).format(FileFormat::Toml).collect()?;
    // `lan = "on"` in one file and `[lan]` in the next are about one thing.
    if let Some(lan) = values.get_mut("lan")
        && !matches!(lan.kind, ValueKind::Table(_))
    {
        let open = Map::from_iter([("open".to_owned(), lan.clone())]);
        *lan = Value::new(lan.origin().map(ToOwned::to_owned).as_ref(), ValueKind::Table(open));
    }
    Ok(values)
}

/// With sections and names joined by dots.
fn flat(values: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (name, value) in values {
        match &value.kind {
            ValueKind::Table(table) => {
                all.extend(flat(table).into_iter().map(|(inner, text)| (format!("{name}.{inner}"), text)));
            }
            _ => {
                all.extend(value.clone().into_string().ok().map(|text| (name.clone(), text)));
            }
        }
    }
    all
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
            let said = format!("{:#}", Said::in_file(&path).unwrap_err());
            assert!(said.contains("lan.open = \"on\""), "{said}");
        }
    }

    #[test]
    fn each_layer_counts_above_those_beneath_it_and_says_where_its_word_stands() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("hob.toml");
        std::fs::write(&file, "lan = \"on\"\n[models]\nkeep_alive = \"1m\"\ncontext = 64\nparallel = 2\n")
            .unwrap();
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let environment = Environment::of([
            variable("OLLAMA_NUM_PARALLEL", "3"),
            variable("HOB_MODELS__PARALLEL", "5"),
            variable("STATE_DIRECTORY", "/var/lib/hob"),
        ]);
        let kept = [("models.context", "128"), ("models.parallel", "7")];
        let kept = kept.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let page = Path::new("/var/lib/hob/settings.toml");

        let layers = Layers::read(folder.path(), &environment, Some((page, &kept))).unwrap();

        let words = layers.words();
        let said = |name: &str| {
            let (text, origin) = &words[name];
            (text.as_str(), origin.layer, origin.place.clone().unwrap())
        };
        let in_file = file.display().to_string();
        assert_eq!(said("lan.open"), ("on", Layer::File, in_file.clone()));
        assert_eq!(said("models.keep_alive"), ("1m", Layer::File, in_file));
        assert_eq!(said("models.context"), ("128", Layer::Page, page.display().to_string()));
        assert_eq!(said("models.parallel"), ("5", Layer::Environment, "HOB_MODELS__PARALLEL".into()));
        assert_eq!(said("state.dir"), ("/var/lib/hob", Layer::Environment, "STATE_DIRECTORY".into()));
        let raw = layers.raw().unwrap();
        assert_eq!((raw.models.context, raw.models.parallel), (Some(128), Some(5)));
    }
}
