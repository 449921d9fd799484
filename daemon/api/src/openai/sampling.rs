//! How this family says how to sample, which chat and completions have in common. The ranges are the vocabulary's.

use std::collections::BTreeMap;

use protocol::OptionPatch;
use scheduler::KeepAlive;
use serde_json::{Map, Value, json};

use crate::{error::Invalid, json::TextOrList, keep_alive, options};

/// As the fields stand in a body. The last ones are no fields of OpenAI's.
#[derive(Default)]
pub(super) struct Sampling {
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) seed: Option<i64>,
    pub(super) stop: Option<TextOrList<String>>,
    pub(super) frequency_penalty: Option<f64>,
    pub(super) presence_penalty: Option<f64>,
    pub(super) top_k: Option<i64>,
    pub(super) min_p: Option<f64>,
    pub(super) repeat_penalty: Option<f64>,
    /// Ollama's, of which those win that stand beside it.
    pub(super) options: Option<Map<String, Value>>,
}

const MAX_STOPS: usize = 16;

impl Sampling {
    pub(super) fn patch(self) -> Result<OptionPatch, Invalid> {
        let mut patch = options::said(self.options.as_ref())?;
        // OpenAI's own defaults; they win over the Modelfile's, as in Ollama.
        let by_options = [patch.temperature, patch.top_p];
        let or_one = |said: Option<f64>, option: Option<f32>| said.or(option.is_none().then_some(1.0));
        let numbers = [
            ("temperature", or_one(self.temperature, by_options[0])),
            ("top_p", or_one(self.top_p, by_options[1])),
            ("frequency_penalty", self.frequency_penalty),
            ("presence_penalty", self.presence_penalty),
            ("min_p", self.min_p),
            ("repeat_penalty", self.repeat_penalty),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                in_range(name, number)?;
                patch.set(name, &json!(number))?;
            }
        }
        for (name, number) in [("seed", self.seed), ("top_k", self.top_k)] {
            if let Some(number) = number {
                patch.set(name, &json!(number))?;
            }
        }
        let stops = self.stop.map(stops).transpose()?.filter(|stops| !stops.is_empty());
        patch.stop = stops.or(patch.stop);
        Ok(patch)
    }
}

/// OpenAI's own ranges; what it does not know has the vocabulary's.
fn in_range(name: &str, number: f64) -> Result<(), Invalid> {
    let (low, high) = match name {
        "temperature" => (0.0, 2.0),
        "top_p" => (0.0, 1.0),
        "frequency_penalty" | "presence_penalty" => (-2.0, 2.0),
        _ => return Ok(()),
    };
    match (low..=high).contains(&number) {
        true => Ok(()),
        false => Err(Invalid::of(name, format!("{name} is {number}, it must be from {low} to {high}"))),
    }
}

fn stops(stop: TextOrList<String>) -> Result<Vec<String>, Invalid> {
    let stops = match stop {
        TextOrList::Text(stop) => vec![stop],
        TextOrList::List(stops) => stops,
    };
    match stops.len() {
        0..=MAX_STOPS => Ok(stops.into_iter().filter(|stop| !stop.is_empty()).collect()),
        _ => Err(Invalid::of("stop", format!("stop has more than {MAX_STOPS} strings"))),
    }
}

/// `logit_bias`: from the numbers of tokens, written as text, to what is added to their logits.
pub(super) fn logit_bias(bias: Option<BTreeMap<String, f64>>) -> Result<Vec<(i32, f32)>, Invalid> {
    let refused = |why: String| Invalid::of("logit_bias", why);
    if bias.as_ref().is_some_and(|bias| bias.len() > MOST_BIASED) {
        return Err(refused(format!("logit_bias speaks of more than {MOST_BIASED} tokens")));
    }
    let one = |(token, bias): (String, f64)| {
        let number = token.parse::<i32>().ok().filter(|number| *number >= 0);
        let number =
            number.ok_or_else(|| refused(format!("logit_bias: {token:?} is not the number of a token")))?;
        match (-100.0..=100.0).contains(&bias) {
            true => Ok((number, bias as f32)),
            false => Err(refused(format!("logit_bias of {token} is {bias}, it must be from -100 to 100"))),
        }
    };
    bias.unwrap_or_default().into_iter().map(one).collect()
}

