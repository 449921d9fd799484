//! Passwords and what is kept of them: argon2id, one at a time, so that asking for many takes the processor from nobody. How
//! often one may be tried is `throttle`'s.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version, password_hash};

use crate::lock;

/// A password, as somebody typed it. It is long enough to be one.
#[derive(Clone)]
pub struct Password(String);

/// A text is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a password has 8 to 256 characters")]
pub struct InvalidPassword;

impl FromStr for Password {
    type Err = InvalidPassword;

    fn from_str(text: &str) -> Result<Self, InvalidPassword> {
        (8..=256).contains(&text.chars().count()).then(|| Self(text.into())).ok_or(InvalidPassword)
    }
}

/// Not the password.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// What is kept of a password: a PHC string of argon2id that takes long enough to try.
#[derive(Clone)]
pub(crate) struct PasswordHash {
    text: String,
    parsed: phc::PasswordHash,
}

/// A text is no hash that passwords are checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPasswordHash {
    /// It is something else.
    #[error("this is no PHC string of argon2id, as `argon2 SALT -id -k 19456 -t 2 -p 1 -e` prints")]
    NotArgon2id,
    /// It can be guessed too fast.
    #[error(
        "the hash is too weak: it takes at least m=19456,t=2,p=1, a salt of 8 bytes and a hash of 16, as \
         `argon2 SALT -id -k 19456 -t 2 -p 1 -e` makes it"
    )]
    TooWeak,
    /// A box would do nothing else.
    #[error("the hash takes too much: at most m=262144,t=64,p=16")]
    TooCostly,
}

/// In KiB.
const LEAST_MEMORY: u32 = 19 * 1024;
const MOST_MEMORY: u32 = 256 * 1024;
const LEAST_PASSES: u32 = 2;
const MOST_PASSES: u32 = 64;
const MOST_LANES: u32 = 16;
const LEAST_HASH_BYTES: usize = 16;

impl FromStr for PasswordHash {
    type Err = InvalidPasswordHash;

    fn from_str(text: &str) -> Result<Self, InvalidPasswordHash> {
        let text = text.trim();
        let parsed = phc::PasswordHash::new(text).map_err(|_| InvalidPasswordHash::NotArgon2id)?;
        let params = Params::try_from(&parsed).map_err(|_| InvalidPasswordHash::NotArgon2id)?;
        if parsed.algorithm != argon2::ARGON2ID_IDENT || parsed.version != Some(Version::V0x13.into()) {
            return Err(InvalidPasswordHash::NotArgon2id);
        }
        let whole = parsed.salt.is_some() && parsed.hash.is_some_and(|hash| hash.len() >= LEAST_HASH_BYTES);
        if !whole || params.m_cost() < LEAST_MEMORY || params.t_cost() < LEAST_PASSES {
            return Err(InvalidPasswordHash::TooWeak);
        }
        if params.m_cost() > MOST_MEMORY || params.t_cost() > MOST_PASSES || params.p_cost() > MOST_LANES {
            return Err(InvalidPasswordHash::TooCostly);
        }
        Ok(Self { text: text.into(), parsed })
    }
}

impl PasswordHash {
    /// As it is kept.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is the same hash, not one of the same password.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.text == other.text
    }

    /// One that takes as long, and is of no password.
    pub(crate) fn of_nobody(&self) -> Self {
        let other: [u8; 32] = rand::random();
        let mut parsed = self.parsed.clone();
        parsed.hash = phc::Output::new(&other).ok();
        Self { text: parsed.to_string(), parsed }
    }
}

/// Not the hash.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// Where passwords are hashed, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Hashing {
    turn: Mutex<()>,
    /// Who waits, and who has the turn.
    waiting: AtomicUsize,
    passes: OnceLock<u32>,
}

/// Who may wait for a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    /// Anybody.
    Stranger,
    /// Who is known where they come from, and must not be kept out by strangers.
    Known,
}

/// Too many wait, or there is no memory for it just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// After how long it is worth asking again.
pub(crate) const BUSY_PAUSE: Duration = Duration::from_secs(2);

const MOST_STRANGERS: usize = 4;
const MOST_WAITING: usize = 8;

/// How long it may take to try a password. Tests have other things to do.
const TARGET: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_millis(250) };

impl Hashing {
    /// Hashes a password, in as much time as the box may be asked to take for it. That is measured the first time.
    pub(crate) fn hash(&self, password: &Password, rank: Rank) -> Result<PasswordHash, Busy> {
        self.in_turn(rank, || {
            let passes = *self.passes.get_or_init(|| calibrate(TARGET));
            let salt: [u8; 16] = rand::random();
            let parsed = hash(passes, password.0.as_bytes(), &salt)?;
            Ok(PasswordHash { text: parsed.to_string(), parsed })
        })
    }

    /// Whether it is the password. That takes as long if it is not.
    pub(crate) fn verify(&self, password: &Password, hash: &PasswordHash, rank: Rank) -> Result<bool, Busy> {
        self.in_turn(rank, || match Argon2::default().verify_password(password.0.as_bytes(), &hash.parsed) {
            Ok(()) => Ok(true),
            Err(password_hash::Error::PasswordInvalid) => Ok(false),
            Err(_) => Err(Busy),
        })
    }

    /// Holds the turn, and says how many wait for it.
    #[cfg(test)]
    pub(crate) fn hold_for_test(&self) -> (std::sync::MutexGuard<'_, ()>, impl Fn() -> usize) {
        (lock(&self.turn), || self.waiting.load(Ordering::Acquire))
    }

