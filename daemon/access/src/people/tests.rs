//! People as `Access` has them: the claim, signing in, sessions and passwords, over a state in a file.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::audit::{self, Entry};
use crate::password::Rank;
use crate::person::Role;
use crate::{
    Access, ClaimError, Config, Credential, NewKey, Origin, Password, Policy, Presented, Provision, Scopes,
    SignInError, Visitor, Way,
};

/// In 2026.
const NOW: i64 = 1_790_000_000;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const PASSWORD: &str = "correct horse";

struct Hob {
    folder: TempDir,
    /// What the clock on the wall says, and how long it has been running.
    wall: Arc<AtomicI64>,
    running: Arc<AtomicU64>,
    access: Access,
}

impl Hob {
    fn new() -> Self {
        Self::with(None)
    }

    fn claimed() -> Self {
        let hob = Self::new();
        hob.claim().unwrap();
        hob
    }

    fn with(provision: Option<Provision>) -> Self {
        let folder = TempDir::new().unwrap();
        let (wall, running) = (Arc::new(AtomicI64::new(NOW)), Arc::new(AtomicU64::new(0)));
        let access = open(&folder, &wall, &running, provision).unwrap();
        Self { folder, wall, running, access }
    }

    fn restart(&mut self) {
        self.stop();
        self.running.store(0, Ordering::Relaxed);
        self.access = open(&self.folder, &self.wall, &self.running, None).unwrap();
    }

    /// Leaves another in its place, as two cannot be at work on the same files.
    fn stop(&mut self) {
        self.access = Self::new().access;
    }

    fn pass(&self, seconds: i64) {
        self.wall.fetch_add(seconds, Ordering::Relaxed);
        self.running.fetch_add(seconds.cast_unsigned(), Ordering::Relaxed);
    }

    fn claim(&self) -> Result<SignedIn, ClaimError> {
        let code = self.access.setup_code().map(|code| code.reveal());
        self.access.claim(code.as_deref(), &name("Anna"), &password(PASSWORD), &lan(7))
    }

    fn sign_in(&self, typed: &str, from: &Visitor<'_>) -> Result<SignedIn, SignInError> {
        self.access.sign_in(&name("anna"), &password(typed), from)
    }

    fn signed_in(&self) -> SignedIn {
        self.sign_in(PASSWORD, &lan(7)).unwrap()
    }

    fn caller(&self, signed_in: &SignedIn) -> Caller {
        let credential = Credential::Session(signed_in.session.as_ref().unwrap().reveal());
        self.access.identify(&Presented { origin: lan(7).origin, credential }).unwrap()
    }

    fn is_known(&self, signed_in: &SignedIn) -> bool {
        *self.caller(signed_in).who() != Who::Nobody
    }

    fn audited(&self) -> Vec<Entry> {
        let lines = self.access.audit_entries(0).unwrap();
        lines.map(|line| Entry::parse(&line.unwrap()).unwrap()).collect()
    }
}

fn open(
    folder: &TempDir,
    wall: &Arc<AtomicI64>,
    running: &Arc<AtomicU64>,
    provision: Option<Provision>,
) -> Result<Access, AccessError> {
    let (wall, running) = (Arc::clone(wall), Arc::clone(running));
    let clock = Clock::with_elapsed(
        move || wall.load(Ordering::Relaxed),
        move || Duration::from_secs(running.load(Ordering::Relaxed)),
    );
    let state = State::open(folder.path(), clock.clone()).unwrap();
    let [runtime_dir, audit_dir] = ["run", "audit"].map(|name| folder.path().join(name));
    Access::open(state, Config { clock, runtime_dir, audit_dir, provision })
}

fn name(text: &str) -> PersonName {
    text.parse().unwrap()
}

fn password(text: &str) -> Password {
    text.parse().unwrap()
}

fn address(last: u8) -> IpAddr {
    [192, 168, 1, last].into()
}

fn visitor(way: Way, address: Option<IpAddr>) -> Visitor<'static> {
    Visitor { origin: Origin { way, address }, agent: "Firefox" }
}

fn lan(last: u8) -> Visitor<'static> {
    visitor(Way::Lan, Some(address(last)))
}

fn operator() -> Visitor<'static> {
    visitor(Way::AdminSocket, None)
}

