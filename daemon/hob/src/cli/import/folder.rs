//! A bundle that lies in a folder. Only files with the names of parts are opened, whatever else lies there, and none through a link.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use registry::bundle::{BundleError, Opened, Part, Source};

/// The folder.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Source for Folder {
    fn open(&mut self, part: Part) -> Result<Option<Opened<'_>>, BundleError> {
        let strange = |what| BundleError::Strange { name: part.to_string(), what };
        let mut options = OpenOptions::new();
        // Whoever made the folder may have put a pipe there, which nobody writes to.
        options.read(true).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
        let path = self.path.join(part.to_string());
        // Those it opens there are not to be elsewhere either.
        let within = path.parent().filter(|within| *within != self.path);
        if within.is_some_and(|within| within.is_symlink()) {
            return Err(strange("behind a symbolic link"));
        }
        let file: File = match options.open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(Errno::ELOOP as i32) => {
                return Err(strange("a symbolic link"));
            }
            other => other?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(strange("no ordinary file"));
        }
        let reader: Box<dyn Read> = Box::new(file);
        Ok(Some(Opened { bytes: metadata.len(), reader }))
    }
}
