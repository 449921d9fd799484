//! An identity as it is kept, for who keeps it elsewhere as well: its files, and whose they are. What is in them is a secret.

use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::authority::Authority;
use crate::folder::{self, AUTHORITY, LEAF, OWNERS};
use crate::leaf::Leaf;
use crate::{DeviceId, IdentityError};

/// The files of an identity. It does not show what is in them.
#[derive(Clone)]
pub struct Kept {
    id: DeviceId,
    authority: Zeroizing<Vec<u8>>,
    served: Option<Zeroizing<Vec<u8>>>,
    owners: Option<Zeroizing<Vec<u8>>>,
}

/// Which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeptFile {
    /// Who the box is.
    Authority,
    /// What it served last.
    Served,
    /// The certificate that its owner brought.
    Owners,
}

impl KeptFile {
    /// What it is called in its folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authority => AUTHORITY,
            Self::Served => LEAF,
            Self::Owners => OWNERS,
        }
    }
}

impl Kept {
    /// What lies in a folder, if an identity does.
    ///
    /// # Errors
    /// If it is damaged; what the disk says.
    pub fn within(folder: &Path) -> Result<Option<Self>, IdentityError> {
        let path = folder.join(AUTHORITY);
        let Some(authority) = folder::read(&path)? else { return Ok(None) };
        let served = folder::read(&folder.join(LEAF))?;
        let owners = folder::read(&folder.join(OWNERS))?;
        let kept = Self::of(authority, served).map(|kept| kept.with_owners(owners));
        kept.map(Some).map_err(|what| IdentityError::Damaged { path, what })
    }

    /// Of these files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn of(
        authority: Zeroizing<Vec<u8>>,
        served: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Self, &'static str> {
        let read = Authority::read(&authority)?;
        if served.as_ref().is_some_and(|served| Leaf::read(served, &read).is_none()) {
            return Err("what it served is not its own");
        }
        Ok(Self { id: read.id(), authority, served, owners: None })
    }

    /// With the certificate that its owner brought. Whether that is a good one is looked at when it is to be served.
    #[must_use]
    pub fn with_owners(self, owners: Option<Zeroizing<Vec<u8>>>) -> Self {
        Self { owners, ..self }
    }

    /// Who it is.
    pub fn id(&self) -> DeviceId {
        self.id
    }

    /// The files there are.
    pub fn files(&self) -> impl Iterator<Item = (KeptFile, &[u8])> {
        let served = self.served.as_ref().map(|served| (KeptFile::Served, served.as_slice()));
        let owners = self.owners.as_ref().map(|owners| (KeptFile::Owners, owners.as_slice()));
        [(KeptFile::Authority, self.authority.as_slice())].into_iter().chain(served).chain(owners)
    }

    /// Writes them into a folder, which is made if need be. Nobody but the user can read them.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write_to(&self, folder: &Path) -> Result<(), IdentityError> {
        let failed = |source| IdentityError::Io { action: "make", path: folder.to_owned(), source };
        platform::durable::make_private_folder(folder).map_err(failed)?;
        self.files().try_for_each(|(file, bytes)| folder::keep(&folder.join(file.name()), bytes))
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&self.id).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Place;

    #[test]
    fn an_identity_that_is_kept_elsewhere_is_the_same_there_and_one_that_was_changed_is_none() {
        let (here, there) = (Place::new(), Place::new());
        let id = *here.open().unwrap().id();
        let kept = Kept::within(&here.tls()).unwrap().unwrap();
        assert_eq!(kept.id(), id);
        assert!(Kept::within(&there.tls()).unwrap().is_none());

        kept.write_to(&there.tls()).unwrap();
        assert_eq!(*there.open().unwrap().id(), id);

        let files: Vec<Zeroizing<Vec<u8>>> = kept.files().map(|(_, bytes)| bytes.to_vec().into()).collect();
        let other = Place::new();
        other.open().unwrap();
        let others = Kept::within(&other.tls()).unwrap().unwrap();
        let foreign = others.files().nth(1).unwrap().1.to_vec().into();
        assert!(Kept::of(files[0].clone(), Some(foreign)).is_err());
        let half = files[0][..files[0].len() / 2].to_vec().into();
        assert!(Kept::of(half, None).is_err());
        assert!(!format!("{kept:?}").contains("PRIVATE"));
    }
}