#[test]
fn a_claim_makes_an_owner_who_is_signed_in_and_the_code_is_gone() {
    let mut hob = Hob::new();
    assert!(!hob.access.is_claimed());

    let signed_in = hob.claim().unwrap();

    assert!(hob.access.is_claimed() && hob.access.setup_code().is_none());
    let caller = hob.caller(&signed_in);
    assert_eq!((caller.name(), caller.owner()), ("Anna", signed_in.person.owner));
    assert!(Scope::ALL.into_iter().all(|scope| caller.may(scope)) && caller.owner() != Owner::default());
    assert!(matches!(hob.claim(), Err(ClaimError::Claimed)));
    hob.restart();
    assert!(hob.access.is_claimed() && hob.access.setup_code().is_none());
    assert!(hob.is_known(&signed_in));
    assert!(matches!(hob.claim(), Err(ClaimError::Claimed)));
}

#[test]
fn of_many_who_claim_at_once_with_the_code_one_does() {
    let hob = Hob::new();
    let code = hob.access.setup_code().unwrap().reveal();

    let claimed: Vec<_> = thread::scope(|scope| {
        let claims: Vec<_> = (0..24)
            .map(|number| {
                let (access, code) = (&hob.access, &code);
                scope.spawn(move || {
                    let name = name(&format!("anna-{number}"));
                    access.claim(Some(code), &name, &password(PASSWORD), &lan(number)).map(|_| number)
                })
            })
            .collect();
        claims.into_iter().filter_map(|claim| claim.join().unwrap().ok()).collect()
    });

    let [winner] = claimed[..] else { panic!("{claimed:?}") };
    let people = hob.access.people();
    assert_eq!(
        people.iter().map(|person| person.name.to_string()).collect::<Vec<_>>(),
        [format!("anna-{winner}")]
    );
    assert_eq!(hob.access.sessions().len(), 1);
    let done = hob.audited().into_iter().filter(|entry| entry.outcome != Outcome::Refused).count();
    assert_eq!(done, 1, "the others are not said to have done it");
}

#[test]
fn a_code_cannot_be_guessed_by_many_at_once() {
    let hob = Hob::new();
    let code = hob.access.setup_code().unwrap().reveal();
    let wrong = AtomicU64::new(0);

    thread::scope(|scope| {
        for number in 0..16 {
            let (access, wrong) = (&hob.access, &wrong);
            scope.spawn(move || {
                for _ in 0..20 {
                    let claim =
                        access.claim(Some("AAAA-AAAA"), &name("eve"), &password(PASSWORD), &lan(number));
                    match claim.unwrap_err() {
                        ClaimError::WrongCode => _ = wrong.fetch_add(1, Ordering::Relaxed),
                        paused => {
                            assert!(paused.retry_after() <= Some(Duration::from_secs(60)), "{paused:?}")
                        }
                    }
                }
            });
        }
    });

    assert_eq!(wrong.into_inner(), 16 * 5);
    // The code from before is of no use, and the new one not yet, where wrong ones were typed.
    let claim = |code: &str| hob.access.claim(Some(code), &name("Anna"), &password(PASSWORD), &lan(7));
    assert!(matches!(hob.claim(), Err(ClaimError::Paused { .. })));
    hob.pass(60);
    assert!(matches!(claim(&code), Err(ClaimError::WrongCode)));
    assert!(hob.claim().is_ok());
}

#[test]
fn the_operator_claims_without_a_code_even_while_strangers_try() {
    let hob = Hob::new();
    for _ in 0..5 {
        assert!(hob.access.claim(None, &name("eve"), &password(PASSWORD), &lan(7)).is_err());
    }
    assert!(matches!(hob.claim(), Err(ClaimError::Paused { .. })));

    let claimed = hob.access.claim(None, &name("Anna"), &password(PASSWORD), &operator()).unwrap();

    assert!(claimed.session.is_none() && *claimed.caller.who() == Who::Operator);
    assert!(hob.sign_in(PASSWORD, &lan(7)).is_ok());
}

#[test]
fn nobody_claims_or_signs_in_where_others_may_listen() {
    let hob = Hob::new();
    let code = hob.access.setup_code().unwrap().reveal();
    for way in [Way::Plaintext, Way::Forwarded] {
        let from = visitor(way, Some(address(7)));
        let claim = hob.access.claim(Some(&code), &name("Anna"), &password(PASSWORD), &from);
        assert!(matches!(claim, Err(ClaimError::WrongNetwork)), "{claim:?}");
    }
    hob.claim().unwrap();

    for way in [Way::Plaintext, Way::Forwarded] {
        let from = visitor(way, Some(address(7)));
        assert!(matches!(hob.sign_in(PASSWORD, &from), Err(SignInError::WrongNetwork)));
    }
}

