//! People and sessions over the state's file: who is made, and what is left of what is no more.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::fs;
use std::path::Path;

use protocol::Owner;
use state::{AuditEnds, AuditHash, AuditPosition, Clock, SessionRow, State};
use tempfile::TempDir;

const NOW: i64 = 1_790_000_000;

fn open(folder: &Path) -> State {
    State::open(folder, Clock::of(|| NOW)).unwrap()
}

fn session(id: &str, owner: Owner) -> SessionRow {
    let hash = std::array::from_fn(|place| id.as_bytes()[place % id.len()]);
    let (created, seen) = (NOW, NOW);
    SessionRow {
        id: id.into(),
        hash,
        owner,
        created,
        seen,
        address: Some("192.168.1.7".into()),
        agent: "Firefox".into(),
    }
}

fn ids(state: &State) -> Vec<String> {
    state.sessions().unwrap().into_iter().map(|session| session.id).collect()
}

#[test]
fn the_first_person_has_an_owner_of_their_own_and_there_is_no_second() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path());

    let anna = state.claim("Anna", "hash", |owner| Some(session("ses_1", owner))).unwrap().unwrap();
    let bert = state.claim("Bert", "hash", |owner| Some(session("ses_2", owner))).unwrap();

    assert!(bert.is_none() && anna.owner != Owner::default());
    let state = open(folder.path());
    assert_eq!(state.sessions().unwrap(), [session("ses_1", anna.owner)]);
    assert_eq!(state.people().unwrap(), [anna]);
}

#[test]
fn a_password_that_was_changed_is_nowhere_on_the_disk() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path());
    let owner = state.claim("Anna", "the-old-hash-of-a-password", |_| None).unwrap().unwrap().owner;
    for id in ["ses_this", "ses_stolen"] {
        state.keep_session(&session(id, owner)).unwrap();
    }

    assert!(state.set_password(owner, "the-new-hash-of-a-password", Some("ses_this")).unwrap());

    assert_eq!(ids(&state), ["ses_this"]);
    assert!(!state.set_password(Owner(999), "hash", None).unwrap());
    for entry in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        for old in [&b"the-old-hash"[..], b"ses_stolen"] {
            assert!(!bytes.windows(old.len()).any(|window| window == old));
        }
    }
    assert!(state.set_password(owner, "hash", None).unwrap());
    assert!(ids(&state).is_empty());
}

#[test]
fn sessions_are_seen_and_ended() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path());
    let owner = state.claim("Anna", "hash", |_| None).unwrap().unwrap().owner;
    for id in ["ses_1", "ses_2", "ses_3"] {
        state.keep_session(&session(id, owner)).unwrap();
    }

    state.sessions_seen([("ses_2", NOW + 60), ("ses_gone", NOW)]).unwrap();
    state.end_sessions(["ses_1", "ses_gone"]).unwrap();

    let left: Vec<_> =
        open(folder.path()).sessions().unwrap().into_iter().map(|left| (left.id, left.seen)).collect();
    assert_eq!(left, [("ses_2".into(), NOW + 60), ("ses_3".into(), NOW)]);
    assert!(state.keep_session(&session("ses_4", Owner(999))).is_err(), "whose would it be");
}

#[test]
fn the_ends_of_the_audit_log_are_kept() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path());
    assert_eq!(state.audit_ends().unwrap(), None);
    let ends = AuditEnds {
        removed: AuditPosition { seq: 3, hash: AuditHash([3; 32]) },
        last: AuditPosition { seq: 9, hash: AuditHash([9; 32]) },
    };

    state.keep_audit_ends(&AuditEnds::default()).unwrap();
    state.keep_audit_ends(&ends).unwrap();

    assert_eq!(open(folder.path()).audit_ends().unwrap(), Some(ends));
    assert_eq!(ends.last.to_string().parse(), Ok(ends.last));
    for wrong in [
        "",
        "9",
        "9:",
        "9:09",
        &format!("9:{}", "é".repeat(32)),
        &format!("x:{}", "0".repeat(64)),
        &format!("9:{}", "A".repeat(64)),
    ] {
        assert!(wrong.parse::<AuditPosition>().is_err(), "{wrong}");
    }
}
