//! Whether the box is still to be claimed, by which code, and how often that may be tried. The code lies in a file that only the
//! user can read, with how often it was tried and from where, so that neither a restart nor anybody who tries can begin anew.
//!
//! Tries are counted by network, so that a stranger shuts out themselves alone. A code's 40 bits bear that: a thousand networks
//! with five tries an hour each have one or two a second, and need ten thousand years for half of all codes.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use state::Clock;

use crate::{OneTimeCode, lock, network_of};

/// Wrong tries of one network between two pauses.
const TRIES: u32 = 5;
/// Wrong tries of one code, of all networks together: then there is another.
const MOST_OF_CODE: u32 = 20;
/// Networks that are told apart. All beyond them count as one.
const MOST_NETWORKS: usize = 1024;
/// After the first tries, and twice as long after each of the next.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// So that whoever mistyped often, or shares a network with somebody who does, is not kept out for days.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The claim.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    clock: Clock,
    /// None once the box is claimed.
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    code: OneTimeCode,
    /// Wrong tries of this code.
    wrong: u32,
    /// Those of all codes, by network; without one, of all networks beyond those.
    tries: HashMap<Option<IpAddr>, Tries>,
}

/// Of one network.
#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    wrong: u32,
    /// By the clock that does not jump.
    paused_until: Duration,
}

/// Why a code does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotThis {
    Wrong,
    Paused(Duration),
    Claimed,
}

impl Claim {
    /// With the code that lies in the folder, or a new one. Once the box is claimed there is none.
    pub(crate) fn open(folder: &Path, clock: Clock) -> io::Result<Self> {
        let claim = Self { path: folder.join("setup-code"), clock, open: Mutex::new(None) };
        platform::durable::make_private_folder(folder)?;
        let open = match fs::read_to_string(&claim.path) {
            Ok(text) => Open::read(&text, claim.clock.elapsed()).unwrap_or_else(Open::new),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Open::new(),
            Err(error) => return Err(error),
        };
        claim.write(&open)?;
        *lock(&claim.open) = Some(open);
        Ok(claim)
    }

    /// Of a box that is claimed.
    pub(crate) fn closed(folder: &Path, clock: Clock) -> io::Result<Self> {
        let path = folder.join("setup-code");
        platform::durable::remove(&path)?;
        Ok(Self { path, clock, open: Mutex::new(None) })
    }

    /// The code, to be shown on the console.
    pub(crate) fn code(&self) -> Option<OneTimeCode> {
        lock(&self.open).as_ref().map(|open| open.code.clone())
    }

    /// Whether this is the code, typed there. A wrong one is counted before anybody is told.
    pub(crate) fn try_code(&self, typed: &str, from: Option<IpAddr>) -> Result<(), NotThis> {
        let mut slot = lock(&self.open);
        let open = slot.as_mut().ok_or(NotThis::Claimed)?;
        let now = self.clock.elapsed();
        let network = open.network(from);
        let tries = open.tries.get(&network).copied().unwrap_or_default();
        // The right one does not count either, or the pause would be none.
        if now < tries.paused_until {
            return Err(NotThis::Paused(tries.paused_until - now));
        }
        if OneTimeCode::typed(typed).is_some_and(|typed| typed.is(&open.code)) {
            return Ok(());
        }
        open.tries.insert(network, Tries::of(tries.wrong.saturating_add(1), now));
        open.wrong += 1;
        if open.wrong >= MOST_OF_CODE {
            *open = Open { tries: std::mem::take(&mut open.tries), ..Open::new() };
            tracing::warn!(
                "the setup code was tried {MOST_OF_CODE} times in vain: there is a new one, which `hob status` shows"
            );
        }
        if let Err(error) = self.write(open) {
            tracing::warn!(
                "cannot write {}: {error}; `hob status` shows the setup code",
                self.path.display()
            );
        }
        Err(NotThis::Wrong)
    }

    /// Claims the box, once: of many who are at it, one does. If `claim` fails, it stays to be claimed.
    pub(crate) fn close<T, E>(&self, claim: impl FnOnce() -> Result<T, E>) -> Option<Result<T, E>> {
        let mut open = lock(&self.open);
        open.as_ref()?;
        let claimed = claim();
        if claimed.is_ok() {
            *open = None;
            if let Err(error) = platform::durable::remove(&self.path) {
                tracing::warn!(
                    "cannot remove {}: {error}; the code in it is of no use any more",
                    self.path.display()
                );
            }
        }
        Some(claimed)
    }

