//! Making a backup: what is kept at one moment, read and hashed before the first byte goes out, so that what cannot be read is told
//! in time.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write};
use std::path::PathBuf;

use identity::Kept;
use identity::pairing::Paired;
use jiff::Timestamp;
use store::{Digest, ModelName};
use zeroize::Zeroizing;

use crate::archive::ArchiveWriter;
use crate::contents::{CONTENTS, Contents, LeftOut, Listed, Member, Seal, Whose};
use crate::sealed::Sealer;
use crate::{BackupError, Backups, KeptSettings, Passphrase, Turn};

/// A backup that is ready to be written out.
#[derive(Debug)]
pub struct Backup {
    contents: Contents,
    passphrase: Option<Passphrase>,
    /// What is short, in order, but for the state.
    texts: Vec<Option<Zeroizing<Vec<u8>>>>,
    snapshot: Snapshot,
    _turn: Turn,
}

/// A copy of the state, until it is dropped.
#[derive(Debug)]
struct Snapshot {
    folder: PathBuf,
    file: File,
}

impl Backups {
    /// Begins one of how the box is now. With a passphrase it is sealed by that, and only then it has the box's own secrets. Blocks
    /// on the disk.
    ///
    /// # Errors
    /// [`BackupError`]; there is none then.
    pub fn make(&self, passphrase: Option<Passphrase>) -> Result<Backup, BackupError> {
        let turn = self.turn()?;
        let parts = &*self.parts;
        let seal = if passphrase.is_some() { Seal::Passphrase } else { Seal::None };
        let snapshot = self.snapshot()?;
        let mut gathered = Gathered::default();
        gathered.add_settings(self.settings()?, seal, &*parts.settings);
        let (digest, bytes) =
            Digest::of_reader(&snapshot.file).map_err(BackupError::io("read", &snapshot.folder))?;
        gathered.members.push(Listed { member: Member::State, model: None, bytes, digest });
        gathered.texts.push(None);
        for peer in parts.peers.list() {
            gathered.add_peer(&peer, seal);
        }
        for (number, name) in (1..).zip(parts.store.all_names()?) {
            gathered.add_model(number, &name, &parts.store);
        }
        match (&passphrase, parts.identity) {
            (_, None) => {}
            (None, Some(_)) => gathered.left_out.push(LeftOut::Identity),
            (Some(_), Some(_)) => gathered.add_identity(Kept::within(&parts.folder.identity())?),
        }
        let whose = parts.identity.map(|id| Whose { id: id.to_string(), label: id.label() });
        let made = Timestamp::from_second(parts.clock.now()).unwrap_or(Timestamp::UNIX_EPOCH).to_string();
        let Gathered { members, texts, left_out } = gathered;
        let contents = Contents { version: parts.version.clone(), made, whose, left_out, members };
        Ok(Backup { contents, passphrase, texts, snapshot, _turn: turn })
    }

    /// A private copy beside the state: what is written out may be taken slowly, and nobody waits for that.
    fn snapshot(&self) -> Result<Snapshot, BackupError> {
        let folder = self.parts.folder.making();
        platform::durable::make_private_folder(&folder).map_err(BackupError::io("make", &folder))?;
        let path = folder.join("state.db");
        // Removed with what was written of it, should that fail.
        let file = File::create(&path).map_err(BackupError::io("make", &path))?;
        let mut snapshot = Snapshot { folder, file };
        self.parts.state.snapshot(&path)?;
        snapshot.file = File::open(&path).map_err(BackupError::io("open", path))?;
        Ok(snapshot)
    }

