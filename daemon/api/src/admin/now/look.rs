//! One look at what goes on.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use jiff::{Timestamp, Unit};
use scheduler::{Activity, Kind, Loaded, Parts, Share, Source, Stage, State};
use store::ModelName;

use super::super::activity;
use super::told::{Disk, Lent, Memory, Model, Now, Rate, Request, Sensors, Taken};
use crate::Api;

/// What goes on.
pub(in crate::admin) async fn at(api: &Api) -> Now {
    let readings = api.gauges.read(api).await;
    let requests = api.scheduler.requests();
    let memory = api.scheduler.memory();
    let rate = api.scheduler.rate();
    let models = models(api.scheduler.activity(), api.scheduler.loaded().await, &memory.models, &requests);
    let used = memory.used_bytes();
    Now {
        at: written(SystemTime::now()),
        memory: Memory {
            machine: readings.machine.memory_bytes,
            available: memory.available_bytes,
            limit: memory.limit_bytes,
            used,
            leaving: memory.leaving_bytes,
            models: memory.models.into_iter().map(taken).collect(),
            lent: memory.lent.map(|lent| Lent { to: lent.borrower, size: lent.bytes }),
        },
        models,
        requests: requests.into_iter().map(request).collect(),
        rate: Rate { prompt: tenths(rate.prompt), answer: tenths(rate.answer) },
        sensors: Sensors {
            temperature: readings.machine.temperature.map(tenths),
            power: readings.machine.power.map(tenths),
        },
        disk: Disk {
            free: readings.disk.map(|disk| disk.free_bytes),
            total: readings.disk.map(|disk| disk.total_bytes),
            models: readings.models_bytes,
        },
    }
}

/// What is told of each model: how it stands, by the scheduler, and how many have it or wait, by the requests themselves.
fn models(
    activity: Vec<Activity>,
    loaded: Vec<Loaded>,
    shares: &[Share],
    requests: &[scheduler::Request],
) -> Vec<Model> {
    let mut told: BTreeMap<ModelName, Model> = BTreeMap::new();
    for activity in activity {
        let model = of(&mut told, &activity.name);
        (model.state, model.reason) = activity::state(activity.state);
    }
    for share in shares {
        let model = of(&mut told, &share.name);
        model.context = Some(share.context_tokens);
        model.sequences = Some(share.sequences);
        model.device = (share.state == State::Loaded).then(|| device(share));
    }
    for loaded in loaded {
        of(&mut told, &loaded.name).expires = Some(loaded.expires_at.map(written));
    }
    for request in requests {
        if matches!(request.stage, Stage::Passed(_)) {
            continue;
        }
        let model = of(&mut told, &request.model);
        match request.stage {
            Stage::Waiting | Stage::Loading => {
                model.waiting += 1;
                let age = seconds(request.age);
                model.longest_wait = Some(model.longest_wait.map_or(age, |longest| longest.max(age)));
            }
            Stage::Held => {
                model.running += 1;
                model.held += 1;
            }
            Stage::Reading | Stage::Answering | Stage::Passed(_) => model.running += 1,
        }
    }
    told.into_values().collect()
}

fn of<'a>(told: &'a mut BTreeMap<ModelName, Model>, name: &ModelName) -> &'a mut Model {
    told.entry(name.clone()).or_insert_with(|| Model {
        name: name.to_string(),
        state: activity::state(State::Absent).0,
        reason: None,
        running: 0,
        held: 0,
        waiting: 0,
        longest_wait: None,
        context: None,
        sequences: None,
        expires: None,
        device: None,
    })
}

fn device(share: &Share) -> &'static str {
    match share.gpu_bytes {
        0 => "CPU",
        bytes if bytes >= share.bytes => "GPU",
        _ => "CPU + GPU",
    }
}

fn taken(share: Share) -> Taken {
    let Parts { weights, cache, compute, prefixes, source } = share.parts;
    let known = [weights, cache, compute, prefixes].into_iter().fold(0, u64::saturating_add);
    Taken {
        name: share.name.to_string(),
        weights,
        cache,
        compute,
        prefixes,
        rest: share.bytes.saturating_sub(known),
        by: match source {
            Source::Estimated => "estimated",
            Source::Measured => "measured",
        },
        state: activity::state(share.state).0,
    }
}

