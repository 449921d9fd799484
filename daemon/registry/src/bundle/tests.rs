//! Bundles by archives that somebody with bad intentions made, as far as no disk and no daemon is needed to refuse them.

use std::io::{Cursor, Read};

use serde_json::{Value, json};
use store::{Digest, Manifest, ModelName};
use tar::{EntryType, Header};

use super::*;

/// An archive in the making.
struct Maker(Vec<u8>);

impl Maker {
    fn header(mut self, name: &[u8], kind: EntryType, size: u64, change: impl FnOnce(&mut Header)) -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(size);
        change(&mut header);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self
    }

    fn file(mut self, name: &str, bytes: &[u8]) -> Self {
        self = self.header(name.as_bytes(), EntryType::Regular, bytes.len() as u64, |_| {});
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

/// A model of two blobs.
struct Fixture {
    models: Vec<(ModelName, Manifest)>,
    blobs: [&'static [u8]; 2],
}

fn fixture() -> Fixture {
    let blobs: [&[u8]; 2] = [b"the weights", b"{}"];
    let [weights, config] =
        blobs.map(|bytes| json!({"mediaType": "x", "digest": Digest::of(bytes), "size": bytes.len()}));
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [weights]}).to_string();
    let manifest = Manifest::parse(manifest.into_bytes()).unwrap();
    Fixture { models: vec![("a".parse().unwrap(), manifest)], blobs }
}

impl Fixture {
    fn contents(&self) -> Contents {
        Contents::of(&self.models, "2026-11-26T04:00:00Z", "hob 1")
    }

    fn manifest(&self) -> &[u8] {
        self.models[0].1.bytes()
    }

    /// As far as what comes before the blobs.
    fn begun(&self) -> Maker {
        self.begun_with(self.contents().bytes())
    }

    fn begun_with(&self, contents: &[u8]) -> Maker {
        let manifest = Part::Blob(self.models[0].1.digest()).to_string();
        Maker(Vec::new()).file("bundle.json", contents).file(&manifest, self.manifest())
    }

    fn blob(&self, number: usize) -> (String, &'static [u8]) {
        let bytes = self.blobs[number];
        (Part::Blob(Digest::of(bytes)).to_string(), bytes)
    }

    fn whole(&self) -> Vec<u8> {
        let [(one, first), (two, second)] = [self.blob(0), self.blob(1)];
        self.begun().file(&one, first).file(&two, second).end()
    }
}

/// Takes all that there is, as an import does.
fn take(archive: impl Source) -> Result<Vec<Vec<u8>>, BundleError> {
    let mut bundle = Bundle::open(archive, None)?;
    let mut taken = Vec::new();
    for entry in bundle.contents().blobs().to_vec() {
        let mut bytes = Vec::new();
        bundle.blob(&entry)?.read_to_end(&mut bytes)?;
        if Digest::of(&bytes) != entry.digest {
            return Err(BundleError::WrongBytes(Part::Blob(entry.digest)));
        }
        taken.push(bytes);
    }
    bundle.end()?;
    Ok(taken)
}

fn read(archive: Vec<u8>) -> Result<Vec<Vec<u8>>, BundleError> {
    take(Archive::of_stream(Cursor::new(archive)))
}

/// The same of a file, of which what is not wanted is jumped over.
fn skip(archive: &[u8]) -> Result<(), BundleError> {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, archive).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let mut bundle = Bundle::open(Archive::of_file(file), None)?;
    for entry in bundle.contents().blobs().to_vec() {
        bundle.blob(&entry)?;
    }
    bundle.end()
}

