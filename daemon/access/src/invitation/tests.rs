//! Whom a code lets in, how often, and for what.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use state::State;
use tempfile::TempDir;

use super::*;
use crate::{Config, Credential, Presented, Provision};

/// Noon of 2026-11-26.
const NOW: i64 = 1_795_694_400;
const ID: &str = "AAAAAAA-BBBBBBB";

struct Hob {
    access: Access,
    now: Arc<AtomicI64>,
    _folder: TempDir,
}

impl Hob {
    fn claimed() -> Self {
        let hash = format!("$argon2id$v=19$m=19456,t=2,p=1${}${}", "A".repeat(22), "A".repeat(43));
        Self::new(Some(Provision { name: "owner".into(), password_hash: hash }))
    }

    fn new(provision: Option<Provision>) -> Self {
        let (folder, now) = (TempDir::new().unwrap(), Arc::new(AtomicI64::new(NOW)));
        let access = open(folder.path(), &now, provision);
        Self { access, now, _folder: folder }
    }

    fn invite(&self, scopes: &[Scope]) -> Invitation {
        self.access.invite(&Caller::operator(), scopes.iter().copied().collect()).unwrap()
    }

    fn redeem(&self, code: &str, last: u8) -> Result<Invited, InvitationError> {
        self.access.redeem(code, "hob-bbbb", lan(last))
    }

    fn by(&self, secret: &Secret) -> Result<Caller, crate::Denied> {
        let credential = Credential::Key(secret.reveal());
        self.access.identify(&Presented { origin: lan(9), credential })
    }

    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }
}

fn open(folder: &Path, now: &Arc<AtomicI64>, provision: Option<Provision>) -> Access {
    let now = Arc::clone(now);
    let clock = Clock::of(move || now.load(Ordering::Relaxed));
    let state = State::open(folder, clock.clone()).unwrap();
    Access::open(state, Config { clock, runtime_dir: folder.into(), audit_dir: folder.into(), provision })
        .unwrap()
}

fn lan(last: u8) -> Origin {
    Origin { way: Way::Lan, address: Some([192, 168, 1, last].into()) }
}

fn wrong(invitation: &Invitation) -> String {
    let code = invitation.code.reveal();
    let other = if code.starts_with('A') { "B" } else { "A" };
    format!("{other}{}", &code[1..])
}

const BOTH: [Scope; 2] = [Scope::Infer, Scope::Split];

#[test]
fn a_code_is_good_once_over_tls_and_for_ten_minutes() {
    let hob = Hob::claimed();
    assert!(matches!(hob.redeem("AAAA-AAAA", 1), Err(InvitationError::None)));

    let code = hob.invite(&BOTH).code.reveal();
    for way in [Way::Loopback, Way::Forwarded, Way::Plaintext, Way::AdminSocket] {
        let origin = Origin { way, address: None };
        assert!(
            matches!(hob.access.redeem(&code, "n", origin), Err(InvitationError::WrongNetwork)),
            "{way:?}"
        );
    }
    hob.pass(599);
    assert_eq!(hob.redeem(&code.to_lowercase(), 1).unwrap().scopes, BOTH.into_iter().collect());
    assert!(matches!(hob.redeem(&code, 1), Err(InvitationError::None)), "replayed");

    let code = hob.invite(&BOTH).code.reveal();
    hob.pass(600);
    assert!(matches!(hob.redeem(&code, 1), Err(InvitationError::None)), "too late");

    let (first, second) = (hob.invite(&BOTH), hob.invite(&BOTH));
    assert!(matches!(hob.redeem(&first.code.reveal(), 1), Err(InvitationError::WrongCode)), "one at a time");
    assert!(hob.access.withdraw_invitation(&Caller::operator()).unwrap());
    assert!(!hob.access.withdraw_invitation(&Caller::operator()).unwrap());
    assert!(matches!(hob.redeem(&second.code.reveal(), 2), Err(InvitationError::None)), "taken back");
}

#[test]
fn who_tries_wrong_codes_shuts_out_themselves_and_nobody_else() {
    let hob = Hob::claimed();
    let invitation = hob.invite(&BOTH);
    for _ in 0..5 {
        assert!(matches!(hob.redeem(&wrong(&invitation), 1), Err(InvitationError::WrongCode)));
    }
    let right = invitation.code.reveal();
    let spent = hob.redeem(&right, 1).unwrap_err();
    assert_eq!(spent.retry_after(), Some(LIFETIME), "even the right one: {spent}");
    // Neighbours of one network of IPv6.
    let at = |last: u16| {
        let address = std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last);
        Origin { way: Way::Lan, address: Some(address.into()) }
    };
    for _ in 0..6 {
        hob.access.redeem("AAAA", "n", at(1)).unwrap_err();
    }

    hob.access.redeem(&right, "n", at(2)).unwrap();

    let again = hob.invite(&BOTH).code.reveal();
    hob.redeem(&again, 1).unwrap();
}

