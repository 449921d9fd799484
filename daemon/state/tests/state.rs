//! The state over its file: what is kept, for whom, for how long, and what a power cut or another process leaves of it.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::fs;
use std::path::Path;

use protocol::Owner;
use state::{Conversation, Item, ItemKind, Limits, Response, State, StateError};
use tempfile::TempDir;

const ME: Owner = Owner(7);
const ANYBODY: Owner = Owner(u64::MAX);

fn said(kind: ItemKind, text: &str) -> Item {
    Item { kind, id: format!("msg_{text}"), body: text.into() }
}

/// An answer that says its own name to one that asks for it.
fn response(id: &str, previous: Option<&str>) -> Response {
    Response {
        id: id.into(),
        owner: ME,
        previous: previous.map(Into::into),
        created: 1000,
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

fn item(state: &State, owner: Owner, id: &str) -> Option<String> {
    state.items(owner, &[id.into()], usize::MAX).unwrap().pop().unwrap()
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
    let state = State::open(folder.path()).unwrap();
    keep(&state, "a", None);
    keep(&state, "b", Some("a"));

    let left = cut(folder.path());
    let reopened = State::open(left.path()).unwrap();

    assert_eq!(reopened.response(ME, "a").unwrap(), state.response(ME, "a").unwrap());
    assert_eq!(texts(reopened.conversation(ME, "b", usize::MAX).unwrap()), ["a?", "a", "b?", "b"]);
}

#[test]
fn a_log_that_was_cut_short_loses_the_last_answer_as_a_whole() {
    let folder = TempDir::new().unwrap();
    let state = State::open(folder.path()).unwrap();
    keep(&state, "a", None);
    let log = folder.path().join("state.db-wal");
    let before = fs::metadata(&log).unwrap().len();
    keep(&state, "b", Some("a"));
    let after = fs::metadata(&log).unwrap().len();

    let torn = cut(folder.path());
    let log = fs::OpenOptions::new().write(true).open(torn.path().join("state.db-wal")).unwrap();
    log.set_len(before + (after - before) / 2).unwrap();
    let reopened = State::open(torn.path()).unwrap();

    assert_eq!(texts(reopened.conversation(ME, "a", usize::MAX).unwrap()), ["a?", "a"]);
    assert_eq!(reopened.response(ME, "b").unwrap(), None);
    keep(&reopened, "b", Some("a"));
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let state = State::open(&folder.path().join("made/anew")).unwrap();
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
    drop(State::open(folder.path()).unwrap());
    let file = folder.path().join("state.db");
    let mut bytes = fs::read(&file).unwrap();
    // Where SQLite keeps the number of the format.
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&file, &bytes).unwrap();

    let refused = State::open(folder.path()).unwrap_err();

    assert!(matches!(refused, StateError::Newer { found: 99, .. }), "{refused}");
    assert_eq!(fs::read(&file).unwrap()[60..64], 99_u32.to_be_bytes());
}

#[test]
fn what_is_somebody_elses_is_not_there() {
    let folder = TempDir::new().unwrap();
    let state = State::open(folder.path()).unwrap();
    keep(&state, "a", None);

    assert_eq!(state.response(ANYBODY, "a").unwrap(), None);
    assert_eq!(state.conversation(ANYBODY, "a", usize::MAX).unwrap(), None);
    assert_eq!(item(&state, ANYBODY, "msg_a"), None);
    assert!(!state.delete_response(ANYBODY, "a").unwrap());
    assert!(!state.settle_response(ANYBODY, "a", "{}", &[]).unwrap());
    let going_on = Response { owner: ANYBODY, ..response("b", Some("a")) };
    let refused = state.keep_response(&going_on, Limits::default()).unwrap_err();
    assert!(matches!(refused, StateError::PreviousGone));
    assert_eq!(item(&state, ME, "msg_a").as_deref(), Some("a"));
}

#[test]
fn a_deleted_answer_stays_a_part_of_those_that_go_on_from_it_and_goes_with_the_last_of_them() {
    let folder = TempDir::new().unwrap();
    let state = State::open(folder.path()).unwrap();
    for (id, previous) in [("a", None), ("b", Some("a")), ("c", Some("a")), ("other", None)] {
        keep(&state, id, previous);
    }

    assert!(state.delete_response(ME, "a").unwrap());
    assert!(!state.delete_response(ME, "a").unwrap());
    assert_eq!(state.response(ME, "a").unwrap(), None);
    assert_eq!(texts(state.conversation(ME, "b", usize::MAX).unwrap()), ["a?", "a", "b?", "b"]);

    assert!(state.delete_response(ME, "b").unwrap());
    assert_eq!(texts(state.conversation(ME, "c", usize::MAX).unwrap()), ["a?", "a", "c?", "c"]);
    assert!(state.delete_response(ME, "c").unwrap());
    assert_eq!(item(&state, ME, "msg_a"), None);
    assert_eq!(texts(state.conversation(ME, "other", usize::MAX).unwrap()), ["other?", "other"]);
}

#[test]
fn no_more_is_read_than_there_is_room_for() {
    let folder = TempDir::new().unwrap();
    let state = State::open(folder.path()).unwrap();
    keep(&state, "a", None);
    keep(&state, "b", Some("a"));
    let names = ["msg_a", "msg_none", "msg_a"].map(String::from);

    let twice = state.items(ME, &names, 2).unwrap();
    assert_eq!(twice, [Some("a".into()), None, Some("a".into())]);
    assert!(matches!(state.items(ME, &names, 1).unwrap_err(), StateError::TooLong));

    assert_eq!(texts(state.conversation(ME, "b", 6).unwrap()), ["a?", "a", "b?", "b"]);
    assert!(matches!(state.conversation(ME, "b", 5).unwrap_err(), StateError::TooLong));
}

#[test]
fn a_pending_answer_is_settled_once() {
    let folder = TempDir::new().unwrap();
    let state = State::open(folder.path()).unwrap();
    let asked = vec![said(ItemKind::Input, "a?")];
    let begun = Response { pending: true, items: asked, ..response("a", None) };
    state.keep_response(&begun, Limits::default()).unwrap();
    assert!(state.conversation(ME, "a", usize::MAX).unwrap().unwrap().pending);

    assert!(state.settle_response(ME, "a", "{\"done\":true}", &[said(ItemKind::Output, "a")]).unwrap());
    assert!(!state.settle_response(ME, "a", "{}", &[]).unwrap());

    let stored = state.response(ME, "a").unwrap().unwrap();
    assert_eq!((stored.pending, &stored.body[..], stored.items.len()), (false, "{\"done\":true}", 2));
}

#[test]
fn the_oldest_go_first_and_none_is_kept_for_ever() {
    let folder = TempDir::new().unwrap();
    let state = State::open(folder.path()).unwrap();
    let limits = Limits { responses: 2, seconds: 100, ..Limits::default() };
    let keep = |id: &str, created: i64, limits: Limits| {
        state.keep_response(&Response { created, ..response(id, None) }, limits).unwrap();
    };
    let there = |id: &str| state.response(ME, id).unwrap().is_some();

    keep("a", 1000, limits);
    keep("b", 1001, limits);
    keep("c", 1002, limits);
    assert!(!there("a") && there("b") && there("c"));

    keep("d", 1102, limits);
    assert!(!there("b") && there("c") && there("d"));
    keep("e", 1103, Limits { responses: 9, ..limits });
    assert!(!there("c") && there("d") && there("e"), "c is older than that");

    keep("f", 1103, Limits { bytes: 1, ..limits });
    assert!(!there("d") && !there("e") && there("f"), "the newest stays, whatever it takes");
}

#[test]
fn many_read_and_write_at_once_and_also_from_elsewhere() {
    let folder = TempDir::new().unwrap();
    let (state, elsewhere) = (State::open(folder.path()).unwrap(), State::open(folder.path()).unwrap());
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
                    assert_eq!(texts(state.conversation(ME, "root", usize::MAX).unwrap()), ["root?", "root"]);
                }
            });
        }
    });

    for name in ["a", "b", "c"] {
        for turn in 0..20 {
            let id = format!("{name}{turn}");
            assert_eq!(texts(state.conversation(ME, &id, usize::MAX).unwrap()).len(), 4, "{id}");
        }
    }
}
