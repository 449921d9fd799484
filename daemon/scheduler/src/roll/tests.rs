//! How far a request is, by what those say who serve it.

use tokio::time::advance;

use super::*;

fn errand(kind: Kind) -> Errand {
    Errand { who: "ada".into(), kind }
}

fn enrolled(roll: &Roll, kind: Kind) -> Enrolled {
    roll.enrol(errand(kind), "m".parse().unwrap(), Stage::Waiting)
}

fn only(roll: &Roll) -> Request {
    let mut requests = roll.requests();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_request_is_on_the_roll_from_its_beginning_to_its_end_and_at_one_stage_after_the_other() {
    let roll = Roll::default();
    let request = enrolled(&roll, Kind::Chat);
    let followed = request.followed().clone();
    let stage = || only(&roll).stage;

    assert_eq!((only(&roll).id, only(&roll).errand, stage()), (1, errand(Kind::Chat), Stage::Waiting));
    followed.at(Stage::Loading);
    assert_eq!(stage(), Stage::Loading);
    followed.read(PromptProgress { tokens: 100, read: 40 });
    assert_eq!(
        (stage(), only(&roll).prompt),
        (Stage::Reading, Some(PromptProgress { tokens: 100, read: 40 }))
    );
    followed.said(1);
    assert_eq!((stage(), only(&roll).tokens), (Stage::Answering, 1));
    followed.hold(Hold::Held);
    assert_eq!(stage(), Stage::Held);
    followed.hold(Hold::Released);
    advance(Duration::from_secs(7)).await;
    assert_eq!((stage(), only(&roll).age), (Stage::Answering, Duration::from_secs(7)));
    drop(request);
    assert!(roll.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_read_counts_once_and_without_what_the_cache_had() {
    let roll = Roll::default();
    let (told, untold, gone_on) =
        (enrolled(&roll, Kind::Chat), enrolled(&roll, Kind::Generate), enrolled(&roll, Kind::Generate));

    for read in [40, 70, 90] {
        told.followed().read(PromptProgress { tokens: 100, read });
    }
    told.followed().read_all(PromptRead { prompt_tokens: 100, cached_tokens: 40 });
    assert_eq!(roll.take_totals().prompt_tokens, 60);

    untold.followed().read_all(PromptRead { prompt_tokens: 100, cached_tokens: 30 });
    assert_eq!(roll.take_totals().prompt_tokens, 70);

    // Another worker reads it from the beginning.
    gone_on.followed().read(PromptProgress { tokens: 100, read: 0 });
    gone_on.followed().read(PromptProgress { tokens: 100, read: 100 });
    gone_on.followed().said(3);
    gone_on.followed().read(PromptProgress { tokens: 100, read: 0 });
    assert_eq!(roll.requests().last().unwrap().stage, Stage::Answering);
    assert_eq!(roll.take_totals().prompt_tokens, 100);
}

#[tokio::test(start_paused = true)]
async fn rates_are_those_of_the_last_second() {
    let roll = Roll::default();
    let one = enrolled(&roll, Kind::Chat);
    let two = enrolled(&roll, Kind::Chat);
    for _ in 0..40 {
        one.said(1);
        two.said(2);
        advance(Duration::from_millis(50)).await;
    }

    let rates: Vec<f64> = roll.requests().iter().map(|request| request.rate).collect();
    assert_eq!((rates, roll.rate().answer), (vec![20.0, 40.0], 60.0));
    advance(Duration::from_secs(2)).await;
    assert_eq!(roll.rate(), Rate::default());
}

#[tokio::test(start_paused = true)]
async fn a_prompt_whose_steps_take_long_is_read_at_their_pace_all_the_while() {
    let roll = Roll::default();
    let request = enrolled(&roll, Kind::Chat);
    request.followed().read(PromptProgress { tokens: 2000, read: 0 });
    advance(Duration::from_secs(10)).await;
    request.followed().read(PromptProgress { tokens: 2000, read: 500 });
    advance(Duration::from_secs(5)).await;

    assert_eq!(roll.rate().prompt, 50.0);
    request.said(1);
    assert_eq!(roll.rate().prompt, 0.0);
}

#[tokio::test(start_paused = true)]
async fn totals_are_taken_once_and_tell_how_long_first_tokens_took() {
    let roll = Roll::default();
    let (chat, load) = (enrolled(&roll, Kind::Chat), enrolled(&roll, Kind::Load));
    advance(Duration::from_millis(400)).await;
    chat.said(5);
    advance(Duration::from_secs(9)).await;
    chat.said(5);

    let totals = roll.take_totals();
    assert_eq!((totals.requests, totals.answer_tokens), (1, 10), "that a model is loaded is no request");
    let first = totals.first_tokens.quantile(1.0).unwrap();
    assert!((360..440).contains(&first.as_millis()), "{first:?}");
    assert_eq!(roll.take_totals().requests, 0);
    drop(load);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_stopped_is_gone_from_the_roll_and_knows_it() {
    let roll = Roll::default();
    let (one, two) = (enrolled(&roll, Kind::Chat), enrolled(&roll, Kind::Chat));
    let id = roll.requests()[0].id;

    assert!(roll.stop(id));

    one.stopped().await;
    assert!(one.followed().is_stopped() && !two.followed().is_stopped());
    assert_ne!(only(&roll).id, id);
    assert!(!roll.stop(id), "it is not under way any more");
    drop(one);
    assert_eq!(roll.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_hear_of_stages_and_not_of_tokens() {
    let roll = Roll::default();
    let heard = |roll: &Roll, act: &dyn Fn()| {
        let changed = roll.changed();
        act();
        futures_now(changed)
    };
    let request = enrolled(&roll, Kind::Chat);
    let followed = request.followed();
    let prompt = |read| PromptProgress { tokens: 9, read };

    assert!(heard(&roll, &|| followed.read(prompt(1))));
    assert!(!heard(&roll, &|| followed.read(prompt(2))));
    assert!(heard(&roll, &|| followed.said(1)));
    assert!(!heard(&roll, &|| followed.said(1)));
    assert!(heard(&roll, &|| drop(enrolled(&roll, Kind::Chat))));
}

/// Whether it is there already.
fn futures_now(future: impl Future<Output = ()>) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::pin!(future).as_mut().poll(&mut context).is_ready()
}
