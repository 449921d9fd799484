//! Numbers of the architecture that llama.cpp divides by, asserts on, or makes arrays of.

use std::ops::RangeInclusive;

use crate::error::malformed;
use crate::header::number;
use crate::{GgufError, Header, Value};

/// `LLAMA_MAX_LAYERS` and `LLAMA_MAX_EXPERTS`, which are asserted.
const MAX_BLOCKS: u64 = 512;
const MAX_EXPERTS: u64 = 1024;
/// Far above real ones, and small enough for products of two.
const MAX_WIDTH: u64 = 1 << 20;
const MAX_CONTEXT: u64 = 1 << 30;

/// Whether a number may be given for each block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    One,
    OneOrList,
}

/// A key after the architecture's name, its name in errors, how it is given and where it lies.
type Rule = (&'static str, &'static str, Form, RangeInclusive<u64>);

/// In a list some blocks may have no heads or no feed-forward part: those of a state-space model, or a pruned one.
const RULES: &[Rule] = &[
    ("block_count", "the number of blocks", Form::One, 1..=MAX_BLOCKS),
    ("context_length", "the trained context", Form::OneOrList, 1..=MAX_CONTEXT),
    ("embedding_length", "the width of an embedding", Form::OneOrList, 1..=MAX_WIDTH),
    ("feed_forward_length", "the width of a feed-forward part", Form::OneOrList, 0..=MAX_WIDTH),
    (HEADS, "the number of heads", Form::OneOrList, 0..=MAX_WIDTH),
    (HEADS_KV, "the number of key-value heads", Form::OneOrList, 0..=MAX_WIDTH),
    ("rope.dimension_count", "the width of positions", Form::One, 0..=MAX_WIDTH),
    ("expert_count", "the number of experts", Form::One, 0..=MAX_EXPERTS),
    ("expert_used_count", "the number of experts used", Form::OneOrList, 0..=MAX_EXPERTS),
    ("expert_group_count", "the number of expert groups", Form::One, 0..=MAX_EXPERTS),
    ("expert_group_used_count", "the number of expert groups used", Form::One, 0..=MAX_EXPERTS),
    ("nextn_predict_layers", "the number of blocks that predict ahead", Form::One, 0..=MAX_BLOCKS),
    ("ssm.time_step_rank", "the rank of time steps", Form::One, 1..=MAX_WIDTH),
];

const HEADS: &str = "attention.head_count";
const HEADS_KV: &str = "attention.head_count_kv";

/// Architectures without heads, whose files say that they have 0: `llm_arch_is_recurrent` of llama.cpp.
const WITHOUT_HEADS: &[&str] = &["arwkv7", "mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7"];
/// Those for which llama.cpp does not look whether there is a number of heads before it divides by it.
const DIVIDED_BLINDLY: &[&str] = &["deepseek2", "gemma2", "gemma3", "olmo2", "phimoe"];
const ROPE_SCALINGS: &[&str] = &["none", "linear", "yarn", "longrope"];

pub(crate) fn check(header: &Header) -> Result<(), GgufError> {
    let Some(architecture) = header.text("general.architecture") else {
        return Err(malformed("the architecture", "missing"));
    };
    for (key, what, form, range) in RULES {
        if let Some(value) = header.get(&format!("{architecture}.{key}")) {
            within(value, what, *form, range)?;
        }
    }
    let kind = header.text("general.type");
    let Some(blocks) = header.of_architecture("block_count") else {
        // Adapters and projectors have no blocks of their own; llama.cpp throws where a model has none.
        let may_lack = architecture == "clip" || kind == Some("adapter") || kind == Some("mmproj");
        return if may_lack { Ok(()) } else { Err(malformed("the number of blocks", "missing")) };
    };
    heads(header, architecture)?;
    experts(header, architecture)?;
    rope_scaling(header, architecture)?;
    match header.of_architecture("nextn_predict_layers") {
        Some(ahead) if ahead > blocks => Err(malformed("the number of blocks that predict ahead", ahead)),
        _ => Ok(()),
    }
}

/// Whether a value is an integer of the range, or a list of such where that is allowed.
fn within(
    value: &Value,
    what: &'static str,
    form: Form,
    range: &RangeInclusive<u64>,
) -> Result<(), GgufError> {
    match value {
        Value::Array(items) if form == Form::OneOrList && !items.is_empty() => {
            items.iter().try_for_each(|item| within(item, what, Form::One, range))
        }
        Value::Unsigned(_) | Value::Signed(_) => match number(value) {
            Some(number) if range.contains(&number) => Ok(()),
            _ => Err(malformed(what, format!("{value:?}"))),
        },
        _ => Err(malformed(what, "no integer")),
    }
}

/// The width of a head is the embedding's divided by their number (compare CVE-2025-0317); products of matrices divide by
/// that of key-value heads. In a list some blocks may have none, the first one too, as in PLaMo 2.
fn heads(header: &Header, architecture: &str) -> Result<(), GgufError> {
    if WITHOUT_HEADS.contains(&architecture) {
        return Ok(());
    }
    let first = match header.get(&format!("{architecture}.{HEADS}")) {
        Some(Value::Array(items)) => items.first().and_then(number),
        one => one.and_then(number),
    };
    let divided_blindly = DIVIDED_BLINDLY.contains(&architecture);
    match first {
        None if divided_blindly => return Err(malformed("the number of heads", "missing")),
        Some(0) if divided_blindly || header.of_architecture(HEADS) == Some(0) => {
            return Err(malformed("the number of heads", 0));
        }
        _ => {}
    }
    match header.of_architecture(HEADS_KV) {
        Some(0) => Err(malformed("the number of key-value heads", 0)),
        _ => Ok(()),
    }
}

/// As `load_hparams` of llama.cpp asserts it.
fn experts(header: &Header, architecture: &str) -> Result<(), GgufError> {
    let count = |key| header.of_architecture(key).unwrap_or(0);
    let (all, used) = (count("expert_count"), count("expert_used_count"));
    if architecture.starts_with("hunyuan") && all <= 1 {
        return Ok(());
    }
    if used > all || (all > 0 && used == 0) {
        return Err(malformed("the number of experts used", format!("{used} of {all}")));
    }
    let (groups, groups_used) = (count("expert_group_count"), count("expert_group_used_count"));
    let fits = match groups {
        0 => true,
        1 => all > 1,
        _ => groups < all && all.is_multiple_of(groups) && (1..groups).contains(&groups_used),
    };
    if fits { Ok(()) } else { Err(malformed("the number of expert groups", format!("{groups} of {all}"))) }
}

fn rope_scaling(header: &Header, architecture: &str) -> Result<(), GgufError> {
    match header.get(&format!("{architecture}.rope.scaling.type")) {
        Some(Value::Text(name)) if ROPE_SCALINGS.contains(&name.as_str()) => Ok(()),
        Some(other) => Err(malformed("the scaling of positions", format!("{other:?}"))),
        None => Ok(()),
    }
}
