//! `/v1/completions`, from what stands on the wire to the vocabulary: every check is here.

use protocol::Input;

use super::wire::CompletionRequest;
use crate::{
    adapters,
    asked::Asked,
    error::Invalid,
    go_json::MOST_LOGPROBS,
    json::Harmless,
    openai::{
        framing::Framing,
        prompts::Prompts,
        sampling::{Sampling, answers, kept_alive, logit_bias, most_tokens},
    },
};

/// A body of `/v1/completions`, checked.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) model: String,
    /// One for each prompt.
    pub(super) asked: Vec<Asked>,
    pub(super) framing: Framing,
    /// Of each prompt, so many are told.
    pub(super) told: usize,
    /// Of each prompt, so many are made.
    pub(super) made: u32,
    pub(super) echo: Echo,
    pub(super) likelihoods: Likelihoods,
}

/// Whether the prompt is told before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Echo {
    Prompt,
    Nothing,
}

/// Whether tokens are told with their likelihoods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likelihoods {
    Told,
    LeftOut,
}

/// Answers to all prompts together.
const MOST_TOGETHER: usize = 128;

impl TryFrom<CompletionRequest> for Request {
    type Error = Invalid;

    fn try_from(body: CompletionRequest) -> Result<Self, Invalid> {
        // All of them, so that none is forgotten.
        #[rustfmt::skip]
        let CompletionRequest {
            model, prompt, suffix, max_tokens, temperature, top_p, n, best_of, stream, stream_options, logprobs, echo, seed, stop,
            frequency_penalty, presence_penalty, logit_bias: bias, top_k, min_p, repeat_penalty, options, keep_alive, lora,
            user: Harmless,
        } = body;
        #[rustfmt::skip]
        let sampling = Sampling {
            temperature, top_p, seed, stop, frequency_penalty, presence_penalty, top_k, min_p, repeat_penalty, options,
        };
        let mut patch = sampling.patch()?;
        patch.num_predict = most_tokens(max_tokens, None, 0)?.or(patch.num_predict);
        let framing = Framing::of(stream, stream_options)?;
        let told = answers("n", n)?;
        let made = best_of_them(best_of, told, framing)?;
        let top = likelihoods(logprobs)?;
        let echo = if echo == Some(true) { Echo::Prompt } else { Echo::Nothing };
        let common = Asked {
            options: patch,
            logit_bias: logit_bias(bias)?,
            // The likeliest are found by them.
            top_logprobs: top.or((made > told).then_some(0)),
            prompt_logprobs: top.filter(|_| echo == Echo::Prompt),
            adapters: adapters::checked(lora)?,
            keep_alive: kept_alive(keep_alive)?,
            ..Asked::new(model.clone(), Input::Raw(String::new()))
        };
        let inputs = inputs(prompt, suffix, echo)?;
        if inputs.len() * made as usize > MOST_TOGETHER {
            return Err(Invalid::of(
                "prompt",
                format!("more than {MOST_TOGETHER} answers to all prompts together"),
            ));
        }
        Ok(Self {
            model,
            asked: inputs.into_iter().map(|input| Asked { input, ..common.clone() }).collect(),
            framing,
            told: told as usize,
            made,
            echo,
            likelihoods: if top.is_some() { Likelihoods::Told } else { Likelihoods::LeftOut },
        })
    }
}

fn best_of_them(best_of: Option<i64>, told: u32, framing: Framing) -> Result<u32, Invalid> {
    let refused = |why: &str| Err(Invalid::of("best_of", why));
    match best_of {
        None => Ok(told),
        Some(made) if made < i64::from(told) => refused("best_of must be at least n"),
        Some(made) if made > i64::from(told) && framing != Framing::Whole => {
            refused("best_of: the likeliest answers are known at the end, so they cannot be streamed")
        }
        Some(made) => answers("best_of", Some(made)),
    }
}

