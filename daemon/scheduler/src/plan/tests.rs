//! The rules, one by one.

use protocol::{CacheOptions, Secret};

use super::*;

const WANTED: LoadOptions = LoadOptions {
    purpose: protocol::Purpose::Generate,
    context_tokens: 4096,
    batch_tokens: 512,
    sequences: 4,
    max_step_ms: 200,
    speculation: true,
    cache_types: protocol::CacheTypes { k: protocol::CacheType::F16, v: protocol::CacheType::F16 },
    cache: CacheOptions { bytes: 0, file_bytes: 0, secret: Secret(Vec::new()) },
    threads: None,
    gpu_blocks: None,
    mmap: true,
    template: None,
    remote: Vec::new(),
};

/// 10 bytes of weights, and one for each 1024 tokens.
fn takes(context_tokens: u32, sequences: u32) -> u64 {
    10 + u64::from(context_tokens * sequences / 1024)
}

/// 4 slots of 4096 tokens take 26 bytes, one takes 14, and the least of all takes 10.
fn want() -> Vec<Size> {
    sizes(&WANTED, 512, takes)
}

fn room(budget_bytes: u64, others: &[(u64, Hold)]) -> Room {
    let others = others.iter().map(|(bytes, hold)| Standing { bytes: *bytes, hold: *hold }).collect();
    Room { budget_bytes, max_loaded: 3, others }
}

fn step(budget_bytes: u64, others: &[(u64, Hold)]) -> Step {
    next_step(Place::Empty, &want(), &room(budget_bytes, others))
}

#[track_caller]
fn assert_loads(step: Step, context_tokens: u32, sequences: u32) {
    let Step::Load(size) = step else { panic!("{step:?}") };
    assert_eq!((size.context_tokens, size.sequences), (context_tokens, sequences));
}

#[test]
fn room_that_somebody_has_waited_for_is_not_taken_from_them() {
    let want = [Size { context_tokens: 512, sequences: 1, bytes: 30, whole: true }];
    let room = |used| Room {
        budget_bytes: 100,
        max_loaded: 3,
        others: vec![Standing { bytes: used, hold: Hold::Use }],
    };
    let step = |used, reserved| next_step_beside(Place::Empty, &want, &room(used), reserved);
    assert_eq!(step(60, None), Step::Load(want[0]));
    assert_eq!(step(60, Some(80)), Step::Wait);
    assert_eq!(step(10, Some(50)), Step::Load(want[0]), "beside it, there is room");
    assert_eq!(step(90, Some(50)), Step::Wait);
    let ready = Place::Ready { serves: true, busy: false };
    assert_eq!(next_step_beside(ready, &want, &room(60), Some(80)), Step::Use);
}

#[test]
fn slots_are_given_up_before_tokens_and_tokens_before_the_request() {
    assert_loads(step(26, &[]), 4096, 4);
    assert_loads(step(25, &[]), 4096, 3);
    assert_loads(step(14, &[]), 4096, 1);
    assert_loads(step(13, &[]), 2048, 1);
    assert_loads(step(10, &[]), 512, 1);
    assert_eq!(step(9, &[]), Step::Refuse(Refusal::TooBig));
}

#[test]
fn a_context_that_was_asked_for_is_not_made_shorter() {
    let asked = sizes(&WANTED, WANTED.context_tokens, takes);
    assert_loads(next_step(Place::Empty, &asked, &room(14, &[])), 4096, 1);
    assert_eq!(next_step(Place::Empty, &asked, &room(13, &[])), Step::Refuse(Refusal::TooBig));
}

#[test]
fn idle_models_go_and_busy_ones_are_waited_for_before_a_context_gets_shorter() {
    assert_eq!(step(20, &[(9, Hold::Idle)]), Step::Evict(0));
    assert_eq!(step(20, &[(9, Hold::Use)]), Step::Wait);
    // Even all of the budget would not be enough for all of the context.
    assert_loads(step(13, &[(1, Hold::Use)]), 2048, 1);
}

#[test]
fn a_pinned_model_goes_for_no_other() {
    assert_loads(step(20, &[(8, Hold::Pin)]), 2048, 1);
    assert_eq!(step(20, &[(11, Hold::Pin)]), Step::Refuse(Refusal::TooBig));
    assert_eq!(step(20, &[(11, Hold::Pin), (9, Hold::Idle)]), Step::Refuse(Refusal::TooBig));
}

#[test]
fn room_that_is_on_its_way_is_waited_for_and_nothing_else_goes_for_it() {
    assert_eq!(step(30, &[(4, Hold::Idle), (20, Hold::Leaving)]), Step::Wait);
    assert_loads(step(30, &[(4, Hold::Idle)]), 4096, 4);
}

