//! What a client is told of how many more requests there is room for: by the limits of its key, if that has any; else by how full
//! the queue is that all wait in, where room comes with the next answer that ends, so the time of that is now.

use std::time::Duration;

use access::Left;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::{Timestamp, Unit};
use scheduler::Queue;

use crate::{Api, family::Family};

/// Tells it with each answer to a question; lists of models are free.
pub(crate) async fn tell(
    State((api, family)): State<(Api, Family)>,
    request: Request,
    next: Next,
) -> Response {
    let api = api.for_caller(request.extensions());
    let asks = request.method() == Method::POST;
    let mut response = next.run(request).await;
    if asks {
        put(response.headers_mut(), family, &api);
    }
    response
}

/// Puts it among a response's headers.
pub(crate) fn put(headers: &mut HeaderMap, family: Family, api: &Api) {
    let (now, standing) = (Timestamp::now(), api.caller.standing());
    let requests = standing.as_ref().and_then(|standing| standing.requests.map(Room::from));
    family.put(headers, Of::Requests, requests.unwrap_or_else(|| api.scheduler.queue().into()), now);
    if let Some(tokens) = standing.and_then(|standing| standing.tokens) {
        family.put(headers, Of::Tokens, tokens.into(), now);
    }
}

/// How much of something is left.
#[derive(Clone, Copy)]
struct Room {
    limit: u64,
    remaining: u64,
    /// Until all of it is there again.
    full_in: Duration,
}

impl From<Queue> for Room {
    fn from(queue: Queue) -> Self {
        let remaining = queue.limit.saturating_sub(queue.waiting) as u64;
        Self { limit: queue.limit as u64, remaining, full_in: Duration::ZERO }
    }
}

impl From<Left> for Room {
    fn from(left: Left) -> Self {
        Self { limit: left.limit, remaining: left.remaining, full_in: left.reset }
    }
}

/// Of what.
#[derive(Clone, Copy)]
enum Of {
    Requests,
    Tokens,
}

impl Family {
    /// Ollama's and that of registries have no words for it.
    fn put(self, headers: &mut HeaderMap, of: Of, room: Room, now: Timestamp) {
        let names = match (self, of) {
            (Self::Ollama | Self::Oci, _) => return,
            (Self::OpenAi, Of::Requests) => {
                ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"]
            }
            (Self::OpenAi, Of::Tokens) => {
                ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"]
            }
            (Self::Anthropic, Of::Requests) => [
                "anthropic-ratelimit-requests-limit",
                "anthropic-ratelimit-requests-remaining",
                "anthropic-ratelimit-requests-reset",
            ],
            (Self::Anthropic, Of::Tokens) => [
                "anthropic-ratelimit-tokens-limit",
                "anthropic-ratelimit-tokens-remaining",
                "anthropic-ratelimit-tokens-reset",
            ],
        };
        let [limit, remaining, reset] = names.map(HeaderName::from_static);
        headers.insert(limit, HeaderValue::from(room.limit));
        headers.insert(remaining, HeaderValue::from(room.remaining));
        headers.insert(reset, self.reset(room.full_in, now));
    }

    /// As a length of time, or as a point in time.
    fn reset(self, full_in: Duration, now: Timestamp) -> HeaderValue {
        let text = match self {
            Self::Ollama | Self::Oci | Self::OpenAi => format!("{}s", full_in.as_secs_f64().ceil()),
            Self::Anthropic => {
                let then = now.checked_add(full_in).unwrap_or(now);
                then.round(Unit::Second).unwrap_or(then).to_string()
            }
        };
        HeaderValue::from_str(&text).expect("a time is digits and signs")
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn told(family: Family, of: Of, room: Room) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(1200);
        family.put(&mut headers, of, room, now);
        let told = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        told.collect()
    }

    fn pairs(pairs: [(&str, &str); 3]) -> Vec<(String, String)> {
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    #[test]
    fn each_family_tells_of_the_queue_in_its_own_words() {
        let queue = Room::from(Queue { limit: 512, waiting: 2 });
        assert_eq!(
            told(Family::OpenAi, Of::Requests, queue),
            pairs([
                ("x-ratelimit-limit-requests", "512"),
                ("x-ratelimit-remaining-requests", "510"),
                ("x-ratelimit-reset-requests", "0s"),
            ])
        );
        assert_eq!(
            told(Family::Anthropic, Of::Requests, queue),
            pairs([
                ("anthropic-ratelimit-requests-limit", "512"),
                ("anthropic-ratelimit-requests-remaining", "510"),
                ("anthropic-ratelimit-requests-reset", "1970-01-01T00:00:01Z"),
            ])
        );
        assert!(told(Family::Ollama, Of::Requests, queue).is_empty());
    }

    #[test]
    fn limits_are_told_with_the_time_at_which_they_are_whole_again() {
        let room = Room { limit: 1000, remaining: 7, full_in: Duration::from_millis(89_300) };
        assert_eq!(
            told(Family::OpenAi, Of::Tokens, room),
            pairs([
                ("x-ratelimit-limit-tokens", "1000"),
                ("x-ratelimit-remaining-tokens", "7"),
                ("x-ratelimit-reset-tokens", "90s"),
            ])
        );
        let reset = "anthropic-ratelimit-tokens-reset".to_owned();
        assert!(told(Family::Anthropic, Of::Tokens, room).contains(&(reset, "1970-01-01T00:01:31Z".into())));
    }
}
