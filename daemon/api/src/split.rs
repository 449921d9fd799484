//! `/peer/split`: this box lent to a paired one, for a part of a model that does not fit there. The connection becomes a stream
//! to a worker of this box's; what goes by is ggml's, and is looked at by nobody here.

use access::audit::{Action, Outcome};
use access::{Origin, Way};
use axum::{
    Json, Router,
    extract::Request,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONNECTION, UPGRADE},
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use identity::DeviceId;
use registry::tunnel::{self, BYTES, ENGINE, Lendable, PROTOCOL, SPLIT};
use scheduler::{LendError, Loan};
use serde_json::json;

use crate::{Api, cut::Cut, error::Error};

/// Everything under `/peer/split`.
pub(crate) fn router() -> Router<Api> {
    Router::new().route(SPLIT, get(lendable).post(lend))
}

/// Why this box is not lent.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(
        "this box does not lend itself; its owner can set lan.split = experimental, which lets paired boxes compute on it"
    )]
    Off,
    /// Elsewhere it could be read on the way, and what is not a box's has no business here.
    #[error("this is for boxes that are paired with this one, by TLS on the network")]
    NotPaired,
    /// What they say to each other would not be understood, and what is not understood is computed with.
    #[error("the engines differ, and only the same can share a model: here it is {ours}, there {theirs}")]
    OtherEngine { ours: String, theirs: String },
    #[error("`{BYTES}` must say how many bytes are wanted")]
    NoBytes,
    #[error("this is for paired boxes, which ask by HTTP/1.1 over TLS for the upgrade {PROTOCOL}")]
    NoUpgrade,
    #[error(transparent)]
    Lend(#[from] LendError),
    #[error("{}", .0.message())]
    Audit(Error),
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::Off | Self::NotPaired => StatusCode::FORBIDDEN,
            Self::OtherEngine { .. } | Self::Lend(LendError::Lent) => StatusCode::CONFLICT,
            Self::NoBytes => StatusCode::BAD_REQUEST,
            Self::NoUpgrade => StatusCode::UPGRADE_REQUIRED,
            Self::Lend(LendError::NoRoom { .. }) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Lend(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Audit(error) => error.status(),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut answer = (self.status(), Json(json!({ "error": self.to_string() }))).into_response();
        if matches!(self, Self::NoUpgrade) {
            answer.headers_mut().insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
        }
        answer
    }
}

/// `GET /peer/split`: what this box would lend.
async fn lendable(api: Api) -> Result<Json<Lendable>, Refused> {
    let engine = api.config.lends.clone().ok_or(Refused::Off)?;
    Ok(Json(Lendable { engine, bytes: api.scheduler.lendable() }))
}

/// `POST /peer/split`: lends it for as long as the connection lasts.
async fn lend(api: Api, mut request: Request) -> Result<Response, Refused> {
    let ours = api.config.lends.clone().ok_or(Refused::Off)?;
    let way = request.extensions().get::<Origin>().map(|origin| origin.way);
    if way != Some(Way::Lan) || api.caller.peer().is_none() {
        return Err(Refused::NotPaired);
    }
    let theirs = said(request.headers(), ENGINE);
    if theirs != ours {
        return Err(Refused::OtherEngine { ours, theirs: theirs.to_owned() });
    }
    let bytes: u64 = said(request.headers(), BYTES).parse().map_err(|_| Refused::NoBytes)?;
    let upgrade = match said(request.headers(), UPGRADE.as_str()) {
        PROTOCOL => request.extensions_mut().remove::<OnUpgrade>().ok_or(Refused::NoUpgrade)?,
        _ => return Err(Refused::NoUpgrade),
    };
    let loan = api.scheduler.lend(&borrower(&api), bytes, api.config.threads).await?;
    // Nothing went by yet; what cannot be written down is not done.
    let noted = api.audit(Action::Lend, format!("{bytes} bytes"), Outcome::Done).await;
    noted.map_err(Refused::Audit)?;
    let cut = Cut::of(&api);
    // It outlives the request: it ends with the connection, the loan, the caller's key or the daemon.
    tokio::spawn(carry(upgrade, loan, cut));
    let headers =
        [(CONNECTION, HeaderValue::from_static("upgrade")), (UPGRADE, HeaderValue::from_static(PROTOCOL))];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

/// What whoever borrows is called here.
fn borrower(api: &Api) -> String {
    match api.caller.peer().and_then(|id| id.parse::<DeviceId>().ok()) {
        Some(id) => {
            let known = api.neighbourhood.known().by_id(&id);
            known.map_or_else(|| id.label(), |known| known.name().to_string())
        }
        None => api.caller.name().to_owned(),
    }
}

async fn carry(upgrade: OnUpgrade, loan: Loan, cut: Cut) {
    let over = loan.ended();
    let carried = async {
        let stream = match loan.stream.try_clone() {
            Ok(stream) => stream,
            Err(error) => return tracing::warn!(%error, "what was lent cannot be used"),
        };
        match upgrade.await {
            Ok(upgraded) => {
                let end = tunnel::carry(stream, TokioIo::new(upgraded)).await;
                tracing::debug!(?end, "what was lent is given back");
            }
            Err(error) => tracing::debug!(%error, "whoever borrowed is gone"),
        }
    };
    tokio::select! {
        () = carried => {}
        () = over => {}
        reason = cut => tracing::info!(%reason, "what was lent is taken back"),
    }
    drop(loan);
}

/// A header's text; what is not there is empty.
fn said<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
