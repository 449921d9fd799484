//! One entry of the audit log: its words, its line, and the hash that binds it to the entry before. Pure.
//!
//! The hash is SHA-256 over the line up to its `,"hash":`, in which the hash of the entry before stands; so anybody can check it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use state::{AuditHash, AuditPosition};

/// What was done, or was to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// The daemon began to serve.
    #[serde(rename = "start")]
    Start,
    /// The daemon ended in order.
    #[serde(rename = "stop")]
    Stop,
    /// The box was claimed, or somebody tried to.
    #[serde(rename = "claim")]
    Claim,
    /// Somebody signed in.
    #[serde(rename = "sign-in")]
    SignIn,
    /// Somebody signed out.
    #[serde(rename = "sign-out")]
    SignOut,
    /// A session was ended by somebody.
    #[serde(rename = "session.end")]
    SessionEnd,
    /// Somebody typed their password again, for what needs that.
    #[serde(rename = "password.confirm")]
    PasswordConfirm,
    /// Somebody changed their password.
    #[serde(rename = "password.change")]
    PasswordChange,
    /// Somebody was made who may sign in.
    #[serde(rename = "person.make")]
    PersonMake,
    /// Somebody was removed who could.
    #[serde(rename = "person.remove")]
    PersonRemove,
    /// Somebody was given another password by who administers the box.
    #[serde(rename = "password.reset")]
    PasswordReset,
    /// A key was made.
    #[serde(rename = "key.make")]
    KeyMake,
    /// A key was given another text.
    #[serde(rename = "key.rotate")]
    KeyRotate,
    /// A key was ended.
    #[serde(rename = "key.revoke")]
    KeyRevoke,
    /// Somebody was invited to pair a box.
    #[serde(rename = "invitation.make")]
    InvitationMake,
    /// An invitation was taken back.
    #[serde(rename = "invitation.withdraw")]
    InvitationWithdraw,
    /// Somebody came by an invitation, or tried to.
    #[serde(rename = "invitation.redeem")]
    InvitationRedeem,
    /// A box is a peer of this one from then on.
    #[serde(rename = "peer.keep")]
    PeerKeep,
    /// A box was a peer of this one until then.
    #[serde(rename = "peer.forget")]
    PeerForget,
    /// The daemon was told to end and to run anew.
    #[serde(rename = "restart")]
    Restart,
    /// A setting was changed, by the page.
    #[serde(rename = "settings")]
    Settings,
    /// A certificate was issued, taken over from the owner, or given up.
    #[serde(rename = "certificate")]
    Certificate,
    /// The box was lent to another one for a part of a model.
    #[serde(rename = "lend")]
    Lend,
    /// A model was made.
    #[serde(rename = "model.make")]
    ModelMake,
    /// A model was copied.
    #[serde(rename = "model.copy")]
    ModelCopy,
    /// A model was pulled.
    #[serde(rename = "model.pull")]
    ModelPull,
    /// A model was pushed.
    #[serde(rename = "model.push")]
    ModelPush,
    /// A model was removed.
    #[serde(rename = "model.remove")]
    ModelRemove,
    /// A backup was made.
    #[serde(rename = "backup.make")]
    BackupMake,
    /// A backup is to be put in place, or is.
    #[serde(rename = "backup.restore")]
    BackupRestore,
    /// The box is to be made new, or is.
    #[serde(rename = "reset")]
    Reset,
    /// A request that was under way was ended by the owner.
    #[serde(rename = "request.stop")]
    RequestStop,
    /// A request was refused with 401 or 403; the target is its method and path.
    #[serde(rename = "request")]
    Request,
    /// The last entry had not been written whole when the power went, and was put aside.
    #[serde(rename = "audit.torn")]
    AuditTorn,
    /// Entries are missing, or are not what was written.
    #[serde(rename = "audit.broken")]
    AuditBroken,
    /// The oldest entries were removed with age.
    #[serde(rename = "audit.forget")]
    AuditForget,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done. For what changes something this is written first, so that nothing is done that is not written.
    Done,
    /// Whoever asked may not, or had the wrong words.
    Refused,
    /// It was to be done, and could not be.
    Failed,
}

/// One entry, as it is read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number: one more than that of the entry before.
    pub seq: u64,
    /// When, by the clock of the box, which may have been wrong; RFC 3339.
    pub time: String,
    /// Who: `hob`, `operator`, `local`, `nobody`, `person:` and a name, or `key:` and an id.
    pub who: String,
    /// From where; absent by a UNIX socket.
    pub from: Option<IpAddr>,
    /// What.
    pub action: Action,
    /// With what: a name, an id, a path. What is not print is escaped.
    pub target: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The hash of the entry before, in hex.
    #[serde(with = "hex")]
    previous: AuditHash,
    /// Its own.
    #[serde(with = "hex")]
    hash: AuditHash,
}