#[test]
fn a_box_is_claimed_before_it_is_switched_on() {
    let owner = |hash: &str| Provision { name: "Anna".into(), password_hash: hash.into() };
    let hash = Hashing::default().hash(&password(PASSWORD), Rank::Stranger).unwrap();
    let mut hob = Hob::with(Some(owner(hash.as_str())));

    assert!(hob.access.is_claimed() && hob.access.setup_code().is_none());
    assert!(hob.sign_in(PASSWORD, &lan(7)).is_ok());
    // What was changed since stands.
    let by = hob.caller(&hob.signed_in());
    hob.access.change_password(&by, &password(PASSWORD), &password("battery staple")).unwrap();
    hob.stop();
    hob.access = open(&hob.folder, &hob.wall, &hob.running, Some(owner(hash.as_str()))).unwrap();
    assert!(hob.sign_in("battery staple", &lan(7)).is_ok() && hob.sign_in(PASSWORD, &lan(7)).is_err());

    let weak = hash.as_str().replace("m=19456", "m=1024");
    for (hash, why) in [(weak.as_str(), "too weak"), ("hunter22", "no PHC string")] {
        let folder = TempDir::new().unwrap();
        let error = open(&folder, &hob.wall, &hob.running, Some(owner(hash))).unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains(hash), "{error}");
    }
}

#[test]
fn a_wrong_name_is_told_from_a_wrong_password_by_nothing() {
    let hob = Hob::claimed();

    let wrong = hob.sign_in("wrong horse", &lan(1)).unwrap_err();
    let unknown = hob.access.sign_in(&name("bert"), &password(PASSWORD), &lan(2)).unwrap_err();

    assert_eq!(wrong.to_string(), unknown.to_string());
    // As many hashes, as often, and then a pause for either.
    for from in 10..15 {
        let [one, other] = ["anna", "bert"]
            .map(|who| hob.access.sign_in(&name(who), &password("wrong horse"), &lan(from)).unwrap_err());
        assert_eq!(one.to_string(), other.to_string());
    }
    for who in ["Anna", "bert"] {
        let paused = hob.access.sign_in(&name(who), &password(PASSWORD), &lan(20)).unwrap_err();
        assert!(matches!(paused, SignInError::Paused { .. }), "{who}: {paused:?}");
    }
    // Who types a password where the name belongs does not find it in the log.
    hob.access.sign_in(&name("my secret word"), &password(PASSWORD), &lan(3)).unwrap_err();
    assert!(
        !hob.audited().iter().any(|entry| entry.target.contains("secret") || entry.target.contains("bert"))
    );
}

#[test]
fn a_password_cannot_be_guessed_by_many_at_once() {
    let hob = Hob::claimed();
    let tried = AtomicU64::new(0);

    thread::scope(|scope| {
        for number in 100..108 {
            let (hob, tried) = (&hob, &tried);
            scope.spawn(move || {
                for _ in 0..25 {
                    match hob.sign_in("wrong horse", &lan(number)).unwrap_err() {
                        SignInError::Wrong => _ = tried.fetch_add(1, Ordering::Relaxed),
                        other => assert!(other.retry_after().is_some(), "{other:?}"),
                    }
                }
            });
        }
    });

    assert!((1..=6).contains(&tried.load(Ordering::Relaxed)), "{tried:?}");
    // From another address it is as early, but not from where Anna is signed in.
    assert!(matches!(hob.sign_in(PASSWORD, &lan(200)), Err(SignInError::Paused { .. })));
    assert!(hob.sign_in(PASSWORD, &lan(7)).is_ok());
    hob.pass(15 * 60);
    assert!(hob.sign_in(PASSWORD, &lan(200)).is_ok());
}

#[test]
fn a_network_of_ipv6_is_one_who_tries() {
    let hob = Hob::claimed();
    let from = |last: u16| visitor(Way::Lan, Some(IpAddr::from([0xfd00, 0, 0, 1, 0, 0, 0, last])));

    for number in 0..6 {
        let who = name(&format!("somebody-{number}"));
        assert!(matches!(
            hob.access.sign_in(&who, &password(PASSWORD), &from(number)),
            Err(SignInError::Wrong)
        ));
    }

    let paused = hob.access.sign_in(&name("nobody-yet"), &password(PASSWORD), &from(99));
    assert!(matches!(paused, Err(SignInError::Paused { .. })), "{paused:?}");
}

