//! The box's identity, open: what it serves TLS with, what it is called, and when something of that is made anew. How it is made
//! is `authority`'s and `leaf`'s.

mod brought;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;

pub use self::brought::Brought;
use crate::authority::{Authority, DAY, Moment, label};
use crate::folder::Folder;
use crate::leaf::Leaf;
use crate::names::{Names, Subjects, is_within, signable};
use crate::own::{Fingerprint, Own, OwnCertificate, Pair};
use crate::serving::{self, Serving};
use crate::status::{Source, Status, Warning};
use crate::{DeviceId, IdentityError, OwnCertificateError, pem, trust};

/// What time it is, in seconds since 1970.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What an identity is made by.
#[derive(Clone)]
pub struct Config {
    /// What the box is called beside its own label.
    pub names: Names,
    /// What time it is.
    pub now: Now,
    /// When this build was made, in seconds since 1970: it is not earlier than that, whatever the clock says.
    pub build_date: i64,
    /// A certificate that the owner has for the box, in place of one that is kept.
    pub own: Option<OwnCertificate>,
}

impl Config {
    /// What time it is, within what certificates can hold.
    fn clock(&self) -> i64 {
        (self.now)().clamp(0, LATEST)
    }

    /// Where the owner's certificate lies, if there is one.
    fn owners(&self, folder: &Folder) -> Option<OwnCertificate> {
        self.own.clone().or_else(|| folder.owners())
    }
}

/// In the year 9892.
const LATEST: i64 = 250_000_000_000;

/// Who the box is. A clone is cheap, and the same identity.
#[derive(Clone)]
pub struct Identity(Arc<Shared>);

struct Shared {
    config: Config,
    folder: Folder,
    authority: Authority,
    id: DeviceId,
    label: String,
    root_pem: String,
    names: BTreeSet<String>,
    serving: Arc<Serving>,
    tls: Arc<ServerConfig>,
    addresses: RwLock<BTreeSet<IpAddr>>,
    held: Mutex<Held>,
}

/// What changes from one look to the next.
struct Held {
    leaf: Leaf,
    /// Addresses that the certificate is not for yet, and since when they are there.
    lacking: BTreeMap<IpAddr, i64>,
    looked: Looked,
    own: OwnHeld,
    unsaved: Option<String>,
}

/// Whether the box's addresses were looked at before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Looked {
    Never,
    Before,
}

#[derive(Default)]
struct OwnHeld {
    seen: Option<Fingerprint>,
    problem: Option<OwnCertificateError>,
}

/// What a look at the surroundings led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// Nothing.
    Unchanged,
    /// A new certificate of the box's own authority is served.
    Issued,
    /// The owner's certificate, which is new or has changed, is served.
    Loaded,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.0.id).finish()
    }
}

/// How long an address must have been there before there is a certificate for it, and for all that are there by then: while a
/// network comes up they come one by one.
const SETTLED_AFTER: i64 = 30;

impl Identity {
    /// Opens the identity in a folder, or makes one where there is none. Blocks on the disk.
    ///
    /// # Errors
    /// If what is there is damaged, which is left alone; what the disk says. An owner's certificate that is not good is
    /// a warning.
    pub fn open(folder: &Path, mut config: Config) -> Result<Self, IdentityError> {
        let (folder, _turn) = Folder::open(folder)?;
        let now = config.clock();
        let at = Moment { now, build_date: config.build_date };
        let authority = match folder.authority()? {
            Some(authority) => authority,
            None => folder.keep_authority(Authority::born(&config.names.hostname, at)?)?,
        };
        // An earlier version may have come back since.
        config.build_date = config.build_date.max(authority.build_date());
        let at = Moment { now, build_date: config.build_date };
        let id = authority.id();
        let label = label(&id);
        let names = config.names.with_label(&label);
        let kept = folder.leaf(&authority)?;
        let subjects = wanted(&authority, &names, &[]);
        // By a clock that was not set yet, the one that is there is as good as any.
        let (leaf, unsaved) = match kept {
            Some(leaf) if now < config.build_date || !leaf.is_due(&authority, now) => (leaf, None),
            before => issue(&folder, &authority, &subjects, now.max(config.build_date), before.as_ref())?,
        };
        let mut own = OwnHeld::default();
        let owners = config.owners(&folder).and_then(|paths| own.look(&paths, at));
        let serving = Serving::new(leaf.certified(&authority)?, owners);
        Ok(Self(Arc::new(Shared {
            folder,
            id,
            label,
            root_pem: pem::certificate(authority.root()),
            names,
            tls: Arc::new(serving::config(Arc::clone(&serving))?),
            serving,
            addresses: RwLock::default(),
            held: Mutex::new(Held { leaf, lacking: BTreeMap::new(), looked: Looked::Never, own, unsaved }),
            authority,
            config,
        })))
    }

