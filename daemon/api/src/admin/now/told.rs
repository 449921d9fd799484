//! What is told of now and of the last day, as it is sent. Nothing is found out here.

use serde::Serialize;

/// What goes on.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Now {
    pub(super) at: String,
    pub(super) memory: Memory,
    /// Models that are in memory, or waited for, or kept from being loaded, by name.
    pub(super) models: Vec<Model>,
    /// The oldest first.
    pub(super) requests: Vec<Request>,
    pub(super) rate: Rate,
    pub(super) sensors: Sensors,
    pub(super) disk: Disk,
}

/// Bytes.
#[derive(Debug, Serialize)]
pub(super) struct Memory {
    /// That the machine has, or that this service may have of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) machine: Option<u64>,
    /// That could be had without swapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) available: Option<u64>,
    /// That models may take together; without a limit, it is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<u64>,
    /// That they take, with what is lent and what is about to be given back.
    pub(super) used: u64,
    /// Of these, of models that are gone and whose processes are not.
    pub(super) leaving: u64,
    pub(super) models: Vec<Taken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lent: Option<Lent>,
}

/// What one model takes; all parts together are what it counts for.
#[derive(Debug, Serialize)]
pub(super) struct Taken {
    pub(super) name: String,
    pub(super) weights: u64,
    /// The KV cache.
    pub(super) cache: u64,
    /// The buffers of one step.
    pub(super) compute: u64,
    /// Prefixes outside the KV cache.
    pub(super) prefixes: u64,
    /// The process, and what else there is.
    pub(super) rest: u64,
    /// `estimated` until its worker has loaded it, then `measured`.
    pub(super) by: &'static str,
    pub(super) state: &'static str,
}

/// What a paired box has of this one.
#[derive(Debug, Serialize)]
pub(super) struct Lent {
    pub(super) to: String,
    pub(super) size: u64,
}

/// What goes on with one model.
#[derive(Debug, Serialize)]
pub(super) struct Model {
    pub(super) name: String,
    /// `absent`, `loading`, `loaded`, `resting` or `quarantined`.
    pub(super) state: &'static str,
    /// Why it is quarantined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// Requests that it answers, or reads.
    pub(super) running: usize,
    /// Of these, answers that are held until their readers have caught up.
    pub(super) held: usize,
    /// Requests that wait for it, or for a place of it.
    pub(super) waiting: usize,
    /// Seconds that the first of them has waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) longest_wait: Option<f64>,
    /// Of one request, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<u32>,
    /// Requests that it answers at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequences: Option<u32>,
    /// When it goes if nothing asks for it: `null`, if it stays; not told of one that is not in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Option<String>>,
    /// `CPU`, `GPU` or `CPU + GPU`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<&'static str>,
}

/// One request.
#[derive(Debug, Serialize)]
pub(super) struct Request {
    /// For `DELETE requests/{id}`.
    pub(super) id: String,
    pub(super) model: String,
    /// A key's id, a person's name, `local` or `operator`: as usage has it.
    pub(super) who: String,
    /// `chat`, `generate`, `embed`, `rerank`, `tokens` or `load`.
    pub(super) kind: &'static str,
    pub(super) since: String,
    /// `waiting`, `loading`, `prompt`, `answering`, `held`, or `passed` to a paired box.
    pub(super) state: &'static str,
    /// The paired box that answers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peer: Option<String>,
    /// Of its prompt, once that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prompt_tokens: Option<u32>,
    /// Of these, read by now, those of the cache included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prompt_read: Option<u32>,
    /// Of its answer by now.
    pub(super) tokens: u64,
    /// Tokens of its answer in the last second.
    pub(super) rate: f64,
}

/// Tokens of the last second.
#[derive(Debug, Serialize)]
pub(super) struct Rate {
    /// Read; those of the cache are not counted.
    pub(super) prompt: f64,
    /// Said.
    pub(super) answer: f64,
}

/// What the machine tells of itself.
#[derive(Debug, Serialize)]
pub(super) struct Sensors {
    /// Degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    /// Watts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) power: Option<f64>,
}

/// Bytes of the disk with the models.
#[derive(Debug, Serialize)]
pub(super) struct Disk {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) free: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<u64>,
    /// That models take, downloads that are not done included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) models: Option<u64>,
}

/// The last day.
#[derive(Debug, Serialize)]
pub(super) struct History {
    /// Seconds of a row.
    pub(super) step: u64,
    /// The oldest first.
    pub(super) rows: Vec<Row>,
}

/// A minute.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    /// Its end.
    pub(super) at: String,
    /// Tokens a second.
    pub(super) answer_rate: f64,
    /// Tokens a second.
    pub(super) prompt_rate: f64,
    /// That came in it.
    pub(super) requests: u64,
    /// From when a request came to its first token; not told if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_token_ms_p50: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_token_ms_p95: Option<f64>,
    /// Bytes that models took at its end.
    pub(super) memory: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) power: Option<f64>,
}
