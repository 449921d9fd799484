//! `options` of a request in a family that is not Ollama's: Ollama's own options, none of which is unknown.

use protocol::OptionPatch;
use serde_json::{Map, Value};

use crate::error::Invalid;

/// What they say; `null` says nothing.
pub(crate) fn said(options: Option<&Map<String, Value>>) -> Result<OptionPatch, Invalid> {
    let mut patch = OptionPatch::default();
    for (name, value) in options.into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        patch.set(name, value).map_err(|error| Invalid::of("options", format!("options: {error}")))?;
    }
    Ok(patch)
}
