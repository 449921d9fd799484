//! Room on a disk: how much there is, and taking it before it is needed.

use std::fs::File;
use std::io;
use std::path::Path;

/// Bytes that an ordinary user can still write to the disk that holds `path`.
///
/// # Errors
/// If the system does not say.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    Ok(available(nix::sys::statvfs::statvfs(path)?))
}

/// Bytes of the disk that holds `path`, taken or not.
///
/// # Errors
/// If the system does not say.
#[expect(clippy::useless_conversion, reason = "the types differ by system")]
pub fn total_bytes(path: &Path) -> io::Result<u64> {
    let disk = nix::sys::statvfs::statvfs(path)?;
    Ok(u64::from(disk.blocks()).saturating_mul(u64::from(disk.fragment_size())))
}

#[expect(clippy::useless_conversion, reason = "the types differ by system")]
fn available(disk: nix::sys::statvfs::Statvfs) -> u64 {
    u64::from(disk.blocks_available()).saturating_mul(u64::from(disk.fragment_size()))
}

/// How long a file may be on the disk that holds `path`, where that is known.
///
/// # Errors
/// If the system does not say.
pub fn longest_file(path: &Path) -> io::Result<u64> {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::statfs::{MSDOS_SUPER_MAGIC, statfs};
        if statfs(path)?.filesystem_type() == MSDOS_SUPER_MAGIC {
            return Ok(u64::from(u32::MAX));
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _anywhere = path;
    Ok(u64::MAX)
}

/// Bytes of the disk that a file has; fewer than its length where it has holes.
pub fn taken_bytes(metadata: &std::fs::Metadata) -> u64 {
    // Its unit is 512 bytes, whatever the filesystem's is.
    std::os::unix::fs::MetadataExt::blocks(metadata).saturating_mul(512)
}

/// Makes the file `bytes` long and takes the disk's blocks for all of it; what is there already stays. Where the
/// filesystem cannot take blocks ahead, only the length is set.
///
/// # Errors
/// [`io::ErrorKind::StorageFull`] if there is no room.
pub fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    // Asked first, as some filesystems take all that there is before they say that it is not enough.
    let more = bytes.saturating_sub(taken_bytes(&file.metadata()?));
    if more > available(nix::sys::statvfs::fstatvfs(file)?) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    #[cfg(target_os = "linux")]
    if let Ok(length) = i64::try_from(bytes)
        && length > 0
    {
        use nix::errno::Errno;
        use nix::fcntl::{FallocateFlags, fallocate};
        match fallocate(file, FallocateFlags::empty(), 0, length) {
            Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    file.set_len(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_before_it_is_needed_and_more_than_there_is_is_refused() {
        let folder = tempfile::TempDir::new().unwrap();
        let free = free_bytes(folder.path()).unwrap();
        let file = File::create(folder.path().join("file")).unwrap();

        reserve(&file, 1 << 20).unwrap();

        assert!(free > 0 && free <= total_bytes(folder.path()).unwrap());
        assert_eq!(file.metadata().unwrap().len(), 1 << 20);
        let full = reserve(&file, free.saturating_mul(4)).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        let holes = File::create(folder.path().join("holes")).unwrap();
        holes.set_len(1 << 20).unwrap();
        assert_eq!(taken_bytes(&holes.metadata().unwrap()), 0);
        assert_eq!(taken_bytes(&file.metadata().unwrap()), 1 << 20);
    }
}
