//! Taking a backup in: all of it is read, checked and laid aside before anything of it counts. Where something is wrong with it, what
//! was laid aside is gone, and the box is as it was.

use std::fs::File;
use std::io::{self, Chain, Cursor, Read, Write as _};
use std::path::Path;

use identity::pairing::{BoxName, Boxes, Paired};
use identity::{Kept, KeptFile};
use state::State;
use store::{Digest, HashingReader, Manifest, ModelName};
use zeroize::Zeroizing;

use crate::archive::Archive;
use crate::contents::{CONTENTS, Contents, Listed, MOST_CONTENTS, Member, Seal};
use crate::next::Next;
use crate::sealed::{INTRODUCTION, Opened, Unopened};
use crate::{BackupError, Backups, Folder, LeftOut, Passphrase, Turn, Whose};

/// A backup that is whole, and laid aside. Unless it is kept it is gone.
#[derive(Debug)]
pub struct Taken {
    contents: Contents,
    identity: Option<Kept>,
    settings: Settings,
    people: usize,
    keys: usize,
    models: Vec<TakenModel>,
    folder: Folder,
    fate: Fate,
    _turn: Turn,
}

#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Dropped,
    Kept,
}

/// Whether the owner had set anything.
#[derive(Debug, PartialEq, Eq)]
enum Settings {
    None,
    Some,
}

/// A model of a backup.
#[derive(Clone, Debug)]
pub struct TakenModel {
    /// What it is called.
    pub name: ModelName,
    /// What it is made of and is not here, with its bytes.
    pub lacks: Vec<(Digest, u64)>,
}

impl Taken {
    /// Has it put in place at the next start.
    ///
    /// # Errors
    /// What the disk says; the box stays as it is then.
    pub fn keep(mut self) -> Result<(), BackupError> {
        Next::Restore.write(&self.folder)?;
        self.fate = Fate::Kept;
        Ok(())
    }

    /// Whose it is.
    pub fn whose(&self) -> Option<&Whose> {
        self.contents.whose.as_ref()
    }

    /// When it was made, as that box wrote it.
    pub fn made(&self) -> &str {
        &self.contents.made
    }

    /// By which hob.
    pub fn version(&self) -> &str {
        &self.contents.version
    }

    /// What its box had and it has not.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.contents.left_out
    }

    /// Whether this box becomes that one.
    pub fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// Whether the owner had set anything by the page.
    pub fn has_settings(&self) -> bool {
        self.settings == Settings::Some
    }

    /// How many people may sign in then.
    pub fn people(&self) -> usize {
        self.people
    }

    /// How many keys are good then.
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// How many boxes it was paired with.
    pub fn peers(&self) -> usize {
        self.contents.members.iter().filter(|listed| matches!(listed.member, Member::Peer(_))).count()
    }

    /// Its models, which were not kept with it.
    pub fn models(&self) -> &[TakenModel] {
        &self.models
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.fate == Fate::Dropped {
            clear(&self.folder);
        }
    }
}

impl Backups {
    /// Reads a backup to its end and lays it aside. Blocks on whoever sends it, and on the disk.
    ///
    /// # Errors
    /// [`BackupError`]; nothing is left of it then.
    pub fn take_in(&self, from: impl Read, passphrase: Option<&Passphrase>) -> Result<Taken, BackupError> {
        let turn = self.turn()?;
        let folder = &self.parts.folder;
        // What was laid aside before is replaced, so it is not to be put in place any more. A reset stays one until this is kept.
        if matches!(Next::read(folder), Ok(Some(Next::Restore))) {
            Next::forget(folder)?;
        }
        let (taking, staged) = (folder.taking(), folder.staged());
        platform::durable::remove_all(&taking).map_err(BackupError::io("remove", &taking))?;
        platform::durable::make_private_folder(staged.path())
            .map_err(BackupError::io("make", staged.path()))?;
        let taken = self.read(from, passphrase, turn);
        if taken.is_err() {
            clear(folder);
        }
        taken
    }

    fn read(
        &self,
        mut from: impl Read,
        passphrase: Option<&Passphrase>,
        turn: Turn,
    ) -> Result<Taken, BackupError> {
        let mut first = Vec::new();
        from.by_ref().take(INTRODUCTION.len() as u64).read_to_end(&mut first).map_err(BackupError::Passed)?;
        match (first == INTRODUCTION.as_bytes(), passphrase) {
            (true, None) => Err(BackupError::Sealed),
            (true, Some(passphrase)) => {
                let unopened = Unopened::read(&mut from)?;
                self.lay_aside(Opened::new(from, unopened, passphrase)?, Seal::Passphrase, turn)
            }
            (false, _)
                if !first.starts_with(&CONTENTS.as_bytes()[..first.len().clamp(1, CONTENTS.len())]) =>
            {
                Err(BackupError::NotABackup)
            }
            (false, Some(_)) => Err(BackupError::NotSealed),
            (false, None) => {
                let all: Chain<Cursor<Vec<u8>>, _> = Cursor::new(first).chain(from);
                self.lay_aside(all, Seal::None, turn)
            }
        }
    }

