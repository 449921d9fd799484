//! Whether the box is still to be claimed, by which code, and how often that may be tried. The code lies in a file that only the
//! user can read, with how often it was tried, so that neither a restart nor anybody who tries can begin anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use state::Clock;

use crate::{SetupCode, lock};

/// Wrong tries of one code.
const TRIES: u32 = 5;
/// After the first code that was tried too often, and twice as long after each of the next.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// So that nobody who keeps trying keeps the owner out for days; five tries an hour need millions of years.
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
    code: SetupCode,
    /// Wrong tries of this code.
    wrong: u32,
    /// Codes before it that were tried too often.
    spent: u32,
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
    pub(crate) fn code(&self) -> Option<SetupCode> {
        lock(&self.open).as_ref().map(|open| open.code.clone())
    }

    /// Whether this is the code. A wrong one is counted before anybody is told.
    pub(crate) fn try_code(&self, typed: &str) -> Result<(), NotThis> {
        let mut slot = lock(&self.open);
        let open = slot.as_mut().ok_or(NotThis::Claimed)?;
        let now = self.clock.elapsed();
        // The right one does not count either, or the pause would be none.
        if now < open.paused_until {
            return Err(NotThis::Paused(open.paused_until - now));
        }
        if SetupCode::typed(typed).is_some_and(|typed| typed.is(&open.code)) {
            return Ok(());
        }
        open.wrong += 1;
        if open.wrong >= TRIES {
            let spent = open.spent.saturating_add(1);
            *open = Open { spent, paused_until: now + pause(spent), ..Open::new() };
            tracing::warn!(
                pause_seconds = pause(spent).as_secs(),
                "the setup code was tried {TRIES} times in vain: there is a new one, which `hob status` shows"
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
        let text = format!("{}\nwrong {}\nspent {}\n", open.code.reveal(), open.wrong, open.spent);
        platform::durable::write_private(&self.path, text.as_bytes())
    }
}

impl Open {
    fn new() -> Self {
        Self { code: SetupCode::generate(), wrong: 0, spent: 0, paused_until: Duration::ZERO }
    }

    /// A pause that had begun begins anew: nobody knows how long the box was off.
    fn read(text: &str, now: Duration) -> Option<Self> {
        let mut lines = text.lines();
        let code = SetupCode::typed(lines.next()?)?;
        let wrong = lines.next()?.strip_prefix("wrong ")?.parse().ok()?;
        let spent = lines.next()?.strip_prefix("spent ")?.parse().ok()?;
        let paused_until = if wrong == 0 && spent > 0 { now + pause(spent) } else { Duration::ZERO };
        Some(Self { code, wrong, spent, paused_until })
    }
}

fn pause(spent: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << (spent - 1).min(16)).min(LONGEST_PAUSE)
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

    fn wrong(claim: &Claim) -> NotThis {
        let code = code(claim);
        let other = if code.starts_with('A') { "B" } else { "A" };
        claim.try_code(&format!("{other}{}", &code[1..])).unwrap_err()
    }

    #[test]
    fn five_wrong_tries_make_a_new_code_and_a_pause_that_doubles() {
        let the_box = Box::new();
        let claim = the_box.claim();
        for pause in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
            let before = code(&claim);
            for _ in 0..5 {
                assert_eq!(wrong(&claim), NotThis::Wrong);
            }
            let after = code(&claim);

            assert_ne!(before, after);
            the_box.pass(pause - 1);
            assert_eq!(
                claim.try_code(&after),
                Err(NotThis::Paused(Duration::from_secs(1))),
                "even the right one"
            );
            the_box.pass(1);
            assert_eq!(claim.try_code(&after), Ok(()));
        }
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
                        match claim.try_code("AAAA-AAAA") {
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
            wrong(&claim);
        }

        let claim = the_box.claim();
        assert_eq!(code(&claim), first);
        wrong(&claim);
        let second = code(&claim);
        assert_ne!(second, first, "the fifth, over the restart");
        the_box.pass(59);

        let claim = the_box.claim();
        assert_eq!(claim.try_code(&second), Err(NotThis::Paused(Duration::from_secs(60))));
        the_box.pass(60);
        assert_eq!(claim.try_code(&second), Ok(()));
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
        assert_eq!(claim.try_code("AAAA-AAAA"), Err(NotThis::Claimed));
    }

    #[test]
    fn a_file_that_is_no_code_is_replaced() {
        let the_box = Box::new();
        for text in ["", "AAAA-AAAA\n", "0000-0000\nwrong 0\nspent 0\n", "AAAA-AAAA\nwrong x\nspent 0\n"] {
            fs::write(the_box.folder.path().join("setup-code"), text).unwrap();
            assert_ne!(code(&the_box.claim()), "AAAA-AAAA");
        }
    }
}
