//! A box in one file, and boxes of it: whole ones, and none of what is not.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use identity::pairing::{AdminKey, Paired, Root};
use identity::{Identity, Names};
use state::{AuditEnds, AuditPosition, NewKeyRow, NewPerson};
use store::Digest;
use tempfile::TempDir;

use super::*;
use crate::archive::ArchiveWriter;
use crate::contents::{CONTENTS, Contents, Listed, Member, Seal};

/// A box, as far as it is kept.
struct Rig {
    root: TempDir,
}

/// The same, open.
struct Open {
    state: State,
    peers: Peers,
    store: Store,
    id: DeviceId,
    backups: Backups,
}

const NOW: i64 = 1_795_000_000;

fn clock() -> Clock {
    Clock::of(|| NOW)
}

struct Rules;

impl KeptSettings for Rules {
    fn check(&self, text: &str) -> Result<(), String> {
        if text.contains("nonsense") { Err("nonsense is none".into()) } else { Ok(()) }
    }

    fn without_secrets(&self, text: &str) -> Option<String> {
        text.contains("s3cret").then(|| text.replace("s3cret", ""))
    }
}

impl Rig {
    fn new() -> Self {
        Self { root: TempDir::new().unwrap() }
    }

    fn folder(&self) -> Folder {
        Folder::of(self.root.path().join("state"))
    }

    fn models(&self) -> std::path::PathBuf {
        self.root.path().join("models")
    }

    fn place(&self) -> Option<Placed> {
        place(&self.folder(), &self.models(), &clock()).unwrap()
    }

    fn open(&self) -> Open {
        let folder = self.folder();
        let names = Names { hostname: "attic".into(), extra: Vec::new() };
        let config = identity::Config { names, now: Arc::new(|| NOW), build_date: NOW, own: None };
        let id = *Identity::open(&folder.identity(), config).unwrap().id();
        let state = State::open(folder.path(), clock()).unwrap();
        let peers = Peers::open(folder.peers()).unwrap();
        let store = Store::open(self.models()).unwrap();
        let backups = Backups::new(Parts {
            folder,
            state: state.clone(),
            store: store.clone(),
            peers: peers.clone(),
            identity: Some(id),
            clock: clock(),
            version: "0.1.0".into(),
            settings: Arc::new(Rules),
        });
        Open { state, peers, store, id, backups }
    }

    /// All that lies there, by its path.
    fn files(&self) -> Vec<String> {
        fn list(folder: &Path, root: &Path, files: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    list(&path, root, files);
                } else {
                    files.push(path.strip_prefix(root).unwrap().display().to_string());
                }
            }
        }
        let mut files = Vec::new();
        list(self.root.path(), self.root.path(), &mut files);
        files.sort();
        files
    }
}

impl Open {
    /// Somebody's key, a paired box, settings, a model.
    fn fill(&self, name: &str) {
        self.add_key(name);
        self.pair(name);
        fs::write(self.backups.parts.folder.settings(), format!("name = \"{name}\"\n")).unwrap();
    }

    fn add_owner(&self) {
        self.state.add_person(&NewPerson { name: "ada", password_hash: "none", role: "owner" }).unwrap();
    }

    /// Of a box that somebody owns.
    fn add_key(&self, name: &str) {
        self.add_owner();
        self.add_bare_key(name);
    }

    fn add_bare_key(&self, name: &str) {
        let hash = <[u8; 32]>::try_from(&Digest::of(name.as_bytes()).hex().as_bytes()[..32]).unwrap();
        let (id, shown) = (name.to_owned(), "hob_a…b".into());
        let key = NewKeyRow {
            id,
            hash,
            shown,
            name: name.into(),
            policy: "{}".into(),
            created: NOW,
            expires: None,
        };
        self.state.add_key(&key).unwrap();
    }

