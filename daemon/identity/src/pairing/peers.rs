//! The boxes that this box is paired with, as its daemon knows them: in memory, and on the disk before they count.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use super::{BoxName, Boxes, Paired, PairingError};
use crate::DeviceId;

/// Those that this box is paired with. A clone is cheap, and is of the same.
#[derive(Clone, Debug)]
pub struct Peers {
    boxes: Boxes,
    known: Arc<RwLock<BTreeMap<BoxName, Paired>>>,
}

impl Peers {
    /// Those that are written down in a folder, which need not be there.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn open(folder: PathBuf) -> Result<Self, PairingError> {
        let boxes = Boxes::within(folder);
        let known = boxes.list()?.into_iter().map(|paired| (paired.name().clone(), paired)).collect();
        Ok(Self { boxes, known: Arc::new(RwLock::new(known)) })
    }

    /// All, by name. In memory.
    pub fn list(&self) -> Vec<Paired> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The one of this name. In memory.
    pub fn named(&self, name: &BoxName) -> Option<Paired> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The one with this ID. In memory.
    pub fn by_id(&self, id: &DeviceId) -> Option<Paired> {
        self.list().into_iter().find(|paired| paired.id() == *id)
    }

    /// Adds one, or what is new of it; a name that it had before is nobody's then. Blocks on the disk.
    ///
    /// # Errors
    /// [`PairingError::Changed`] if another box goes by that name; what the disk says.
    pub fn keep(&self, paired: Paired) -> Result<(), PairingError> {
        self.keep_in(&mut self.known.write().unwrap_or_else(PoisonError::into_inner), paired)
    }

    /// The same of one that nobody here has named: by the name that it has here already, else by its own, or the first like it that
    /// is no other box's. Which that is.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keep_by_a_free_name(&self, paired: Paired) -> Result<BoxName, PairingError> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let id = paired.id();
        let before = known.values().find(|other| other.id() == id).map(|other| other.name().clone());
        let own = paired.name().clone();
        let like = (2_usize..).map_while(|number| own.numbered(number));
        let mut names = std::iter::once(own.clone()).chain(like);
        let name = before.or_else(|| names.find(|name| !known.contains_key(name))).unwrap_or(own);
        self.keep_in(&mut known, paired.named(name.clone()))?;
        Ok(name)
    }

    fn keep_in(&self, known: &mut BTreeMap<BoxName, Paired>, paired: Paired) -> Result<(), PairingError> {
        self.boxes.save(&paired)?;
        let (name, id) = (paired.name().clone(), paired.id());
        known.insert(name.clone(), paired);
        let others = known.values().filter(|other| other.id() == id && *other.name() != name);
        for other in others.map(|other| other.name().clone()).collect::<Vec<_>>() {
            self.boxes.remove(&other)?;
            known.remove(&other);
        }
        Ok(())
    }

    /// Forgets one. Blocks on the disk.
    ///
    /// # Errors
    /// What the disk says; it is still known then.
    pub fn forget(&self, name: &BoxName) -> Result<Option<Paired>, PairingError> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        self.boxes.remove(name)?;
        Ok(known.remove(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Place;
    use crate::pairing::{AdminKey, Root};

    fn peer(name: &str) -> Paired {
        let root: Root = Place::new().open().unwrap().root_pem().parse().unwrap();
        Paired::by_root(name.parse().unwrap(), "10.0.0.1".parse().unwrap(), &root)
    }

    fn names(peers: &Peers) -> Vec<String> {
        peers.list().iter().map(|paired| paired.name().to_string()).collect()
    }

    #[test]
    fn a_box_has_one_name_and_no_box_another_ones() {
        let place = Place::new();
        let folder = place.folder.path().join("peers");
        let peers = Peers::open(folder.clone()).unwrap();
        let (one, other) = (peer("hob-aaaa"), peer("hob-aaaa"));
        let free = |paired: &Paired| peers.keep_by_a_free_name(paired.clone()).unwrap().to_string();

        assert_eq!([free(&one), free(&other), free(&one)], ["hob-aaaa", "hob-aaaa-2", "hob-aaaa"]);
        assert_eq!(free(&other.clone().with_key(Some(AdminKey::new("k".into())))), "hob-aaaa-2");
        let refused = peers.keep(other.clone()).unwrap_err();
        assert!(matches!(refused, PairingError::Changed { .. }), "{refused}");
        peers.keep(other.clone().named("attic".parse().unwrap())).unwrap();

        assert_eq!(names(&peers), ["attic", "hob-aaaa"]);
        assert_eq!(names(&Peers::open(folder.clone()).unwrap()), ["attic", "hob-aaaa"]);
        assert_eq!(free(&other), "attic", "the name that it has here");
        assert!(peers.forget(&"attic".parse().unwrap()).unwrap().is_some());
        assert_eq!(peers.by_id(&other.id()), None);
        assert_eq!(names(&Peers::open(folder).unwrap()), ["hob-aaaa"]);
    }

    #[test]
    fn a_name_that_is_as_long_as_names_are_is_no_reason_to_look_for_ever() {
        let place = Place::new();
        let peers = Peers::open(place.folder.path().join("peers")).unwrap();
        let long = "a".repeat(63);
        peers.keep_by_a_free_name(peer(&long)).unwrap();

        assert!(matches!(peers.keep_by_a_free_name(peer(&long)), Err(PairingError::Changed { .. })));
    }
}
