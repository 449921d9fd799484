//! What browsers are told of who may read our answers and ask what. Who may is `guard`'s to say, which stands before this.

use std::time::Duration;

use http::Method;
use http::header::{HeaderName, RETRY_AFTER};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::request_id::{REQUEST_ID, X_REQUEST_ID};

/// How long a browser may remember it.
const MAX_AGE: Duration = Duration::from_secs(600);

/// What is told beside what every page may read; `api` tells it.
const RATE_LIMITS: [&str; 6] = [
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
];

/// For requests that the guard let pass.
pub(crate) fn layer() -> CorsLayer {
    let exposed = RATE_LIMITS.map(HeaderName::from_static).into_iter();
    CorsLayer::new()
        // A foreign one does not come so far.
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS])
        // A list would be out of date with the next version of an SDK, each of which sends headers of its own, and would
        // keep out nobody: which headers a page may send is no secret to protect, once its origin is welcome.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed.chain([X_REQUEST_ID, REQUEST_ID, RETRY_AFTER]).collect::<Vec<_>>())
        .max_age(MAX_AGE)
}
