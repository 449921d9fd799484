//! How likely tokens were, in this family's words for it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{error::Invalid, go_json::MOST_LOGPROBS};

#[derive(Serialize, ToSchema)]
pub(crate) struct Logprobs {
    content: Vec<TokenLogprob>,
}

/// A token that was chosen, and what might have been in its place.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct TokenLogprob {
    #[serde(flatten)]
    chosen: Logprob,
    top_logprobs: Vec<Logprob>,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Logprob {
    token: String,
    logprob: f32,
    bytes: Vec<u8>,
}

/// Of these tokens, if there are any.
pub(super) fn of(tokens: &[protocol::TokenLogprob]) -> Option<Logprobs> {
    (!tokens.is_empty()).then(|| Logprobs { content: self::tokens(tokens) })
}

/// Each of these tokens.
pub(super) fn tokens(tokens: &[protocol::TokenLogprob]) -> Vec<TokenLogprob> {
    let token = |token: &protocol::TokenLogprob| TokenLogprob {
        chosen: logprob(&token.chosen),
        top_logprobs: token.top.iter().map(logprob).collect(),
    };
    tokens.iter().map(token).collect()
}

fn logprob(of: &protocol::Logprob) -> Logprob {
    Logprob {
        token: String::from_utf8_lossy(&of.bytes).into_owned(),
        logprob: of.logprob,
        bytes: of.bytes.clone(),
    }
}

/// `logprobs` and `top_logprobs` of a chat.
pub(super) fn wanted(logprobs: Option<bool>, top: Option<i64>) -> Result<Option<u32>, Invalid> {
    let wanted = logprobs.unwrap_or(false);
    match u32::try_from(top.unwrap_or(0)) {
        _ if top.is_some() && !wanted => {
            Err(Invalid::of("top_logprobs", "top_logprobs needs logprobs to be true"))
        }
        Ok(top) if top <= MOST_LOGPROBS => Ok(wanted.then_some(top)),
        _ => Err(Invalid::of("top_logprobs", "top_logprobs must be between 0 and 20")),
    }
}