#[test]
fn all_strangers_together_have_few_tries_and_fill_no_memory() {
    let invitations = Invitations::new(Clock::of(|| NOW));
    let code = invitations.make(&Caller::operator(), Scopes::all()).reveal();
    let other = if code.starts_with('A') { "B" } else { "A" };
    let wrong = format!("{other}{}", &code[1..]);
    let from = |number: usize| Some(IpAddr::from(u32::try_from(number).unwrap().to_be_bytes()));

    let tried = (1..)
        .take_while(|number| invitations.take(&wrong, from(*number)).is_err_and(|e| e == NotThis::Wrong));

    assert_eq!(tried.count(), MOST_OF_ALL);
    assert_eq!(invitations.take(&code, from(0)).unwrap_err(), NotThis::None);
}

#[test]
fn an_invitation_is_for_what_boxes_do_and_made_by_those_who_administer_a_box_that_is_somebodys() {
    let hob = Hob::claimed();
    let invite =
        |by: &Caller, scopes: &[Scope]| hob.access.invite(by, scopes.iter().copied().collect()).map(drop);
    for scopes in [&[][..], &[Scope::Admin], &[Scope::Infer, Scope::ModelsWrite], &[Scope::Metrics]] {
        assert!(matches!(invite(&Caller::operator(), scopes), Err(InvitationError::Scopes)), "{scopes:?}");
    }
    assert!(matches!(invite(&Caller::local(), &BOTH), Err(InvitationError::NotAllowed)));
    let unclaimed = Hob::new(None).access.invite(&Caller::operator(), BOTH.into_iter().collect());
    assert!(matches!(unclaimed, Err(InvitationError::Unclaimed)));
}

#[test]
fn an_invitation_ends_with_the_key_of_whoever_made_it() {
    let hob = Hob::claimed();
    let new = NewKey { name: "admin".into(), policy: Policy::new(Scopes::all()), expires: None };
    let (key, secret) = hob.access.create_key(&Caller::operator(), new).unwrap();
    let admin = hob.by(&secret).unwrap();
    let code = hob.access.invite(&admin, BOTH.into_iter().collect()).unwrap().code.reveal();

    hob.access.revoke_key(&Caller::operator(), key.id).unwrap();

    assert!(matches!(hob.redeem(&code, 1), Err(InvitationError::None)));
}

#[test]
fn a_box_that_has_proven_who_it_is_has_one_key_and_what_it_was_invited_for() {
    let hob = Hob::claimed();
    let invited = || hob.redeem(&hob.invite(&BOTH).code.reveal(), 1).unwrap();
    let made = |id: &str| {
        hob.access.create_invited_peer_key(&invited(), "box hob-bbbb".into(), id.into()).unwrap().1
    };
    let (first, other) = (made(ID), made("CCCCCCC"));
    let before = hob.by(&first).unwrap();

    let second = made(ID);

    assert!(before.is_over() && hob.by(&first).is_err(), "the one that it had before is ended");
    let peer = hob.by(&second).unwrap();
    assert_eq!(peer.peer(), Some(ID));
    assert!(peer.may(Scope::Infer) && peer.may(Scope::Split) && !peer.may(Scope::Embed));
    assert!(hob.by(&other).is_ok());
    hob.access.revoke_peer_keys(&Caller::operator(), ID).unwrap();
    assert!(peer.is_over() && hob.by(&second).is_err() && hob.by(&other).is_ok());
}

#[test]
fn whoever_has_not_proven_to_be_a_box_is_none_and_lends_no_part_of_a_model() {
    let hob = Hob::claimed();
    let invited = hob.redeem(&hob.invite(&BOTH).code.reveal(), 1).unwrap();

    let (_, secret) = hob.access.create_invited_key(&invited, "ada@laptop".into()).unwrap();

    let person = hob.by(&secret).unwrap();
    assert!(person.peer().is_none() && person.may(Scope::Infer) && !person.may(Scope::Split));
    let only = hob.redeem(&hob.invite(&[Scope::Split]).code.reveal(), 1).unwrap();
    assert!(matches!(hob.access.create_invited_key(&only, "n".into()), Err(KeyError::NoScopes)));
}

#[test]
fn no_key_of_a_box_administers_another_whatever_its_row_says() {
    let hob = Hob::claimed();
    let policy = Policy { peer: Some(ID.into()), ..Policy::new(Scopes::all()) };
    let new = NewKey { name: "box".into(), policy: policy.clone(), expires: None };
    assert!(matches!(hob.access.create_key(&Caller::operator(), new), Err(KeyError::NotForPeers)));

    let granted = policy.granted();

    assert!(
        !granted.contains(Scope::Admin)
            && !granted.contains(Scope::ModelsWrite)
            && granted.contains(Scope::Infer)
    );
}
