//! What is written down of a box is read again, and by nobody else.

use super::*;
use crate::fixture::Place;

fn paired(place: &Place, name: &str) -> Paired {
    let identity = place.open().unwrap();
    let address = "nas.local".parse().unwrap();
    let introduction = Introduction {
        address,
        place: "10.0.0.1:11443".parse().unwrap(),
        id: *identity.id(),
        root: identity.root_der().clone(),
    };
    Paired::new(name.parse().unwrap(), &introduction)
}

#[test]
fn a_box_is_kept_with_its_key_until_it_is_forgotten() {
    let place = Place::new();
    let boxes = Boxes::within(place.folder.path().join("config/boxes"));
    assert_eq!(boxes.list().unwrap(), []);
    let (attic, kitchen) = (paired(&place, "attic"), paired(&place, "Kitchen"));

    boxes.save(&kitchen).unwrap();
    boxes.save(&attic).unwrap();
    let with_key = kitchen.clone().with_key(Some(AdminKey::new("hob_secret".into())));
    boxes.save(&with_key).unwrap();

    assert_eq!(boxes.list().unwrap(), [attic, with_key.clone()]);
    assert_eq!(boxes.load(kitchen.name()).unwrap().unwrap().key().unwrap().expose(), "hob_secret");
    assert!(!format!("{with_key:?}").contains("secret"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&boxes.folder), mode(&boxes.path(kitchen.name()))), (0o700, 0o600));
    }
    // One that was written before a place was.
    let path = boxes.path(kitchen.name());
    let mut written: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(written["place"], "10.0.0.1:11443");
    written.as_object_mut().unwrap().remove("place");
    fs::write(&path, written.to_string()).unwrap();
    let old = boxes.load(kitchen.name()).unwrap().unwrap();
    assert_eq!((old.address(), old.place()), (kitchen.address(), None));
    assert!(boxes.remove(kitchen.name()).unwrap());
    assert!(!boxes.remove(kitchen.name()).unwrap());
    assert_eq!(boxes.load(kitchen.name()).unwrap(), None);
}

#[test]
fn a_file_that_was_changed_by_hand_is_trusted_in_nothing() {
    let place = Place::new();
    let boxes = Boxes::within(place.folder.path().join("boxes"));
    let kitchen = paired(&place, "kitchen");
    boxes.save(&kitchen).unwrap();
    let path = boxes.path(kitchen.name());
    let whole = fs::read_to_string(&path).unwrap();

    let other = Place::new().open().unwrap();
    for changed in [
        "{}".to_owned(),
        whole[..whole.len() / 2].to_owned(),
        whole.replace(&kitchen.id().to_string(), &other.id().to_string()),
    ] {
        fs::write(&path, changed).unwrap();
        assert!(matches!(boxes.load(kitchen.name()), Err(PairingError::Damaged { .. })));
    }
}

#[test]
fn a_name_is_no_way_to_another_file() {
    for name in ["", ".", "..", "../x", "a/b", "a\\b", "-x", "a b", ".staged-1", &"x".repeat(64)] {
        assert_eq!(name.parse::<BoxName>(), Err(InvalidBoxName(name.to_owned())), "{name}");
    }
    assert_eq!("Hob-ABCD.local".parse::<BoxName>().unwrap().as_str(), "hob-abcd.local");
}