    fn write(&self, open: &Open) -> io::Result<()> {
        let mut text = format!("{}\nwrong {}\n", open.code.reveal(), open.wrong);
        for (network, tries) in &open.tries {
            let network = network.map_or("others".into(), |network| network.to_string());
            text += &format!("from {network} {}\n", tries.wrong);
        }
        platform::durable::write_private(&self.path, text.as_bytes())
    }
}

impl Open {
    fn new() -> Self {
        Self { code: OneTimeCode::generate(), wrong: 0, tries: HashMap::new() }
    }

    /// A pause that had begun begins anew: nobody knows how long the box was off.
    fn read(text: &str, now: Duration) -> Option<Self> {
        let mut lines = text.lines();
        let code = OneTimeCode::typed(lines.next()?)?;
        let wrong = lines.next()?.strip_prefix("wrong ")?.parse().ok()?;
        let tries = lines.map(|line| {
            let (network, wrong) = line.strip_prefix("from ")?.split_once(' ')?;
            let network = if network == "others" { None } else { Some(network.parse().ok()?) };
            Some((network, Tries::of(wrong.parse().ok()?, now)))
        });
        Some(Self { code, wrong, tries: tries.collect::<Option<_>>()? })
    }

    /// By what tries from there are counted.
    fn network(&self, from: Option<IpAddr>) -> Option<IpAddr> {
        let network = from.map(|from| match from.to_canonical().is_loopback() {
            // This machine has millions of addresses.
            true => Ipv4Addr::LOCALHOST.into(),
            false => network_of(from),
        });
        let room = self.tries.len() < MOST_NETWORKS || self.tries.contains_key(&network);
        network.filter(|_| room)
    }
}

impl Tries {
    fn of(wrong: u32, now: Duration) -> Self {
        let rounds = wrong / TRIES;
        let paused = rounds > 0 && wrong.is_multiple_of(TRIES);
        Self { wrong, paused_until: if paused { now + pause(rounds) } else { Duration::ZERO } }
    }
}