    fn pair(&self, name: &str) {
        let other = Rig::new();
        let opened = other.open();
        let text = fs::read_to_string(other.folder().identity().join("authority.pem")).unwrap();
        let at = text.rfind("-----BEGIN").unwrap();
        let root: Root = text[at..].parse().unwrap();
        let paired = Paired::by_root(name.parse().unwrap(), "10.0.0.1".parse().unwrap(), &root);
        assert_eq!(paired.id(), opened.id);
        self.peers.keep(paired.with_key(Some(AdminKey::new("hob_peers_own".into())))).unwrap();
    }

    fn keys(&self) -> Vec<String> {
        self.state.keys().unwrap().into_iter().map(|key| key.key.name).collect()
    }

    fn backup(&self, passphrase: Option<&str>) -> Vec<u8> {
        let mut file = Vec::new();
        let passphrase = passphrase.map(|text| text.parse().unwrap());
        self.backups.make(passphrase).unwrap().write_to(&mut file).unwrap();
        file
    }

    fn take(&self, file: &[u8], passphrase: Option<&str>) -> Result<Taken, BackupError> {
        let passphrase = passphrase.map(|text| text.parse().unwrap());
        self.backups.take_in(file, passphrase.as_ref())
    }
}

const PASSPHRASE: &str = "correct horse battery";

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_box_is_made_of_a_sealed_backup_and_is_that_box() {
    let (here, there) = (Rig::new(), Rig::new());
    let (from, id) = {
        let open = here.open();
        open.fill("attic");
        (open.backup(Some(PASSPHRASE)), open.id)
    };
    assert!(!contains(&from, "attic"), "nothing of it is in clear");
    let open = there.open();
    open.fill("cellar");

    let taken = open.take(&from, Some(PASSPHRASE)).unwrap();
    assert_eq!((taken.has_identity(), taken.has_settings(), taken.peers(), taken.keys()), (true, true, 1, 1));
    assert_eq!((taken.whose().unwrap().id.clone(), taken.left_out()), (id.to_string(), [].as_slice()));
    taken.keep().unwrap();
    assert_eq!(open.keys(), ["cellar"], "until the next start it is as it was");
    drop(open);
    let placed = there.place().unwrap();
    assert!(matches!(placed, Placed::Restored(_)));
    placed.forget(&there.folder()).unwrap();

    let open = there.open();
    assert_eq!((open.id, open.keys()), (id, vec!["attic".to_owned()]));
    let peers = open.peers.list();
    assert_eq!((peers.len(), peers[0].name().as_str()), (1, "attic"));
    assert_eq!(peers[0].key().unwrap().expose(), "hob_peers_own");
    assert_eq!(fs::read_to_string(there.folder().settings()).unwrap(), "name = \"attic\"\n");
    assert!(there.place().is_none() && !there.folder().taking().exists());
}

#[test]
fn a_backup_that_is_not_sealed_has_no_secret_of_the_box_and_leaves_a_box_who_it_is() {
    let (here, there) = (Rig::new(), Rig::new());
    let open = here.open();
    open.fill("attic");
    fs::write(here.folder().settings(), "name = \"attic\" s3cret\n").unwrap();
    let file = open.backup(None);
    assert!(!contains(&file, "s3cret"));
    assert!(contains(&file, "attic") && !contains(&file, "hob_peers_own") && !contains(&file, "PRIVATE KEY"));
    assert_eq!(here.files().iter().filter(|path| path.starts_with("state/backup")).count(), 0);

    let open = there.open();
    let id = open.id;
    let taken = open.take(&file, None).unwrap();
    assert_eq!(taken.left_out(), [LeftOut::Settings, LeftOut::PeerKeys, LeftOut::Identity]);
    taken.keep().unwrap();
    drop(open);
    there.place().unwrap().forget(&there.folder()).unwrap();

    let open = there.open();
    assert_eq!((open.id, open.keys()), (id, vec!["attic".to_owned()]));
    assert!(open.peers.list()[0].key().is_none());
}

