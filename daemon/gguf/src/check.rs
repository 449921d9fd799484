//! What llama.cpp takes for granted of a header, checked before it does: each rule here stands for a crash, or worse, that
//! somebody found in it.

use std::collections::HashSet;

use crate::error::malformed;
use crate::header::number;
use crate::{GgufError, Header, Split, Tensor, Value, hyperparameters, vocabulary};

pub(crate) const TOKENS: &str = "tokenizer.ggml.tokens";
const MAX_ALIGNMENT: u64 = 1 << 16;

/// A value's type as the file says it, by ggml's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    One(u32),
    /// Of elements of this type.
    List(u32),
}

const UINT8: u32 = 0;
const INT8: u32 = 1;
const UINT16: u32 = 2;
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
    ("tokenizer.ggml.scores", &[Wire::List(FLOAT32)]),
    ("tokenizer.ggml.token_type", &[Wire::List(INT32)]),
    ("tokenizer.ggml.merges", &[Wire::List(STRING)]),
    ("tokenizer.ggml.precompiled_charsmap", &[Wire::List(UINT8), Wire::List(INT8)]),
    // Those of a later file are not even thrown upon, but asserted.
    ("split.no", &[Wire::One(UINT16)]),
    ("split.count", &[Wire::One(UINT16)]),
    ("split.tensors.count", &[Wire::One(INT32)]),
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
    vocabulary::check(header)?;
    Split::check(header)?;
    // The later files of a split model have nothing but their number.
    if header.split().is_some_and(|split| split.number > 0) {
        return Ok(());
    }
    hyperparameters::check(header)
}

/// llama.cpp compares names as far as their first zero, so one behind which something hides would be checked as another.
fn names(header: &Header) -> Result<(), GgufError> {
    let hides = |name: &str| name.is_empty() || name.contains('\0');
    let mut keys = HashSet::with_capacity(header.metadata.len());
    for (key, _) in &header.metadata {
        if hides(key) {
            return Err(malformed("the name of a key", format!("{key:?}")));
        }
        if !keys.insert(key) {
            return Err(malformed("a key that is there twice", key));
        }
    }
    let mut tensors = HashSet::with_capacity(header.tensors.len());
    for Tensor { name, .. } in &header.tensors {
        if hides(name) {
            return Err(malformed("the name of a tensor", format!("{name:?}")));
        }
        if !tensors.insert(name) {
            return Err(malformed("a tensor that is there twice", name));
        }
    }
    match header.text("general.architecture") {
        Some(name) if hides(name) => Err(malformed("the architecture", format!("{name:?}"))),
        _ => Ok(()),
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