#[test]
fn the_coldest_goes_unless_a_warmer_one_alone_is_enough() {
    assert_eq!(step(30, &[(9, Hold::Idle), (10, Hold::Idle)]), Step::Evict(0));
    assert_eq!(step(30, &[(1, Hold::Idle), (20, Hold::Idle), (5, Hold::Use)]), Step::Evict(1));
    assert_eq!(step(30, &[(9, Hold::Idle), (9, Hold::Idle), (12, Hold::Use)]), Step::Evict(0));
}

#[test]
fn there_are_no_more_models_than_may_be() {
    let idle = [(1, Hold::Idle); 3];
    assert_eq!(step(100, &idle), Step::Evict(0));
    assert_eq!(step(100, &[(1, Hold::Use); 3]), Step::Wait);
    assert_eq!(step(100, &[(1, Hold::Pin); 3]), Step::Refuse(Refusal::TooMany));
    assert_loads(step(100, &[(1, Hold::Pin), (1, Hold::Use), (1, Hold::Leaving)]), 4096, 4);
}

#[test]
fn a_model_is_unloaded_for_a_bigger_one_of_its_own_only_if_that_will_fit() {
    let idle = Place::Ready { serves: false, busy: false };
    let busy = Place::Ready { serves: false, busy: true };
    let asked = sizes(&WANTED, WANTED.context_tokens, takes);
    assert_eq!(next_step(idle, &asked, &room(14, &[])), Step::Replace);
    assert_eq!(next_step(busy, &asked, &room(14, &[])), Step::Wait);
    assert_eq!(next_step(busy, &asked, &room(13, &[])), Step::Refuse(Refusal::TooBig));
    assert_eq!(next_step(idle, &asked, &room(13, &[])), Step::Refuse(Refusal::TooBig));
    assert_eq!(next_step(idle, &asked, &room(20, &[(9, Hold::Use)])), Step::Wait);
}

#[test]
fn a_model_that_is_there_is_used_whatever_else_there_is() {
    let place = Place::Ready { serves: true, busy: true };
    assert_eq!(next_step(place, &want(), &room(0, &[(9, Hold::Pin); 9])), Step::Use);
    assert_eq!(next_step(Place::Loading, &want(), &room(0, &[])), Step::Wait);
}

#[test]
fn what_will_come_of_a_request_is_known_beforehand() {
    let others = [(9, Hold::Idle), (9, Hold::Idle), (4, Hold::Leaving)];
    let (step, evicted) = foresee(Place::Empty, &want(), room(26, &others));
    assert_loads(step, 4096, 1);
    assert_eq!(evicted, 1);
    assert_eq!(foresee(Place::Empty, &want(), room(20, &[(9, Hold::Use)])), (Step::Wait, 0));
}

#[test]
fn an_idle_model_goes_when_another_took_more_than_was_thought() {
    assert_eq!(room(20, &[(10, Hold::Use), (11, Hold::Idle)]).excess(), Some(1));
    assert_eq!(room(20, &[(10, Hold::Use), (10, Hold::Idle)]).excess(), None);
    assert_eq!(room(20, &[(21, Hold::Use)]).excess(), None);
}

#[test]
fn the_longest_context_that_fits_is_found() {
    let bytes = |tokens: u32| u64::from(tokens);
    assert_eq!(longest_context(4096, 3000, bytes), Some(2816));
    assert_eq!(longest_context(4096, 9000, bytes), Some(4096));
    assert_eq!(longest_context(4096, 255, bytes), None);
    assert_eq!(longest_context(100, 9000, bytes), None);
}

#[test]
fn a_smaller_context_never_reloads_and_a_larger_one_does() {
    let wanted = WANTED;
    let have = |size: Size| Have { wanted: &wanted, size };
    let whole = want()[0];
    let asked = |context_tokens| LoadOptions { context_tokens, ..WANTED };
    assert!(serves(have(whole), &asked(2048), 2048));
    assert!(!serves(have(whole), &asked(8192), 8192));
    assert!(!serves(have(whole), &LoadOptions { threads: Some(1), ..WANTED }, 512));
}

#[test]
fn what_got_less_than_it_wanted_is_not_loaded_again_for_the_same_want() {
    let fewer = Size { sequences: 1, ..want()[0] };
    let shorter = *want().last().unwrap();
    let serves = |size, least_context| serves(Have { wanted: &WANTED, size }, &WANTED, least_context);
    assert!(serves(fewer, 4096) && serves(shorter, 512));
    assert!(!serves(shorter, 4096), "whoever asks for all of the context gets it or nothing");
}