/// A line that is no entry as this version writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntry {
    /// It is something else, or has been written otherwise.
    #[error("is no entry")]
    Unreadable,
    /// Its hash is not that of what it says.
    #[error("is not what was written")]
    Changed,
}

impl Action {
    /// Its word, as it stands in an entry.
    pub fn name(self) -> String {
        word(&self)
    }
}

impl Outcome {
    /// Its word, as it stands in an entry.
    pub fn name(self) -> String {
        word(&self)
    }
}

/// What serde calls it, so that no word stands in two places.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

impl Entry {
    /// Makes the entry that follows another.
    pub(super) fn after(previous: AuditPosition, time: String, event: &super::Event<'_>) -> Self {
        let mut entry = Self {
            seq: previous.seq + 1,
            time,
            who: printable(event.who, MOST_WHO),
            from: event.from,
            action: event.action,
            target: printable(event.target, MOST_TARGET),
            outcome: event.outcome,
            previous: previous.hash,
            hash: AuditHash::default(),
        };
        entry.hash = hash_of(&entry.line());
        entry
    }

    /// Its line, without an end.
    pub(super) fn line(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings can be written")
    }

    /// Reads a line.
    ///
    /// # Errors
    /// [`InvalidEntry`]; whether it follows the entry before is `verify`'s.
    pub fn parse(line: &str) -> Result<Self, InvalidEntry> {
        let entry: Self = serde_json::from_str(line).map_err(|_| InvalidEntry::Unreadable)?;
        // The same can be written in other bytes, which the hash would not cover.
        if entry.line() != line {
            return Err(InvalidEntry::Unreadable);
        }
        if hash_of(line) == entry.hash { Ok(entry) } else { Err(InvalidEntry::Changed) }
    }

    /// Where it stands.
    pub fn position(&self) -> AuditPosition {
        AuditPosition { seq: self.seq, hash: self.hash }
    }

    /// The hash of the entry before.
    pub fn previous(&self) -> AuditHash {
        self.previous
    }
}

/// The hash of a line, which covers all of it but the hash that it says it has.
fn hash_of(line: &str) -> AuditHash {
    let bound = line.rsplit_once(HASH_FIELD).map_or(line, |(bound, _)| bound);
    AuditHash(Sha256::digest(bound.as_bytes()).into())
}

const HASH_FIELD: &str = ",\"hash\":";

/// How many bytes of names and paths are written.
const MOST_WHO: usize = 128;
const MOST_TARGET: usize = 512;

/// What a stranger may have chosen, on one line and in no more bytes than about this, so that it passes for nothing else in a
/// terminal.
pub fn printable(text: &str, most: usize) -> String {
    let mut written = String::with_capacity(text.len().min(most));
    for character in text.chars() {
        let escaped =
            if is_print(character) { character.into() } else { character.escape_unicode().to_string() };
        if written.len() + escaped.len() > most {
            written.push('…');
            break;
        }
        written.push_str(&escaped);
    }
    written
}

/// Not what controls a terminal, turns the direction of writing, or cannot be seen.
pub(crate) fn is_print(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A hash, as it stands in a line.
mod hex {
    use std::borrow::Cow;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use state::AuditHash;

    pub(super) fn serialize<S: Serializer>(hash: &AuditHash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(hash)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AuditHash, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Event;

    fn entry(target: &str) -> Entry {
        let event =
            Event { who: "operator", from: None, action: Action::KeyMake, target, outcome: Outcome::Done };
        Entry::after(AuditPosition::default(), "2026-11-26T00:00:00Z".into(), &event)
    }

    #[test]
    fn a_line_is_read_back_and_no_other_bytes_are_it() {
        let entry = entry("key_1");
        let line = entry.line();

        assert_eq!(Entry::parse(&line), Ok(entry));
        assert_eq!(Entry::parse(&line.replace("key_1", "key_2")), Err(InvalidEntry::Changed));
        for other in [line.replacen(',', ", ", 1), line.replacen('{', "{\"x\":1,", 1), line[..40].into()] {
            assert_eq!(Entry::parse(&other), Err(InvalidEntry::Unreadable), "{other}");
        }
    }

    #[test]
    fn nobody_writes_a_second_line_or_paints_a_terminal() {
        let entry = entry("a\n{\"seq\":9}\u{1b}[2J\u{202e}\0é");

        assert_eq!(entry.target, "a\\u{a}{\"seq\":9}\\u{1b}[2J\\u{202e}\\u{0}é");
        assert_eq!(entry.line().lines().count(), 1);
        assert_eq!(Entry::parse(&entry.line()).as_ref(), Ok(&entry));
        // A hash that somebody writes into a name is a part of the name.
        let forged = self::entry("x\",\"hash\":\"00");
        assert_eq!(Entry::parse(&forged.line()).as_ref(), Ok(&forged));
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let entry = entry(&"é".repeat(1000));

        assert!(entry.target.len() <= MOST_TARGET + '…'.len_utf8() && entry.target.ends_with("é…"));
    }
}
