//! For whom a box asks, told apart over restarts and however many there are.

use std::collections::HashSet;
use std::path::Path;

use state::{Clock, State};
use tempfile::TempDir;

use super::*;
use crate::{
    Config, Credential, Limits, NewKey, Origin, Policy, Presented, Provision, Scope, Scopes, Secret, Way,
};

const NOW: i64 = 1_795_694_400;

fn open(folder: &Path) -> Access {
    let clock = Clock::of(|| NOW);
    let state = State::open(folder, clock.clone()).unwrap();
    let hash = format!("$argon2id$v=19$m=19456,t=2,p=1${}${}", "A".repeat(22), "A".repeat(43));
    let provision = Some(Provision { name: "owner".into(), password_hash: hash });
    Access::open(state, Config { clock, runtime_dir: folder.into(), audit_dir: folder.into(), provision })
        .unwrap()
}

fn key(access: &Access, peer: Option<&str>) -> Secret {
    let limits = Limits { requests_per_minute: std::num::NonZeroU32::new(2), ..Limits::default() };
    let scopes: Scopes = [Scope::Infer].into_iter().collect();
    let policy = Policy { peer: peer.map(Into::into), limits, ..Policy::new(scopes) };
    access.create_key(&Caller::operator(), NewKey { name: "box".into(), policy, expires: None }).unwrap().1
}

fn by(access: &Access, secret: &Secret) -> Caller {
    let origin = Origin { way: Way::Lan, address: Some([192, 168, 1, 9].into()) };
    access.identify(&Presented { origin, credential: Credential::Key(secret.reveal()) }).unwrap()
}

#[test]
fn each_of_whom_a_box_asks_for_has_a_number_of_their_own_over_restarts() {
    let folder = TempDir::new().unwrap();
    let access = open(folder.path());
    let (attic, cellar) = (key(&access, Some("AAAA")), key(&access, Some("BBBB")));
    let owner = |access: &Access, secret: &Secret, name: &str| {
        access.on_behalf(&by(access, secret), name).unwrap().owner()
    };
    let all = |access: &Access| {
        [(&attic, "ada"), (&attic, "bert"), (&cellar, "ada"), (&cellar, "1/ada")]
            .map(|(key, name)| owner(access, key, name))
    };

    let before = all(&access);

    let own = [by(&access, &attic).owner(), by(&access, &cellar).owner(), Owner::default()];
    let different: HashSet<_> = before.iter().chain(&own).collect();
    assert_eq!(different.len(), 7, "{before:?} {own:?}");
    assert_eq!(all(&access), before);
    drop(access);
    assert_eq!(all(&open(folder.path())), before);
}

#[test]
fn what_is_used_on_behalf_of_somebody_is_the_boxes_own_and_so_are_the_limits() {
    let folder = TempDir::new().unwrap();
    let access = open(folder.path());
    let secret = key(&access, Some("AAAA"));
    let names = ["ada", "bert", "carl"];
    let asked = names.map(|name| access.on_behalf(&by(&access, &secret), name).unwrap());

    let admitted: Vec<bool> = asked.iter().map(|caller| caller.admit().is_ok()).collect();

    assert_eq!(admitted, [true, true, false]);
    assert!(asked[0].peer() == Some("AAAA") && !asked[0].may(Scope::Admin));
}

#[test]
fn only_boxes_ask_for_others_and_call_them_something_short() {
    let folder = TempDir::new().unwrap();
    let access = open(folder.path());
    let (program, peer) = (key(&access, None), key(&access, Some("AAAA")));
    for caller in [by(&access, &program), Caller::operator(), Caller::nobody(), Caller::local()] {
        assert!(matches!(access.on_behalf(&caller, "ada"), Err(OnBehalfError::NotAPeer)), "{caller:?}");
    }
    let long = "a".repeat(65);
    for name in ["", "a b", "ada\n", "ä", "\u{7f}", &long] {
        assert!(matches!(access.on_behalf(&by(&access, &peer), name), Err(OnBehalfError::Name)), "{name}");
    }
}

#[test]
fn of_too_many_the_one_not_heard_of_for_longest_comes_back_as_somebody_new_and_no_two_are_one() {
    let folder = TempDir::new().unwrap();
    let state = State::open(folder.path(), Clock::of(|| NOW)).unwrap();
    let (behalves, account) = (Behalves::default(), Owner(7));
    let owner =
        |behalves: &Behalves, number: usize| behalves.owner(&state, account, &format!("p{number}")).unwrap();
    let first: Vec<Owner> = (0..MOST).map(|number| owner(&behalves, number)).collect();
    assert_eq!(owner(&behalves, 0), first[0], "heard of just now");

    let more = owner(&behalves, MOST);

    let back = owner(&behalves, 1);
    let different: HashSet<_> = first.iter().chain([&more, &back]).collect();
    assert_eq!(different.len(), MOST + 2, "numbers are given once");
    assert_eq!(owner(&behalves, 0), first[0]);
    assert_eq!(state.behalves(account).unwrap().len(), MOST);
    // After a restart as well.
    assert_eq!(owner(&Behalves::default(), 0), first[0]);
    assert_eq!(owner(&Behalves::default(), 1), back);
}
