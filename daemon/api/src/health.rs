//! `/healthz` and `/readyz`, and what they tell: whether the box serves, and what of it does not work as it should. Those who find
//! that out tell it here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use access::Who;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, RETRY_AFTER},
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::Api;

/// How the box is. A clone is cheap, and the same.
#[derive(Clone, Debug, Default)]
pub struct Health {
    known: Arc<Mutex<Known>>,
    stopping: CancellationToken,
}

#[derive(Debug, Default)]
struct Known {
    /// By what it is about.
    degraded: BTreeMap<&'static str, String>,
    addresses: Vec<String>,
}

impl Health {
    /// That something does not work as it should, in a sentence for the owner. Whether that is news.
    pub fn degrade(&self, what: &'static str, reason: impl Into<String>) -> bool {
        let reason = reason.into();
        self.known().degraded.insert(what, reason.clone()) != Some(reason)
    }

    /// That it does again.
    pub fn mend(&self, what: &'static str) {
        self.known().degraded.remove(what);
    }

    /// At which addresses the box can be asked, as a browser takes them.
    pub fn listens_at(&self, addresses: Vec<String>) {
        self.known().addresses = addresses;
    }

    /// That nobody is served any more who does not ask already.
    pub fn stops(&self) {
        self.stopping.cancel();
    }

    pub(crate) fn reasons(&self) -> Vec<Reason> {
        let known = self.known();
        known.degraded.iter().map(|(what, reason)| Reason { what, reason: reason.clone() }).collect()
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.known().addresses.clone()
    }

    fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Cancelled once nobody new is served: what only tells what goes on ends then, and holds up nobody's stopping.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What does not work as it should, and why.
#[derive(Debug, Serialize)]
pub(crate) struct Reason {
    what: &'static str,
    reason: String,
}

#[derive(Serialize)]
struct Told {
    /// `ok`, `degraded` or `stopping`.
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    degraded: Vec<Reason>,
}

/// `GET /healthz`: that somebody is here.
pub(crate) async fn healthz() -> Response {
    told(StatusCode::OK, Told { status: "ok", degraded: Vec::new() })
}

/// `GET /readyz`: whether to send more requests here. What is wrong is not everybody's to know.
pub(crate) async fn readyz(api: Api) -> Response {
    let degraded = api.health.reasons();
    if api.health.is_stopping() {
        let mut response =
            told(StatusCode::SERVICE_UNAVAILABLE, Told { status: "stopping", degraded: Vec::new() });
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
        return response;
    }
    let status = if degraded.is_empty() { "ok" } else { "degraded" };
    let known = *api.caller.who() != Who::Nobody;
    told(StatusCode::OK, Told { status, degraded: if known { degraded } else { Vec::new() } })
}

fn told(status: StatusCode, told: Told) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(told)).into_response()
}
