//! Generations' events as text completions. Where the events come from is not known here.

use protocol::{Done, Event, Said, TokenLogprob};
use serde_json::{Map, Value, json};

use super::{
    request::Likelihoods,
    wire::{self, TextChoice, TextCompletion, TextEnd},
};
use crate::{
    answer::Whole,
    error::Error,
    openai::{
        errors::ErrorBody,
        framing::UsageEvent,
        wire::{FINGERPRINT, Usage},
    },
    sse,
};

/// What stands in every object of one reply.
pub(super) struct Reply {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) model: String,
    pub(super) usage: UsageEvent,
    pub(super) likelihoods: Likelihoods,
    /// One for each answer.
    pub(super) answers: Vec<Progress>,
    /// How many of them are of one prompt.
    pub(super) told: usize,
    pub(super) used: Usage,
}

/// How far an answer was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// What is told before the answer, if anything is, and was not told yet.
    echo: Option<Echoed>,
    /// Characters of it, as its tokens have them.
    offset: usize,
    ended: bool,
}

/// A prompt that is told before its answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Echoed {
    pub(super) text: String,
    /// Of its first token, of which there is no likelihood.
    pub(super) first_token: Vec<u8>,
}

impl Reply {
    /// An answer that is not told, as others to its prompt are likelier.
    pub(super) fn leave_out(&mut self, whole: &Whole) {
        self.used.add_answer(&whole.done);
    }

    /// An answer, whole.
    pub(super) fn choice(&mut self, index: usize, whole: Whole) -> TextChoice {
        self.add_usage(index, &whole.done);
        let reason = finish_reason(&whole.done);
        TextChoice { finish_reason: Some(reason), ..self.piece(index, whole.said) }
    }

    /// All answers.
    pub(super) fn whole(&mut self, choices: Vec<TextChoice>) -> TextCompletion {
        TextCompletion { usage: Some(std::mem::take(&mut self.used)), ..self.object(choices) }
    }

    /// What is sent for one event of an answer.
    pub(super) fn events(&mut self, index: usize, event: Event) -> Vec<u8> {
        let mut sent = Vec::new();
        match event {
            Event::Said(said) => {
                let piece = self.piece(index, said);
                if !piece.text.is_empty() || piece.logprobs.is_some() {
                    sse::push(&mut sent, &self.object(vec![piece]));
                }
            }
            Event::Done(done) => {
                self.add_usage(index, &done);
                let last = TextChoice {
                    finish_reason: Some(finish_reason(&done)),
                    ..self.piece(index, Said::default())
                };
                sse::push(&mut sent, &self.object(vec![last]));
                if self.is_over() {
                    self.push_end(&mut sent);
                }
            }
            Event::Failed(error) => {
                self.answers.iter_mut().for_each(|answer| answer.ended = true);
                sse::push(&mut sent, &ErrorBody::from(&Error::from(error)));
            }
        }
        sent
    }

    /// Nothing more is to be sent.
    pub(super) fn is_over(&self) -> bool {
        self.answers.iter().all(|answer| answer.ended)
    }

    fn add_usage(&mut self, index: usize, done: &Done) {
        self.answers[index].ended = true;
        let first = index - index % self.told;
        let of_its_prompt = &self.answers[first..first + self.told];
        if of_its_prompt.iter().filter(|answer| answer.ended).count() == 1 {
            self.used.add_prompt(done);
        }
        self.used.add_answer(done);
    }

    fn push_end(&mut self, sent: &mut Vec<u8>) {
        if self.usage == UsageEvent::Sent {
            let usage = Some(std::mem::take(&mut self.used));
            sse::push(sent, &TextCompletion { usage, ..self.object(Vec::new()) });
        }
        sent.extend_from_slice(sse::DONE);
    }

    /// Text of a completion is all that the model says, whatever it takes it for.
    fn piece(&mut self, index: usize, said: Said) -> TextChoice {
        let progress = &mut self.answers[index];
        let mut likelihoods = wire::Likelihoods::default();
        let mut text = String::new();
        if let Some(echoed) = progress.echo.take() {
            progress.add(&mut likelihoods, &echoed.first_token, None);
            text = echoed.text;
        }
        for token in said.prompt_logprobs.iter().chain(&said.logprobs) {
            progress.add(&mut likelihoods, &token.chosen.bytes, Some(token));
        }
        text += &said.thinking;
        text += &said.text;
        let told = self.likelihoods == Likelihoods::Told && !likelihoods.tokens.is_empty();
        TextChoice { text, index, logprobs: told.then_some(likelihoods), finish_reason: None }
    }

    fn object(&self, choices: Vec<TextChoice>) -> TextCompletion {
        TextCompletion {
            id: self.id.clone(),
            object: "text_completion",
            created: self.created,
            model: self.model.clone(),
            system_fingerprint: FINGERPRINT,
            choices,
            usage: None,
        }
    }
}

