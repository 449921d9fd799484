//! Keys and what they use over the file: what is kept, what is added up, and whose number is whose.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::path::Path;

use protocol::Owner;
use state::{Clock, KeyRow, LastUse, NewKeyRow, State, StateError, UsageRow};
use tempfile::TempDir;

const NOW: i64 = 1_790_000_000;

fn open(folder: &Path) -> State {
    State::open(folder, Clock::of(|| NOW)).unwrap()
}

fn key(id: &str) -> NewKeyRow {
    let mut hash = [0; 32];
    hash[..id.len()].copy_from_slice(id.as_bytes());
    NewKeyRow {
        id: id.into(),
        hash,
        shown: format!("{id}…"),
        name: format!("name of {id}"),
        policy: "{}".into(),
        created: NOW,
        expires: Some(NOW + 1),
    }
}

fn used(owner: Owner, day: i64, count: u64) -> UsageRow {
    UsageRow { owner, day, requests: count, prompt_tokens: 2 * count, completion_tokens: 3 * count }
}

#[test]
fn a_key_is_found_as_it_was_kept_and_as_it_was_changed() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path());
    let [first, second] = ["first", "second"].map(|id| state.add_key(&key(id)).unwrap());

    assert!(state.rotate_key(first, &[9; 32], "new").unwrap());
    assert!(state.revoke_key(second, NOW + 5).unwrap());
    // Once is enough, and it stays as it was.
    assert!(!state.revoke_key(second, NOW + 6).unwrap() && !state.rotate_key(second, &[8; 32], "x").unwrap());
    assert!(!state.revoke_key(Owner(4711), NOW).unwrap());
    state.add_usage(&[], &[LastUse { owner: first, when: NOW + 3 }]).unwrap();
    drop(state);

    let rotated = NewKeyRow { hash: [9; 32], shown: "new".into(), ..key("first") };
    let expected = [
        KeyRow { owner: first, key: rotated, last_used: Some(NOW + 3), revoked: None },
        KeyRow { owner: second, key: key("second"), last_used: None, revoked: Some(NOW + 5) },
    ];
    assert_eq!(open(folder.path()).keys().unwrap(), expected);
}

#[test]
fn a_key_that_there_is_already_is_not_kept_and_takes_no_number() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path());
    let first = state.add_key(&key("first")).unwrap();

    assert!(matches!(state.add_key(&key("first")), Err(StateError::Database(_))));
    let same_text = NewKeyRow { id: "other".into(), ..key("first") };
    assert!(matches!(state.add_key(&same_text), Err(StateError::Database(_))));

    assert_eq!(state.keys().unwrap().len(), 1);
    assert_eq!(state.labels().unwrap(), [(Owner(0), "local".into()), (first, "first".into())]);
}

#[test]
fn what_is_used_is_added_up_by_day_all_or_nothing() {
    let folder = TempDir::new().unwrap();
    let state = open(folder.path());
    let owner = state.add_key(&key("first")).unwrap();

    state.add_usage(&[used(owner, 10, 1), used(Owner(0), 10, 5), used(owner, 11, 2)], &[]).unwrap();
    assert!(state.add_usage(&[used(owner, 10, 100), used(Owner(4711), 10, 1)], &[]).is_err());
    drop(state);
    let state = open(folder.path());
    state.add_usage(&[used(owner, 10, 3)], &[]).unwrap();

    assert_eq!(state.usage(10, 10).unwrap(), [used(Owner(0), 10, 5), used(owner, 10, 4)]);
    assert_eq!(state.usage(11, 12).unwrap(), [used(owner, 11, 2)]);
    // The last day of each.
    assert_eq!(state.recent_usage(1).unwrap(), [used(Owner(0), 10, 5), used(owner, 11, 2)]);
}
