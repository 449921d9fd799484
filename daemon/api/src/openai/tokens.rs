//! `/v1/tokenize` and `/v1/detokenize`, as vLLM and llama-server have them: text to tokens and back.

use axum::{body::Body, response::Response};
use protocol::Input;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    chat::{
        self,
        wire::{Message, Tool},
    },
    errors::{Refusal, Refusals},
    object,
};
use crate::{
    Api,
    asked::Asked,
    body::{self, CONVERSATION_BYTES},
    error::Invalid,
};

/// What is asked: the tokens of a text, or of a conversation as the model reads it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenizeRequest {
    model: String,
    /// A text as it stands, which may name control tokens.
    prompt: Option<String>,
    /// In place of `prompt`.
    messages: Option<Vec<Message>>,
    /// Goes with `messages`.
    tools: Option<Vec<Tool>>,
    /// Whether the text of each token is told as well.
    return_token_strs: Option<bool>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Tokenized {
    tokens: Vec<i32>,
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_strs: Option<Vec<String>>,
}

/// What is asked: the text of these tokens.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetokenizeRequest {
    model: String,
    tokens: Vec<i32>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Detokenized {
    prompt: String,
}

/// The tokens of a text. Where images stand in a conversation, the number is -1.
#[utoipa::path(
    post, path = "/v1/tokenize", request_body = TokenizeRequest, responses((status = OK, body = Tokenized), Refusals)
)]
pub(super) async fn tokenize(api: Api, body: Body) -> Result<Response, Refusal> {
    let body = body::typed::<TokenizeRequest>(body, CONVERSATION_BYTES).await?;
    let told = body.return_token_strs.unwrap_or(false);
    let prepared = api.prepare_any(asked(body)?).await?;
    let tokens = prepared.render(&api).await?.tokens;
    let token_strs = match told {
        true => Some(texts(&tokens, prepared.detokenize(&api, known(&tokens)).await?)),
        false => None,
    };
    Ok(object(&Tokenized { count: tokens.len(), tokens, token_strs }))
}

/// The text of tokens; what is not whole characters is replaced.
#[utoipa::path(
    post, path = "/v1/detokenize", request_body = DetokenizeRequest, responses((status = OK, body = Detokenized), Refusals)
)]
pub(super) async fn detokenize(api: Api, body: Body) -> Result<Response, Refusal> {
    let DetokenizeRequest { model, tokens } = body::typed(body, CONVERSATION_BYTES).await?;
    let prepared = api.prepare_any(Asked::new(model, Input::Tokens(Vec::new()))).await?;
    let bytes = prepared.detokenize(&api, tokens).await?.concat();
    Ok(object(&Detokenized { prompt: String::from_utf8_lossy(&bytes).into_owned() }))
}

fn asked(body: TokenizeRequest) -> Result<Asked, Invalid> {
    let TokenizeRequest { model, prompt, messages, tools, return_token_strs: _ } = body;
    match (prompt, messages) {
        (Some(prompt), None) if tools.is_none() => Ok(Asked::new(model, Input::Raw(prompt))),
        (Some(_), None) => Err(Invalid::of("tools", "tools go with messages, and there are none")),
        (None, Some(messages)) => chat::unanswered(model, messages, tools.unwrap_or_default()),
        _ => Err(Invalid::of("prompt", "either prompt or messages must be there")),
    }
}

/// All but those that no token is for.
fn known(tokens: &[i32]) -> Vec<i32> {
    tokens.iter().copied().filter(|token| *token >= 0).collect()
}

/// One for each, of which those that no token is for have none.
fn texts(tokens: &[i32], known: Vec<Vec<u8>>) -> Vec<String> {
    let mut known = known.into_iter();
    let text = |token: &i32| match token {
        0.. => String::from_utf8_lossy(&known.next().unwrap_or_default()).into_owned(),
        _ => String::new(),
    };
    tokens.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_images_have_no_text() {
        assert_eq!(texts(&[5, -1, 7], vec![b"a".to_vec(), b"b".to_vec()]), ["a", "", "b"]);
    }
}