    fn lay_aside(&self, from: impl Read, seal: Seal, turn: Turn) -> Result<Taken, BackupError> {
        let (folder, staged) = (self.parts.folder.clone(), self.parts.folder.staged());
        let mut archive = Archive::new(from);
        let (bytes, mut text) = archive.next(CONTENTS, MOST_CONTENTS)?;
        let contents = read_whole(&mut text, bytes)?;
        archive.fill(bytes)?;
        let contents = Contents::read(&contents, seal)?;
        self.check_room(&contents)?;
        let mut laid = Laid::over(&staged, &self.parts);
        for listed in &contents.members {
            laid.take(listed, &mut archive)?;
        }
        archive.end()?;
        laid.names()?;
        let (settings, identity, models) = (laid.settings, laid.files.kept()?, laid.models);
        if let Some(identity) = &identity {
            identity.write_to(&staged.identity())?;
        }
        let (people, keys) = self.check_state(&staged)?;
        platform::durable::sync_folder(staged.path()).map_err(BackupError::io("sync", staged.path()))?;
        let fate = Fate::Dropped;
        Ok(Taken { contents, identity, settings, people, keys, models, folder, fate, _turn: turn })
    }

    fn check_room(&self, contents: &Contents) -> Result<(), BackupError> {
        let path = self.parts.folder.path();
        let free = platform::disk::free_bytes(path).map_err(BackupError::io("look at", path))?;
        let needed = contents.members.iter().fold(LEFT_FREE, |sum, listed| sum.saturating_add(listed.bytes));
        if needed > free { Err(BackupError::NoRoom { needed, free }) } else { Ok(()) }
    }

    /// That it is a state of a box, in a format that this hob knows; it is brought to this one's. How many people and keys it has.
    fn check_state(&self, staged: &Folder) -> Result<(usize, usize), BackupError> {
        let state =
            State::open_foreign(staged.path(), self.parts.clock.clone()).map_err(BackupError::TheirState)?;
        let people = state.people().map_err(BackupError::TheirState)?;
        let keys = state.keys().map_err(BackupError::TheirState)?;
        let keys = keys.iter().filter(|key| key.revoked.is_none()).count();
        let is_owned = people.iter().any(|person| person.role == OWNER);
        let is_empty = people.is_empty() && keys == 0;
        if is_owned || is_empty { Ok((people.len(), keys)) } else { Err(BackupError::NoOwner) }
    }
}

/// As `access` writes the role of an owner.
const OWNER: &str = "owner";

/// For the daemon to go on meanwhile.
const LEFT_FREE: u64 = 32 << 20;

/// What was laid aside so far.
struct Laid<'a> {
    staged: &'a Folder,
    parts: &'a crate::Parts,
    boxes: Boxes,
    settings: Settings,
    files: Files,
    models: Vec<TakenModel>,
    /// Of each model, the number of its manifest.
    named: Vec<(u32, String)>,
}

/// Of an identity, as far as they came.
#[derive(Default)]
struct Files {
    authority: Option<Zeroizing<Vec<u8>>>,
    served: Option<Zeroizing<Vec<u8>>>,
    owners: Option<Zeroizing<Vec<u8>>>,
}

impl Files {
    fn place(&mut self, file: KeptFile) -> &mut Option<Zeroizing<Vec<u8>>> {
        match file {
            KeptFile::Authority => &mut self.authority,
            KeptFile::Served => &mut self.served,
            KeptFile::Owners => &mut self.owners,
        }
    }

    fn kept(self) -> Result<Option<Kept>, BackupError> {
        let name = Member::Identity(KeptFile::Authority).to_string();
        let Self { authority, served, owners } = self;
        match authority {
            None if served.is_none() && owners.is_none() => Ok(None),
            None => Err(BackupError::Missing(name)),
            Some(authority) => {
                let kept = Kept::of(authority, served).map(|kept| kept.with_owners(owners));
                kept.map(Some).map_err(|why| BackupError::Senseless { name, why: why.into() })
            }
        }
    }
}

impl<'a> Laid<'a> {
    fn over(staged: &'a Folder, parts: &'a crate::Parts) -> Self {
        Self {
            staged,
            parts,
            boxes: Boxes::within(staged.peers()),
            settings: Settings::None,
            files: Files::default(),
            models: Vec::new(),
            named: Vec::new(),
        }
    }

