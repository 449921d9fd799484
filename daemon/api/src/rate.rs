//! What a client is told of how many more requests there is room for. Nobody has limits of their own: what is told is how full
//! the queue is that all wait in, and room in it comes with the next answer that ends, so the time of that is now.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::{Timestamp, Unit};
use scheduler::Queue;

use crate::Api;

/// A family's way to tell it.
#[derive(Clone, Copy)]
pub(crate) enum Dialect {
    OpenAi,
    Anthropic,
}

/// Tells it with each answer to a question; lists of models are free.
pub(crate) async fn tell(
    State((api, dialect)): State<(Api, Dialect)>,
    request: Request,
    next: Next,
) -> Response {
    let asks = request.method() == Method::POST;
    let mut response = next.run(request).await;
    if asks {
        dialect.put(response.headers_mut(), api.scheduler.queue(), Timestamp::now());
    }
    response
}

impl Dialect {
    fn put(self, headers: &mut HeaderMap, queue: Queue, now: Timestamp) {
        let [limit, remaining, reset] = match self {
            Self::OpenAi => {
                ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"]
            }
            Self::Anthropic => [
                "anthropic-ratelimit-requests-limit",
                "anthropic-ratelimit-requests-remaining",
                "anthropic-ratelimit-requests-reset",
            ],
        }
        .map(HeaderName::from_static);
        headers.insert(limit, HeaderValue::from(queue.limit));
        headers.insert(remaining, HeaderValue::from(queue.limit.saturating_sub(queue.waiting)));
        headers.insert(reset, self.reset(now));
    }

    /// As a length of time, or as a point in time.
    fn reset(self, now: Timestamp) -> HeaderValue {
        match self {
            Self::OpenAi => HeaderValue::from_static("0s"),
            Self::Anthropic => {
                let second = now.round(Unit::Second).unwrap_or(now);
                HeaderValue::from_str(&second.to_string()).expect("a time is digits and signs")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn told(dialect: Dialect) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(1200);
        dialect.put(&mut headers, Queue { limit: 512, waiting: 2 }, now);
        let told = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        told.collect()
    }

    #[test]
    fn each_family_tells_of_the_queue_in_its_own_words() {
        let pairs = |pairs: [(&str, &str); 3]| {
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
        };
        assert_eq!(
            told(Dialect::OpenAi),
            pairs([
                ("x-ratelimit-limit-requests", "512"),
                ("x-ratelimit-remaining-requests", "510"),
                ("x-ratelimit-reset-requests", "0s"),
            ])
        );
        assert_eq!(
            told(Dialect::Anthropic),
            pairs([
                ("anthropic-ratelimit-requests-limit", "512"),
                ("anthropic-ratelimit-requests-remaining", "510"),
                ("anthropic-ratelimit-requests-reset", "1970-01-01T00:00:01Z"),
            ])
        );
    }
}