fn request(request: scheduler::Request) -> Request {
    let (state, peer) = match request.stage {
        Stage::Waiting => ("waiting", None),
        Stage::Loading => ("loading", None),
        Stage::Reading => ("prompt", None),
        Stage::Answering => ("answering", None),
        Stage::Held => ("held", None),
        Stage::Passed(peer) => ("passed", Some(peer.to_string())),
    };
    Request {
        id: request.id.to_string(),
        model: request.model.to_string(),
        who: request.errand.who.to_string(),
        kind: kind(request.errand.kind),
        since: written(request.since),
        state,
        peer,
        prompt_tokens: request.prompt.map(|prompt| prompt.tokens),
        prompt_read: request.prompt.map(|prompt| prompt.read),
        tokens: request.tokens,
        rate: request.rate,
    }
}

/// What a request is about, in a word.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Chat => "chat",
        Kind::Generate => "generate",
        Kind::Embed => "embed",
        Kind::Rerank => "rerank",
        Kind::Tokens => "tokens",
        Kind::Load => "load",
    }
}

/// A time by the clock of the machine, by which requests came as well.
pub(super) fn written(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    at.round(Unit::Millisecond).unwrap_or(at).to_string()
}

pub(super) fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use scheduler::Errand;

    use super::*;

    fn asked(model: &str, stage: Stage, seconds: u64) -> scheduler::Request {
        scheduler::Request {
            id: 7,
            model: model.parse().unwrap(),
            errand: Errand { who: "ada".into(), kind: Kind::Chat },
            since: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000),
            age: Duration::from_secs(seconds),
            stage,
            prompt: None,
            tokens: 0,
            rate: 0.0,
        }
    }

    #[test]
    fn a_model_has_those_whom_it_answers_and_those_who_wait_for_it_apart() {
        let requests = [
            asked("m", Stage::Reading, 9),
            asked("m", Stage::Answering, 9),
            asked("m", Stage::Held, 9),
            asked("m", Stage::Waiting, 3),
            asked("m", Stage::Waiting, 5),
            asked("n", Stage::Loading, 2),
            asked("elsewhere", Stage::Passed("kitchen".into()), 1),
        ];

        let told = models(Vec::new(), Vec::new(), &[], &requests);

        let told: Vec<_> =
            told.iter().map(|it| (&*it.name, it.running, it.held, it.waiting, it.longest_wait)).collect();
        assert_eq!(told, [("m:latest", 3, 1, 2, Some(5.0)), ("n:latest", 0, 0, 1, Some(2.0))]);
    }

    #[test]
    fn the_parts_of_a_model_and_the_rest_are_all_that_it_counts_for() {
        let parts = Parts { weights: 100, cache: 20, compute: 3, prefixes: 4, source: Source::Measured };
        let share = |bytes| Share {
            name: "m".parse().unwrap(),
            state: State::Loaded,
            bytes,
            parts,
            context_tokens: 64,
            sequences: 1,
            gpu_bytes: 0,
        };

        assert_eq!((taken(share(130)).rest, taken(share(130)).by), (3, "measured"));
        assert_eq!(taken(share(1)).rest, 0, "by another's count");
    }

    #[test]
    fn a_request_is_told_with_what_is_known_of_it() {
        let mut asked = asked("m", Stage::Passed("kitchen".into()), 0);
        let told = |asked: &scheduler::Request| serde_json::to_value(request(asked.clone())).unwrap();
        assert_eq!(
            told(&asked),
            serde_json::json!({
                "id": "7", "model": "m:latest", "who": "ada", "kind": "chat", "since": "2026-11-18T11:06:40Z",
                "state": "passed", "peer": "kitchen", "tokens": 0, "rate": 0.0,
            })
        );
        asked.stage = Stage::Reading;
        asked.prompt = Some(protocol::PromptProgress { tokens: 9, read: 4 });
        let told = told(&asked);
        assert_eq!(
            (&told["state"], &told["prompt_tokens"], &told["prompt_read"]),
            (&"prompt".into(), &9.into(), &4.into())
        );
        assert!(told.get("peer").is_none());
    }
}
