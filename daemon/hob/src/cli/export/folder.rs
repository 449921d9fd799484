//! A bundle as a folder. Each file is written aside and named once it is whole, `bundle.json` last; what is there already and is
//! what it should be stays, so that an export that was broken off goes on.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use platform::durable::{self, Staged};
use registry::bundle::{BlobEntry, Contents, Part};

use super::archive::{Target, refused};
use super::{Line, Parcel};
use crate::cli::remark;

pub(super) fn write(folder: &Path, parcel: &Parcel, line: &Line) -> anyhow::Result<()> {
    let blobs = folder.join("blobs");
    std::fs::create_dir_all(&blobs).map_err(|error| refused(error, folder))?;
    // Only one writes, so what others began is nobody's any more. Some systems cannot lock a folder.
    let turn = File::open(folder).map_err(|error| refused(error, folder))?;
    anyhow::ensure!(
        !matches!(turn.try_lock(), Err(std::fs::TryLockError::WouldBlock)),
        "another export writes to {}; wait for it, or end it",
        folder.display()
    );
    for place in [folder, &blobs] {
        durable::sweep(place, Duration::ZERO).map_err(|error| refused(error, place))?;
    }
    refuse_others(folder, parcel)?;
    let contents = &parcel.contents;
    let (manifests, blobs) = (contents.manifests(), contents.blobs());
    let lacking = |entry: &&BlobEntry| !has_length(&path(folder, entry), entry.bytes);
    let needed = manifests.iter().chain(blobs).filter(lacking).map(|entry| entry.bytes).sum();
    let longest = blobs.iter().map(|entry| entry.bytes).max().unwrap_or(0);
    Target::Folder.check(folder, needed, longest)?;
    for entry in manifests {
        let path = path(folder, entry);
        durable::write(&path, parcel.manifest(entry)).map_err(|error| refused(error, &path))?;
    }
    for entry in blobs {
        let path = path(folder, entry);
        if !has_length(&path, entry.bytes)
            || !line.check(entry, File::open(&path)?).with_context(|| path.display().to_string())?
        {
            bring(&path, parcel, entry, line)?;
        }
    }
    // A signature of what was there is none of what will be.
    let [contents, signature] = [Part::Contents, Part::Signature].map(|part| folder.join(part.to_string()));
    if parcel.signature.is_none() && signature.exists() {
        remark("the bundle was signed, and is not any more\nhint: --sign signs it again");
    }
    durable::remove(&signature).map_err(|error| refused(error, &signature))?;
    durable::write(&contents, parcel.contents.bytes()).map_err(|error| refused(error, &contents))?;
    if let Some(text) = &parcel.signature {
        durable::write(&signature, text.as_bytes()).map_err(|error| refused(error, &signature))?;
    }
    Ok(())
}

fn bring(path: &Path, parcel: &Parcel, entry: &BlobEntry, line: &Line) -> anyhow::Result<()> {
    let mut staged = Staged::create(durable::folder_of(path)).map_err(|error| refused(error, path))?;
    let brought = line.fetch(parcel, entry, |blob| io::copy(blob, &mut staged).map(drop));
    brought.map_err(|error| match error.downcast::<io::Error>() {
        Ok(error) => refused(error, path),
        Err(other) => other,
    })?;
    staged.keep(path).map_err(|error| refused(error, path)).map(drop)
}

/// A folder holds one bundle; the blobs of another would lie there, and nothing would name them.
fn refuse_others(folder: &Path, parcel: &Parcel) -> anyhow::Result<()> {
    let path = folder.join(Part::Contents.to_string());
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|error| refused(error, &path))?,
    };
    let mut bytes = Vec::new();
    file.take(Contents::MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| refused(error, &path))?;
    let before = Contents::parse(bytes).with_context(|| format!("{} was left as it is", path.display()))?;
    let models = parcel.contents.models();
    let other = before.models().iter().find(|model| models.iter().all(|it| !it.name.is_same(&model.name)));
    if let Some(other) = other {
        anyhow::bail!(
            "{} has a bundle with '{}', which would be in no bundle any more\nhint: name that model as well, or another folder",
            folder.display(),
            other.name
        );
    }
    Ok(())
}

fn path(folder: &Path, entry: &BlobEntry) -> PathBuf {
    folder.join(Part::Blob(entry.digest).to_string())
}

fn has_length(path: &Path, bytes: u64) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == bytes)
}
