//! Who somebody is, by each door.

use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use protocol::Priority;
use state::CLOCK_SET;
use tempfile::TempDir;

use super::*;
use crate::{Exceeded, Limit, Policy, Scopes, Who};

/// Noon of 2026-11-26.
const NOW: i64 = 1_795_694_400;
const DAY: i64 = 24 * 3600;
const SMALL: &str = "registry.ollama.ai/library/smollm2:135m";

/// A box with a clock that can be set.
struct Hob {
    folder: TempDir,
    clock: Arc<AtomicI64>,
    access: Access,
}

impl Hob {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Arc::new(AtomicI64::new(NOW));
        let access = open(folder.path(), &clock);
        Self { folder, clock, access }
    }

    fn restarted(self) -> Self {
        let Self { folder, clock, access } = self;
        drop(access);
        let access = open(folder.path(), &clock);
        Self { folder, clock, access }
    }

    fn set_clock(&self, now: i64) {
        self.clock.store(now, Ordering::Relaxed);
    }

    fn key(&self, policy: Policy) -> (Key, Secret) {
        let new = NewKey { name: "laptop".into(), policy, expires: None };
        self.access.create_key(&Caller::operator(), new).unwrap()
    }

    fn by(&self, secret: &Secret) -> Result<Caller, Denied> {
        self.ask(Way::Lan, Credential::Key(secret.reveal()))
    }

    fn ask(&self, way: Way, credential: Credential<'_>) -> Result<Caller, Denied> {
        let address = Some(IpAddr::from([192, 168, 1, 9]));
        self.access.identify(&Presented { origin: Origin { way, address }, credential })
    }
}

fn open(folder: &Path, clock: &Arc<AtomicI64>) -> Access {
    open_with(folder, clock, Some(owner()))
}

fn open_unclaimed(folder: &Path, clock: &Arc<AtomicI64>) -> Access {
    open_with(folder, clock, None)
}

/// Somebody whose password nobody knows.
fn owner() -> Provision {
    let hash = format!("$argon2id$v=19$m=19456,t=2,p=1${}${}", "A".repeat(22), "A".repeat(43));
    Provision { name: "owner".into(), password_hash: hash }
}

fn open_with(folder: &Path, clock: &Arc<AtomicI64>, provision: Option<Provision>) -> Access {
    let clock = Arc::clone(clock);
    let clock = Clock::of(move || clock.load(Ordering::Relaxed));
    let state = State::open(folder, clock.clone()).unwrap();
    let config = Config { clock, runtime_dir: folder.into(), audit_dir: folder.into(), provision };
    Access::open(state, config).unwrap()
}

fn infer() -> Policy {
    Policy::new([Scope::Infer].into_iter().collect())
}

fn limited(limits: Limits) -> Policy {
    Policy { limits, ..infer() }
}

fn tokens(prompt_tokens: u64, completion_tokens: u64) -> Usage {
    Usage { prompt_tokens, completion_tokens }
}

/// Whether it has ended, without waiting.
fn has_ended(caller: &Caller) -> bool {
    let ended = std::pin::pin!(caller.ended());
    ended.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
}

#[test]
fn who_somebody_is_depends_on_the_door_and_on_what_is_presented() {
    let hob = Hob::new();
    let (key, secret) = hob.key(infer());
    let text = secret.reveal();
    let mistyped = format!("{}x", &text[..text.len() - 1]);
    let stranger = Secret::generate();
    let who = |way, credential| hob.ask(way, credential).map(|caller| caller.who().clone());

    for way in [Way::Loopback, Way::Forwarded, Way::Lan, Way::Plaintext] {
        let unknown = if way == Way::Loopback { Who::Local } else { Who::Nobody };
        assert_eq!(who(way, Credential::None), Ok(unknown.clone()), "{way:?}");
        assert_eq!(who(way, Credential::Session("over")), Ok(unknown), "{way:?}");
        assert_eq!(who(way, Credential::Key(text)), Ok(Who::Key(key.id)), "{way:?}");
        // Wrong is not nothing: not even where nothing is enough.
        assert_eq!(who(way, Credential::Key(stranger.reveal())), Err(Denied::UnknownKey), "{way:?}");
        let foreign = if way == Way::Loopback { Ok(Who::Local) } else { Err(Denied::NotAKey) };
        assert_eq!(who(way, Credential::Key("ollama")), foreign, "{way:?}");
        let broken = if mistyped == text { Ok(Who::Key(key.id)) } else { Err(Denied::MistypedKey) };
        assert_eq!(who(way, Credential::Key(&mistyped)), broken, "{way:?}");
    }
    assert_eq!(who(Way::AdminSocket, Credential::Key("ollama")), Ok(Who::Operator));
}

