//! A tool's settings file on the disk: where it really lies, how it is replaced, and how it comes back. What is in it is
//! `merge`'s to know.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;
use platform::durable;

/// What goes between a file's name and the time in the name of a backup.
const BACKUP: &str = ".hob-backup-";

/// A chain of links that is longer goes round in a circle.
const MOST_LINKS: usize = 40;

/// A file that may not be there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// No link.
    path: PathBuf,
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
    /// If the file is read-only or something cannot be written; then it is what it was.
    pub(super) fn replace(&self, text: &str, now: Timestamp) -> anyhow::Result<PathBuf> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let (old, permissions) = match fs::metadata(&self.path) {
            Ok(metadata) => {
                anyhow::ensure!(!metadata.permissions().readonly(), "{} is read-only", self.path.display());
                let old =
                    fs::read(&self.path).with_context(|| format!("cannot read {}", self.path.display()))?;
                (old, metadata.permissions())
            }
            Err(_) => (Vec::new(), Permissions::from_mode(0o600)),
        };
        let backup = self.free_backup(now)?;
        durable::write_with(&backup, &old, permissions.clone())
            .with_context(|| format!("cannot write the backup {}", backup.display()))?;
        durable::write_with(&self.path, text.as_bytes(), permissions)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(backup)
    }

    /// The newest backup.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn newest_backup(&self) -> anyhow::Result<PathBuf> {
        let prefix = self.backup_prefix()?;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let newest = names.filter(|name| name.starts_with(&prefix)).max();
        let newest = newest.with_context(|| format!("there is no backup of {}", self.path.display()))?;
        Ok(folder.join(newest))
    }

    /// Makes a backup the file again. An empty one stands for no file.
    ///
    /// # Errors
    /// If that cannot be written; then both are what they were.
    pub(super) fn restore(&self, backup: &Path) -> anyhow::Result<()> {
        let put_back = || {
            let file = fs::File::open(backup)?;
            if file.metadata()?.len() > 0 {
                return durable::rename(&file, backup, &self.path);
            }
            durable::remove(&self.path)?;
            durable::remove(backup)
        };
        put_back().with_context(|| format!("cannot put {} back", backup.display()))
    }

    /// Named by the time, so that the newest is the last by name.
    fn free_backup(&self, now: Timestamp) -> anyhow::Result<PathBuf> {
        let prefix = self.backup_prefix()?;
        let mut time = now;
        loop {
            let path = self.path.with_file_name(format!("{prefix}{}", time.strftime("%Y%m%dT%H%M%S.%3fZ")));
            if !path.try_exists().with_context(|| format!("cannot look for {}", path.display()))? {
                return Ok(path);
            }
            time += jiff::SignedDuration::from_millis(1);
        }
    }

    fn backup_prefix(&self) -> anyhow::Result<String> {
        let name = self.path.file_name().and_then(|name| name.to_str());
        Ok(format!("{}{BACKUP}", name.context("the file has a name that is no text")?))
    }
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
        let first = place.replace("two", now()).unwrap();
        place.replace("three", now()).unwrap();

        assert_eq!(
            (fs::read_to_string(&first).unwrap().as_str(), mode(&first), mode(&path)),
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

        place.replace("text", now()).unwrap();
        assert_eq!(mode(&path), 0o600);
        place.restore(&place.newest_backup().unwrap()).unwrap();

        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_stays_and_what_it_points_at_changes_even_if_that_is_not_there_yet() {
        let folder = tempfile::TempDir::new().unwrap();
        let link = folder.path().join("settings.json");
        std::os::unix::fs::symlink("real.json", &link).unwrap();

        Place::of(&link).unwrap().replace("text", now()).unwrap();

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

        let refused = Place::of(&path).unwrap().replace("two", now()).unwrap_err();

        assert!(refused.to_string().contains("read-only"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
