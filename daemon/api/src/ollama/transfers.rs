//! `/api/pull`, `/api/push` and `/api/copy`: models between stores. How they travel is `registry`'s.

use std::sync::Arc;

use access::audit::{Action, Outcome};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use identity::pairing::{BoxName, InvalidBoxName};
use registry::{Authority, Progress, RegistryError, Transfer, Transport};
use store::ModelName;

use super::{
    errors::{ErrorBody, Refusal, Refusals},
    models::asked,
    request::{Framing, framing},
    routes::object,
    schema::{CopyRequest, PullRequest, TransferRequest},
    wire::{Status, TransferLine},
};
use crate::{
    Api,
    body::{self, COMMAND_BYTES},
    cut::Cut,
    error::{Error, Invalid},
    go_json::Fields,
    ndjson,
};

/// Brings a model from a registry, or from a paired box, and tells how it goes. What fails once it is under way is told in the last line.
#[utoipa::path(
    post, path = "/api/pull", request_body = PullRequest,
    responses((status = OK, description = "A line for each step, or the last one alone", content(
        (TransferLine = "application/x-ndjson"), (Status = "application/json"),
    )), Refusals)
)]
pub(super) async fn pull(api: Api, body: Body) -> Result<Response, Refusal> {
    let mut fields = body::read(body, COMMAND_BYTES, "PullRequest").await?;
    let peer = peer(&mut fields)?;
    let request = Request::of(fields, Error::InvalidName)?;
    api.makeable(&request.name)?;
    let (from, target) = match peer {
        Some(peer) => {
            let target = format!("{} from {peer}", request.name);
            (Authority::Peer(peer), target)
        }
        None => (Authority::Registry(request.transport), request.name.to_string()),
    };
    api.audit(Action::ModelPull, target, Outcome::Done).await?;
    let transfer = api.registry.pull(request.name.clone(), from);
    Ok(request.answer(&api, transfer).await?)
}

/// Sends a model to a registry, and tells how it goes.
#[utoipa::path(
    post, path = "/api/push", request_body = TransferRequest,
    responses((status = OK, description = "A line for each step, or the last one alone", content(
        (TransferLine = "application/x-ndjson"), (Status = "application/json"),
    )), Refusals)
)]
pub(super) async fn push(api: Api, body: Body) -> Result<Response, Refusal> {
    let missing = Invalid::of("model", "model is required").into();
    let request = Request::of(body::read(body, COMMAND_BYTES, "PushRequest").await?, missing)?;
    api.visible(&request.name, &request.name.to_string())?;
    let asked = request.name.to_string();
    api.present(&request.name).await.map_err(|error| error.about_model(&asked))?;
    api.audit(Action::ModelPush, asked, Outcome::Done).await?;
    let transfer = api.registry.push(request.name.clone(), request.transport);
    Ok(request.answer(&api, transfer).await?)
}

/// Gives a model another name as well.
#[utoipa::path(
    post, path = "/api/copy", request_body = CopyRequest, responses((status = OK, description = "It has it"), Refusals)
)]
pub(super) async fn copy(api: Api, body: Body) -> Result<Response, Refusal> {
    let mut fields = body::read(body, COMMAND_BYTES, "CopyRequest").await?;
    let mut name = |field: &str| -> Result<ModelName, Invalid> {
        let text = fields.text(field)?.unwrap_or_default();
        text.parse().map_err(|_| Invalid::of(field, format!("{field} {text:?} is invalid")))
    };
    let (source, destination) = (name("source")?, name("destination")?);
    fields.finish();
    let asked = source.to_string();
    let unknown = |error: Error| match error {
        Error::UnknownModel { asked } => Error::NothingToCopy { asked },
        other => other,
    };
    api.visible(&source, &asked).map_err(unknown)?;
    api.makeable(&destination)?;
    api.present(&source).await.map_err(|error| unknown(error.about_model(&asked)))?;
    let target = format!("{source} to {destination}");
    let copying = api.on_store(move |store| store.copy(&source, &destination));
    let copied = api.audited(Action::ModelCopy, target, copying).await;
    copied.map_err(|error| unknown(error.about_model(&asked)))?;
    Ok(StatusCode::OK.into_response())
}

/// The paired box whose manifest counts, if not the registry's.
fn peer(fields: &mut Fields) -> Result<Option<BoxName>, Invalid> {
    let name = fields.text("from")?.filter(|name| !name.is_empty());
    let invalid = |error: InvalidBoxName| Invalid::of("from", error.to_string());
    name.map(|name| name.parse().map_err(invalid)).transpose()
}

/// A body of pull or push, checked.
struct Request {
    name: ModelName,
    transport: Transport,
    framing: Framing,
}

impl Request {
    fn of(mut fields: Fields, missing: Error) -> Result<Self, Error> {
        let name = asked(&mut fields)?.ok_or(missing)?;
        let request = Self {
            name: name.parse().map_err(|_| Error::InvalidName)?,
            transport: match fields.flag("insecure")? {
                Some(true) => Transport::Plain,
                _ => Transport::Secure,
            },
            framing: framing(&mut fields)?,
        };
        // Taken by Ollama, and without effect there as well.
        for field in ["username", "password"] {
            fields.take(field);
        }
        fields.finish();
        Ok(request)
    }

    async fn answer(self, api: &Api, transfer: Transfer) -> Result<Response, Error> {
        let mut words = TrackedTransfer::of(api, transfer);
        if self.framing == Framing::Whole {
            while let Some(word) = words.next().await {
                word?;
            }
            return Ok(object(&Status { status: "success".into() }));
        }
        let lines = stream::unfold(words, async |mut words| {
            let line = match words.next().await? {
                Ok(word) => line(&word),
                Err(error) => ndjson::line(&ErrorBody { error: error.message() }),
            };
            Some((line, words))
        });
        Ok(ndjson::response(lines))
    }
}

/// A transfer, and the step that it is at, which its errors speak of.
pub(super) struct TrackedTransfer {
    /// `None` once it was cut off.
    transfer: Option<Transfer>,
    step: &'static str,
    cut: Cut,
}

impl TrackedTransfer {
    pub(super) fn of(api: &Api, transfer: Transfer) -> Self {
        Self { transfer: Some(transfer), step: "", cut: Cut::of(api) }
    }

    pub(super) async fn next(&mut self) -> Option<Result<Progress, Error>> {
        let transfer = self.transfer.as_mut()?;
        let word = tokio::select! {
            why = &mut self.cut => {
                self.transfer = None;
                return Some(Err(why.into()));
            }
            word = transfer.next() => word,
        };
        match word? {
            Ok(word) => {
                match word {
                    Progress::Step(step) => self.step = step,
                    Progress::Blob { .. } => self.step = "",
                }
                Some(Ok(word))
            }
            Err(error) => Some(Err(self.failed(error))),
        }
    }

    fn failed(&self, error: Arc<RegistryError>) -> Error {
        tracing::warn!(%error, "a transfer failed");
        Error::of_transfer(self.step, error)
    }
}

/// A word on the wire.
pub(super) fn line(word: &Progress) -> Bytes {
    match word {
        Progress::Step(step) => ndjson::line(&Status { status: (*step).into() }),
        Progress::Blob { verb, digest, total, completed, from } => ndjson::line(&TransferLine {
            status: format!("{verb} {}", &digest.hex()[..12]),
            digest: digest.to_string(),
            total: *total,
            completed: *completed,
            from: from.iter().map(ToString::to_string).collect(),
        }),
    }
}