#[tokio::test]
async fn a_session_that_is_ended_ends_what_runs_by_it() {
    let hob = Hob::claimed();
    let [one, other] = [hob.signed_in(), hob.signed_in()];
    let running = hob.caller(&one);

    hob.access.end_session(&hob.caller(&other), running.session().unwrap()).unwrap();

    tokio::time::timeout(Duration::from_secs(5), running.ended()).await.unwrap();
    assert!(!hob.is_known(&one) && hob.is_known(&other));
    let again = hob.access.end_session(&hob.caller(&other), running.session().unwrap());
    assert!(matches!(again, Err(PeopleError::UnknownSession)));
    let out = hob.caller(&other);
    hob.access.sign_out(&out).unwrap();
    tokio::time::timeout(Duration::from_secs(5), out.ended()).await.unwrap();
    assert!(!hob.is_known(&other));
}

#[test]
fn a_session_that_was_ended_stays_so_over_a_restart() {
    let mut hob = Hob::claimed();
    let [one, other] = [hob.signed_in(), hob.signed_in()];
    hob.access.sign_out(&hob.caller(&one)).unwrap();

    hob.restart();

    assert!(!hob.is_known(&one) && hob.is_known(&other));
}

#[tokio::test]
async fn a_session_is_over_after_twelve_idle_hours_and_after_seven_days() {
    let hob = Hob::claimed();
    let idle = hob.signed_in();
    hob.pass(12 * HOUR - 1);
    assert!(hob.is_known(&idle), "and is seen by that");
    hob.pass(12 * HOUR - 1);
    assert!(hob.is_known(&idle));
    let running = hob.caller(&idle);
    hob.pass(12 * HOUR);
    assert!(!hob.is_known(&idle));
    hob.access.flush().unwrap();
    tokio::time::timeout(Duration::from_secs(5), running.ended()).await.unwrap();

    let busy = hob.signed_in();
    for _ in 0..7 * 24 - 1 {
        hob.pass(HOUR);
        assert!(hob.is_known(&busy));
    }
    hob.pass(HOUR);
    assert!(!hob.is_known(&busy));
}

#[test]
fn a_session_goes_on_over_a_restart_and_is_as_old_as_it_was() {
    let mut hob = Hob::claimed();
    let signed_in = hob.signed_in();
    for _ in 0..13 {
        hob.pass(12 * HOUR - 60);
        assert!(hob.is_known(&signed_in));
        hob.access.flush().unwrap();
        hob.restart();
    }
    hob.pass(12 * HOUR);

    assert!(!hob.is_known(&signed_in));
    hob.restart();
    assert!(!hob.is_known(&signed_in) && hob.access.sessions().is_empty());
}

#[test]
fn a_clock_that_is_set_or_set_back_ends_no_session_and_keeps_none_alive() {
    let hob = Hob::new();
    hob.wall.store(5, Ordering::Relaxed);
    let early = hob.claim().unwrap();
    hob.wall.store(NOW, Ordering::Relaxed);
    assert!(hob.is_known(&early), "it was set");
    hob.wall.store(NOW - 30 * DAY, Ordering::Relaxed);
    assert!(hob.is_known(&early), "it was set back");
    hob.running.fetch_add(12 * 3600, Ordering::Relaxed);
    assert!(!hob.is_known(&early), "but time has passed");

    // Asleep, a box counts no running time.
    hob.wall.store(NOW, Ordering::Relaxed);
    let asleep = hob.signed_in();
    hob.wall.fetch_add(12 * HOUR, Ordering::Relaxed);
    assert!(!hob.is_known(&asleep));
}

#[test]
fn when_a_session_was_seen_is_written_once_a_minute_at_most() {
    let hob = Hob::claimed();
    let signed_in = hob.signed_in();
    let written = || hob.access.persons().state.sessions().unwrap().last().unwrap().seen;
    let before = written();

    hob.pass(59);
    assert!(hob.is_known(&signed_in));
    hob.access.flush().unwrap();
    assert_eq!(written(), before);
    hob.pass(1);
    assert!(hob.is_known(&signed_in));
    hob.access.flush().unwrap();
    assert_eq!(written(), before + 60);
}

