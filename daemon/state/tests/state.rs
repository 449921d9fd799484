//! The state over its file: what is kept, for whom, for how long, and what a power cut or another process leaves of it.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use protocol::Owner;
use state::{Clock, Conversation, Item, ItemKind, Limits, Response, State, StateError};
use tempfile::TempDir;

const ME: Owner = Owner(7);
const ANYBODY: Owner = Owner(u64::MAX);

/// When all is kept but where a test says otherwise: in 2026.
const NOW: i64 = 1_790_000_000;
const DAY: i64 = 24 * 3600;

fn open(folder: &Path) -> Result<State, StateError> {
    State::open(folder, Clock::of(|| NOW))
}

fn said(kind: ItemKind, text: &str) -> Item {
    Item { kind, id: format!("msg_{text}"), body: text.into() }
}

/// An answer that says its own name to one that asks for it.
fn response(id: &str, previous: Option<&str>) -> Response {
    Response {
        id: id.into(),
        owner: ME,
        previous: previous.map(Into::into),
        created: NOW,
        pending: false,
        body: format!("{{\"id\":\"{id}\"}}"),
        items: vec![said(ItemKind::Input, &format!("{id}?")), said(ItemKind::Output, id)],
    }
}

fn keep(state: &State, id: &str, previous: Option<&str>) {
    state.keep_response(&response(id, previous), Limits::default()).unwrap();
}

fn texts(conversation: Option<Conversation>) -> Vec<String> {
    conversation.unwrap().items.into_iter().map(|item| item.body).collect()
}

/// What a power cut leaves: the files as they are, not closed.
fn cut(from: &Path) -> TempDir {
    let folder = TempDir::new().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        // The shared memory is what a reboot takes away.
        if path.extension().is_none_or(|extension| extension != "db-shm") {
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    folder
}

#[test]
fn what_was_kept_is_there_after_a_power_cut() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path()).unwrap();
    keep(&state, "a", None);
    keep(&state, "b", Some("a"));

    let left = cut(folder.path());
    let reopened = open(left.path()).unwrap();

    assert_eq!(reopened.response(ME, "a").unwrap(), state.response(ME, "a").unwrap());
    assert_eq!(texts(reopened.conversation(ME, "b").unwrap()), ["a?", "a", "b?", "b"]);
}

#[test]
fn a_log_that_was_cut_short_loses_the_last_answer_as_a_whole() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path()).unwrap();
    keep(&state, "a", None);
    let log = folder.path().join("state.db-wal");
    let before = fs::metadata(&log).unwrap().len();
    keep(&state, "b", Some("a"));
    let after = fs::metadata(&log).unwrap().len();

    let torn = cut(folder.path());
    let log = fs::OpenOptions::new().write(true).open(torn.path().join("state.db-wal")).unwrap();
    log.set_len(before + (after - before) / 2).unwrap();
    let reopened = open(torn.path()).unwrap();

    assert_eq!(texts(reopened.conversation(ME, "a").unwrap()), ["a?", "a"]);
    assert_eq!(reopened.response(ME, "b").unwrap(), None);
    keep(&reopened, "b", Some("a"));
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let state = open(&folder.path().join("made/anew")).unwrap();
    keep(&state, "a", None);

    let mode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;

    assert_eq!(mode("made/anew"), 0o700);
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        assert_eq!(mode(&format!("made/anew/{file}")), 0o600, "{file}");
    }
}

#[test]
fn a_file_of_a_later_version_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()).unwrap());
    let file = folder.path().join("state.db");
    let mut bytes = fs::read(&file).unwrap();
    // Where SQLite keeps the number of the format.
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&file, &bytes).unwrap();

    let refused = open(folder.path()).unwrap_err();

    assert!(matches!(refused, StateError::Newer { found: 99, .. }), "{refused}");
    assert_eq!(fs::read(&file).unwrap()[60..64], 99_u32.to_be_bytes());
}

