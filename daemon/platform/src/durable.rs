//! The one writer that survives a power cut: write aside, sync, rename, sync the folder. A file is there whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A file that has no name of its own yet. Dropping it removes it.
#[derive(Debug)]
pub struct Staged {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl Staged {
    /// Begins a file in `directory`, which must be on the volume where it is to be kept.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn create(directory: &Path) -> io::Result<Self> {
        Self::at_free_path(directory, |path| OpenOptions::new().write(true).create_new(true).open(path))
    }

    /// Begins a file that nobody but the user can open.
    fn create_private(directory: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Self::at_free_path(directory, |path| options.open(path))
    }

    /// Begins a file in `directory` that shares the blocks of another, so that nothing is copied; either may change
    /// without the other.
    ///
    /// # Errors
    /// If the filesystem cannot do that, or is another one than the source's.
    pub fn clone_of(source: &Path, directory: &Path) -> io::Result<Self> {
        Self::at_free_path(directory, |path| {
            reflink_copy::reflink(source, path)?;
            OpenOptions::new().read(true).write(true).open(path).inspect_err(|_| {
                let _leftover = fs::remove_file(path);
            })
        })
    }

    /// `make` makes the file and must fail where one is: it may be what a process left that had this one's number, or a
    /// stranger's link.
    fn at_free_path(directory: &Path, make: impl Fn(&Path) -> io::Result<File>) -> io::Result<Self> {
        loop {
            let path = staged_path(directory);
            match make(&path) {
                Ok(file) => return Ok(Self { file, path, kept: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where the bytes lie for now; for readers that must see them before they are kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, for locks on it.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name, replacing what had it. Returns once that is on the disk.
    ///
    /// # Errors
    /// On any failure the old file of this name stands and the staged one is gone.
    pub fn keep(mut self, path: &Path) -> io::Result<File> {
        let file = self.file.try_clone()?;
        rename(&self.file, &self.path, path)?;
        self.kept = true;
        Ok(file)
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            // What stays behind is only space; the store sweeps it at its next start.
            let _leftover = fs::remove_file(&self.path);
        }
    }
}

/// Writes a whole small file.
///
/// # Errors
/// On any failure the old file of this name stands.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut staged = Staged::create(folder_of(path))?;
    staged.write_all(bytes)?;
    staged.keep(path).map(drop)
}

/// Writes a whole small file that nobody but the user can open until it has these permissions, and its name.
///
/// # Errors
/// On any failure the old file of this name stands.
pub fn write_with(path: &Path, bytes: &[u8], permissions: Permissions) -> io::Result<()> {
    let mut staged = Staged::create_private(folder_of(path))?;
    staged.write_all(bytes)?;
    staged.file.set_permissions(permissions)?;
    staged.keep(path).map(drop)
}

/// Writes a whole small file that nobody but the user can open.
///
/// # Errors
/// On any failure the old file of this name stands.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut staged = Staged::create_private(folder_of(path))?;
    staged.write_all(bytes)?;
    staged.keep(path).map(drop)
}

/// A secret of this machine's, which stays the same. It is made if it is not there, or is none.
///
/// # Errors
/// If it can be neither read nor made.
pub fn secret(path: &Path) -> io::Result<[u8; 32]> {
    match fs::read(path) {
        Ok(bytes) => {
            if let Ok(secret) = bytes.try_into() {
                return Ok(secret);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let secret: [u8; 32] = rand::random();
    write_private(path, &secret)?;
    Ok(secret)
}

/// Makes a folder that nobody but the user can look into, with those that it lies in, if need be.
///
/// # Errors
/// If it cannot be made.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    sync_folder(folder_of(path))
}

/// Gives a file another name in its folder, replacing what had it. Returns once its bytes and that name are on the disk.
///
/// # Errors
/// On any failure the old file of this name stands.
pub fn rename(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    file.sync_all()?;
    #[expect(clippy::disallowed_methods, reason = "this is the place that also syncs")]
    fs::rename(from, to)?;
    sync_folder(folder_of(to))
}

/// Removes a file, if it is there. Returns once that is on the disk.
///
/// # Errors
/// If it cannot be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder(folder_of(path)),
    }
}

/// Gives what lies at one name, a file or a folder, another name on the same volume, where nothing else is. Returns once that is on
/// the disk.
///
/// # Errors
/// If it cannot; it is where it was then.
pub fn put(from: &Path, to: &Path) -> io::Result<()> {
    File::open(from)?.sync_all()?;
    #[expect(clippy::disallowed_methods, reason = "this is the place that also syncs")]
    fs::rename(from, to)?;
    sync_folder(folder_of(to))?;
    sync_folder(folder_of(from))
}

/// Removes what lies there, a file or a folder with all that is in it, if anything does; what a link leads to stays. Returns once
/// that is on the disk.
///
/// # Errors
/// If some of it cannot be removed; the rest is gone then.
pub fn remove_all(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if found.is_dir() {
        fs::remove_dir_all(path)?
    } else {
        fs::remove_file(path)?
    }
    sync_folder(folder_of(path))
}

/// Removes staged files that nobody has written to for `age`: what a process left that was killed.
///
/// # Errors
/// If the folder cannot be listed. A file that cannot be removed stays.
pub fn sweep(folder: &Path, age: Duration) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let staged = entry.file_name().to_str().is_some_and(|name| name.starts_with(STAGED));
        let idle =
            entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|at| at.elapsed().ok());
        if staged && idle.is_some_and(|idle| idle >= age) {
            // It is only space.
            let _stays = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Unique among processes by the number of this one, within it by a counter.
fn staged_path(directory: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    directory.join(format!("{STAGED}{}-{number}", std::process::id()))
}

/// What the name of a staged file begins with.
const STAGED: &str = ".staged-";

/// The folder that a file of this name lies in: of a bare name, the current one.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a folder's entries durable.
///
/// # Errors
/// If it cannot be opened or synced.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_one_in_the_current_folder() {
        let folders = ["a.tar", "./a.tar", "there/a.tar", "/a.tar"].map(|name| folder_of(Path::new(name)));
        assert_eq!(folders, [".", ".", "there", "/"].map(Path::new));
    }