#[test]
fn sessions_are_listed_without_what_opens_them_and_only_so_many_are_kept() {
    let hob = Hob::claimed();
    let secret = hob.signed_in().session.unwrap();
    let agent = "x\u{1b}[2J".repeat(500);
    let from = Visitor { agent: &agent, ..lan(9) };
    hob.access.sign_in(&name("anna"), &password(PASSWORD), &from).unwrap();

    let listed = hob.access.sessions();
    let last = listed.iter().find(|session| session.address == Some(address(9))).unwrap();
    assert!(last.agent.len() < 250 && !last.agent.contains('\u{1b}'), "{}", last.agent);
    assert!(!format!("{listed:?}").contains(secret.reveal()));
    let files = std::fs::read(hob.folder.path().join("state.db-wal")).unwrap();
    assert!(!files.windows(20).any(|bytes| bytes == &secret.reveal().as_bytes()[..20]));

    for _ in 0..40 {
        hob.pass(1);
        hob.signed_in();
    }
    assert_eq!(hob.access.sessions().len(), 32);
}

#[test]
fn a_changed_password_ends_all_other_sessions_and_the_old_one() {
    let mut hob = Hob::claimed();
    let [one, other] = [hob.signed_in(), hob.signed_in()];
    let by = hob.caller(&one);
    let change =
        |current: &str, new: &str| hob.access.change_password(&by, &password(current), &password(new));

    assert!(matches!(change("wrong horse", "battery staple"), Err(SignInError::Wrong)));
    change(PASSWORD, "battery staple").unwrap();

    assert!(hob.is_known(&one) && !hob.is_known(&other));
    hob.restart();
    assert!(hob.is_known(&one) && !hob.is_known(&other));
    assert!(hob.sign_in(PASSWORD, &lan(7)).is_err() && hob.sign_in("battery staple", &lan(7)).is_ok());
}

#[test]
fn by_a_password_that_is_changed_while_it_is_checked_nobody_comes_in() {
    let hob = Hob::claimed();
    let people = hob.access.persons();
    let new = people.hashing.hash(&password("battery staple"), Rank::Known).unwrap();
    let known = people.find(&name("anna")).unwrap();

    let signed_in = thread::scope(|scope| {
        let (turn, waiting) = people.hashing.hold_for_test();
        let signing_in = scope.spawn(|| hob.sign_in(PASSWORD, &lan(7)));
        while waiting() == 0 {
            thread::yield_now();
        }
        people.set_password(&known, new, None, (&Caller::operator(), Action::PasswordReset)).unwrap();
        drop(turn);
        signing_in.join().unwrap()
    });

    assert!(matches!(signed_in, Err(SignInError::Wrong)), "{signed_in:?}");
    assert!(hob.access.sessions().is_empty());
}

#[test]
fn a_password_is_typed_again_only_so_often() {
    let hob = Hob::claimed();
    let by = hob.caller(&hob.signed_in());
    let confirm = |typed: &str| hob.access.confirm_password(&by, &password(typed));

    assert!(confirm(PASSWORD).is_ok());
    for _ in 0..6 {
        assert!(matches!(confirm("wrong horse"), Err(SignInError::Wrong)));
    }
    assert!(matches!(confirm(PASSWORD), Err(SignInError::Paused { .. })));
    assert!(matches!(
        hob.access.confirm_password(&Caller::operator(), &password(PASSWORD)),
        Err(SignInError::NotSignedIn)
    ));
}

#[test]
fn who_administers_the_box_resets_a_password_and_all_sessions_of_it_end() {
    let hob = Hob::claimed();
    let signed_in = hob.signed_in();
    let reset =
        |by: &Caller, who: &str| hob.access.reset_password(by, &name(who), &password("battery staple"));

    assert!(matches!(reset(&Caller::local(), "anna"), Err(PeopleError::NotAllowed)));
    assert!(matches!(reset(&Caller::operator(), "bert"), Err(PeopleError::UnknownPerson(_))));
    assert!(hob.is_known(&signed_in));
    reset(&Caller::operator(), "ANNA").unwrap();

    assert!(!hob.is_known(&signed_in) && hob.access.sessions().is_empty());
    assert!(hob.sign_in(PASSWORD, &lan(7)).is_err());
    // Who resets their own stays where they are.
    let [here, there] = [7, 8].map(|place| hob.sign_in("battery staple", &lan(place)).unwrap());
    reset(&hob.caller(&here), "anna").unwrap();
    assert!(hob.is_known(&here) && !hob.is_known(&there));
}