#[test]
fn a_box_that_nobody_owns_knows_nobody_from_the_network() {
    let folder = TempDir::new().unwrap();
    let access = open_unclaimed(folder.path(), &Arc::new(AtomicI64::new(NOW)));
    let new = NewKey { name: "early".into(), policy: infer(), expires: None };
    let (_, secret) = access.create_key(&Caller::operator(), new).unwrap();
    let who = |way| {
        let credential = Credential::Key(secret.reveal());
        let caller = access.identify(&Presented { origin: Origin { way, address: None }, credential });
        caller.unwrap().who().clone()
    };

    assert!(!access.is_claimed());
    assert_eq!([who(Way::Lan), who(Way::Plaintext)], [Who::Nobody, Who::Nobody]);
    assert!(matches!(who(Way::Loopback), Who::Key(_)));
}

#[test]
fn nothing_is_administered_in_plaintext_from_the_network() {
    let hob = Hob::new();
    let (_, secret) = hob.key(Policy::new(Scopes::all()));
    let key = Credential::Key(secret.reveal());

    for way in [Way::Loopback, Way::Forwarded, Way::Lan] {
        assert!(hob.ask(way, key).unwrap().may(Scope::Admin), "{way:?}");
    }
    let caller = hob.ask(Way::Plaintext, key).unwrap();
    assert!(caller.may(Scope::Infer) && !caller.may(Scope::Admin));
}

#[test]
fn a_key_may_what_it_was_made_for() {
    let hob = Hob::new();
    let policy = Policy {
        models: vec![SMALL.parse().unwrap()],
        most_context: NonZeroU32::new(2048),
        most_output: NonZeroU32::new(100),
        priority: Priority::Low,
        ..infer()
    };
    let (key, secret) = hob.key(policy);

    let hob = hob.restarted();
    let caller = hob.by(&secret).unwrap();

    assert!(caller.may(Scope::Infer) && !caller.may(Scope::Embed));
    assert!(caller.may_use(SMALL) && !caller.may_use("registry.ollama.ai/library/smollm2:360m"));
    assert_eq!((caller.most_context(), caller.most_output()), (Some(2048), Some(100)));
    assert_eq!((caller.priority(), caller.owner()), (Priority::Low, key.owner));
    assert_eq!(caller.name(), key.id.to_string());
    assert_ne!(caller.owner(), Owner::default());
    assert!(Caller::local().may_use("whatever"));
}

#[test]
fn a_key_is_taken_from_its_networks_only() {
    let hob = Hob::new();
    let here = Policy { networks: vec!["192.168.1.0/24".parse().unwrap()], ..infer() };
    let there = Policy { networks: vec!["10.0.0.0/8".parse().unwrap()], ..infer() };

    assert!(hob.by(&hob.key(here).1).is_ok());
    assert_eq!(hob.by(&hob.key(there).1).unwrap_err(), Denied::WrongNetwork);
}