#[test]
fn who_is_signed_in_is_in_no_backup_and_no_owner_gets_a_number_twice() {
    let rig = Rig::new();
    let open = rig.open();
    let ends =
        |seq| AuditEnds { last: AuditPosition { seq, ..AuditPosition::default() }, ..AuditEnds::default() };
    open.state.keep_audit_ends(&ends(5)).unwrap();
    open.add_key("before");
    let file = open.backup(None);
    open.state.keep_audit_ends(&ends(9)).unwrap();
    open.add_key("later");
    let last = open.state.keys().unwrap().iter().map(|key| key.owner).max().unwrap();

    open.take(&file, None).unwrap().keep().unwrap();
    drop(open);
    rig.place().unwrap().forget(&rig.folder()).unwrap();

    let open = rig.open();
    assert_eq!(open.keys(), ["before"]);
    assert_eq!(open.state.audit_ends().unwrap(), Some(ends(9)), "the log of this box goes on");
    open.add_key("after");
    assert!(open.state.keys().unwrap().iter().map(|key| key.owner).max().unwrap() > last);
}

/// Kills the box between any two steps, by doing them up to there only.
#[test]
fn a_box_that_is_killed_while_a_backup_is_put_in_place_goes_on_at_its_next_start() {
    let here = Rig::new();
    let file = {
        let open = here.open();
        open.fill("attic");
        open.backup(Some(PASSPHRASE))
    };
    type Step = (&'static str, fn(&Folder));
    let steps: [Step; 6] = [
        ("nothing was done", |_| {}),
        ("the old log is gone", |folder| folder.beside_state().iter().for_each(|path| gone(path))),
        ("the old state is gone", |folder| gone(&folder.state())),
        ("the new state is there", |folder| moved(&folder.staged().state(), &folder.state())),
        ("the old boxes are gone", |folder| gone(&folder.peers())),
        ("the old identity is gone", |folder| gone(&folder.identity())),
    ];
    for killed in 0..steps.len() {
        let there = Rig::new();
        let open = there.open();
        open.fill("cellar");
        open.take(&file, Some(PASSPHRASE)).unwrap().keep().unwrap();
        drop(open);
        let folder = there.folder();
        if killed > 0 {
            next::Next::Placing.write(&folder).unwrap();
        }
        steps[..=killed].iter().for_each(|(_, step)| step(&folder));

        there.place().unwrap().forget(&folder).unwrap();

        let open = there.open();
        assert_eq!(
            (open.keys(), open.peers.list().len()),
            (vec!["attic".to_owned()], 1),
            "{}",
            steps[killed].0
        );
        assert_eq!(open.id, here.open().id, "{}", steps[killed].0);
    }
}

fn gone(path: &Path) {
    platform::durable::remove_all(path).unwrap();
}

fn moved(from: &Path, to: &Path) {
    platform::durable::put(from, to).unwrap();
}

#[test]
fn what_is_no_backup_or_was_changed_leaves_the_box_and_its_folder_as_they_were() {
    let rig = Rig::new();
    let open = rig.open();
    open.fill("attic");
    let (plain, sealed) = (open.backup(None), open.backup(Some(PASSPHRASE)));
    let before = rig.files();
    let refused = |file: &[u8], passphrase| {
        let refused = open.take(file, passphrase).unwrap_err();
        assert_eq!(rig.files(), before, "{refused}");
        refused
    };

    assert!(matches!(refused(b"", None), BackupError::NotABackup));
    assert!(matches!(refused(b"PK\x03\x04", None), BackupError::NotABackup));
    assert!(matches!(refused(&sealed, None), BackupError::Sealed));
    assert!(matches!(refused(&sealed, Some("another passphrase")), BackupError::WrongPassphrase));
    assert!(matches!(refused(&plain, Some(PASSPHRASE)), BackupError::NotSealed));
    for end in [1, 511, 512, 5000, plain.len() - 1024, plain.len() - 600] {
        refused(&plain[..end], None);
    }
    for end in [100, 300, 70_000.min(sealed.len() - 20), sealed.len() - 1] {
        refused(&sealed[..end], Some(PASSPHRASE));
    }
    for at in (0..plain.len() - 1024).step_by(1021) {
        let mut changed = plain.clone();
        changed[at] ^= 0x20;
        // A sum may be written in two ways.
        if !(148..156).contains(&(at % 512)) {
            refused(&changed, None);
        }
    }
    refused(&[&plain[..], b"more"].concat(), None);
    assert_eq!(open.keys(), ["attic"]);
}

/// An archive of these, each as it is said to be.
fn archive(members: &[(&str, &[u8])], listed: Vec<Listed>) -> Vec<u8> {
    let contents = Contents {
        version: "0.1.0".into(),
        made: "2026-11-26T00:00:00Z".into(),
        whose: None,
        left_out: Vec::new(),
        members: listed,
    };
    let text = contents.written();
    let mut archive = ArchiveWriter::new(Vec::new());
    archive.add(CONTENTS, text.len() as u64, text.as_slice()).unwrap();
    for (name, bytes) in members {
        archive.add(name, bytes.len() as u64, *bytes).unwrap();
    }
    archive.finish().unwrap()
}

fn said(member: &str, bytes: &[u8]) -> Listed {
    let member: Member = member.parse().unwrap();
    Listed { member, model: None, bytes: bytes.len() as u64, digest: Digest::of(bytes) }
}

#[test]
fn what_is_whole_and_means_something_else_is_refused() {
    let rig = Rig::new();
    let open = rig.open();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.db");
    open.state.snapshot(&path).unwrap();
    let state = fs::read(&path).unwrap();
    let whole = |settings: &[u8], state: &[u8]| {
        let listed = vec![said("settings.toml", settings), said("state.db", state)];
        archive(&[("settings.toml", settings), ("state.db", state)], listed)
    };
    assert!(open.take(&whole(b"", &state), None).is_ok());
    let refused = |file: &[u8]| open.take(file, None).unwrap_err();

    assert!(matches!(refused(&whole(b"nonsense = 1", &state)), BackupError::Senseless { .. }));
    assert!(matches!(refused(&whole(b"", b"no database")), BackupError::TheirState(_)));
    let both = [said("settings.toml", b""), said("state.db", &state)];
    let three = |more: Listed| [both.to_vec(), vec![more]].concat();
    let members: [(&str, &[u8]); 2] = [("settings.toml", b""), ("state.db", &state)];
    let strange = |file: &[u8]| matches!(refused(file), BackupError::Strange { .. });
    // A secret that anybody could have put there.
    assert!(strange(&archive(&members, three(said("tls/authority.pem", b"a")))));
    assert!(strange(&archive(&members, three(said("settings.toml", b"")))));
    let more: [(&str, &[u8]); 3] = [members[0], members[1], ("etc/passwd", b"a")];
    assert!(strange(&archive(&more, both.to_vec())));
    let reversed = [members[1], members[0]];
    assert!(strange(&archive(&reversed, both.to_vec())));
    assert!(matches!(
        refused(&archive(&members, three(said("peers/a.json", b"{}")))),
        BackupError::Missing(_)
    ));
    assert!(matches!(refused(&archive(&members[..1], both[..1].to_vec())), BackupError::Missing(_)));
    for name in
        ["../a", "peers/../a.json", "peers/.json", "models/x.json", "models/01.json", "tls/x", "state.db-wal"]
    {
        assert!(name.parse::<Member>().is_err(), "{name}");
    }
}

#[test]
fn a_later_format_and_more_than_there_is_room_for_are_told_as_that() {
    let text = br#"{"format":2,"other":true}"#;
    assert!(matches!(Contents::read(text, Seal::None), Err(BackupError::Newer(2))));
    let rig = Rig::new();
    let open = rig.open();
    let large = Listed { bytes: 1 << 40, ..said("state.db", b"a") };
    let file = archive(&[], vec![said("settings.toml", b""), large]);
    assert!(matches!(open.take(&file, None), Err(BackupError::NoRoom { .. })));
}

#[test]
fn nobody_is_let_into_a_box_that_the_next_who_comes_could_claim() {
    let there = Rig::new();
    let open = there.open();
    let of = |fill: &dyn Fn(&Open)| {
        let from = Rig::new();
        let from = from.open();
        fill(&from);
        open.take(&from.backup(None), None).map(|taken| (taken.people(), taken.keys()))
    };
    let member = |open: &Open| {
        open.state.add_person(&NewPerson { name: "bert", password_hash: "none", role: "member" }).unwrap();
    };

    assert!(matches!(of(&|open| open.add_bare_key("a")), Err(BackupError::NoOwner)));
    assert!(matches!(of(&member), Err(BackupError::NoOwner)));
    assert_eq!(of(&|_| ()).unwrap(), (0, 0));
    assert_eq!(of(&|open| open.add_key("a")).unwrap(), (1, 1));
}

#[test]
fn one_is_made_or_taken_in_at_a_time_and_a_reset_takes_the_place_of_a_backup() {
    let rig = Rig::new();
    let open = rig.open();
    let file = open.backup(None);
    let making = open.backups.make(None).unwrap();
    assert!(matches!(open.take(&file, None), Err(BackupError::Busy)));
    assert!(matches!(open.backups.reset(Models::Keep), Err(BackupError::Busy)));
    drop(making);

    let taken = open.take(&file, None).unwrap();
    assert!(matches!(open.backups.make(None), Err(BackupError::Busy)));
    drop(taken);
    assert!(!rig.folder().taking().exists(), "what was not kept is gone");
    open.take(&file, None).unwrap().keep().unwrap();
    open.backups.reset(Models::Keep).unwrap();
    open.take(b"no backup", None).unwrap_err();
    drop(open);
    assert!(matches!(rig.place(), Some(Placed::New(Models::Keep))));
}

#[test]
fn a_box_that_was_reset_is_new_and_has_its_models_or_none() {
    for models in [Models::Keep, Models::Remove] {
        let rig = Rig::new();
        let fresh = rig.files();
        assert_eq!(fresh, [] as [&str; 0]);
        let open = rig.open();
        let id = open.id;
        open.fill("attic");
        let folder = rig.folder();
        for secret in
            [folder.aliases(), folder.cache(), folder.history(), folder.audit().join("audit-1.jsonl")]
        {
            fs::create_dir_all(secret.parent().unwrap()).unwrap();
            fs::write(secret, "a").unwrap();
        }
        let mut blob = open.store.begin_unnamed_blob().unwrap();
        blob.push(b"a model").unwrap();
        drop(blob.finish().unwrap());
        fs::write(rig.models().join("a letter"), "not ours").unwrap();
        let blobs = rig.files().into_iter().filter(|path| path.starts_with("models/blobs")).count();
        open.backups.reset(models).unwrap();
        assert_eq!(open.keys(), ["attic"], "not before its next start");
        drop(open);

        let placed = rig.place().unwrap();
        assert!(matches!(placed, Placed::New(done) if done == models));
        assert!(matches!(rig.place(), Some(Placed::New(_))), "until it is on the record");
        placed.forget(&folder).unwrap();

        let files = rig.files();
        assert!(files.contains(&"models/a letter".to_owned()));
        let left: Vec<&String> = files.iter().filter(|path| path.starts_with("state/")).collect();
        assert_eq!(left, ["state/audit/.lock"]);
        let kept = files.iter().filter(|path| path.starts_with("models/blobs")).count();
        assert_eq!(kept, if models == Models::Keep { blobs } else { 0 });
        let open = rig.open();
        assert!(open.id != id && open.keys().is_empty() && open.peers.list().is_empty());
    }
}

#[test]
fn nothing_is_put_in_place_under_a_daemon_that_serves() {
    let rig = Rig::new();
    let open = rig.open();
    open.backups.reset(Models::Remove).unwrap();
    let held = rig.folder().lock().unwrap();
    let refused = place(&rig.folder(), &rig.models(), &clock()).unwrap_err();
    assert!(matches!(refused, PlaceError::InUse { .. }));
    drop(held);
    rig.place().unwrap().forget(&rig.folder()).unwrap();
    let taking = rig.folder().taking();
    fs::create_dir_all(&taking).unwrap();
    let held = rig.folder().lock().unwrap();
    assert!(
        place(&rig.folder(), &rig.models(), &clock()).is_err() && taking.exists(),
        "it takes one in just now"
    );
    drop(held);
    assert!(rig.place().is_none() && !taking.exists());
}