    /// What the owner set by the page: nothing, if that is so.
    fn settings(&self) -> Result<Zeroizing<Vec<u8>>, BackupError> {
        let path = self.parts.folder.settings();
        match std::fs::read(&path) {
            Ok(text) => Ok(Zeroizing::new(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Zeroizing::default()),
            Err(source) => Err(BackupError::Io { action: "read", path, source }),
        }
    }
}

#[derive(Default)]
struct Gathered {
    members: Vec<Listed>,
    texts: Vec<Option<Zeroizing<Vec<u8>>>>,
    left_out: Vec<LeftOut>,
}

impl Gathered {
    fn add(&mut self, member: Member, model: Option<ModelName>, text: Zeroizing<Vec<u8>>) {
        let (bytes, digest) = (text.len() as u64, Digest::of(&text));
        self.members.push(Listed { member, model, bytes, digest });
        self.texts.push(Some(text));
    }

    fn add_settings(&mut self, text: Zeroizing<Vec<u8>>, seal: Seal, rules: &dyn KeptSettings) {
        let fewer = std::str::from_utf8(&text).ok().and_then(|text| rules.without_secrets(text));
        let text = match fewer.filter(|_| seal == Seal::None) {
            Some(fewer) => {
                self.left_out.push(LeftOut::Settings);
                Zeroizing::new(fewer.into_bytes())
            }
            None => text,
        };
        self.add(Member::Settings, None, text);
    }

    fn add_peer(&mut self, peer: &Paired, seal: Seal) {
        let text = match seal == Seal::Passphrase || peer.key().is_none() {
            true => peer.written(),
            false => {
                if !self.left_out.contains(&LeftOut::PeerKeys) {
                    self.left_out.push(LeftOut::PeerKeys);
                }
                peer.clone().with_key(None).written()
            }
        };
        self.add(Member::Peer(peer.name().clone()), None, text);
    }

    /// One that was removed meanwhile, or cannot be read, is none: the others are worth having.
    fn add_model(&mut self, number: u32, name: &ModelName, store: &store::Store) {
        match store.manifest(name) {
            Ok(manifest) => {
                let text = Zeroizing::new(manifest.bytes().to_vec());
                self.add(Member::Model(number), Some(name.clone()), text);
            }
            Err(error) => tracing::warn!(%error, "a model is not in the backup"),
        }
    }

    fn add_identity(&mut self, kept: Option<Kept>) {
        for (file, bytes) in kept.iter().flat_map(Kept::files) {
            self.add(Member::Identity(file), None, Zeroizing::new(bytes.to_vec()));
        }
    }
}

impl Backup {
    /// What it is called as a file, by whose it is and when it was made.
    pub fn file_name(&self) -> String {
        let label = self.contents.whose.as_ref().map_or("hob", |whose| &whose.label);
        let day = self.contents.made.get(..10).unwrap_or("backup");
        format!("{label}-{day}.hobbackup")
    }

    /// Writes it. It is whole only if this returns well. Blocks on who takes it, and for a second to make a key of a passphrase.
    ///
    /// # Errors
    /// If it is not taken any more, or the disk fails.
    pub fn write_to(mut self, output: impl Write) -> io::Result<()> {
        match self.passphrase.take() {
            Some(passphrase) => {
                let sealer = Sealer::new(output, &passphrase)?;
                self.archive(sealer)?.finish()?.flush()
            }
            None => self.archive(output)?.flush(),
        }
    }

    fn archive<W: Write>(self, output: W) -> io::Result<W> {
        let mut archive = ArchiveWriter::new(output);
        let contents = self.contents.written();
        archive.add(CONTENTS, contents.len() as u64, contents.as_slice())?;
        for (listed, text) in self.contents.members.iter().zip(&self.texts) {
            let name = listed.member.to_string();
            match text {
                Some(text) => archive.add(&name, listed.bytes, text.as_slice())?,
                None => {
                    let mut file = &self.snapshot.file;
                    io::Seek::rewind(&mut file)?;
                    archive.add(&name, listed.bytes, file.take(listed.bytes))?;
                }
            }
        }
        archive.finish()
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Err(error) = platform::durable::remove_all(&self.folder) {
            tracing::warn!(%error, "the copy of the state for a backup stays until the next start");
        }
    }
}
