//! People and sessions over the state's file: who is made, and what is left of what is no more.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::fs;
use std::path::Path;

use protocol::Owner;
use state::conversations::NewConversation;
use state::{
    AuditEnds, AuditHash, AuditPosition, Clock, Limits, NewPerson, PersonRow, Response, SessionRow, State,
};
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

fn owner<'a>(name: &'a str, password_hash: &'a str) -> NewPerson<'a> {
    NewPerson { name, password_hash, role: "owner" }
}

fn ids(state: &State) -> Vec<String> {
    state.sessions().unwrap().into_iter().map(|session| session.id).collect()
}

#[test]
fn the_first_person_has_an_owner_of_their_own_and_there_is_no_second() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path());

    let anna = state.claim(&owner("Anna", "hash"), |owner| Some(session("ses_1", owner))).unwrap().unwrap();
    let bert = state.claim(&owner("Bert", "hash"), |owner| Some(session("ses_2", owner))).unwrap();

    assert!(bert.is_none() && anna.owner != Owner::default());
    let state = open(folder.path());
    assert_eq!(state.sessions().unwrap(), [session("ses_1", anna.owner)]);
    assert_eq!(state.people().unwrap(), [PersonRow { seen: Some(NOW), ..anna }]);
}

#[test]
fn a_password_that_was_changed_is_nowhere_on_the_disk() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path());
    let owner = state.claim(&owner("Anna", "the-old-hash-of-a-password"), |_| None).unwrap().unwrap().owner;
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
    let owner = state.claim(&owner("Anna", "hash"), |_| None).unwrap().unwrap().owner;
    for id in ["ses_1", "ses_2", "ses_3"] {
        state.keep_session(&session(id, owner)).unwrap();
    }

    state.sessions_seen([("ses_2", NOW + 60), ("ses_gone", NOW)]).unwrap();
    state.end_sessions(["ses_1", "ses_gone"]).unwrap();

    let left: Vec<_> =
        open(folder.path()).sessions().unwrap().into_iter().map(|left| (left.id, left.seen)).collect();
    assert_eq!(state.people().unwrap()[0].seen, Some(NOW + 60));
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

#[test]
fn who_is_removed_takes_along_what_was_kept_for_them_and_their_number_and_name_is_nobodys() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path());
    let anna = state.claim(&owner("Anna", "hash"), |_| None).unwrap().unwrap().owner;
    let member = NewPerson { name: "Bert", password_hash: "the-hash-of-bert", role: "member" };
    let bert = state.add_person(&member).unwrap().unwrap().owner;
    assert_eq!(state.add_person(&NewPerson { name: "bERT", ..member }).unwrap(), None);
    state.keep_session(&session("ses_bert", bert)).unwrap();
    for owner in [anna, bert] {
        let own = state.conversations_of(owner);
        let (id, settings) = ("c".to_owned(), "{}".to_owned());
        own.add(&NewConversation { id, title: format!("of {}", owner.0), model: "m".into(), settings })
            .unwrap();
        let response = Response {
            id: format!("resp_{}", owner.0),
            owner,
            previous: None,
            created: NOW,
            pending: false,
            body: "answered".into(),
            items: Vec::new(),
        };
        state.keep_response(&response, Limits::default()).unwrap();
    }

    assert!(state.remove_person(bert).unwrap() && !state.remove_person(bert).unwrap());
    state.forget_gone().unwrap();

    let state = open(folder.path());
    assert_eq!(state.people().unwrap().len(), 1);
    assert!(ids(&state).is_empty() && state.conversations_of(bert).ids().unwrap().is_empty());
    assert_eq!(state.response(bert, &format!("resp_{}", bert.0)).unwrap(), None);
    assert!(state.response(anna, &format!("resp_{}", anna.0)).unwrap().is_some());
    assert_eq!(state.conversations_of(anna).ids().unwrap(), ["c"]);
    let bytes = fs::read(folder.path().join("state.db")).unwrap();
    assert!(!bytes.windows(16).any(|window| window == b"the-hash-of-bert"));
    let again = state.add_person(&member).unwrap().unwrap();
    assert!(again.owner > bert && state.conversations_of(again.owner).ids().unwrap().is_empty());
}

#[test]
fn who_was_there_before_there_were_roles_owns_the_box() {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()));
    let file = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
    let before = "DROP TABLE images; DROP TABLE messages; DROP TABLE conversations;
         ALTER TABLE people DROP COLUMN role; ALTER TABLE people DROP COLUMN seen; PRAGMA user_version = 4;
         INSERT INTO principals (number, kind, label, created) VALUES (1, 'person', 'Anna', 1);
         INSERT INTO people (owner, name, password_hash, created, password_changed) VALUES (1, 'Anna', 'hash', 1, 1);";
    file.execute_batch(before).unwrap();
    drop(file);

    let people = open(folder.path()).people().unwrap();

    assert_eq!((people[0].role.as_str(), people[0].seen), ("owner", None));
}
