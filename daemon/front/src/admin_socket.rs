//! The UNIX socket by which this machine's owner gives orders: who may open it is the file system's to say, by its mode.

use std::fs::{DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::BindError;

/// A socket's file, which goes with it.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Its device and number: by now the path may be another's.
    ours: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let still_ours = self.path.symlink_metadata().is_ok_and(|file| identity_of(&file) == self.ours);
        if still_ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the admin socket stays");
        }
    }
}

fn identity_of(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Opens it, for this user or for a group as well.
pub(crate) fn open(
    path: &Path,
    group: Option<u32>,
    queue: i32,
) -> Result<(UnixListener, SocketFile), BindError> {
    let refused = |source| BindError::SocketRefused { path: path.into(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    make(folder, group).map_err(refused)?;
    if folder.metadata().map_err(refused)?.mode() & WRITTEN_BY_OTHERS != 0 {
        return Err(BindError::OpenFolder { folder: folder.into() });
    }
    if is_answered(path).map_err(refused)? {
        return Err(BindError::SocketInUse { path: path.into() });
    }
    let (socket, file) = bind(path).map_err(refused)?;
    // Whoever has the folder may put another socket there. What we have just made is ours, whoever we are.
    let metadata = |path: &Path| path.symlink_metadata().map_err(refused);
    if !may_hold(folder.metadata().map_err(refused)?.uid(), metadata(path)?.uid()) {
        return Err(BindError::OpenFolder { folder: folder.into() });
    }
    listen(&socket, path, group, queue).map_err(refused)?;
    Ok((socket.into(), file))
}

/// Whether a folder of this user's may hold a socket of that one's.
fn may_hold(owner: u32, ours: u32) -> bool {
    owner == ours || owner == ROOT
}

const ROOT: u32 = 0;

const WRITTEN_BY_OTHERS: u32 = 0o022;

/// A folder that is there already is left as it is.
fn make(folder: &Path, group: Option<u32>) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if group.is_some() {
        chown(folder, None, group)?;
        // It is the way to the socket, and nothing else is to be seen.
        set_mode(folder, 0o710)?;
    }
    Ok(())
}

/// Whether a daemon has it. What one left behind is removed.
fn is_answered(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "another file is there"));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn bind(path: &Path) -> io::Result<(Socket, SocketFile)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile { path: path.into(), ours: identity_of(&path.symlink_metadata()?) };
    Ok((socket, file))
}

fn listen(socket: &Socket, path: &Path, group: Option<u32>, queue: i32) -> io::Result<()> {
    // Nobody can connect before it listens, so that nobody comes in by the mode that it is made with.
    chown(path, None, group)?;
    set_mode(path, if group.is_some() { 0o660 } else { 0o600 })?;
    socket.listen(queue)?;
    socket.set_nonblocking(true)
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().mode() & 0o777
    }

    #[test]
    fn it_is_its_owners_alone_or_a_groups_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/admin.sock");
        let (_socket, file) = open(&path, None, 8).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        drop(file);
        assert!(!path.exists());

        let own = folder.path().metadata().unwrap().gid();
        let path = folder.path().join("shared/admin.sock");
        let (_socket, _file) = open(&path, Some(own), 8).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o660, 0o710));
    }

    #[test]
    fn what_a_daemon_left_is_replaced_and_what_one_has_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        drop(UnixListener::bind(&path).unwrap());
        let (_socket, first) = open(&path, None, 8).unwrap();
        assert!(matches!(open(&path, None, 8), Err(BindError::SocketInUse { .. })));

        // Another's by now.
        std::fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(first);
        assert!(path.exists());
    }

    #[test]
    fn it_lies_where_nobody_else_could_put_another_and_over_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        std::fs::write(&path, "a file").unwrap();
        assert!(matches!(open(&path, None, 8), Err(BindError::SocketRefused { .. })));
        assert!(path.exists());

        set_mode(folder.path(), 0o777).unwrap();
        let other = folder.path().join("other.sock");
        assert!(matches!(open(&other, None, 8), Err(BindError::OpenFolder { .. })));
    }

    #[test]
    fn its_folder_is_ours_or_roots() {
        assert!(may_hold(1000, 1000) && may_hold(ROOT, 1000));
        assert!(!may_hold(1001, 1000) && !may_hold(1000, ROOT));

        let folder = tempfile::tempdir().unwrap();
        // Root alone can give a folder away.
        if chown(folder.path(), Some(12345), None).is_ok() {
            let path = folder.path().join("admin.sock");
            assert!(matches!(open(&path, None, 8), Err(BindError::OpenFolder { .. })));
            assert!(!path.exists());
        }
    }
}
