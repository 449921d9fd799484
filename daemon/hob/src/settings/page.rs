//! What the page keeps: a file of its own in the folder of the state, written whole and by the daemon alone. A setting in it that is
//! none, or is not the page's to change, is left out and told of: it must not keep the box from starting.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use api::settings::{Kind, Value};
use toml_edit::{DocumentMut, Item, Table, value};

use super::catalogue::known;
use super::layers::words_of;

/// Values by name, as the page keeps them.
pub(crate) type Values = BTreeMap<String, String>;

/// The file, and what is in it.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) values: Values,
    /// What is wrong with the file, if anything is.
    pub(crate) trouble: Option<String>,
}

const HEADING: &str = "# What was set on the page of the box, which writes this file anew at each change. It counts above hob.toml.\n";

impl Page {
    /// What is kept there; nothing, if there is no file.
    pub(crate) fn read(state_dir: &Path) -> Self {
        let path = backup::Folder::of(state_dir.into()).settings();
        if !path.exists() {
            return Self { path, values: Values::new(), trouble: None };
        }
        match words_of(&path) {
            Ok(words) => Self::sorted(path, words),
            Err(error) => {
                let trouble = format!(
                    "what the page keeps cannot be read, and does not count: {error:#}; the next change on the page begins it anew"
                );
                Self { path, values: Values::new(), trouble: Some(trouble) }
            }
        }
    }

    fn sorted(path: PathBuf, words: Values) -> Self {
        let ours = |name: &String| known(name).is_some_and(|known| known.locked.is_none());
        let (values, strange): (Values, Values) = words.into_iter().partition(|(name, _)| ours(name));
        let strange: Vec<String> = strange.into_keys().collect();
        let trouble = (!strange.is_empty()).then(|| {
            format!(
                "{} has settings that are none of the page's, and do not count: {}; the next change on the page leaves them out",
                path.display(),
                strange.join(", ")
            )
        });
        Self { path, values, trouble }
    }

    /// Replaces what is kept. Returns once it is on the disk.
    ///
    /// # Errors
    /// If it cannot be written; what was kept is kept.
    pub(crate) fn keep(&mut self, values: Values) -> io::Result<()> {
        if values.is_empty() {
            platform::durable::remove(&self.path)?;
        } else {
            platform::durable::make_private_folder(platform::durable::folder_of(&self.path))?;
            platform::durable::write_private(&self.path, written(&values).as_bytes())?;
        }
        (self.values, self.trouble) = (values, None);
        Ok(())
    }
}

/// What a backup has to know of the file.
pub(crate) struct Rules;

impl backup::KeptSettings for Rules {
    /// What is in it is sorted at the start, as of any such file.
    fn check(&self, text: &str) -> Result<(), String> {
        text.parse::<DocumentMut>().map(drop).map_err(|error| error.to_string())
    }

    fn without_secrets(&self, text: &str) -> Option<String> {
        let mut document: DocumentMut = text.parse().ok()?;
        let hidden = |name: &str, item: &Item| {
            let words = item.as_str().map_or_else(|| item.to_string(), ToOwned::to_owned);
            known(name).is_none_or(|known| known.shown(Some(&words)) == Value::Hidden)
        };
        let before = document.to_string();
        for (section, item) in document.as_table_mut().iter_mut() {
            if let Some(table) = item.as_table_like_mut() {
                let names = table.iter().filter(|(inner, item)| hidden(&format!("{section}.{inner}"), item));
                for inner in names.map(|(inner, _)| inner.to_owned()).collect::<Vec<_>>() {
                    table.remove(&inner);
                }
            }
        }
        document.as_table_mut().retain(|name, item| item.is_table_like() || !hidden(name, item));
        let after = document.to_string();
        (before != after).then_some(after)
    }
}

/// As a person would write it.
fn written(values: &Values) -> String {
    let mut document = DocumentMut::new();
    for (name, text) in values {
        match name.split_once('.') {
            Some((section, inner)) => {
                let table = document.entry(section).or_insert_with(|| Item::Table(Table::new()));
                table[inner] = item(name, text);
            }
            None => document[name.as_str()] = item(name, text),
        }
    }
    format!("{HEADING}{document}")
}

fn item(name: &str, text: &str) -> Item {
    match known(name).map(|known| known.kind) {
        Some(Kind::Number) => text.parse::<i64>().map_or_else(|_| value(text), value),
        Some(Kind::Flag) => text.parse::<bool>().map_or_else(|_| value(text), value),
        _ => value(text),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn values(values: &[(&str, &str)]) -> Values {
        values.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn what_is_kept_is_read_again_as_it_was_and_is_nobody_elses() {
        let folder = tempfile::TempDir::new().unwrap();
        let state = folder.path().join("state");
        let kept = values(&[
            ("lan.open", "on"),
            ("lan.share", "false"),
            ("models.context", "8192"),
            ("models.keep_alive", "10m"),
            ("name", "Kitchen \"box\" 厨房"),
        ]);
        let mut page = Page::read(&state);
        assert_eq!((page.values.len(), &page.trouble), (0, &None));

        page.keep(kept.clone()).unwrap();

        let text = std::fs::read_to_string(&page.path).unwrap();
        assert!(text.contains("[models]\ncontext = 8192\nkeep_alive = \"10m\"\n"), "{text}");
        assert_eq!(page.path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let again = Page::read(&state);
        assert_eq!((again.values, again.trouble), (kept, None));
        page.keep(Values::new()).unwrap();
        assert!(!page.path.exists());
    }

    #[test]
    fn a_backup_that_anybody_may_read_has_the_settings_but_for_secrets() {
        use backup::KeptSettings as _;
        let kept = written(&values(&[("name", "Kitchen"), ("registry.proxy", "http://me:s3cret@proxy:1")]));

        let told = Rules.without_secrets(&kept).unwrap();

        assert!(told.contains("Kitchen") && !told.contains("s3cret"), "{told}");
        let harmless = written(&values(&[("name", "Kitchen"), ("registry.proxy", "http://proxy:1")]));
        assert_eq!(Rules.without_secrets(&harmless), None);
        assert!(
            Rules.without_secrets("[made]\nup = \"s3cret\"").is_some_and(|told| !told.contains("s3cret"))
        );
        assert!(Rules.check(&kept).is_ok() && Rules.check("name = \"Kit").is_err());
    }

    #[test]
    fn a_file_that_is_damaged_or_of_another_version_keeps_nobody_from_starting_and_is_told_of() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = backup::Folder::of(folder.path().into()).settings();
        std::fs::write(&file, "name = \"Kitchen\"\n[models]\ndir = \"/elsewhere\"\n[warp]\nspeed = 9\n")
            .unwrap();

        let page = Page::read(folder.path());

        assert_eq!(page.values, values(&[("name", "Kitchen")]));
        let trouble = page.trouble.unwrap();
        assert!(trouble.contains("models.dir, warp.speed"), "{trouble}");
        std::fs::write(&file, "name = \"Kit").unwrap();
        let torn = Page::read(folder.path());
        assert!(torn.values.is_empty() && torn.trouble.unwrap().contains("cannot be read"));
    }
}