#[test]
fn a_revoked_key_ends_what_is_being_answered_to_it_and_no_other() {
    let hob = Hob::new();
    let ((key, secret), (_, other)) = (hob.key(infer()), hob.key(infer()));
    let (caller, bystander) = (hob.by(&secret).unwrap(), hob.by(&other).unwrap());
    assert!(!has_ended(&caller));

    hob.access.revoke_key(&Caller::operator(), key.id).unwrap();

    assert!(has_ended(&caller) && has_ended(&caller.clone()) && !has_ended(&bystander));
    assert_eq!(hob.by(&secret).unwrap_err(), Denied::RevokedKey);
    assert_eq!(hob.access.keys().len(), 1);
    assert!(matches!(hob.access.revoke_key(&Caller::operator(), key.id), Err(KeyError::Unknown(_))));
    assert!(matches!(hob.access.rotate_key(&Caller::operator(), key.id), Err(KeyError::Unknown(_))));
    let hob = hob.restarted();
    assert_eq!(hob.by(&secret).unwrap_err(), Denied::RevokedKey);
}

#[tokio::test]
async fn whoever_waits_for_a_key_s_end_is_told() {
    let hob = Hob::new();
    let (key, secret) = hob.key(infer());
    let caller = hob.by(&secret).unwrap();
    let waiting = tokio::spawn(async move { caller.ended().await });

    hob.access.revoke_key(&Caller::operator(), key.id).unwrap();

    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
}

#[test]
fn a_rotated_key_is_the_same_to_all_but_its_text() {
    let hob = Hob::new();
    let limits = Limits { tokens_per_day: NonZeroU64::new(10), ..Limits::default() };
    let (key, old) = hob.key(limited(limits));
    let caller = hob.by(&old).unwrap();
    caller.count(tokens(4, 6));

    let (rotated, new) = hob.access.rotate_key(&Caller::operator(), key.id).unwrap();

    assert_eq!((rotated.id, rotated.owner, &rotated.policy), (key.id, key.owner, &key.policy));
    assert_ne!(rotated.shown, key.shown);
    assert!(has_ended(&caller));
    // What was used is used.
    assert!(hob.by(&new).unwrap().admit().is_err());
    for hob in [hob.by(&old), hob.restarted().by(&old)] {
        assert_eq!(hob.unwrap_err(), Denied::UnknownKey);
    }
}

#[test]
fn a_key_that_expires_in_mid_stream_ends_it() {
    let hob = Hob::new();
    let new = NewKey { name: "guest".into(), policy: infer(), expires: Some(NOW + 100) };
    let (_, secret) = hob.access.create_key(&Caller::operator(), new).unwrap();
    let caller = hob.by(&secret).unwrap();

    hob.set_clock(NOW + 99);
    hob.access.flush().unwrap();
    assert!(!has_ended(&caller) && hob.by(&secret).is_ok());
    hob.set_clock(NOW + 100);
    hob.access.flush().unwrap();

    assert!(has_ended(&caller));
    assert_eq!(hob.by(&secret).unwrap_err(), Denied::ExpiredKey);
    // The clock was wrong: the key is one again, and whoever comes by it now is not ended.
    hob.set_clock(NOW + 50);
    assert!(!has_ended(&hob.by(&secret).unwrap()));
}

#[test]
fn an_expired_key_does_not_come_back_when_a_box_wakes_up_in_1970() {
    let hob = Hob::new();
    let new = NewKey { name: "guest".into(), policy: infer(), expires: Some(NOW + 100) };
    let (_, secret) = hob.access.create_key(&Caller::operator(), new).unwrap();
    let (_, other) = hob.key(infer());
    hob.set_clock(NOW + 200);
    hob.by(&other).unwrap();
    hob.access.flush().unwrap();

    hob.set_clock(0);
    assert_eq!(hob.by(&secret).unwrap_err(), Denied::ExpiredKey);
    let hob = hob.restarted();
    assert_eq!(hob.by(&secret).unwrap_err(), Denied::ExpiredKey);
    assert!(hob.by(&other).is_ok());
    const { assert!(CLOCK_SET < NOW) };
}