    fn in_turn<T>(&self, rank: Rank, work: impl FnOnce() -> Result<T, Busy>) -> Result<T, Busy> {
        let most = match rank {
            Rank::Stranger => MOST_STRANGERS,
            Rank::Known => MOST_WAITING,
        };
        let waits = |waiting| (waiting < most).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, waits).map_err(|_| Busy)?;
        let _waits = Waits(&self.waiting);
        let _turn = lock(&self.turn);
        work()
    }
}

struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// As many passes as fit into a time, by doubling. It takes less than twice that time.
fn calibrate(target: Duration) -> u32 {
    let mut passes = LEAST_PASSES;
    loop {
        let started = Instant::now();
        let hashed = hash(passes, b"as long as a password", &[0; 16]);
        if hashed.is_err() || started.elapsed() * 2 > target || passes >= MOST_PASSES {
            return passes;
        }
        passes *= 2;
    }
}

fn hash(passes: u32, password: &[u8], salt: &[u8]) -> Result<phc::PasswordHash, Busy> {
    let params = Params::new(LEAST_MEMORY, passes, 1, None).map_err(|_| Busy)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_with_salt(password, salt).map_err(|_| Busy)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn password(text: &str) -> Password {
        text.parse().unwrap()
    }

    #[test]
    fn a_password_has_eight_characters_at_least_and_is_told_by_nothing() {
        assert!("1234567".parse::<Password>().is_err() && "x".repeat(257).parse::<Password>().is_err());
        assert_eq!(format!("{:?}", password("pässwört")), "Password");
    }

    #[test]
    fn a_password_is_known_again_by_its_hash_which_says_what_it_took() {
        let hashing = Hashing::default();
        let hash = hashing.hash(&password("correct horse"), Rank::Stranger).unwrap();

        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        let again: PasswordHash = hash.as_str().parse().unwrap();
        assert_eq!(hashing.verify(&password("correct horse"), &again, Rank::Stranger), Ok(true));
        assert_eq!(hashing.verify(&password("correct house"), &again, Rank::Stranger), Ok(false));
        assert_eq!(hashing.verify(&password("correct horse"), &again.of_nobody(), Rank::Stranger), Ok(false));
        assert_eq!(format!("{hash:?}"), "PasswordHash");
    }

    #[test]
    fn a_hash_that_is_too_weak_or_takes_all_of_a_box_is_refused() {
        let salt_and_hash = "AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let parse = |head: &str| format!("{head}${salt_and_hash}").parse::<PasswordHash>().err();

        assert_eq!(parse("$argon2id$v=19$m=19456,t=2,p=1"), None);
        assert_eq!(parse("$argon2id$v=19$m=65536,t=3,p=4"), None);
        for weak in ["m=4096,t=3,p=1", "m=65536,t=1,p=1"] {
            assert_eq!(
                parse(&format!("$argon2id$v=19${weak}")),
                Some(InvalidPasswordHash::TooWeak),
                "{weak}"
            );
        }
        for costly in ["m=4194304,t=2,p=1", "m=19456,t=100000,p=1", "m=19456,t=2,p=64"] {
            assert_eq!(
                parse(&format!("$argon2id$v=19${costly}")),
                Some(InvalidPasswordHash::TooCostly),
                "{costly}"
            );
        }
        for other in [
            "$argon2i$v=19$m=19456,t=2,p=1",
            "$argon2id$v=16$m=19456,t=2,p=1",
            "$argon2id$v=19$m=1,t=2,x=1",
            "hunter2",
        ] {
            assert_eq!(parse(other), Some(InvalidPasswordHash::NotArgon2id), "{other}");
        }
        let no_hash = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(no_hash.parse::<PasswordHash>().err(), Some(InvalidPasswordHash::TooWeak));
    }

    #[test]
    fn a_crowd_is_told_to_come_again_and_leaves_room_for_who_is_known() {
        let hashing = Hashing::default();
        let (told, results) = mpsc::channel();
        let next = || results.recv_timeout(Duration::from_secs(10)).expect("the others are told at once");
        thread::scope(|scope| {
            let turn = lock(&hashing.turn);
            let crowd = |rank, count| {
                for _ in 0..count {
                    let told = told.clone();
                    let hashing = &hashing;
                    scope.spawn(move || told.send(hashing.in_turn(rank, || Ok(()))));
                }
            };

            crowd(Rank::Stranger, 20);
            let refused: Vec<_> = (0..20 - MOST_STRANGERS).map(|_| next()).collect();
            assert!(refused.iter().all(|result| *result == Err(Busy)));
            crowd(Rank::Known, 10);
            let refused: Vec<_> = (0..10 - (MOST_WAITING - MOST_STRANGERS)).map(|_| next()).collect();
            assert!(refused.iter().all(|result| *result == Err(Busy)));
            drop(turn);
        });

        drop(told);
        assert_eq!(results.iter().filter(Result::is_ok).count(), MOST_WAITING);
        assert_eq!(hashing.in_turn(Rank::Stranger, || Ok(())), Ok(()));
    }

    #[test]
    fn as_much_is_computed_as_fits_into_the_time() {
        assert_eq!(calibrate(Duration::ZERO), LEAST_PASSES);
        assert_eq!(calibrate(Duration::MAX), MOST_PASSES);
    }
}