    #[test]
    fn a_clone_is_its_own_file_or_is_not_made() {
        let folder = tempfile::TempDir::new().unwrap();
        let (source, named) = (folder.path().join("source"), folder.path().join("named"));
        fs::write(&source, [1; 1 << 16]).unwrap();

        // Filesystems differ: ext4 and tmpfs cannot, XFS, Btrfs and APFS can.
        if let Ok(clone) = Staged::clone_of(&source, folder.path()) {
            clone.keep(&named).unwrap();
            fs::write(&source, [2; 1 << 16]).unwrap();
            assert_eq!(fs::read(&named).unwrap(), [1; 1 << 16]);
            fs::remove_file(&named).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all_and_leftovers_are_swept() {
        let folder = tempfile::TempDir::new().unwrap();
        let named = folder.path().join("named");
        drop(Staged::create(folder.path()).unwrap());
        write(&named, b"one").unwrap();
        write(&named, b"two").unwrap();
        assert_eq!(fs::read(&named).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        fs::write(folder.path().join(".staged-1-0"), b"left by a process that was killed").unwrap();
        sweep(folder.path(), Duration::from_secs(3600)).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "it may still be written to");
        sweep(folder.path(), Duration::ZERO).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_staged_file_is_a_new_one_and_a_private_one_is_nobody_elses_until_it_is_kept() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::TempDir::new().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (victim, named) = (folder.path().join("victim"), folder.path().join("named"));
        fs::write(&victim, "mine").unwrap();
        // Links at whatever numbers come next, be other tests drawing some as well.
        let next =
            staged_path(folder.path()).to_str().unwrap().rsplit_once('-').unwrap().1.parse::<u64>().unwrap();
        for number in next + 1..next + 200 {
            let path = folder.path().join(format!("{STAGED}{}-{number}", std::process::id()));
            symlink(&victim, path).unwrap();
        }

        let staged = Staged::create_private(folder.path()).unwrap();
        assert_eq!(mode(staged.path()), 0o600);
        drop(staged);
        write_with(&named, b"secret", Permissions::from_mode(0o644)).unwrap();
        let private = folder.path().join("made/private");
        make_private_folder(private.parent().unwrap()).unwrap();
        write_private(&private, b"secret").unwrap();
        assert_eq!((mode(private.parent().unwrap()), mode(&private)), (0o700, 0o600));

        assert_eq!((fs::read(&named).unwrap().as_slice(), mode(&named)), (&b"secret"[..], 0o644));
        assert_eq!(fs::read(&victim).unwrap(), b"mine");
        // As a file that anybody makes, and as the store's are.
        let (made, written) = (folder.path().join("anybodys"), folder.path().join("written"));
        fs::write(&made, "").unwrap();
        write(&written, b"").unwrap();
        assert_eq!(mode(&written), mode(&made));
    }
}
