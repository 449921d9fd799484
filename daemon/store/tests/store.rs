//! A store on a real disk: what is kept, what goes, what two of us may do at once.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use store::{Depth, Digest, HeldBlob, Manifest, ModelName, Problem, Store, StoreError};
use tempfile::TempDir;

fn open() -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path().to_path_buf()).unwrap();
    (folder, store)
}

fn name(text: &str) -> ModelName {
    text.parse().unwrap()
}

fn blob(store: &Store, bytes: &[u8]) -> HeldBlob {
    let digest = Digest::of(bytes);
    let mut incoming = store.begin_blob(&digest).unwrap();
    incoming.push(bytes).unwrap();
    incoming.finish().unwrap()
}

/// A model whose layers are these bytes, its config the first of them.
fn model(store: &Store, text: &str, parts: &[&[u8]]) -> Manifest {
    let held: Vec<HeldBlob> = parts.iter().map(|bytes| blob(store, bytes)).collect();
    let layer = |held: &HeldBlob| serde_json::json!({"mediaType": "application/vnd.ollama.image.model", "digest": held.digest(), "size": held.bytes()});
    let layers: Vec<_> = held.iter().skip(1).map(layer).collect();
    let document = serde_json::json!({"schemaVersion": 2, "config": layer(&held[0]), "layers": layers});
    let manifest = Manifest::parse(document.to_string().into_bytes()).unwrap();
    store.publish(&name(text), &manifest, &held).unwrap();
    manifest
}

fn path_of(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    folder.path().join("blobs").join(Digest::of(bytes).to_string().replace(':', "-"))
}