#[test]
fn what_was_used_is_held_against_the_limit_after_a_restart() {
    let hob = Hob::new();
    let limits = Limits {
        tokens_per_day: NonZeroU64::new(100),
        tokens_per_month: NonZeroU64::new(150),
        ..Limits::default()
    };
    let (_, secret) = hob.key(limited(limits));
    let caller = hob.by(&secret).unwrap();
    drop(caller.admit().unwrap());
    caller.count(tokens(60, 40));
    hob.access.flush().unwrap();

    let hob = hob.restarted();
    let refused = hob.by(&secret).unwrap().admit().unwrap_err();
    assert_eq!(refused.limit, Limit::TokensPerDay(100));
    assert_eq!(refused.retry_after, Duration::from_secs(12 * 3600));
    hob.set_clock(NOW + DAY);
    let caller = hob.by(&secret).unwrap();
    drop(caller.admit().unwrap());
    caller.count(tokens(50, 0));
    hob.access.flush().unwrap();

    let hob = hob.restarted();
    let refused = hob.by(&secret).unwrap().admit().unwrap_err();
    assert_eq!(refused.limit, Limit::TokensPerMonth(150));
    assert_eq!(refused.to_string(), "this key is limited to 150 tokens a month; try again in 302400 s");
}

#[test]
fn usage_is_told_by_owner_and_day_also_of_keys_that_are_gone() {
    let hob = Hob::new();
    let (key, secret) = hob.key(infer());
    let caller = hob.by(&secret).unwrap();
    for _ in 0..2 {
        drop(caller.admit().unwrap());
        caller.count(tokens(10, 5));
    }
    let local = hob.ask(Way::Loopback, Credential::None).unwrap();
    drop(local.admit().unwrap());
    hob.set_clock(NOW + DAY);
    caller.count(tokens(1, 0));
    hob.access.revoke_key(&Caller::operator(), key.id).unwrap();
    hob.access.flush().unwrap();

    let hob = hob.restarted();
    let (first, second) = (Date::constant(2026, 11, 26), Date::constant(2026, 11, 27));
    let used = |owner, label: &str, day, requests, tokens| DayUsage {
        owner,
        label: label.into(),
        day,
        requests,
        tokens,
    };
    let id = key.id.to_string();
    let local = used(Owner::default(), "local", first, 1, tokens(0, 0));
    let expected = [
        local,
        used(key.owner, &id, first, 2, tokens(20, 10)),
        used(key.owner, &id, second, 0, tokens(1, 0)),
    ];
    assert_eq!(hob.access.usage(first, second).unwrap(), expected);
    assert_eq!(hob.access.usage(second, second).unwrap(), expected[2..]);
}

#[test]
fn when_a_key_was_last_used_is_noted_once_a_minute() {
    let hob = Hob::new();
    let (_, secret) = hob.key(infer());
    let noted = || hob.access.parts.state.keys().unwrap()[0].last_used;
    let use_at = |now| {
        hob.set_clock(now);
        hob.by(&secret).unwrap();
        hob.access.flush().unwrap();
        noted()
    };

    hob.access.flush().unwrap();
    assert_eq!((noted(), hob.access.keys()[0].last_used), (None, None));
    assert_eq!([use_at(NOW), use_at(NOW + 59), use_at(NOW + 60)], [Some(NOW), Some(NOW), Some(NOW + 60)]);
    // Set back.
    assert_eq!(use_at(NOW - DAY), Some(NOW - DAY));
    assert_eq!(hob.access.keys()[0].last_used, Some(NOW - DAY));
}

#[test]
fn an_owner_s_number_is_never_given_twice() {
    let mut hob = Hob::new();
    let mut owners = std::collections::HashSet::from([Owner::default()]);
    for _ in 0..3 {
        for _ in 0..3 {
            let (key, _) = hob.key(infer());
            assert!(owners.insert(key.owner));
            hob.access.revoke_key(&Caller::operator(), key.id).unwrap();
        }
        hob = hob.restarted();
    }
}