#[track_caller]
fn refused(archive: Vec<u8>, words: &str) {
    let error = read(archive).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn what_is_written_is_read_and_as_long_as_was_said() {
    let fixture = fixture();
    let contents = fixture.contents();
    let mut writer = ArchiveWriter::new(Vec::new());
    writer.add(Part::Contents, contents.bytes().len() as u64, contents.bytes()).unwrap();
    writer
        .add(Part::Blob(fixture.models[0].1.digest()), fixture.manifest().len() as u64, fixture.manifest())
        .unwrap();
    for bytes in fixture.blobs {
        writer.add(Part::Blob(Digest::of(bytes)), bytes.len() as u64, bytes).unwrap();
    }
    let written = writer.finish().unwrap();

    assert_eq!(written.len() as u64, archive_bytes(&contents, None));
    assert_eq!(read(written.clone()).unwrap(), fixture.blobs);
    skip(&written).unwrap();
    let short = ArchiveWriter::new(Vec::new()).add(Part::Contents, 3, &b"12"[..]).unwrap_err();
    assert!(short.to_string().contains("2 bytes in place of 3"));
}

#[test]
fn only_ordinary_files_with_the_names_of_parts_are_read() {
    let fixture = fixture();
    let (name, _) = fixture.blob(0);
    let link = |header: &mut Header| header.set_link_name("/etc/shadow").unwrap();
    for (kind, what) in [
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Link, "a hard link"),
        (EntryType::Directory, "a folder"),
        (EntryType::GNUSparse, "a file with holes"),
        (EntryType::GNULongName, "a long name"),
        (EntryType::GNULongLink, "a long name"),
        (EntryType::XHeader, "a pax header"),
        (EntryType::XGlobalHeader, "a pax header"),
        (EntryType::Fifo, "no file, but a device or a pipe"),
        (EntryType::Char, "no file, but a device or a pipe"),
        (EntryType::Block, "no file, but a device or a pipe"),
        (EntryType::Continuous, "nothing that is known"),
        (EntryType::new(b'V'), "nothing that is known"),
    ] {
        let archive = fixture.begun().header(name.as_bytes(), kind, 0, link).end();
        refused(archive, &format!("the bundle has `{name}`, {what}"));
        // Nor in the place of the very first.
        refused(Maker(Vec::new()).header(b"bundle.json", kind, 0, link).end(), what);
    }
    for strange in
        ["/etc/passwd", "../../etc/passwd", "blobs/../../x", "blobs/x", "./bundle.json", "\u{1b}[2J", ""]
    {
        let archive = fixture.begun().file(strange, b"x").end();
        refused(archive, &format!("`{}`, which is no part of one", strange.escape_debug()));
    }
    // The name may be in two fields.
    let archive = fixture.begun().header(name.as_bytes(), EntryType::Regular, 11, |header| {
        *header = Header::new_ustar();
        let ustar = header.as_ustar_mut().unwrap();
        ustar.name[..name.len()].copy_from_slice(name.as_bytes());
        ustar.prefix[..2].copy_from_slice(b"..");
        header.set_size(11);
    });
    refused(archive.end(), "`../blobs/sha256-");
}

#[test]
fn a_part_comes_once_and_in_its_turn() {
    let fixture = fixture();
    let [(one, first), (two, second)] = [fixture.blob(0), fixture.blob(1)];
    refused(fixture.begun().file(&two, second).file(&one, first).end(), "comes in the bundle where");
    refused(fixture.begun().file(&one, first).end(), "is missing in the bundle");
    refused(fixture.begun().file(&one, first).file(&one, first).file(&two, second).end(), "where blobs/");
    let twice = fixture.begun().file(&one, first).file(&two, second).file(&two, second).end();
    refused(twice, "once too often");
    let again = fixture.begun().file(&one, first).file(&two, second).file("bundle.json", b"{}").end();
    refused(again, "`bundle.json`, once too often");
    refused(Maker(Vec::new()).file(&one, first).end(), "this is no bundle");
    // A second archive after the end of the first.
    refused([fixture.whole(), fixture.whole()].concat(), "something after its end");
}

#[test]
fn what_lies_of_its_length_is_refused() {
    let fixture = fixture();
    let (one, first) = fixture.blob(0);
    refused(fixture.begun().file(&one, &first[1..]).end(), "should have 11 bytes, and has 10");
    let long = fixture.begun().header(one.as_bytes(), EntryType::Regular, 1 << 40, |_| {}).end();
    refused(long, "should have 11 bytes, and has 1099511627776");
    let none = fixture.begun().header(one.as_bytes(), EntryType::Regular, 0, |header| {
        header.as_old_mut().size = *b"12345678901\xff";
    });
    refused(none.end(), "length is none");
    let most = fixture.begun().header(one.as_bytes(), EntryType::Regular, u64::MAX, |_| {});
    refused(most.end(), "length is none");
    // Of what is held in memory, no more is read than it may have.
    let contents = Maker(Vec::new()).header(b"bundle.json", EntryType::Regular, 1 << 30, |_| {});
    refused(contents.end(), "bundle.json is said to have 1073741824 bytes, and may have 4194304");
    let begun = Maker(Vec::new()).file("bundle.json", fixture.contents().bytes());
    let signature = begun.header(b"bundle.json.minisig", EntryType::Regular, 1 << 30, |_| {});
    refused(signature.end(), "may have 4096");
}

