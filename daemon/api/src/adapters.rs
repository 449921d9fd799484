//! `lora` of a request, in every family: which of the model's adapters are laid over it, as llama-server has it.

use protocol::AdapterScale;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{error::Invalid, go_json::Fields};

/// One of the model's adapters, and how strongly it is laid over it.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Adapter {
    /// Which, from 0, in the order of the Modelfile.
    #[schema(minimum = 0)]
    id: i64,
    #[schema(minimum = -100, maximum = 100, default = 1.0)]
    scale: Option<f64>,
}

/// Beyond it, nothing but noise is said.
const MOST: f64 = 100.0;

/// `lora`: a list of ids and scales. What is not named is left out; nothing said leaves all as the Modelfile has them.
pub(crate) fn scales(fields: &mut Fields) -> Result<Option<Vec<AdapterScale>>, Invalid> {
    let said = fields.list("lora", "Adapter")?;
    said.map(|said| said.into_iter().map(scale).collect()).transpose()
}

/// The same of a body that was read strictly.
pub(crate) fn checked(said: Option<Vec<Adapter>>) -> Result<Option<Vec<AdapterScale>>, Invalid> {
    said.map(|said| said.into_iter().map(Adapter::checked).collect()).transpose()
}

fn scale(said: serde_json::Value) -> Result<AdapterScale, Invalid> {
    serde_json::from_value::<Adapter>(said)
        .map_err(|error| Invalid::of("lora", format!("lora: {error}")))?
        .checked()
}

impl Adapter {
    fn checked(self) -> Result<AdapterScale, Invalid> {
        let wrong = |why: &str| Invalid::of("lora", why);
        let adapter = u32::try_from(self.id);
        let adapter = adapter.map_err(|_| wrong("lora[].id must be the number of an adapter, from 0"))?;
        match self.scale.unwrap_or(1.0) {
            scale if scale.abs() <= MOST => Ok(AdapterScale { adapter, scale: scale as f32 }),
            _ => Err(wrong("lora[].scale must be a number from -100 to 100")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn adapters_are_named_by_number_and_laid_over_in_full_unless_said() {
        let of = |lora: Value| scales(&mut Fields::of("T", json!({"lora": lora})).unwrap());
        assert_eq!(of(json!(null)).unwrap(), None);
        let both = [AdapterScale { adapter: 1, scale: 0.5 }, AdapterScale { adapter: 0, scale: 1.0 }];
        assert_eq!(of(json!([{"id": 1, "scale": 0.5}, {"id": 0}])).unwrap().unwrap(), both);
        for wrong in
            [json!([{"id": -1}]), json!([{"scale": 1}]), json!([{"id": 0, "scale": 1e9}]), json!([1])]
        {
            assert!(of(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