#[test]
fn a_key_s_text_is_kept_nowhere_so_there_is_nothing_but_its_hash_to_compare_with() {
    let hob = Hob::new();
    let (key, secret) = hob.key(infer());
    let caller = hob.by(&secret).unwrap();
    let hidden = &secret.reveal()["hob_".len() + 4..secret.reveal().len() - 4];

    let memory = format!("{:?} {key:?} {caller:?} {secret:?}", hob.access);
    assert!(!memory.contains(hidden));
    hob.access.flush().unwrap();
    for entry in std::fs::read_dir(hob.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes()));
    }
}

#[test]
fn only_those_who_administer_the_box_make_and_end_keys() {
    let hob = Hob::new();
    let (key, secret) = hob.key(infer());
    let (_, admin) = hob.key(Policy::new([Scope::Admin].into_iter().collect()));
    let new = || NewKey { name: "another".into(), policy: Policy::new(Scopes::all()), expires: None };

    for by in [Caller::nobody(), Caller::local(), hob.by(&secret).unwrap()] {
        assert!(matches!(hob.access.create_key(&by, new()), Err(KeyError::NotAllowed)));
        assert!(matches!(hob.access.revoke_key(&by, key.id), Err(KeyError::NotAllowed)));
        assert!(matches!(hob.access.rotate_key(&by, key.id), Err(KeyError::NotAllowed)));
    }
    assert!(hob.access.create_key(&hob.by(&admin).unwrap(), new()).is_ok());
}

#[test]
fn a_key_that_would_be_of_no_use_is_not_made() {
    let hob = Hob::new();
    let made = |name: &str, policy, expires| {
        hob.access.create_key(&Caller::operator(), NewKey { name: name.into(), policy, expires }).map(|_| ())
    };

    assert!(matches!(made("", infer(), None), Err(KeyError::Name)));
    assert!(matches!(made("two\nlines", infer(), None), Err(KeyError::Name)));
    assert!(matches!(made(&"ä".repeat(65), infer(), None), Err(KeyError::Name)));
    assert!(matches!(made("k", Policy::default(), None), Err(KeyError::NoScopes)));
    assert!(matches!(made("k", infer(), Some(NOW)), Err(KeyError::Past)));
    let many = Policy { models: vec!["*".parse().unwrap(); 65], ..infer() };
    assert!(matches!(made("k", many, None), Err(KeyError::TooMany { most: 64 })));
    assert!(hob.access.keys().is_empty());
    assert!(made(&"ä".repeat(64), infer(), Some(NOW + 1)).is_ok());
}

#[test]
fn limits_hold_among_many_threads() {
    let hob = Hob::new();
    let limits = Limits {
        requests_per_minute: NonZeroU32::new(500),
        concurrent: NonZeroU32::new(3),
        ..Limits::default()
    };
    let (_, secret) = hob.key(limited(limits));
    let (let_in, running, most) = (AtomicI64::new(0), AtomicI64::new(0), AtomicI64::new(0));

    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let Ok(permit) = hob.by(&secret).unwrap().admit() else { continue };
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let_in.fetch_add(1, Ordering::SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                }
            });
        }
    });

    assert_eq!(let_in.into_inner(), 500);
    assert!(most.into_inner() <= 3);
    let refused = hob.by(&secret).unwrap().admit().map(|_| ());
    let retry_after = Duration::from_secs(60);
    assert_eq!(refused, Err(Exceeded { limit: Limit::RequestsPerMinute(500), retry_after }));
}

#[test]
fn what_many_threads_use_is_all_written() {
    let hob = Hob::new();
    let (_, secret) = hob.key(infer());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for turn in 0..500 {
                    let caller = hob.by(&secret).unwrap();
                    drop(caller.admit().unwrap());
                    caller.count(tokens(2, 1));
                    if turn % 100 == 0 {
                        hob.access.flush().unwrap();
                    }
                }
            });
        }
    });

    let today = Date::constant(2026, 11, 26);
    let used = hob.access.usage(today, today).unwrap();

    assert_eq!((used[0].requests, used[0].tokens), (2000, tokens(4000, 2000)));
}