#[test]
fn what_is_somebody_elses_is_not_there() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path()).unwrap();
    keep(&state, "a", None);

    assert_eq!(state.response(ANYBODY, "a").unwrap(), None);
    assert_eq!(state.conversation(ANYBODY, "a").unwrap(), None);
    assert_eq!(state.item(ANYBODY, "msg_a").unwrap(), None);
    assert!(!state.delete_response(ANYBODY, "a").unwrap());
    assert!(!state.settle_response(ANYBODY, "a", "{}", &[]).unwrap());
    let going_on = Response { owner: ANYBODY, ..response("b", Some("a")) };
    let refused = state.keep_response(&going_on, Limits::default()).unwrap_err();
    assert!(matches!(refused, StateError::PreviousGone));
    assert_eq!(state.item(ME, "msg_a").unwrap().as_deref(), Some("a"));
}

#[test]
fn a_deleted_answer_stays_a_part_of_those_that_go_on_from_it_and_goes_with_the_last_of_them() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path()).unwrap();
    for (id, previous) in [("a", None), ("b", Some("a")), ("c", Some("a")), ("other", None)] {
        keep(&state, id, previous);
    }

    assert!(state.delete_response(ME, "a").unwrap());
    assert!(!state.delete_response(ME, "a").unwrap());
    assert_eq!(state.response(ME, "a").unwrap(), None);
    assert_eq!(texts(state.conversation(ME, "b").unwrap()), ["a?", "a", "b?", "b"]);

    assert!(state.delete_response(ME, "b").unwrap());
    assert_eq!(texts(state.conversation(ME, "c").unwrap()), ["a?", "a", "c?", "c"]);
    assert!(state.delete_response(ME, "c").unwrap());
    assert_eq!(state.item(ME, "msg_a").unwrap(), None);
    assert_eq!(texts(state.conversation(ME, "other").unwrap()), ["other?", "other"]);
}

#[test]
fn a_pending_answer_is_settled_once() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path()).unwrap();
    let asked = vec![said(ItemKind::Input, "a?")];
    let begun = Response { pending: true, items: asked, ..response("a", None) };
    state.keep_response(&begun, Limits::default()).unwrap();
    assert!(state.conversation(ME, "a").unwrap().unwrap().pending);

    assert!(state.settle_response(ME, "a", "{\"done\":true}", &[said(ItemKind::Output, "a")]).unwrap());
    assert!(!state.settle_response(ME, "a", "{}", &[]).unwrap());

    let stored = state.response(ME, "a").unwrap().unwrap();
    assert_eq!((stored.pending, &stored.body[..], stored.items.len()), (false, "{\"done\":true}", 2));
}

#[test]
fn a_broken_file_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("state.db");
    let broken = "this is no database".repeat(1000);
    fs::write(&file, &broken).unwrap();

    let refused = open(folder.path()).unwrap_err();

    assert!(matches!(refused, StateError::Damaged { .. }), "{refused:?}");
    let said = refused.to_string();
    assert!(said.contains(file.to_str().unwrap()) && said.contains("move it away"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), broken);
}

#[test]
fn the_oldest_go_first_in_the_order_in_which_they_came() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path()).unwrap();
    let keep = |id: &str, created: i64, limits: Limits| {
        state.keep_response(&Response { created, ..response(id, None) }, limits).unwrap();
    };
    let there = |id: &str| state.response(ME, id).unwrap().is_some();

    let two = Limits { responses: 2, ..Limits::default() };
    keep("a", NOW, two);
    // By a clock that was set back.
    keep("b", NOW - DAY, two);
    keep("c", NOW - DAY, two);
    assert!(!there("a") && there("b") && there("c"));

    keep("d", NOW, Limits { bytes: 1, ..two });
    assert!(!there("b") && !there("c") && there("d"), "the newest stays, whatever it takes");
}

/// A state by a clock that the test sets, with what it keeps at a time.
struct OfABox {
    folder: TempDir,
    now: Arc<AtomicI64>,
    state: State,
}

impl OfABox {
    fn new() -> Self {
        let (folder, now) = (TempDir::new().unwrap(), Arc::new(AtomicI64::new(NOW)));
        let state = State::open(folder.path(), Self::clock(&now)).unwrap();
        Self { folder, now, state }
    }

    fn clock(now: &Arc<AtomicI64>) -> Clock {
        let now = Arc::clone(now);
        Clock::of(move || now.load(Ordering::Relaxed))
    }