fn pause(rounds: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << (rounds - 1).min(16)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
    use std::thread;

    use tempfile::TempDir;

    use super::*;

    struct Box {
        folder: TempDir,
        now: Arc<AtomicI64>,
    }

    impl Box {
        fn new() -> Self {
            Self { folder: TempDir::new().unwrap(), now: Arc::new(AtomicI64::new(1_000)) }
        }

        fn claim(&self) -> Claim {
            let now = Arc::clone(&self.now);
            Claim::open(self.folder.path(), Clock::of(move || now.load(Ordering::Relaxed))).unwrap()
        }

        fn pass(&self, seconds: i64) {
            self.now.fetch_add(seconds, Ordering::Relaxed);
        }
    }

    fn code(claim: &Claim) -> String {
        claim.code().unwrap().reveal()
    }

    fn wrong(claim: &Claim, from: Option<IpAddr>) -> NotThis {
        let code = code(claim);
        let other = if code.starts_with('A') { "B" } else { "A" };
        claim.try_code(&format!("{other}{}", &code[1..]), from).unwrap_err()
    }

    fn at(last: u8) -> Option<IpAddr> {
        Some([192, 168, 1, last].into())
    }

    #[test]
    fn five_wrong_tries_make_a_pause_that_doubles_for_whoever_made_them() {
        let the_box = Box::new();
        let claim = the_box.claim();
        for pause in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
            for _ in 0..5 {
                assert_eq!(wrong(&claim, at(1)), NotThis::Wrong);
            }
            let right = code(&claim);

            assert_eq!(claim.try_code(&right, at(2)), Ok(()), "who typed nothing wrong waits for nobody");
            the_box.pass(pause - 1);
            assert_eq!(
                claim.try_code(&right, at(1)),
                Err(NotThis::Paused(Duration::from_secs(1))),
                "even the right one"
            );
            the_box.pass(1);
            assert_eq!(claim.try_code(&right, at(1)), Ok(()));
        }
    }

    #[test]
    fn a_code_is_another_after_twenty_wrong_tries_of_all_together() {
        let the_box = Box::new();
        let claim = the_box.claim();
        let first = code(&claim);
        for number in 0..19 {
            assert_eq!(wrong(&claim, at(number)), NotThis::Wrong);
        }
        assert_eq!(code(&claim), first);
        assert_eq!(wrong(&claim, at(19)), NotThis::Wrong);
        assert_ne!(code(&claim), first);
        assert_eq!(claim.try_code(&code(&claim), at(3)), Ok(()));
    }

    #[test]
    fn however_many_networks_there_are_few_are_remembered_and_all_beyond_try_as_one() {
        let the_box = Box::new();
        let claim = the_box.claim();
        let mut tried = 0;
        for number in 0..MOST_NETWORKS as u32 + 100 {
            let from = Some(IpAddr::from((0x0a00_0000 + number).to_be_bytes()));
            tried += u32::from(wrong(&claim, from) == NotThis::Wrong);
        }

        assert_eq!(tried as usize, MOST_NETWORKS + 5);
        assert!(lock(&claim.open).as_ref().unwrap().tries.len() <= MOST_NETWORKS + 1);
        // This machine's own addresses are one network.
        let claim = Box::new().claim();
        for last in 0..5 {
            wrong(&claim, Some([127, 0, 0, last].into()));
        }
        assert!(matches!(wrong(&claim, Some([127, 9, 9, 9].into())), NotThis::Paused(_)));
    }

    #[test]
    fn many_who_try_at_once_have_five_tries_together() {
        let the_box = Box::new();
        let claim = the_box.claim();
        let (tried, paused) = (AtomicUsize::new(0), AtomicUsize::new(0));

        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        match claim.try_code("AAAA-AAAA", at(1)) {
                            Err(NotThis::Wrong) => tried.fetch_add(1, Ordering::Relaxed),
                            Err(NotThis::Paused(_)) => paused.fetch_add(1, Ordering::Relaxed),
                            other => panic!("{other:?}"),
                        };
                    }
                });
            }
        });

        assert_eq!((tried.into_inner(), paused.into_inner()), (5, 795));
    }

    #[test]
    fn a_restart_keeps_the_code_and_the_tries_and_does_not_shorten_a_pause() {
        let the_box = Box::new();
        let claim = the_box.claim();
        let first = code(&claim);
        for _ in 0..4 {
            wrong(&claim, at(1));
        }

        let claim = the_box.claim();
        assert_eq!(code(&claim), first);
        assert_eq!(wrong(&claim, at(1)), NotThis::Wrong, "the fifth, over the restart");
        the_box.pass(59);

        let claim = the_box.claim();
        assert_eq!(claim.try_code(&first, at(1)), Err(NotThis::Paused(Duration::from_secs(60))));
        assert_eq!(claim.try_code(&first, at(2)), Ok(()));
        the_box.pass(60);
        assert_eq!(claim.try_code(&first, at(1)), Ok(()));
        for number in 2..17 {
            wrong(&claim, at(number));
        }
        assert_ne!(code(&claim), first, "the twentieth, over the restart");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_the_code_and_it_is_gone_with_the_claim() {
        use std::os::unix::fs::PermissionsExt as _;
        let the_box = Box::new();
        let claim = the_box.claim();
        let file = the_box.folder.path().join("setup-code");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

        assert_eq!(claim.close(|| Err::<(), _>("the disk is full")), Some(Err("the disk is full")));
        assert!(claim.code().is_some() && file.exists());
        assert_eq!(claim.close(|| Ok::<_, ()>(7)), Some(Ok(7)));

        assert!(claim.code().is_none() && !file.exists());
        assert_eq!(claim.close(|| Ok::<_, ()>(8)), None);
        assert_eq!(claim.try_code("AAAA-AAAA", at(1)), Err(NotThis::Claimed));
    }

    #[test]
    fn a_file_that_is_no_code_is_replaced() {
        let the_box = Box::new();
        for text in [
            "",
            "AAAA-AAAA\n",
            "0000-0000\nwrong 0\n",
            "AAAA-AAAA\nwrong x\n",
            "AAAA-AAAA\nwrong 0\nfrom x 1\n",
        ] {
            fs::write(the_box.folder.path().join("setup-code"), text).unwrap();
            assert_ne!(code(&the_box.claim()), "AAAA-AAAA");
        }
    }
}