fn likelihoods(asked: Option<i64>) -> Result<Option<u32>, Invalid> {
    let most = i64::from(MOST_LOGPROBS);
    match asked {
        None => Ok(None),
        Some(top) if (0..=most).contains(&top) => Ok(u32::try_from(top).ok()),
        Some(_) => Err(Invalid::of("logprobs", format!("logprobs must be from 0 to {most}"))),
    }
}

fn inputs(prompt: Prompts, suffix: Option<String>, echo: Echo) -> Result<Vec<Input>, Invalid> {
    let inputs: Vec<Input> = match prompt {
        Prompts::Text(text) => vec![Input::Raw(text)],
        Prompts::Texts(texts) => texts.into_iter().map(Input::Raw).collect(),
        Prompts::Tokens(tokens) => vec![Input::Tokens(tokens)],
        Prompts::TokenLists(lists) => lists.into_iter().map(Input::Tokens).collect(),
    };
    if inputs.is_empty() {
        return Err(Invalid::of("prompt", "prompt must not be an empty list"));
    }
    let Some(suffix) = suffix.filter(|suffix| !suffix.is_empty()) else { return Ok(inputs) };
    if echo == Echo::Prompt {
        return Err(Invalid::of("echo", "echo cannot be had of a gap, which suffix makes"));
    }
    let gap = |input| match input {
        Input::Raw(prefix) => Ok(Input::Infill { prefix, suffix: suffix.clone(), system: None }),
        _ => Err(Invalid::of("suffix", "suffix needs prompts of text")),
    };
    inputs.into_iter().map(gap).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::json;

    fn request(extra: Value) -> Result<Request, Invalid> {
        let mut body = json!({"model": "m", "prompt": "a"});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        json::parse::<CompletionRequest>(body.to_string().as_bytes())?.try_into()
    }

    #[test]
    fn prompts_are_texts_or_tokens_and_a_suffix_makes_a_gap() {
        let of = |extra| -> Vec<Input> {
            request(extra).unwrap().asked.into_iter().map(|asked| asked.input).collect()
        };
        assert_eq!(of(json!({"prompt": ["a", "b"]})), [Input::Raw("a".into()), Input::Raw("b".into())]);
        assert_eq!(of(json!({"prompt": [[1], [2, 3]]})), [Input::Tokens(vec![1]), Input::Tokens(vec![2, 3])]);
        let gap = Input::Infill { prefix: "a".into(), suffix: "c".into(), system: None };
        assert_eq!(of(json!({"suffix": "c"})), [gap]);
    }

    #[test]
    fn the_likeliest_are_chosen_by_their_likelihoods_which_are_told_only_if_asked_for() {
        let plain = request(json!({"n": 2, "best_of": 3})).unwrap();
        assert_eq!((plain.told, plain.made, plain.likelihoods), (2, 3, Likelihoods::LeftOut));
        assert_eq!(plain.asked[0].top_logprobs, Some(0));
        let asked = request(json!({"logprobs": 2, "echo": true})).unwrap();
        assert_eq!((asked.asked[0].top_logprobs, asked.asked[0].prompt_logprobs), (Some(2), Some(2)));
        assert_eq!(request(json!({})).unwrap().asked[0].top_logprobs, None);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (field, extra) in [
            ("best_of", json!({"n": 2, "best_of": 1})),
            ("best_of", json!({"best_of": 2, "stream": true})),
            ("best_of", json!({"best_of": 1000})),
            ("logprobs", json!({"logprobs": 21})),
            ("max_tokens", json!({"max_tokens": -1})),
            ("prompt", json!({"prompt": []})),
            ("prompt", json!({"prompt": ["a", "b"], "n": 100})),
            ("suffix", json!({"prompt": [1, 2], "suffix": "c"})),
            ("echo", json!({"echo": true, "suffix": "c"})),
        ] {
            assert_eq!(request(extra).unwrap_err().field.as_deref(), Some(field));
        }
    }
}