#[test]
fn the_models_of_a_bundle_and_its_blobs_are_each_others() {
    let fixture = fixture();
    let change = |change: &dyn Fn(&mut Value)| {
        let mut document: Value = serde_json::from_slice(fixture.contents().bytes()).unwrap();
        change(&mut document);
        fixture.begun_with(document.to_string().as_bytes()).end()
    };
    refused(change(&|it| drop(it["blobs"].as_array_mut().unwrap().pop())), "the bundle lacks blob");
    refused(change(&|it| it["blobs"][1]["bytes"] = json!(12)), "or has it with another length");
    let stray = json!({"digest": Digest::of(b"stray"), "bytes": 5});
    refused(change(&|it| it["blobs"].as_array_mut().unwrap().push(stray.clone())), "is no model's");
    refused(change(&|it| it["blobs"][0]["bytes"] = json!(1)), "should have 1 bytes");
    refused(change(&|it| it["version"] = json!(7)), "format 7, and this hob knows 1");
    // Its digest is right, and it is none.
    let model = &fixture.models[0].0;
    let text = b"no manifest";
    let document = json!({"version": 1, "blobs": [{"digest": Digest::of(text), "bytes": text.len()}],
        "models": [{"name": model.fully_qualified(), "manifest": Digest::of(text)}]});
    let name = Part::Blob(Digest::of(text)).to_string();
    let archive = Maker(Vec::new()).file("bundle.json", document.to_string().as_bytes()).file(&name, text);
    refused(archive.end(), "the manifest of 'a:latest' makes no sense");
}

#[test]
fn a_bundle_that_ends_too_early_is_no_whole_one_wherever_that_is() {
    let whole = fixture().whole();
    assert_eq!(read(whole.clone()).unwrap().len(), 2);
    // Without the second block of its end it is as whole as with it.
    for end in 0..=whole.len() - 1024 + 511 {
        assert!(read(whole[..end].to_vec()).is_err(), "{end} of {}", whole.len());
        assert!(skip(&whole[..end]).is_err(), "{end} of {}", whole.len());
    }
}

/// What `bundle.json` says of dates is nobody's but a signature's to hold.
#[test]
fn a_changed_byte_of_a_signed_bundle_is_refused_wherever_it_is() {
    let fixture = fixture();
    let sealed = "untrusted comment: x
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAUCO12qUhu8viLK3C4ngTljXqIhhy2xekPaGigRmF1PNPKvMrJ+hCROSV71YXK76nPDQKmQw23vDCBZ1COdsndTxHpcCEotjyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let key = SealedKey::parse(sealed).unwrap().open(None).unwrap();
    let public: PublicKey = key.public().parse().unwrap();
    let contents = fixture.contents();
    let signature = key.sign(contents.bytes(), "mine").to_string();
    let [(one, first), (two, second)] = [fixture.blob(0), fixture.blob(1)];
    let whole = Maker(Vec::new())
        .file("bundle.json", contents.bytes())
        .file("bundle.json.minisig", signature.as_bytes())
        .file(&Part::Blob(fixture.models[0].1.digest()).to_string(), fixture.manifest())
        .file(&one, first)
        .file(&two, second)
        .end();
    let take_signed = |archive: Vec<u8>| {
        let mut bundle = Bundle::open(Archive::of_stream(Cursor::new(archive)), Some(&public))?;
        for entry in bundle.contents().blobs().to_vec() {
            let mut bytes = Vec::new();
            bundle.blob(&entry)?.read_to_end(&mut bytes)?;
            if Digest::of(&bytes) != entry.digest {
                return Err(BundleError::WrongBytes(Part::Blob(entry.digest)));
            }
        }
        bundle.end()?;
        Ok::<_, BundleError>(bundle.signed().clone())
    };
    assert_eq!(take_signed(whole.clone()).unwrap(), Signed::Proven("mine".into()));
    let at = |text: &[u8]| whole.windows(text.len()).position(|window| window == text).unwrap();
    // Minisign signs no comment that it calls untrusted, and a line may end in two ways.
    let untrusted = at(b"untrusted comment: ")
        ..at(b"untrusted comment: ") + "untrusted comment: signature of a bundle of models\n".len();

    for position in (0..whole.len()).filter(|position| !untrusted.contains(position)) {
        let mut changed = whole.clone();
        changed[position] ^= 1;
        let taken = take_signed(changed);
        assert!(taken.is_err(), "byte {position} of {}", whole.len());
    }
    assert!(matches!(
        Bundle::open(Archive::of_stream(Cursor::new(fixture.whole())), Some(&public)),
        Err(BundleError::NotSigned)
    ));
    assert!(matches!(
        Bundle::open(Archive::of_stream(Cursor::new(whole)), None).unwrap().signed(),
        Signed::Unchecked(id) if *id == key.id()
    ));
}

proptest::proptest! {
    #[test]
    fn whatever_an_archive_is_it_is_read_or_refused(bytes in proptest::collection::vec(0_u8.., 0..2048)) {
        let _either = read(bytes);
    }

    #[test]
    fn a_changed_archive_gives_what_was_bundled_or_nothing(at in 0_usize..4000, to: u8) {
        let fixture = fixture();
        let mut archive = fixture.whole();
        if let Some(byte) = archive.get_mut(at) {
            *byte = to;
        }
        if let Ok(taken) = read(archive) {
            proptest::prop_assert_eq!(taken, fixture.blobs);
        }
    }
}