#[test]
fn a_member_may_use_models_and_has_a_password_of_their_own_and_administers_nothing() {
    let mut hob = Hob::claimed();
    let owner = hob.caller(&hob.signed_in());
    hob.access.add_person(&owner, &name("Bert"), &password("first of bert"), Role::Member).unwrap();
    hob.restart();

    let sign_in =
        |hob: &Hob, typed: &str| hob.access.sign_in(&name("BERT"), &password(typed), &lan(9)).unwrap();
    let bert = hob.caller(&sign_in(&hob, "first of bert"));

    let may: Vec<_> = Scope::ALL.into_iter().filter(|scope| bert.may(*scope)).collect();
    assert_eq!(may, [Scope::Infer, Scope::Embed, Scope::ModelsRead]);
    assert_ne!(bert.owner(), hob.caller(&hob.signed_in()).owner());
    hob.access.change_password(&bert, &password("first of bert"), &password("other of bert")).unwrap();
    let bert = hob.caller(&sign_in(&hob, "other of bert"));
    let (anna, new) = (name("anna"), password("battery staple"));
    assert!(matches!(
        hob.access.add_person(&bert, &name("x"), &new, Role::Owner),
        Err(PeopleError::NotAllowed)
    ));
    assert!(matches!(hob.access.remove_person(&bert, &anna), Err(PeopleError::NotAllowed)));
    assert!(matches!(hob.access.reset_password(&bert, &anna, &new), Err(PeopleError::NotAllowed)));
    let id = hob.access.sessions()[0].id.clone();
    assert!(matches!(hob.access.end_session(&bert, &id), Err(PeopleError::NotAllowed)));
}

#[tokio::test]
async fn who_is_removed_is_signed_out_at_once_and_comes_in_no_more() {
    let mut hob = Hob::claimed();
    let (operator, bert) = (Caller::operator(), name("bert"));
    let add = |hob: &Hob, text: &str| hob.access.add_person(&operator, &bert, &password(text), Role::Member);
    let sign_in = |hob: &Hob, typed: &str| hob.access.sign_in(&bert, &password(typed), &lan(9));
    add(&hob, "first of bert").unwrap();
    assert!(matches!(add(&hob, "first of bert"), Err(PeopleError::NameTaken(_))));
    let before = hob.caller(&sign_in(&hob, "first of bert").unwrap());

    hob.access.remove_person(&operator, &bert).unwrap();

    tokio::time::timeout(Duration::from_secs(9), before.ended()).await.unwrap();
    assert!(before.is_over() && sign_in(&hob, "first of bert").is_err());
    assert!(matches!(hob.access.remove_person(&operator, &bert), Err(PeopleError::UnknownPerson(_))));
    hob.restart();
    assert!(sign_in(&hob, "first of bert").is_err());
    // The name is free, and whoever has it next is somebody else.
    add(&hob, "other of bert").unwrap();
    assert_ne!(hob.caller(&sign_in(&hob, "other of bert").unwrap()).owner(), before.owner());
    let acts: Vec<_> = hob.audited().into_iter().map(|entry| (entry.action, entry.target)).collect();
    assert!(acts.contains(&(Action::PersonMake, "bert, member".into())));
    assert!(acts.contains(&(Action::PersonRemove, "bert".into())));
}

#[test]
fn the_last_owner_stays_and_nobody_removes_themselves() {
    let hob = Hob::claimed();
    let anna = hob.caller(&hob.signed_in());
    let remove = |by: &Caller, who: &str| hob.access.remove_person(by, &name(who));
    hob.access.add_person(&anna, &name("bert"), &password("first of bert"), Role::Member).unwrap();

    assert!(matches!(remove(&Caller::operator(), "anna"), Err(PeopleError::LastOwner)));
    assert!(matches!(remove(&anna, "anna"), Err(PeopleError::Oneself)));
    hob.access.add_person(&anna, &name("cleo"), &password("first of cleo"), Role::Owner).unwrap();
    assert!(matches!(remove(&anna, "anna"), Err(PeopleError::Oneself)));
    let cleo = hob.access.sign_in(&name("cleo"), &password("first of cleo"), &lan(9)).unwrap();
    remove(&hob.caller(&cleo), "anna").unwrap();

    assert!(anna.is_over() && matches!(remove(&Caller::operator(), "cleo"), Err(PeopleError::LastOwner)));
    assert!(remove(&anna, "cleo").unwrap_err().to_string().contains("ended"), "by a session that is over");
    assert_eq!(hob.access.people().len(), 2);
}