    fn keep(&self, id: &str, now: i64) {
        self.now.store(now, Ordering::Relaxed);
        let response = Response { created: now, ..response(id, None) };
        self.state.keep_response(&response, Limits::default()).unwrap();
    }

    /// Which of these are there at a time.
    fn there<'a>(&self, now: i64, ids: &[&'a str]) -> Vec<&'a str> {
        self.now.store(now, Ordering::Relaxed);
        ids.iter().copied().filter(|id| self.state.response(ME, id).unwrap().is_some()).collect()
    }

    /// Whether anything of the text is on the disk.
    fn holds(&self, text: &str) -> bool {
        let files = ["state.db", "state.db-wal"].map(|name| self.folder.path().join(name));
        let bytes = files.map(|file| fs::read(file).unwrap_or_default());
        bytes.iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    }
}

#[test]
fn what_is_thirty_days_old_is_gone_though_nothing_else_is_kept() {
    let kept = OfABox::new();
    kept.keep("alpha", NOW);
    kept.keep("beta", NOW + DAY);

    assert_eq!(kept.there(NOW + 30 * DAY, &["alpha", "beta"]), ["alpha", "beta"]);
    assert_eq!(kept.there(NOW + 30 * DAY + 1, &["alpha", "beta"]), ["beta"]);
    assert_eq!(kept.state.conversation(ME, "alpha").unwrap(), None);
    assert_eq!(kept.state.item(ME, "msg_alpha").unwrap(), None);
    assert!(!kept.holds("alpha") && kept.holds("beta"));

    // Also if nobody asks.
    kept.now.store(NOW + 32 * DAY, Ordering::Relaxed);
    drop(State::open(kept.folder.path(), OfABox::clock(&kept.now)).unwrap());
    assert!(!kept.holds("beta"));
}

#[test]
fn what_was_deleted_is_nowhere_on_the_disk() {
    let kept = OfABox::new();
    kept.keep("alpha", NOW);
    kept.keep("beta", NOW);
    assert!(kept.holds("alpha"));

    kept.state.delete_response(ME, "alpha").unwrap();

    assert!(!kept.holds("alpha") && kept.holds("beta"));
}

#[test]
fn a_clock_that_was_not_set_or_was_set_back_forgets_nothing() {
    let kept = OfABox::new();
    let all = ["before", "a", "ahead", "b"];
    // Before a network has set it, and once it was ahead.
    kept.keep("before", 0);
    kept.keep("a", NOW);
    kept.keep("ahead", NOW + 20 * DAY);
    kept.keep("b", NOW + DAY);

    assert_eq!(kept.there(NOW + 2 * DAY, &all), all);
    assert_eq!(kept.there(100, &all), all, "it was not set");
    // They are as old as those around them.
    assert_eq!(kept.there(NOW + 30 * DAY + 1, &all), ["ahead", "b"]);
    assert_eq!(kept.there(NOW + 60 * DAY, &all), Vec::<&str>::new());
    kept.keep("c", NOW + 90 * DAY);
    assert_eq!(kept.there(NOW, &["c"]), ["c"], "it was set back");
}

#[test]
fn many_read_and_write_at_once_and_also_from_elsewhere() {
    let folder = TempDir::new().unwrap();
    let (state, elsewhere) = (open(folder.path()).unwrap(), open(folder.path()).unwrap());
    keep(&state, "root", None);

    std::thread::scope(|scope| {
        for (name, state) in [("a", &state), ("b", &state), ("c", &elsewhere)] {
            scope.spawn(move || {
                for turn in 0..20 {
                    keep(state, &format!("{name}{turn}"), Some("root"));
                }
            });
            scope.spawn(move || {
                for _ in 0..20 {
                    assert_eq!(texts(state.conversation(ME, "root").unwrap()), ["root?", "root"]);
                }
            });
        }
    });

    for name in ["a", "b", "c"] {
        for turn in 0..20 {
            let id = format!("{name}{turn}");
            assert_eq!(texts(state.conversation(ME, &id).unwrap()).len(), 4, "{id}");
        }
    }
}
