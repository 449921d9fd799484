//! What llama.cpp takes for granted of a header, checked before it does: each rule here stands for a crash, or worse, that
//! somebody found in it.

use std::collections::HashSet;

use crate::error::malformed;
use crate::header::number;
use crate::{GgufError, Header, Value};

pub(crate) const TOKENS: &str = "tokenizer.ggml.tokens";
const SCORES: &str = "tokenizer.ggml.scores";
const TOKEN_TYPES: &str = "tokenizer.ggml.token_type";

const MAX_ALIGNMENT: u64 = 1 << 16;
/// `LLAMA_MAX_LAYERS` and `LLAMA_MAX_EXPERTS`, which are asserted.
const MAX_BLOCKS: u64 = 512;
const MAX_EXPERTS: u64 = 512;
/// Far above real ones, and small enough for products of two.
const MAX_WIDTH: u64 = 1 << 20;
const MAX_CONTEXT: u64 = 1 << 30;

/// A value's type as the file says it, by ggml's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    One(u32),
    /// Of elements of this type.
    List(u32),
}

const UINT8: u32 = 0;
const INT8: u32 = 1;
const UINT32: u32 = 4;
const INT32: u32 = 5;
const FLOAT32: u32 = 6;
const STRING: u32 = 8;

/// llama.cpp casts these without asking what they are.
const KNOWN: &[(&str, &[Wire])] = &[
    ("general.architecture", &[Wire::One(STRING)]),
    ("general.type", &[Wire::One(STRING)]),
    ("general.alignment", &[Wire::One(UINT32)]),
    ("tokenizer.ggml.model", &[Wire::One(STRING)]),
    ("tokenizer.ggml.pre", &[Wire::One(STRING)]),
    ("tokenizer.chat_template", &[Wire::One(STRING)]),
    (TOKENS, &[Wire::List(STRING)]),
    (SCORES, &[Wire::List(FLOAT32)]),
    (TOKEN_TYPES, &[Wire::List(INT32), Wire::List(UINT32)]),
    ("tokenizer.ggml.merges", &[Wire::List(STRING)]),
    ("tokenizer.ggml.precompiled_charsmap", &[Wire::List(UINT8), Wire::List(INT8)]),
];

/// Whether the key has a type that it may have.
pub(crate) fn wire_type(key: &str, found: Wire) -> Result<(), GgufError> {
    match KNOWN.iter().find(|(known, _)| *known == key) {
        Some((known, allowed)) if !allowed.contains(&found) => {
            Err(malformed("the type of a key", format!("{found:?} for {known}")))
        }
        _ => Ok(()),
    }
}

pub(crate) fn alignment(metadata: &[(String, Value)]) -> Result<u64, GgufError> {
    let given = metadata.iter().find(|(key, _)| key == "general.alignment").map(|(_, value)| value);
    match given.map(number) {
        None => Ok(32),
        Some(Some(bytes)) if bytes.is_power_of_two() && bytes <= MAX_ALIGNMENT => Ok(bytes),
        Some(other) => Err(malformed("the alignment", other.unwrap_or(0))),
    }
}

/// All that concerns more than one value.
pub(crate) fn header(header: &Header, file_bytes: u64) -> Result<(), GgufError> {
    names(header)?;
    extents(header, file_bytes)?;
    vocabulary(header)?;
    // The later files of a split model have nothing but their number.
    if header.split().is_some_and(|split| split.number > 0) {
        return Ok(());
    }
    dimensions(header)
}

fn names(header: &Header) -> Result<(), GgufError> {
    let mut keys = HashSet::new();
    if let Some((key, _)) = header.metadata.iter().find(|(key, _)| !keys.insert(key)) {
        return Err(malformed("a key that is there twice", key));
    }
    let mut tensors = HashSet::new();
    match header.tensors.iter().find(|tensor| !tensors.insert(&tensor.name)) {
        Some(tensor) => Err(malformed("a tensor that is there twice", &tensor.name)),
        None => Ok(()),
    }
}

/// Every tensor inside the file, and none upon another.
fn extents(header: &Header, file_bytes: u64) -> Result<(), GgufError> {
    let mut ends = Vec::with_capacity(header.tensors.len());
    for tensor in &header.tensors {
        let end = u128::from(header.data) + u128::from(tensor.offset) + u128::from(tensor.bytes);
        if end > u128::from(file_bytes) {
            return Err(GgufError::TensorOutside { name: tensor.name.clone(), end, file_bytes });
        }
        ends.push((tensor.offset, tensor.offset + tensor.bytes, &tensor.name));
    }
    ends.sort_unstable();
    match ends.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        Some(pair) => Err(malformed("a tensor that lies upon another", pair[1].2)),
        None => Ok(()),
    }
}

/// Lists that are read as far as there are tokens.
fn vocabulary(header: &Header) -> Result<(), GgufError> {
    let length = |key| match header.get(key) {
        Some(Value::Array(items)) => Some(items.len()),
        _ => None,
    };
    let tokens = length(TOKENS);
    for (key, what) in [(SCORES, "the number of scores"), (TOKEN_TYPES, "the number of token types")] {
        match length(key) {
            Some(count) if Some(count) != tokens => return Err(malformed(what, count)),
            _ => {}
        }
    }
    Ok(())
}

/// Numbers that llama.cpp divides by, asserts on, or makes arrays of.
fn dimensions(header: &Header) -> Result<(), GgufError> {
    let Some(architecture) = header.text("general.architecture") else {
        return Err(malformed("the architecture", "missing"));
    };
    // Adapters and projectors have no blocks of their own.
    let is_model = header.text("general.type").is_none_or(|kind| kind == "model") && architecture != "clip";
    if is_model && header.of_architecture("block_count").is_none() {
        return Err(malformed("the number of blocks", "missing"));
    }
    let ranges = [
        ("block_count", "the number of blocks", 1..=MAX_BLOCKS),
        ("context_length", "the trained context", 1..=MAX_CONTEXT),
        ("embedding_length", "the width of an embedding", 1..=MAX_WIDTH),
        // None, in a model without attention.
        ("attention.head_count", "the number of heads", 0..=MAX_WIDTH),
        ("expert_count", "the number of experts", 0..=MAX_EXPERTS),
        ("expert_used_count", "the number of experts used", 0..=MAX_EXPERTS),
        ("rope.dimension_count", "the width of positions", 0..=MAX_WIDTH),
    ];
    for (key, what, range) in ranges {
        let Some(value) = header.get(&format!("{architecture}.{key}")) else { continue };
        // Of a list, one for each block, the greatest: some blocks may have none.
        match number(value) {
            Some(number) if range.contains(&number) => {}
            Some(number) => return Err(malformed(what, number)),
            None => return Err(malformed(what, "no number")),
        }
    }
    Ok(())
}