#[test]
fn when_somebody_was_last_seen_is_told_after_they_signed_out() {
    let hob = Hob::claimed();
    let signed_in = hob.signed_in();
    hob.pass(HOUR);
    let by = hob.caller(&signed_in);
    assert_eq!(hob.access.last_seen().unwrap()[&by.owner()], NOW + HOUR);

    hob.access.flush().unwrap();
    hob.access.sign_out(&by).unwrap();

    assert_eq!(hob.access.last_seen().unwrap()[&by.owner()], NOW + HOUR);
    let bert =
        hob.access.add_person(&Caller::operator(), &name("bert"), &password("first of bert"), Role::Member);
    assert!(!hob.access.last_seen().unwrap().contains_key(&bert.unwrap().owner));
}

#[test]
fn what_was_done_is_in_the_log_by_whom_and_from_where_and_no_secret_is() {
    let hob = Hob::new();
    let code = hob.access.setup_code().unwrap().reveal();
    let signed_in = hob.claim().unwrap();
    let by = hob.caller(&signed_in);
    let new = NewKey { name: "laptop".into(), policy: Policy::new(Scopes::all()), expires: None };
    let (key, secret) = hob.access.create_key(&by, new).unwrap();
    hob.access.revoke_key(&by, key.id).unwrap();
    hob.sign_in("wrong horse", &lan(8)).unwrap_err();
    hob.access.sign_out(&by).unwrap();

    let audited = hob.audited();
    let told: Vec<_> =
        audited.iter().map(|entry| (entry.who.as_str(), entry.action, entry.outcome)).collect();
    assert_eq!(
        told,
        [
            ("person:Anna", Action::Claim, Outcome::Done),
            ("person:Anna", Action::KeyMake, Outcome::Done),
            ("person:Anna", Action::KeyRevoke, Outcome::Done),
            ("nobody", Action::SignIn, Outcome::Refused),
            ("person:Anna", Action::SignOut, Outcome::Done),
        ]
    );
    assert_eq!(audited[1].target, format!("{} laptop", key.id));
    assert_eq!((audited[1].from, audited[3].from), (Some(address(7)), Some(address(8))));
    let text = hob.access.audit_entries(0).unwrap().map(Result::unwrap).collect::<String>();
    for never in [PASSWORD, "wrong horse", secret.reveal(), signed_in.session.unwrap().reveal(), &code] {
        assert!(!text.contains(never), "{never}");
    }
    let entries = hob.access.audit_entries(0).unwrap();
    let ends = entries.ends();
    assert!(audit::verify(entries, Some(ends)).unwrap().is_whole());
}

#[test]
fn what_cannot_be_written_down_is_not_done() {
    let hob = Hob::claimed();
    let signed_in = hob.signed_in();
    let by = hob.caller(&signed_in);
    hob.access.audit().break_for_test();

    let new = NewKey { name: "laptop".into(), policy: Policy::new(Scopes::all()), expires: None };
    assert!(hob.access.create_key(&by, new).is_err() && hob.access.keys().is_empty());
    assert!(hob.access.change_password(&by, &password(PASSWORD), &password("battery staple")).is_err());
    assert!(hob.sign_in(PASSWORD, &lan(7)).is_err());
    assert!(hob.access.end_session(&by, by.session().unwrap()).is_err());
    assert!(hob.access.add_person(&by, &name("bert"), &password("first of bert"), Role::Member).is_err());
    assert_eq!(hob.access.people().len(), 1);

    assert_eq!(hob.access.sessions().len(), 2);
    assert!(hob.is_known(&signed_in), "and all goes on as it was");
}

#[test]
fn names_that_would_pass_for_others_are_none() {
    for wrong in ["", " anna", "anna\n", "an\u{202e}na", "an\u{200b}na", &"x".repeat(65)] {
        assert!(wrong.parse::<PersonName>().is_err(), "{wrong:?}");
    }
    assert!("Jörg Müller".parse::<PersonName>().is_ok());
}