/// OpenAI's own is 300; a ban of many words takes more.
const MOST_BIASED: usize = 4096;

/// `max_tokens` and its newer name, which wins.
pub(super) fn most_tokens(
    older: Option<i64>,
    newer: Option<i64>,
    least: i64,
) -> Result<Option<i64>, Invalid> {
    for (name, asked) in [("max_tokens", older), ("max_completion_tokens", newer)] {
        if asked.is_some_and(|tokens| tokens < least) {
            return Err(Invalid::of(name, format!("{name} must be at least {least}")));
        }
    }
    Ok(newer.or(older))
}

/// `n` or `best_of`: how many answers to one prompt.
pub(super) fn answers(name: &str, asked: Option<i64>) -> Result<u32, Invalid> {
    match asked.map(u32::try_from) {
        None => Ok(1),
        Some(Ok(answers)) if (1..=MOST_ANSWERS).contains(&answers) => Ok(answers),
        Some(_) => Err(Invalid::of(name, format!("{name} must be from 1 to {MOST_ANSWERS}"))),
    }
}

/// OpenAI's own.
const MOST_ANSWERS: u32 = 128;

/// `keep_alive`, which is Ollama's.
pub(super) fn kept_alive(said: Option<Value>) -> Result<Option<KeepAlive>, Invalid> {
    said.as_ref().map(keep_alive::parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_temperatures_are_openais() {
        let options = Sampling::default().patch().unwrap();
        assert_eq!((options.temperature, options.top_p, options.num_predict), (Some(1.0), Some(1.0), None));
    }

    #[test]
    fn what_stands_beside_the_options_wins_over_them() {
        let options = json!({"temperature": 0.25, "top_p": 0.5, "num_ctx": 512}).as_object().cloned();
        let patch = Sampling { temperature: Some(0.0), options, ..Sampling::default() }.patch().unwrap();
        assert_eq!((patch.temperature, patch.top_p, patch.num_ctx), (Some(0.0), Some(0.5), Some(512)));
        let unknown = Sampling { options: json!({"warmth": 1}).as_object().cloned(), ..Sampling::default() };
        assert_eq!(unknown.patch().unwrap_err().field.as_deref(), Some("options"));
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        let named = |sampling: Sampling| sampling.patch().unwrap_err().field.unwrap_or_default();
        assert_eq!(named(Sampling { temperature: Some(2.5), ..Sampling::default() }), "temperature");
        assert_eq!(
            named(Sampling { presence_penalty: Some(-3.0), ..Sampling::default() }),
            "presence_penalty"
        );
        let many = TextOrList::List(vec!["a".to_owned(); MAX_STOPS + 1]);
        assert_eq!(named(Sampling { stop: Some(many), ..Sampling::default() }), "stop");
        let bias = |token: &str, bias| logit_bias(Some(BTreeMap::from([(token.to_owned(), bias)])));
        assert_eq!(bias("5", -100.0).unwrap(), [(5, -100.0)]);
        assert!(bias("five", 1.0).is_err() && bias("-5", 1.0).is_err() && bias("5", 101.0).is_err());
        assert!([0, 129, -1].into_iter().all(|wrong| answers("n", Some(wrong)).is_err()));
        assert!(most_tokens(Some(0), None, 1).is_err() && most_tokens(Some(0), None, 0).is_ok());
    }

    #[test]
    fn the_newer_name_of_the_limit_wins() {
        assert_eq!(most_tokens(Some(5), Some(7), 1).unwrap(), Some(7));
    }
}
