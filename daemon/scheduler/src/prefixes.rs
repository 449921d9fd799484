//! Where workers keep prefixes that outlive them: a file a model, in a folder of the owner's alone, and a secret for their
//! seals. A worker is handed its file open; what is in it, only the worker knows.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use platform::durable;
use protocol::Secret;
use store::Digest;

/// The folder of prefix files.
#[derive(Debug)]
pub(crate) struct PrefixFiles {
    folder: PathBuf,
    most_bytes: u64,
    secret: Secret,
}

/// One model takes no more than this part of the room.
const SHARES: u64 = 4;

impl PrefixFiles {
    /// Files of `most_bytes` together. The folder and the secret are made if they are not there.
    pub(crate) fn open(folder: &Path, most_bytes: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let secret = Secret(durable::secret(&folder.join("secret"))?.to_vec());
        Ok(Self { folder: folder.to_path_buf(), most_bytes, secret })
    }

    /// The file of the model that is made of these files, and the bytes that it may have. Others go for it, the coldest first.
    pub(crate) fn of_model<'a>(&self, files: impl Iterator<Item = &'a Path>) -> io::Result<(File, u64)> {
        let names: Vec<_> = files.filter_map(Path::file_name).map(|name| name.to_string_lossy()).collect();
        let name = format!("{}{SUFFIX}", Digest::of(names.join("+").as_bytes()).hex());
        let most = self.most_bytes / SHARES;
        self.make_room(&name, self.most_bytes - most)?;
        let path = self.folder.join(name);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        // Now it is the one used last.
        file.set_modified(SystemTime::now())?;
        Ok((file, most))
    }

    pub(crate) fn secret(&self) -> Secret {
        self.secret.clone()
    }

    /// Removes the files that were not used for longest, until all but `spared` have `most_bytes` at most.
    fn make_room(&self, spared: &str, most_bytes: u64) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let (name, metadata) = (entry.file_name(), entry.metadata()?);
            let name = name.to_string_lossy();
            if name.ends_with(SUFFIX) && name != spared {
                files.push((metadata.modified()?, metadata.len(), entry.path()));
            }
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, length, path) in files {
            if bytes <= most_bytes {
                break;
            }
            fs::remove_file(path)?;
            bytes -= length;
        }
        Ok(())
    }
}

const SUFFIX: &str = ".prefixes";

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_model_finds_its_file_again_and_the_coldest_goes_for_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let files = PrefixFiles::open(&folder.path().join("cache"), 4000).unwrap();
        let of = |name: &str| files.of_model([Path::new(name)].into_iter()).unwrap();
        for (number, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let (mut file, most) = of(name);
            assert_eq!(most, 1000);
            file.write_all(&[7; 1000]).unwrap();
            let age = std::time::Duration::from_secs(100 - number as u64);
            file.set_modified(SystemTime::now() - age).unwrap();
        }

        of("e");

        let length = |name: &str| of(name).0.metadata().unwrap().len();
        assert_eq!((length("d"), length("a")), (1000, 0), "a was the coldest");
        let again = PrefixFiles::open(&folder.path().join("cache"), 4000).unwrap();
        assert_eq!(again.secret(), files.secret());
        let mode = fs::metadata(folder.path().join("cache/secret")).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    }
}