#[test]
fn nobody_new_is_called_what_is_another_place_in_an_address() {
    for wrong in [".", "..", "a/b", "a\\b", "../password", ""] {
        assert!(PersonName::new(wrong).is_err(), "{wrong:?}");
    }
    for right in ["...", "a.b", ".a", "Jörg Müller", "%2e%2e"] {
        assert_eq!(PersonName::new(right).unwrap().as_str(), right);
    }
    assert!("..".parse::<PersonName>().is_ok(), "who is called so signs in");
}

#[test]
fn a_session_that_is_over_changes_nothing_more_by_a_request_that_was_open_before() {
    let hob = Hob::claimed();
    let over = |error: &dyn std::fmt::Display| assert!(error.to_string().contains("ended"), "{error}");
    let [one, other] = [hob.signed_in(), hob.signed_in()];
    let (by, ended) = (hob.caller(&one), hob.caller(&other));
    hob.access.sign_out(&ended).unwrap();
    hob.pass(12 * HOUR);

    for by in [&by, &ended] {
        assert!(by.is_over());
        let new = NewKey { name: "late".into(), policy: Policy::new(Scopes::all()), expires: None };
        over(&hob.access.create_key(by, new).unwrap_err());
        over(&hob.access.end_session(by, by.session().unwrap()).unwrap_err());
        let changed = hob.access.change_password(by, &password(PASSWORD), &password("battery staple"));
        over(&changed.unwrap_err());
    }
    assert!(hob.sign_in(PASSWORD, &lan(7)).is_ok());
}

#[test]
fn five_wrong_codes_of_a_stranger_keep_nobody_else_from_claiming() {
    let hob = Hob::new();
    let code = hob.access.setup_code().unwrap().reveal();
    for _ in 0..6 {
        hob.access.claim(Some("AAAA-AAAA"), &name("eve"), &password(PASSWORD), &lan(66)).unwrap_err();
    }

    assert!(hob.access.claim(Some(&code), &name("Anna"), &password(PASSWORD), &lan(7)).is_ok());
}

#[test]
fn a_stranger_keeps_nobody_out_for_longer_than_half_a_minute_and_from_a_new_password_not_at_all() {
    let hob = Hob::claimed();
    let by = hob.caller(&hob.signed_in());
    let attack = || {
        // Ten minutes of somebody who takes each chance, from one network and then another.
        for second in 0..600_u16 {
            let _refused = hob.sign_in("wrong horse", &lan(100 + (second % 8) as u8));
            hob.pass(1);
        }
        hob.sign_in("wrong horse", &lan(90)).unwrap_err();
    };

    attack();
    let early = hob.sign_in(PASSWORD, &lan(200)).unwrap_err().retry_after().unwrap();
    assert!(early <= Duration::from_secs(30), "{early:?}");
    hob.access.reset_password(&Caller::operator(), &name("anna"), &password("battery staple")).unwrap();
    assert!(hob.sign_in("battery staple", &lan(200)).is_ok());
    assert!(by.is_over());

    let by = hob.access.sign_in(&name("anna"), &password("battery staple"), &lan(201)).unwrap().caller;
    attack();
    hob.access.change_password(&by, &password("battery staple"), &password(PASSWORD)).unwrap();
    assert!(hob.sign_in(PASSWORD, &lan(202)).is_ok());
}

#[test]
fn on_this_machine_nobody_signs_in_and_no_session_is_taken() {
    let here = visitor(Way::Loopback, Some([127, 0, 0, 1].into()));
    let hob = Hob::new();
    let code = hob.access.setup_code().unwrap().reveal();

    let claimed = hob.access.claim(Some(&code), &name("Anna"), &password(PASSWORD), &here).unwrap();

    assert!(claimed.session.is_none() && hob.access.sessions().is_empty());
    assert!(claimed.caller.may(Scope::Admin) && claimed.caller.name() == "Anna");
    let refused = hob.sign_in(PASSWORD, &here).unwrap_err();
    assert!(refused.to_string().contains("https") && refused.to_string().contains("hob claim"), "{refused}");
    let session = hob.signed_in().session.unwrap();
    let credential = Credential::Session(session.reveal());
    let who = |origin| hob.access.identify(&Presented { origin, credential }).unwrap().who().clone();
    assert_eq!((who(here.origin), who(lan(7).origin)), (Who::Local, Who::Person("Anna".into())));
}
