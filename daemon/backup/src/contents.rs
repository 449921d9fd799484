//! What a backup says of itself, in its first member: what else is in it, in which order, and what each hashes to. Pure.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use identity::KeptFile;
use identity::pairing::BoxName;
use serde::{Deserialize, Serialize};
use store::{Digest, Manifest, ModelName};

use crate::BackupError;

/// The first member.
pub(crate) const CONTENTS: &str = "manifest.json";
/// Of it: some ten thousand members.
pub(crate) const MOST_CONTENTS: u64 = 8 << 20;
/// Of all together, beside the first.
const MOST_MEMBERS: usize = 20_000;
const FORMAT: u64 = 1;

/// What is in a backup. There are no other names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Member {
    Settings,
    State,
    Peer(BoxName),
    /// By its number; what it is called is told beside.
    Model(u32),
    Identity(KeptFile),
}

impl Member {
    /// How long one of its kind may be.
    pub(crate) fn most_bytes(&self) -> u64 {
        match self {
            Self::Settings => 1 << 20,
            Self::State => 1 << 40,
            Self::Peer(_) => 1 << 16,
            Self::Identity(_) => 1 << 20,
            Self::Model(_) => Manifest::MAX_BYTES,
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings => f.write_str("settings.toml"),
            Self::State => f.write_str("state.db"),
            Self::Peer(name) => write!(f, "peers/{name}.json"),
            Self::Model(number) => write!(f, "models/{number}.json"),
            Self::Identity(file) => write!(f, "tls/{}", file.name()),
        }
    }
}

/// A text is the name of no member.
#[derive(Debug)]
pub(crate) struct NoMember;

impl FromStr for Member {
    type Err = NoMember;

    fn from_str(text: &str) -> Result<Self, NoMember> {
        let within = |folder: &str| text.strip_prefix(folder).and_then(|rest| rest.strip_suffix(".json"));
        let read = match text {
            "settings.toml" => Some(Self::Settings),
            "state.db" => Some(Self::State),
            _ if text.starts_with("tls/") => {
                let files = [KeptFile::Authority, KeptFile::Served, KeptFile::Owners].map(Self::Identity);
                files.into_iter().find(|file| file.to_string() == text)
            }
            _ => within("peers/")
                .and_then(|name| name.parse().ok().map(Self::Peer))
                .or_else(|| within("models/").and_then(|number| number.parse().ok().map(Self::Model))),
        };
        // As this crate writes it, and not otherwise.
        read.filter(|member| member.to_string() == text).ok_or(NoMember)
    }
}

/// The box that a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whose {
    /// Its ID.
    pub id: String,
    /// What it was called on its network.
    pub label: String,
}

/// What a backup does not have although the box did: no secret lies in one that is not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOut {
    /// Who the box is.
    Identity,
    /// The keys by which it is known to paired boxes.
    PeerKeys,
    /// Settings that nobody is to see.
    Settings,
}

/// A member, as the first says of it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) member: Member,
    /// Of a model.
    pub(crate) model: Option<ModelName>,
    pub(crate) bytes: u64,
    pub(crate) digest: Digest,
}

/// What is in a backup.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub(crate) version: String,
    pub(crate) made: String,
    pub(crate) whose: Option<Whose>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) members: Vec<Listed>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u64,
    /// Of the hob that made it.
    version: String,
    made: String,
    r#box: Option<Whose>,
    left_out: Vec<LeftOut>,
    members: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    bytes: u64,
    sha256: String,
}

/// Read before all else, so that a later format is told as what it is.
#[derive(Deserialize)]
struct Format {
    format: u64,
}

impl Contents {
    /// As it is written.
    pub(crate) fn written(&self) -> Vec<u8> {
        let line = |listed: &Listed| Line {
            name: listed.member.to_string(),
            model: listed.model.as_ref().map(ModelName::fully_qualified),
            bytes: listed.bytes,
            sha256: listed.digest.hex(),
        };
        let document = Document {
            format: FORMAT,
            version: self.version.clone(),
            made: self.made.clone(),
            r#box: self.whose.clone(),
            left_out: self.left_out.clone(),
            members: self.members.iter().map(line).collect(),
        };
        let mut text =
            serde_json::to_vec_pretty(&document).expect("texts and numbers cannot fail to serialize");
        text.push(b'\n');
        text
    }

    /// Reads it, and holds it to what a backup may have: the settings and the state once each, nothing twice, no secret that is not
    /// sealed.
    pub(crate) fn read(text: &[u8], seal: Seal) -> Result<Self, BackupError> {
        let senseless = |why: String| BackupError::Senseless { name: CONTENTS.into(), why };
        let unread = |error: serde_json::Error| senseless(error.to_string());
        let Format { format } = serde_json::from_slice(text).map_err(unread)?;
        if format != FORMAT {
            return Err(BackupError::Newer(format));
        }
        let document: Document = serde_json::from_slice(text).map_err(unread)?;
        if document.members.len() > MOST_MEMBERS {
            return Err(senseless(format!("it lists more than {MOST_MEMBERS} members")));
        }
        let members = document.members.into_iter().map(listed).collect::<Result<Vec<_>, _>>()?;
        let mut seen = BTreeSet::new();
        for listed in &members {
            let strange = |what| BackupError::Strange { name: listed.member.to_string(), what };
            if !seen.insert(&listed.member) {
                return Err(strange("twice"));
            }
            if seal == Seal::None && matches!(listed.member, Member::Identity(_)) {
                return Err(strange("which is in none that is not sealed"));
            }
        }
        for needed in [Member::Settings, Member::State] {
            if !seen.contains(&needed) {
                return Err(BackupError::Missing(needed.to_string()));
            }
        }
        let Document { version, made, r#box: whose, left_out, .. } = document;
        Ok(Self { version, made, whose, left_out, members })
    }
}

/// Whether a passphrase is needed to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    None,
    Passphrase,
}

fn listed(line: Line) -> Result<Listed, BackupError> {
    let unknown = |_| BackupError::Strange { name: shown(&line.name), what: "which is no part of one" };
    let member: Member = line.name.parse().map_err(unknown)?;
    let senseless = |why: &str| BackupError::Senseless { name: member.to_string(), why: why.into() };
    let model = line.model.map(|name| name.parse::<ModelName>()).transpose();
    let model = model.map_err(|_| senseless("its model's name is none"))?;
    if model.is_some() != matches!(member, Member::Model(_)) {
        return Err(senseless("a model has a name, and nothing else has"));
    }
    let most = member.most_bytes();
    if line.bytes > most {
        return Err(BackupError::TooLong { name: member.to_string(), bytes: line.bytes, most });
    }
    let digest = format!("sha256:{}", line.sha256).parse().map_err(|_| senseless("its digest is none"))?;
    Ok(Listed { member, model, bytes: line.bytes, digest })
}

/// A name from a file, made safe to show.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(100).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}
