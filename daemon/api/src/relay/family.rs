//! How a failure is told in the middle of an answer: what its family would have refused the request with, as a piece of the
//! stream.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};

use super::route::Voice;
use crate::{error::Error, family::Family, sse};

/// The last piece of an answer that fails after so many.
pub(super) fn last_words(voice: Voice, error: Error, pieces: u64) -> Bytes {
    let family = match voice {
        Voice::Lines => Family::Ollama,
        Voice::Events | Voice::Responses => Family::OpenAi,
        Voice::Messages => Family::Anthropic,
    };
    let body = now(family.refuse(error).into_body());
    piece(voice, &body, pieces)
}

/// More bytes than any answer has that is not in pieces.
const MOST_BYTES: usize = 16 << 20;

/// The same of a refusal that comes when the head of the answer is sent.
pub(super) async fn late(voice: Voice, refusal: Response) -> Bytes {
    match Limited::new(refusal.into_body(), MOST_BYTES).collect().await {
        Ok(body) => piece(voice, &body.to_bytes(), 0),
        Err(_) => last_words(voice, Error::AnswererGone, 0),
    }
}

/// What we made ourselves is all there.
fn now(body: Body) -> Bytes {
    body.collect().now_or_never().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default()
}

fn piece(voice: Voice, refusal: &[u8], pieces: u64) -> Bytes {
    let mut sent = Vec::new();
    match voice {
        Voice::Lines => {
            sent.extend_from_slice(refusal);
            sent.push(b'\n');
        }
        Voice::Events => {
            sent.extend_from_slice(b"data: ");
            sent.extend_from_slice(refusal);
            sent.extend_from_slice(b"\n\n");
        }
        Voice::Messages => {
            sent.extend_from_slice(b"event: error\ndata: ");
            sent.extend_from_slice(refusal);
            sent.extend_from_slice(b"\n\n");
        }
        Voice::Responses => {
            let told: Value = serde_json::from_slice(refusal).unwrap_or_default();
            let error = &told["error"];
            let event = json!({
                "type": "error",
                "code": error["code"],
                "message": error["message"],
                "param": error["param"],
                "sequence_number": pieces,
            });
            sse::push_named(&mut sent, "error", &event);
        }
    }
    sent.into()
}
