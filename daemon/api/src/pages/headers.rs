//! What every page of ours is sent with, so that a browser does nothing with it but what we meant.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{
    HeaderName, HeaderValue,
    header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS},
};

/// What a page may load and do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Policy {
    /// Its own script and style. Nothing that was said to it can become markup: no HTML is ever made of a string.
    Page,
    /// Its own style.
    Still,
}

impl Policy {
    fn text(self) -> &'static str {
        match self {
            Self::Page => {
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
                 manifest-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'"
            }
            Self::Still => {
                "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            }
        }
    }
}

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

/// Not even asked for, whatever a page wants.
const NOTHING: &str =
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), display-capture=()";

/// The response, held to that policy.
pub(crate) fn secured(policy: Policy, mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, policy.text()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (RESOURCE_POLICY, "same-origin"),
        (OPENER_POLICY, "same-origin"),
        (PERMISSIONS, NOTHING),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What is for our own pages is taken for nothing else than it is said to be, and shown by no other page.
pub(crate) async fn kept_apart(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    response
}