    /// Who the box is.
    pub fn id(&self) -> &DeviceId {
        &self.0.id
    }

    /// Its name on the network: `hob-` and the first four letters of its ID.
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// What its clients trust.
    pub fn root_der(&self) -> &CertificateDer<'static> {
        self.0.authority.root()
    }

    /// What its clients trust, as most programs want it.
    pub fn root_pem(&self) -> &str {
        &self.0.root_pem
    }

    /// What its clients trust, as Apple's devices want it.
    pub fn mobileconfig(&self) -> String {
        trust::mobileconfig(self.root_der())
    }

    /// What TLS is spoken by. It follows each change of certificate by itself.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.tls)
    }

    /// Looks whether what is served is still what it should be: the owner's files, the time, the box's addresses, by which are
    /// meant those that last and of interfaces where clients are, also those that no certificate of its own is for. To be called every few seconds, and at SIGHUP. Blocks on the
    /// disk.
    ///
    /// # Errors
    /// If no certificate can be made; the one before is served on.
    pub fn refresh(&self, addresses: &[IpAddr]) -> Result<Refreshed, IdentityError> {
        let here = addresses.iter().map(IpAddr::to_canonical).collect();
        *self.0.addresses.write().unwrap_or_else(PoisonError::into_inner) = here;
        let mut held = self.held();
        let now = self.0.config.clock();
        let at = Moment { now, build_date: self.0.config.build_date };
        let owners = self.0.config.owners(&self.0.folder);
        if let Some(own) = owners.and_then(|paths| held.own.look(&paths, at)) {
            self.0.serving.serve_own(Some(own));
            return Ok(Refreshed::Loaded);
        }
        let subjects = wanted(&self.0.authority, &self.0.names, addresses);
        let as_of = as_of(at, &held.leaf);
        if !held.is_due(&self.0.authority, &subjects, at) {
            return Ok(Refreshed::Unchanged);
        }
        let (leaf, unsaved) = issue(&self.0.folder, &self.0.authority, &subjects, as_of, Some(&held.leaf))?;
        self.0.serving.serve(leaf.certified(&self.0.authority)?);
        (held.leaf, held.unsaved) = (leaf, unsaved);
        held.lacking.clear();
        Ok(Refreshed::Issued)
    }

    /// Whether a request's host is this box: one of its names, one that the owner's certificate is for, or an address that it has
    /// now. A port is not part of it.
    pub fn is_ours(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        match bare.parse::<IpAddr>() {
            // The one in brackets, the other without.
            Ok(address) if address.is_ipv6() != (bare.len() < host.len()) => false,
            Ok(address) => {
                let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
                let addresses = self.0.addresses.read().unwrap_or_else(PoisonError::into_inner);
                let own = || self.0.serving.owns(|subjects| subjects.addresses.contains(&address));
                loopback.contains(&address) || addresses.contains(&address) || own()
            }
            Err(_) => {
                let name = host.to_ascii_lowercase();
                self.0.names.contains(&name) || self.0.serving.owns(|subjects| subjects.names.contains(&name))
            }
        }
    }

    /// How things stand.
    pub fn status(&self) -> Status {
        let held = self.held();
        let own = self.0.serving.own();
        let now = self.0.config.clock();
        let local = held.leaf.facts();
        let facts = own.as_ref().map_or(local, Own::facts);
        Status {
            id: self.0.id,
            label: self.0.label.clone(),
            source: if own.is_some() { Source::Own } else { Source::Local },
            names: facts.subjects.written(),
            not_after: facts.not_after,
            warnings: self.warnings(&held, own.as_ref(), now),
        }
    }

    fn warnings(&self, held: &Held, own: Option<&Own>, now: i64) -> Vec<Warning> {
        let not_set = now < self.0.config.build_date;
        let in_none = |name: &&String| {
            !is_within(name, self.0.authority.permitted())
                && !own.is_some_and(|own| own.facts().subjects.cover_name(name))
        };
        let uncovered = self.0.names.iter().filter(in_none).cloned().collect::<Vec<_>>();
        let expired = own.filter(|own| !not_set && own.facts().not_after <= now);
        let ends = self.0.authority.not_after();
        [
            not_set.then_some(Warning::ClockNotSet),
            held.own.problem.clone().map(Warning::OwnCertificate),
            expired.map(|own| Warning::OwnExpired { not_after: own.facts().not_after }),
            (!uncovered.is_empty()).then_some(Warning::NotInCertificate(uncovered)),
            (ends - now < AUTHORITY_ENDS).then_some(Warning::AuthorityEnds { not_after: ends }),
            held.unsaved.clone().map(Warning::Unsaved),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long before that it is said that everybody will have to pair again.
const AUTHORITY_ENDS: i64 = 180 * DAY;

impl Held {
    /// Whether there is to be a new certificate now.
    fn is_due(&mut self, authority: &Authority, subjects: &Subjects, at: Moment) -> bool {
        let first = std::mem::replace(&mut self.looked, Looked::Before) == Looked::Never;
        let covered = &self.leaf.facts().subjects;
        if covered.cover(subjects) {
            self.lacking.clear();
            return at.now >= at.build_date && self.leaf.is_due(authority, at.now);
        }
        let lacking = subjects.addresses.iter().filter(|address| !covered.addresses.contains(*address));
        let lacking = lacking.map(|address| {
            let since = self.lacking.get(address).copied();
            // A clock that went back must not make it wait for ever.
            (*address, since.filter(|since| *since <= at.now).unwrap_or(at.now))
        });
        self.lacking = lacking.collect();
        first || self.lacking.values().any(|since| at.now - since >= SETTLED_AFTER)
    }
}

impl OwnHeld {
    /// The owner's certificate, if it is good and another than before.
    fn look(&mut self, paths: &OwnCertificate, at: Moment) -> Option<Own> {
        let now = at.now.max(at.build_date);
        let read = Pair::read(paths).and_then(|files| {
            let found = files.fingerprint();
            // What was not good is looked at again: it may be that the clock was wrong.
            if self.problem.is_none() && self.seen == Some(found) {
                return Ok(None);
            }
            let own = files.checked(now)?;
            self.seen = Some(found);
            Ok(Some(own))
        });
        let problem = read.as_ref().err().cloned();
        if let Some(problem) = problem.as_ref().filter(|problem| self.problem.as_ref() != Some(problem)) {
            tracing::warn!("the owner's certificate is not taken: {problem}");
        }
        self.problem = problem;
        let own = read.ok().flatten()?;
        tracing::info!(
            "the owner's certificate is served, for {}",
            own.facts().subjects.written().join(", ")
        );
        Some(own)
    }
}

/// What time a certificate is made for. By a clock that is not set it is the latest that is known of.
fn as_of(at: Moment, leaf: &Leaf) -> i64 {
    if at.now < at.build_date { at.build_date.max(leaf.facts().not_before + DAY) } else { at.now }
}

/// What the certificate should be for: what the box is called, as far as its authority may sign for that.
fn wanted(authority: &Authority, names: &BTreeSet<String>, addresses: &[IpAddr]) -> Subjects {
    let names = names.iter().filter(|name| is_within(name, authority.permitted()));
    Subjects { names: names.cloned().collect(), addresses: signable(addresses) }
}

/// A new certificate. One that cannot be written is served all the same; there is another at the next start.
fn issue(
    folder: &Folder,
    authority: &Authority,
    subjects: &Subjects,
    now: i64,
    before: Option<&Leaf>,
) -> Result<(Leaf, Option<String>), IdentityError> {
    let leaf = Leaf::issue(authority, subjects, now, before)?;
    tracing::info!("a certificate was made, for {}", subjects.written().join(", "));
    let unsaved = folder.keep_leaf(&leaf).err().map(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "the new certificate is not kept");
        error.to_string()
    });
    Ok((leaf, unsaved))
}

#[cfg(test)]
mod tests;
