//! A bundle in one file, written aside as `FILE.part` until it is whole; or on standard output. And what a disk says that cannot
//! take it, which a folder's can say as well.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use platform::{disk, durable};
use registry::bundle::{ArchiveWriter, Part, archive_bytes};

use super::Parcel;
use super::line::{Broken, Line};
use crate::cli::human;

pub(super) fn write(path: &Path, parcel: &Parcel, line: &Line) -> anyhow::Result<()> {
    let bytes = archive_bytes(&parcel.contents, parcel.signature.as_ref().map(|text| text.len() as u64));
    // What an export before this one left is in the way, and no use: a pipe has no middle to go on from.
    let aside = Aside::at(path).map_err(|error| refused(error, path))?;
    Target::File.check(durable::folder_of(path), bytes, bytes)?;
    archive(&aside.file, parcel, line).map_err(|error| match error.downcast::<io::Error>() {
        Ok(error) => refused(error, path),
        Err(other) => other,
    })?;
    aside.keep(path).map_err(|error| refused(error, path))
}

pub(super) fn write_to_output(parcel: &Parcel, line: &Line) -> anyhow::Result<()> {
    archive(BufWriter::with_capacity(1 << 18, io::stdout().lock()), parcel, line)
}

fn archive(output: impl Write, parcel: &Parcel, line: &Line) -> anyhow::Result<()> {
    let mut archive = ArchiveWriter::new(output);
    let contents = &parcel.contents;
    archive.add(Part::Contents, contents.bytes().len() as u64, contents.bytes())?;
    if let Some(text) = &parcel.signature {
        archive.add(Part::Signature, text.len() as u64, text.as_bytes())?;
    }
    for entry in contents.manifests() {
        archive.add(Part::Blob(entry.digest), entry.bytes, parcel.manifest(entry))?;
    }
    for entry in contents.blobs() {
        line.fetch(parcel, entry, |blob| archive.add(Part::Blob(entry.digest), entry.bytes, blob))?;
    }
    archive.finish()?;
    Ok(())
}

/// A file that has its name once it is whole. Dropping it removes it.
struct Aside {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Aside {
    fn at(path: &Path) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        durable::remove(&path)?;
        // A new one: what somebody puts there meanwhile may be a link.
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { path, file, kept: false })
    }

    fn keep(mut self, path: &Path) -> io::Result<()> {
        durable::rename(&self.file, &self.path, path)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.kept {
            let _leftover = std::fs::remove_file(&self.path);
        }
    }
}

/// What a bundle is written to.
#[derive(Clone, Copy)]
pub(super) enum Target {
    File,
    Folder,
}

impl Target {
    /// That there is room, and that no file gets longer than the disk has any: known now rather than after hours.
    pub(super) fn check(self, folder: &Path, needed: u64, longest: u64) -> anyhow::Result<()> {
        let free = disk::free_bytes(folder).map_err(|error| refused(error, folder))?;
        anyhow::ensure!(
            needed <= free,
            "no room in {}: {} more are needed, and {} are free\nhint: make room there, or name another place",
            folder.display(),
            human::size(needed),
            human::size(free)
        );
        let most = disk::longest_file(folder).map_err(|error| refused(error, folder))?;
        let (what, hint) = match self {
            Self::File => (
                "the archive",
                "name a folder, in which each blob is a file of its own; or a disk with exFAT or ext4",
            ),
            Self::Folder => ("a blob", "format it with exFAT or ext4, or name another disk"),
        };
        anyhow::ensure!(
            longest <= most,
            "{what} has {}, and the disk of {} is formatted with FAT, where a file has {} at most\nhint: {hint}",
            human::size(longest),
            folder.display(),
            human::size(most)
        );
        Ok(())
    }
}

/// What went wrong with a file, and what to do about it.
pub(super) fn refused(error: io::Error, path: &Path) -> anyhow::Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Broken>()) {
        return error.into();
    }
    let hint = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "\nhint: make room there, or name another place; in a folder, the next export goes on where this one was"
        }
        ErrorKind::FileTooLarge => {
            "\nhint: the disk takes no file as long as that; name a folder, in which each blob is a file of its own, or a disk with \
             exFAT or ext4"
        }
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            "\nhint: see whether it may be written to by this user"
        }
        _ => "",
    };
    anyhow::anyhow!("cannot write {}: {error}{hint}", path.display())
}