    /// The next member, which has to be this one, with these bytes.
    fn take(&mut self, listed: &Listed, archive: &mut Archive<impl Read>) -> Result<(), BackupError> {
        let name = listed.member.to_string();
        let (bytes, member) = archive.next(&name, listed.bytes)?;
        let mut member = HashingReader::new(member);
        // What makes sense or not is looked at once it is what was kept.
        let text = match listed.member {
            Member::State => {
                write_all(&mut member, &self.staged.state())?;
                Zeroizing::default()
            }
            _ => read_whole(&mut member, bytes)?,
        };
        if bytes != listed.bytes || member.digest() != listed.digest {
            return Err(BackupError::WrongBytes(name));
        }
        archive.fill(bytes)?;
        match &listed.member {
            Member::State => Ok(()),
            Member::Settings => self.take_settings(&text),
            Member::Peer(name) => self.take_peer(name, &text),
            Member::Model(number) => self.take_model(*number, listed.model.as_ref(), text),
            Member::Identity(file) => {
                *self.files.place(*file) = Some(text);
                Ok(())
            }
        }
    }

    fn take_settings(&mut self, text: &[u8]) -> Result<(), BackupError> {
        let name = Member::Settings.to_string();
        let senseless = |why| BackupError::Senseless { name: name.clone(), why };
        let settings = std::str::from_utf8(text).map_err(|error| senseless(error.to_string()))?;
        self.parts.settings.check(settings).map_err(senseless)?;
        self.settings = if text.is_empty() { Settings::None } else { Settings::Some };
        let path = self.staged.settings();
        platform::durable::write_private(&path, text).map_err(BackupError::io("write", path))
    }

    fn take_peer(&mut self, name: &BoxName, text: &[u8]) -> Result<(), BackupError> {
        let senseless = || BackupError::Senseless {
            name: Member::Peer(name.clone()).to_string(),
            why: "it is no box, or not the one that it says".into(),
        };
        let peer = Paired::read(name, text).ok_or_else(senseless)?;
        Ok(self.boxes.save(&peer)?)
    }

    fn take_model(
        &mut self,
        number: u32,
        name: Option<&ModelName>,
        text: Zeroizing<Vec<u8>>,
    ) -> Result<(), BackupError> {
        let member = Member::Model(number).to_string();
        let Some(name) = name else { return Err(BackupError::Missing(member)) };
        let manifest = Manifest::parse(text.to_vec());
        let manifest =
            manifest.map_err(|error| BackupError::Senseless { name: member, why: error.to_string() })?;
        let lacking = |digest: &Digest| !self.parts.store.has_blob(digest);
        let lacks = manifest.distinct_blobs().filter(|blob| lacking(&blob.digest));
        self.models.push(TakenModel {
            name: name.clone(),
            lacks: lacks.map(|blob| (blob.digest, blob.size)).collect(),
        });
        self.named.push((number, name.fully_qualified()));
        let folder = self.staged.manifests();
        platform::durable::make_private_folder(&folder).map_err(BackupError::io("make", &folder))?;
        let path = folder.join(format!("{number}.json"));
        platform::durable::write_private(&path, manifest.bytes()).map_err(BackupError::io("write", path))
    }

    /// Beside the manifests, what their models are called.
    fn names(&self) -> Result<(), BackupError> {
        // Those who are paired with nobody have a folder as well: it takes the place of the one that is here.
        for folder in [self.staged.manifests(), self.staged.peers()] {
            platform::durable::make_private_folder(&folder).map_err(BackupError::io("make", &folder))?;
        }
        let path = self.staged.manifests().join(NAMES);
        let text = serde_json::to_vec(&self.named).expect("texts and numbers cannot fail to serialize");
        platform::durable::write_private(&path, &text).map_err(BackupError::io("write", path))
    }
}

/// In the folder of staged manifests.
pub(crate) const NAMES: &str = "names.json";

fn read_whole(from: &mut impl Read, bytes: u64) -> Result<Zeroizing<Vec<u8>>, BackupError> {
    // It is short: how long it may be was checked.
    let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(bytes).unwrap_or(0)));
    from.read_to_end(&mut text).map_err(BackupError::reading)?;
    if text.len() as u64 == bytes { Ok(text) } else { Err(BackupError::Truncated) }
}

fn write_all(from: &mut impl Read, path: &Path) -> Result<(), BackupError> {
    let failed = BackupError::io;
    let mut file = new_private(path).map_err(failed("make", path))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(BackupError::reading)?,
        };
        if count == 0 {
            break;
        }
        file.write_all(&buffer[..count]).map_err(failed("write", path))?;
    }
    file.sync_all().map_err(failed("sync", path))
}

fn new_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn clear(folder: &Folder) {
    if let Err(error) = platform::durable::remove_all(&folder.taking()) {
        tracing::warn!(%error, "what was read of a backup stays until the next start");
    }
}