impl Progress {
    pub(super) fn begin(echo: Option<Echoed>) -> Self {
        Self { echo, ..Self::default() }
    }

    fn add(&mut self, to: &mut wire::Likelihoods, bytes: &[u8], token: Option<&TokenLogprob>) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        to.text_offset.push(self.offset);
        self.offset += text.chars().count();
        to.tokens.push(text);
        to.token_logprobs.push(token.map(|token| token.chosen.logprob));
        to.top_logprobs.push(token.map(others));
    }
}

fn others(token: &TokenLogprob) -> Map<String, Value> {
    let other = |other: &protocol::Logprob| {
        (String::from_utf8_lossy(&other.bytes).into_owned(), json!(other.logprob))
    };
    token.top.iter().map(other).collect()
}

fn finish_reason(done: &Done) -> TextEnd {
    match done.reason {
        protocol::FinishReason::Stop => TextEnd::Stop,
        protocol::FinishReason::Length => TextEnd::Length,
    }
}

/// How likely an answer is, a token by itself.
pub(super) fn likelihood(whole: &Whole) -> f32 {
    let tokens = &whole.said.logprobs;
    if tokens.is_empty() {
        // It says nothing, and is no rival to one that does.
        return f32::NEG_INFINITY;
    }
    tokens.iter().map(|token| token.chosen.logprob).sum::<f32>() / tokens.len() as f32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::Logprob;

    use super::*;

    fn reply(likelihoods: Likelihoods, echo: Option<Echoed>) -> Reply {
        Reply {
            id: "cmpl-1".into(),
            created: 5,
            model: "m".into(),
            usage: UsageEvent::LeftOut,
            likelihoods,
            answers: vec![Progress::begin(echo)],
            told: 1,
            used: Usage::default(),
        }
    }

    fn token(text: &str, logprob: f32) -> TokenLogprob {
        let chosen = Logprob { token: 1, bytes: text.as_bytes().to_vec(), logprob };
        TokenLogprob { top: vec![chosen.clone()], chosen }
    }

    fn done() -> Done {
        Done {
            reason: protocol::FinishReason::Length,
            prompt_tokens: 3,
            cached_tokens: 0,
            generated_tokens: 4,
            thinking_tokens: 0,
            stop: None,
            prompt_time: Duration::ZERO,
            generate_time: Duration::ZERO,
            context: Vec::new(),
        }
    }

    #[test]
    fn a_stream_is_of_texts_and_ends() {
        let mut reply = reply(Likelihoods::LeftOut, None);
        let sent = [reply.events(0, Event::Said("a".into())), reply.events(0, Event::Done(done()))].concat();
        let head = r#"data: {"id":"cmpl-1","object":"text_completion","created":5,"model":"m","system_fingerprint":"fp_ollama","choices":[{"text":"#;
        let expected = format!(
            "{head}\"a\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}}]}}\n\n\
             {head}\"\",\"index\":0,\"logprobs\":null,\"finish_reason\":\"length\"}}]}}\n\ndata: [DONE]\n\n"
        );
        assert_eq!(String::from_utf8(sent).unwrap(), expected);
        assert!(reply.is_over());
    }

    #[test]
    fn a_prompt_that_is_echoed_comes_first_and_its_first_token_has_no_likelihood() {
        let echoed = Echoed { text: "né".into(), first_token: b"n".to_vec() };
        let mut reply = reply(Likelihoods::Told, Some(echoed));
        let said = Said {
            text: "!".into(),
            prompt_logprobs: vec![token("é", -0.5)],
            logprobs: vec![token("!", -0.25)],
            ..Said::default()
        };
        let choice = reply.choice(0, Whole::of(said, done()));
        assert_eq!(choice.text, "né!");
        let likelihoods = choice.logprobs.unwrap();
        assert_eq!(likelihoods.tokens, ["n", "é", "!"]);
        assert_eq!(likelihoods.token_logprobs, [None, Some(-0.5), Some(-0.25)]);
        assert_eq!(likelihoods.text_offset, [0, 1, 2]);
        assert!(likelihoods.top_logprobs[0].is_none() && likelihoods.top_logprobs[1].is_some());
    }

    #[test]
    fn the_likelier_answer_is_the_likelier_by_token() {
        let of = |logprobs: &[f32]| {
            let logprobs = logprobs.iter().map(|logprob| token("a", *logprob)).collect();
            likelihood(&Whole::of(Said { logprobs, ..Said::default() }, done()))
        };
        assert!(of(&[-0.5, -0.5, -0.5]) > of(&[-1.0]) && of(&[-9.0]) > of(&[]));
    }
}