/// As if written so long ago.
fn age(path: &PathBuf, by: Duration) {
    fs::File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - by).unwrap();
}

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn a_shared_blob_goes_with_its_last_user_only() {
    let (folder, store) = open();
    model(&store, "one", &[b"c1", b"shared", b"own"]);
    store.copy(&name("one"), &name("me/two:x")).unwrap();
    model(&store, "three", &[b"c3", b"shared"]);

    store.delete(&name("one")).unwrap();
    assert!(path_of(&folder, b"own").exists(), "the copy needs it");
    store.delete(&name("ME/TWO:X")).unwrap();
    assert!(!path_of(&folder, b"own").exists() && path_of(&folder, b"shared").exists());
    store.delete(&name("three")).unwrap();

    assert_eq!(fs::read_dir(folder.path().join("blobs")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(folder.path().join("manifests")).unwrap().count(), 0, "empty folders go");
}

#[test]
fn a_corrupt_manifest_is_reported_and_kept_and_no_layer_vanishes_for_it() {
    let (folder, store) = open();
    model(&store, "one", &[b"c1", b"shared"]);
    model(&store, "two", &[b"c2", b"shared"]);
    let corrupt = folder.path().join("manifests/registry.ollama.ai/library/two/latest");
    fs::write(&corrupt, "{").unwrap();

    store.delete(&name("one")).unwrap();
    model(&store, "three", &[b"c3", b"other"]);
    model(&store, "three", &[b"c4", b"another"]);
    age(&path_of(&folder, b"shared"), DAY);
    assert_eq!(store.prune().unwrap().files, 0);

    assert!(path_of(&folder, b"shared").exists());
    assert!(corrupt.exists());
    let problems = store.scrub(Depth::Sizes, &mut |_| {}).unwrap().problems;
    assert!(
        matches!(&problems[..], [Problem::Manifest { name, .. }] if name.model() == "two"),
        "{problems:?}"
    );
    store.delete(&name("two")).unwrap();
    assert!(store.prune().unwrap().files > 0, "with it gone, what it may have named goes too");
}

#[test]
fn what_somebody_is_about_to_name_is_not_removed() {
    let (folder, store) = open();
    model(&store, "one", &[b"c1", b"shared"]);
    let other = Store::open(folder.path().to_path_buf()).unwrap();

    let held = other.hold(&Digest::of(b"shared")).unwrap().unwrap();
    store.delete(&name("one")).unwrap();
    assert!(path_of(&folder, b"shared").exists(), "another process holds it");
    drop(held);
    age(&path_of(&folder, b"shared"), DAY);
    assert_eq!(store.prune().unwrap().bytes, 6);

    blob(&store, b"uploaded");
    age(&path_of(&folder, b"uploaded"), DAY);
    assert!(store.expect_manifest(&Digest::of(b"uploaded")).unwrap());
    assert_eq!(store.prune().unwrap().files, 0);
}

#[test]
fn two_who_bring_the_same_blob_share_it() {
    let (folder, store) = open();
    let other = Store::open(folder.path().to_path_buf()).unwrap();
    let arriving = |store: &Store| {
        let mut incoming = store.begin_blob(&Digest::of(b"same")).unwrap();
        incoming.push(b"same").unwrap();
        incoming
    };
    let (mine, theirs) = (arriving(&store), arriving(&other));
    let partial = store.begin_partial(&Digest::of(b"same"), 4, &name("model")).unwrap();
    partial.writer(0).unwrap().write(b"same").unwrap();

    let held = mine.finish().unwrap();
    drop(theirs.finish().unwrap());
    drop(partial.finish(Digest::of(b"same")).unwrap());
    age(&path_of(&folder, b"same"), DAY);

    assert_eq!(store.prune().unwrap().files, 0, "the first of them still holds it");
    drop(held);
    assert_eq!(store.prune().unwrap().files, 1);
}

#[test]
fn a_blob_that_is_too_short_is_replaced_by_a_whole_one() {
    let (folder, store) = open();
    fs::write(path_of(&folder, b"whole"), b"who").unwrap();
    drop(blob(&store, b"whole"));
    assert_eq!(fs::read(path_of(&folder, b"whole")).unwrap(), b"whole");
}

#[test]
fn a_download_is_listed_with_its_model_and_where_it_comes_from_if_that_was_noted() {
    let (_folder, store) = open();
    let digest = Digest::of(b"download");
    let noted = || {
        let [listed] = &store.partials().unwrap()[..] else { panic!("one was begun") };
        (listed.model.clone().unwrap(), listed.source.clone())
    };

    let partial = store.begin_partial(&digest, 12, &name("model")).unwrap();
    assert_eq!(noted(), ("model:latest".into(), None));
    partial.note_source(&name("model"), "peer attic").unwrap();
    assert_eq!(noted(), ("model:latest".into(), Some("peer attic".into())));
    drop(partial);

    // Whoever goes on with it may have another source.
    drop(store.begin_partial(&digest, 12, &name("model")).unwrap());
    assert_eq!(noted().1, None);
}

#[test]
fn prune_spares_what_is_young_and_downloads_of_this_week() {
    let (folder, store) = open();
    blob(&store, b"young");
    blob(&store, b"old");
    age(&path_of(&folder, b"old"), DAY);
    for (bytes, days) in [(b"new download", 6), (b"old download", 8)] {
        let digest = Digest::of(bytes);
        drop(store.begin_partial(&digest, 12, &name("model")).unwrap());
        let file = folder.path().join("blobs").join(format!("sha256-{}-partial", digest.hex()));
        age(&file, days * DAY);
    }

    assert_eq!(store.prune().unwrap().files, 2);

    assert!(path_of(&folder, b"young").exists() && !path_of(&folder, b"old").exists());
    let left = store.partials().unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(
        (left[0].digest, left[0].model.as_deref()),
        (Digest::of(b"new download"), Some("model:latest"))
    );
}

#[test]
fn a_download_goes_on_where_it_was_and_is_hashed_on_the_way() {
    let (folder, store) = open();
    let whole: Vec<u8> = (0..(40 << 20)).map(|n: u32| (n % 251) as u8).collect();
    let digest = Digest::of(&whole);
    let begun = store.begin_partial(&digest, whole.len() as u64, &name("model")).unwrap();
    assert!(matches!(
        store.begin_partial(&digest, whole.len() as u64, &name("model")),
        Err(StoreError::Busy(busy)) if busy == digest
    ));
    let second = begun.parts()[1];
    begun.writer(1).unwrap().write(&whole[second.offset as usize..][..1000]).unwrap();
    drop(begun);

    let again = store.begin_partial(&digest, whole.len() as u64, &name("model")).unwrap();
    assert_eq!(again.completed_bytes(), 1000);
    let follower = again.follower();
    let hashing = std::thread::spawn(move || follower.digest().unwrap());
    for part in again.parts() {
        let rest = &whole[(part.offset + part.completed) as usize..(part.offset + part.size) as usize];
        let mut writer = again.writer(part.number).unwrap();
        writer.write(rest).unwrap();
        assert!(matches!(writer.write(b"more"), Err(StoreError::Overlong(_))));
    }
    let found = hashing.join().unwrap().unwrap();
    let held = again.finish(found).unwrap();

    assert_eq!((held.digest(), held.bytes()), (digest, whole.len() as u64));
    assert_eq!(fs::read_dir(folder.path().join("blobs")).unwrap().count(), 1, "only the blob is left");
}

#[test]
fn a_download_that_is_something_else_is_not_kept() {
    let (folder, store) = open();
    let digest = Digest::of(b"right");
    let partial = store.begin_partial(&digest, 5, &name("model")).unwrap();
    partial.writer(0).unwrap().write(b"wrong").unwrap();
    let found = partial.follower().digest().unwrap().unwrap();

    let refused = partial.finish(found);

    assert!(matches!(refused, Err(StoreError::DigestMismatch { expected, .. }) if expected == digest));
    assert_eq!(fs::read_dir(folder.path().join("blobs")).unwrap().count(), 0);
}

#[test]
fn whoever_follows_a_download_ends_when_it_is_begun_anew() {
    let (_folder, store) = open();
    let digest = Digest::of(b"right");
    let partial = store.begin_partial(&digest, 5, &name("model")).unwrap();
    partial.writer(0).unwrap().write(b"wro").unwrap();
    let follower = partial.follower();
    let hashing = std::thread::spawn(move || follower.digest().unwrap());

    partial.start_over();

    assert_eq!(hashing.join().unwrap(), None);
    let follower = partial.follower();
    partial.writer(0).unwrap().write(b"right").unwrap();
    assert_eq!(follower.digest().unwrap(), Some(digest));
}

#[test]
fn what_cannot_fit_is_refused_before_its_first_byte() {
    let (folder, store) = open();
    let full = store.begin_partial(&Digest::of(b"huge"), 1 << 49, &name("model")).unwrap_err();
    assert!(matches!(full, StoreError::DiskFull { needed_bytes, .. } if needed_bytes == 1 << 49), "{full}");
    let floor = store.clone().with_floor(1 << 60).begin_partial(&Digest::of(b"tiny"), 1, &name("model"));
    assert!(matches!(floor, Err(StoreError::DiskFull { .. })));
    assert_eq!(fs::read_dir(folder.path().join("blobs")).unwrap().count(), 0);
}

#[test]
fn a_full_disk_does_not_cost_what_was_downloaded() {
    let (folder, store) = open();
    let (digest, bytes) = (Digest::of(b"never whole"), 20 << 20);
    let partial = store.begin_partial(&digest, bytes, &name("model")).unwrap();
    partial.writer(1).unwrap().write(&[7; 1000]).unwrap();
    drop(partial);
    let path = folder.path().join("blobs").join(format!("sha256-{}-partial", digest.hex()));
    // As on a filesystem that takes no blocks ahead.
    let length = fs::metadata(&path).unwrap().len();
    fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(length).unwrap();

    let full = store.clone().with_floor(1 << 60).begin_partial(&digest, bytes, &name("model"));

    assert!(matches!(full, Err(StoreError::DiskFull { .. })), "its blocks are still to be taken");
    assert_eq!(store.partials().unwrap()[0].completed_bytes, 1000);
}

#[test]
fn a_download_that_ollama_began_is_gone_on_with() {
    let (folder, store) = open();
    let digest = Digest::of(b"0123456789");
    let file =
        |suffix: &str| folder.path().join("blobs").join(format!("sha256-{}-partial{suffix}", digest.hex()));
    fs::write(file(""), b"012\x00\x005\x00\x00\x00\x00").unwrap();
    fs::write(file("-0"), r#"{"N":0,"Offset":0,"Size":5,"Completed":3}"#).unwrap();
    fs::write(file("-1"), r#"{"N":1,"Offset":5,"Size":5,"Completed":1}"#).unwrap();

    let partial = store.begin_partial(&digest, 10, &name("model")).unwrap();
    partial.writer(0).unwrap().write(b"34").unwrap();
    partial.writer(1).unwrap().write(b"6789").unwrap();
    let found = partial.follower().digest().unwrap().unwrap();

    assert_eq!(partial.finish(found).unwrap().digest(), digest);
}

#[test]
fn a_part_file_that_lies_or_is_torn_costs_only_the_download() {
    let (folder, store) = open();
    let digest = Digest::of(b"0123456789");
    let file =
        |suffix: &str| folder.path().join("blobs").join(format!("sha256-{}-partial{suffix}", digest.hex()));
    for torn in [
        "",
        "{",
        r#"{"N":0,"Offset":0,"Size":10,"Completed":11}"#,
        r#"{"N":0,"Offset":9,"Size":1,"Completed":1}"#,
    ] {
        fs::write(file(""), b"0123456789").unwrap();
        fs::write(file("-0"), torn).unwrap();
        let partial = store.begin_partial(&digest, 10, &name("model")).unwrap();
        assert_eq!(partial.completed_bytes(), 0, "{torn}");
    }
}

#[test]
fn a_scrub_finds_what_is_missing_short_and_damaged() {
    let (folder, store) = open();
    model(&store, "well", &[b"c1", b"well"]);
    model(&store, "missing", &[b"c2", b"missing"]);
    model(&store, "short", &[b"c3", b"short"]);
    model(&store, "damaged", &[b"c4", b"damaged"]);
    blob(&store, b"unused");
    fs::remove_file(path_of(&folder, b"missing")).unwrap();
    fs::write(path_of(&folder, b"short"), b"shor").unwrap();
    fs::write(path_of(&folder, b"damaged"), b"Damaged").unwrap();

    let fast = store.scrub(Depth::Sizes, &mut |_| {}).unwrap();
    let deep = store.scrub(Depth::Hashes, &mut |_| {}).unwrap();

    assert_eq!((fast.models, fast.problems.len(), fast.unused_bytes), (4, 2, 6));
    let damaged = |problem: &Problem| matches!(problem, Problem::Hash { digest, .. } if *digest == Digest::of(b"damaged"));
    assert!(deep.problems.iter().any(damaged), "{:?}", deep.problems);
    assert!(!deep.problems.iter().any(|problem| problem.to_string().contains("well")));
}

#[test]
fn a_manifest_that_attacks_is_refused() {
    let digest = Digest::of(b"");
    let layer = |size: &str| format!(r#"{{"mediaType":"x","digest":"{digest}","size":{size}}}"#);
    let with = |layers: &str| format!(r#"{{"schemaVersion":2,"config":{},"layers":[{layers}]}}"#, layer("1"));
    assert!(Manifest::parse(with(&layer("1")).into_bytes()).is_ok());
    let traversal = with(r#"{"mediaType":"x","digest":"sha256:../../../../etc/passwd","size":1}"#);
    let many = with(&vec![layer("1"); 5000].join(","));
    let old = with("").replace("\"schemaVersion\":2", "\"schemaVersion\":1");
    for bad in
        ["", "{}", "[]", &traversal, &with(&layer("-1")), &with(&layer("9999999999999999")), &many, &old]
    {
        assert!(Manifest::parse(bad.as_bytes().to_vec()).is_err(), "{bad:.200}");
    }
    let index = Manifest::parse(br#"{"schemaVersion":2,"manifests":[]}"#.to_vec()).unwrap_err();
    assert!(index.to_string().contains("index"), "{index}");
    assert!(Manifest::parse(vec![b' '; 2 << 20]).is_err());
}

#[test]
fn old_blob_names_are_read() {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("blobs")).unwrap();
    let digest = Digest::of(b"old");
    fs::write(folder.path().join("blobs").join(digest.to_string()), b"old").unwrap();

    let store = Store::open(folder.path().to_path_buf()).unwrap();

    assert!(store.has_blob(&digest));
}