#[test]
fn what_cannot_be_written_is_written_the_next_time() {
    let hob = Hob::new();
    let (key, secret) = hob.key(infer());
    hob.by(&secret).unwrap().count(tokens(7, 0));
    // Of somebody whom the state does not know: it takes all or nothing.
    let nobody = hob.access.parts.accounts.of(Owner(4711), Limits::default());
    nobody.count(tokens(1, 1));

    assert!(hob.access.flush().is_err());
    hob.by(&secret).unwrap().count(tokens(0, 3));

    let unwritten = hob.access.parts.accounts.of(key.owner, Limits::default()).unwritten();
    assert_eq!(unwritten, tokens(7, 3));
    assert_eq!(hob.access.keys()[0].last_used, Some(NOW));
    assert_eq!(hob.access.parts.state.keys().unwrap()[0].last_used, None);
}

#[test]
fn a_key_that_cannot_be_understood_lets_nobody_in() {
    let hob = Hob::new();
    let key = state::NewKeyRow {
        id: "key_fromlate".into(),
        hash: [7; 32],
        shown: String::new(),
        name: "later".into(),
        policy: r#"{"scopes":["infer"],"only_on_sundays":true}"#.into(),
        created: NOW,
        expires: None,
    };
    hob.access.parts.state.add_key(&key).unwrap();
    let clock = Clock::of(|| NOW);
    let state = hob.access.parts.state.clone();
    let Hob { folder, access, .. } = hob;
    drop(access);

    let (runtime_dir, audit_dir) = (folder.path().into(), folder.path().into());
    let config = Config { clock, runtime_dir, audit_dir, provision: None };
    let error = Access::open(state, config).unwrap_err();

    assert!(
        error.to_string().contains("key_fromlate") && error.to_string().contains("update hob"),
        "{error}"
    );
}

#[test]
fn a_key_that_is_over_changes_nothing_more_by_a_request_that_was_open_before() {
    let hob = Hob::new();
    let admin = || Policy::new(Scopes::all());
    let (key, secret) = hob.key(admin());
    let (victim, _) = hob.key(infer());
    let new = |expires| NewKey { name: "another".into(), policy: admin(), expires };
    let refused = |by: &Caller| {
        assert!(by.is_over());
        assert!(matches!(hob.access.create_key(by, new(None)), Err(KeyError::Over(_))));
        assert!(matches!(hob.access.revoke_key(by, victim.id), Err(KeyError::Over(_))));
        assert!(matches!(hob.access.rotate_key(by, victim.id), Err(KeyError::Over(_))));
        assert!(hob.access.end_session(by, "ses_x").unwrap_err().to_string().contains("ended"));
    };

    let by = hob.by(&secret).unwrap();
    assert!(!by.is_over());
    let (_, secret) = hob.access.rotate_key(&Caller::operator(), key.id).unwrap();
    refused(&by);
    let by = hob.by(&secret).unwrap();
    hob.access.revoke_key(&Caller::operator(), key.id).unwrap();
    refused(&by);
    let (_, secret) = hob.access.create_key(&Caller::operator(), new(Some(NOW + 100))).unwrap();
    let by = hob.by(&secret).unwrap();
    hob.set_clock(NOW + 100);
    refused(&by);
}

#[test]
fn a_key_that_is_revoked_while_it_makes_another_has_made_it_before_or_not_at_all() {
    let hob = Hob::new();
    for _ in 0..20 {
        let (key, secret) = hob.key(Policy::new(Scopes::all()));
        let by = hob.by(&secret).unwrap();
        std::thread::scope(|scope| {
            let revoked = scope.spawn(|| {
                hob.access.revoke_key(&Caller::operator(), key.id).unwrap();
                hob.access.keys().len()
            });
            let _either =
                hob.access.create_key(&by, NewKey { name: "late".into(), policy: infer(), expires: None });
            let known = revoked.join().unwrap();
            assert_eq!(hob.access.keys().len(), known, "one was made after the end");
        });
    }
}
