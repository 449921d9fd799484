//! A tool's settings file on the disk: where it really lies, how it is replaced, and how it comes back. What is in it is
//! `merge`'s to know.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::{Timestamp, civil};
use platform::durable;

/// What goes between a file's name and the time in the name of a backup.
const BACKUP: &str = ".hob-backup-";

/// How the time is written there: the last by name is the newest.
const TIME: &str = "%Y%m%dT%H%M%S.%3fZ";

/// What follows the time where there was no file.
const NONE: &str = "-none";

/// A chain of links that is longer goes round in a circle.
const MOST_LINKS: usize = 40;

/// A file that may not be there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// No link.
    path: PathBuf,
}

/// What stands for a file as it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Backup {
    path: PathBuf,
    was: Was,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Was {
    There,
    Absent,
}

impl Backup {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Place {
    /// The file that `path` stands for: where it is a link, the file at its end.
    ///
    /// # Errors
    /// If the links go round in a circle or cannot be read.
    pub(super) fn of(path: &Path) -> anyhow::Result<Self> {
        let mut path = path.to_path_buf();
        for _ in 0..MOST_LINKS {
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_symlink() => {
                    let link = fs::read_link(&path)
                        .with_context(|| format!("cannot read the link {}", path.display()))?;
                    // A relative one starts where the link lies.
                    path = path.parent().unwrap_or(Path::new("/")).join(link);
                }
                _ => return Ok(Self { path }),
            }
        }
        anyhow::bail!("the links at {} go round in a circle", path.display())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its text; `None` if it is not there.
    ///
    /// # Errors
    /// If it cannot be read, or is no text.
    pub(super) fn read(&self) -> anyhow::Result<Option<String>> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", self.path.display())),
        }
    }

    /// Replaces the file, whole or not at all, with the permissions it had; returns where what was there is kept now. A
    /// file that was not there is made for its owner alone, as keys may come to stand in it.
    ///
    /// # Errors
    /// If the file is not what was `read` any more, is read-only, or something cannot be written; then it is left as it is.
    pub(super) fn replace(&self, read: Option<&str>, text: &str, now: Timestamp) -> anyhow::Result<Backup> {
        let path = self.path.display();
        let old = self.read()?;
        // Whoever was asked may have taken their time, and the tool may have written meanwhile.
        anyhow::ensure!(old.as_deref() == read, "{path} changed meanwhile; nothing was written");
        let (was, permissions) = match &old {
            Some(_) => {
                let metadata = fs::metadata(&self.path).with_context(|| format!("cannot look at {path}"))?;
                anyhow::ensure!(!metadata.permissions().readonly(), "{path} is read-only");
                (Was::There, metadata.permissions())
            }
            None => (Was::Absent, Permissions::from_mode(0o600)),
        };
        let folder = self.folder();
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let backup = self.free_backup(was, now)?;
        durable::write_with(&backup.path, old.unwrap_or_default().as_bytes(), permissions.clone())
            .with_context(|| format!("cannot write the backup {}", backup.path.display()))?;
        durable::write_with(&self.path, text.as_bytes(), permissions)
            .with_context(|| format!("cannot write {path}"))?;
        Ok(backup)
    }

    /// The newest backup.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn newest_backup(&self) -> anyhow::Result<Backup> {
        let prefix = self.backup_prefix()?;
        let names = fs::read_dir(self.folder()).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let backups = names.filter_map(|name| {
            let (time, was) = parse(name.strip_prefix(&prefix)?)?;
            Some((time, Backup { path: self.path.with_file_name(&name), was }))
        });
        let newest = backups.max_by_key(|(time, _)| *time);
        let (_, backup) = newest.with_context(|| format!("there is no backup of {}", self.path.display()))?;
        Ok(backup)
    }

    /// Makes a backup the file again, or removes the file where there was none.
    ///
    /// # Errors
    /// If that cannot be written; then both are what they were.
    pub(super) fn restore(&self, backup: &Backup) -> anyhow::Result<()> {
        let put_back = || match backup.was {
            Was::There => durable::rename(&fs::File::open(&backup.path)?, &backup.path, &self.path),
            Was::Absent => {
                durable::remove(&self.path)?;
                durable::remove(&backup.path)
            }
        };
        put_back().with_context(|| format!("cannot put {} back", backup.path.display()))
    }

    /// Named by the time, which no other backup has.
    fn free_backup(&self, was: Was, now: Timestamp) -> anyhow::Result<Backup> {
        let prefix = self.backup_prefix()?;
        let taken =
            |path: &Path| path.try_exists().with_context(|| format!("cannot look for {}", path.display()));
        let mut time = now;
        loop {
            let name = format!("{prefix}{}", time.strftime(TIME));
            let there = self.path.with_file_name(&name);
            let absent = self.path.with_file_name(format!("{name}{NONE}"));
            if !taken(&there)? && !taken(&absent)? {
                let path = match was {
                    Was::There => there,
                    Was::Absent => absent,
                };
                return Ok(Backup { path, was });
            }
            time += jiff::SignedDuration::from_millis(1);
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    fn backup_prefix(&self) -> anyhow::Result<String> {
        let name = self.path.file_name().and_then(|name| name.to_str());
        Ok(format!("{}{BACKUP}", name.context("the file has a name that is no text")?))
    }
}

/// What follows the prefix in a backup's name; `None` if that is no backup's, but another file of the user's.
fn parse(rest: &str) -> Option<(civil::DateTime, Was)> {
    let (time, was) = match rest.strip_suffix(NONE) {
        Some(time) => (time, Was::Absent),
        None => (rest, Was::There),
    };
    let parsed = civil::DateTime::strptime("%Y%m%dT%H%M%S%.fZ", time).ok()?;
    (parsed.strftime(TIME).to_string() == time).then_some((parsed, was))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-25T12:00:00Z".parse().unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_was_there_comes_back_one_step_at_a_time() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("settings.json");
        fs::write(&path, "one").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let place = Place::of(&path).unwrap();

        // Twice in the same instant.
        let first = place.replace(Some("one"), "two", now()).unwrap();
        place.replace(Some("two"), "three", now()).unwrap();

        assert_eq!(
            (fs::read_to_string(first.path()).unwrap().as_str(), mode(first.path()), mode(&path)),
            ("one", 0o640, 0o640)
        );
        for before in ["two", "one"] {
            place.restore(&place.newest_backup().unwrap()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), before);
        }
        assert!(place.newest_backup().unwrap_err().to_string().contains("no backup"));
        assert_eq!(mode(&path), 0o640);
    }

    #[test]
    fn a_file_that_was_not_there_is_its_owners_alone_and_goes_again() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("new/folder/config.toml");
        let place = Place::of(&path).unwrap();

        place.replace(None, "text", now()).unwrap();
        assert_eq!(mode(&path), 0o600);
        place.restore(&place.newest_backup().unwrap()).unwrap();

        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_stays_and_what_it_points_at_changes_even_if_that_is_not_there_yet() {
        let folder = tempfile::TempDir::new().unwrap();
        let link = folder.path().join("settings.json");
        std::os::unix::fs::symlink("real.json", &link).unwrap();

        Place::of(&link).unwrap().replace(None, "text", now()).unwrap();

        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(folder.path().join("real.json")).unwrap(), "text");
        let round = folder.path().join("round");
        std::os::unix::fs::symlink("round", &round).unwrap();
        assert!(Place::of(&round).unwrap_err().to_string().contains("circle"));
    }

    #[test]
    fn a_file_that_is_read_only_is_left_alone() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("settings.json");
        fs::write(&path, "one").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();

        let refused = Place::of(&path).unwrap().replace(Some("one"), "two", now()).unwrap_err();

        assert!(refused.to_string().contains("read-only"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_changed_since_it_was_read_is_left_alone() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("settings.json");
        let place = Place::of(&path).unwrap();

        for (read, there) in [(Some("one"), "other"), (None, "new"), (None, "")] {
            fs::write(&path, there).unwrap();
            let refused = place.replace(read, "two", now()).unwrap_err().to_string();
            assert!(refused.ends_with("changed meanwhile; nothing was written"), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), there);
        }
        fs::remove_file(&path).unwrap();
        assert!(place.replace(Some("one"), "two", now()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_was_empty_is_empty_again_and_one_that_was_not_there_is_gone_again() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("settings.json");
        let place = Place::of(&path).unwrap();
        place.replace(None, "", now()).unwrap();
        place.replace(Some(""), "text", now()).unwrap();

        place.restore(&place.newest_backup().unwrap()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        place.restore(&place.newest_backup().unwrap()).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn what_only_begins_like_a_backup_is_none() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("settings.json");
        fs::write(&path, "one").unwrap();
        for name in ["zzz", "20261125T120000.000Z.old", "20261125T120000Z", "20261325T120000.000Z", "-none"] {
            fs::write(folder.path().join(format!("settings.json{BACKUP}{name}")), "not this").unwrap();
        }
        let place = Place::of(&path).unwrap();
        assert!(place.newest_backup().is_err());

        let backup = place.replace(Some("one"), "two", now()).unwrap();

        assert_eq!(place.newest_backup().unwrap(), backup);
    }
}
