//! `POST /api/create`: a model from blobs or from another model. Writing it is `store`'s.

use access::audit::{Action, Outcome};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream;
use protocol::{InvalidQuantization, Message, Quantization};
use registry::{Authority, Progress, Transport};
use serde_json::Value;
use store::{Base, Digest, HeldBlob, ModelName, Recipe, Store, StoreError};
use tokio::sync::mpsc;

use super::{
    errors::{ErrorBody, Refusal, Refusals},
    request::{self, Framing},
    routes::object,
    schema::CreateRequest,
    transfers::{self, TrackedTransfer},
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

/// Statuses that wait for a slow client at most.
const STATUSES_IN_FLIGHT: usize = 64;

const NOT_YET: &[&str] = &["draft_quantize", "info", "remote_host"];

/// Makes a model of files or of another one, and tells how it goes.
#[utoipa::path(
    post, path = "/api/create", request_body = CreateRequest,
    responses((status = OK, description = "A line for each step, or the last one alone", content(
        (Status = "application/x-ndjson"), (Status = "application/json"),
    )), Refusals)
)]
pub(super) async fn create(api: Api, body: Body) -> Result<Response, Refusal> {
    let request = Request::read(body::read(body, COMMAND_BYTES, "CreateRequest").await?)?;
    request.visible(&api).await?;
    api.audit(Action::ModelMake, request.name.to_string(), Outcome::Done).await?;
    let framing = request.framing;
    let mut steps = begin(api, request);
    if framing == Framing::Whole {
        while let Some(step) = steps.recv().await {
            step?;
        }
        return Ok(object(&Status { status: "success".into() }));
    }
    // The first word decides the status, so that a refusal has one.
    let first = steps.recv().await.transpose()?;
    let lines = stream::unfold((first.map(Ok), steps), async |(first, mut steps)| {
        let step = match first {
            Some(step) => step,
            None => steps.recv().await?,
        };
        Some((line(step), (None, steps)))
    });
    Ok(ndjson::response(lines))
}

/// A line of the answer, or why it ends.
type Step = Result<Bytes, Error>;

/// Pulls the model that is built upon, if it is not here, and makes the new one.
fn begin(api: Api, request: Request) -> mpsc::Receiver<Step> {
    let (sender, steps) = mpsc::channel(STATUSES_IN_FLIGHT);
    tokio::spawn(async move {
        if let Err(error) = make(&api, request, &sender).await {
            // A client that went away does not undo what it asked for, so a failed send is none of ours.
            drop(sender.send(Err(error)).await);
        }
    });
    steps
}

async fn make(api: &Api, request: Request, sender: &mpsc::Sender<Step>) -> Result<(), Error> {
    if let Base::Model(from) = &request.recipe.base {
        pull_missing(api, from, sender).await?;
    }
    let Request { name, mut recipe, quantize, .. } = request;
    // Held until the manifest names it.
    let packed = match quantize {
        Some(to) => Some(pack(api, &recipe.base, to, sender).await?),
        None => None,
    };
    recipe.weights = packed.as_ref().map(HeldBlob::digest);
    let sender = sender.clone();
    let make = move |store: Store| {
        let mut say = |status: store::CreateStatus| {
            drop(sender.blocking_send(Ok(ndjson::line(&Status { status: status.to_string() }))));
        };
        store.create(&name, recipe, &mut say)
    };
    api.on_store(make).await
}

/// Has the weights packed by a worker, unless the caller is cut off before it is done.
async fn pack(
    api: &Api,
    base: &Base,
    to: Quantization,
    sender: &mpsc::Sender<Step>,
) -> Result<HeldBlob, Error> {
    let base = base.clone();
    let (weights, from) = api.on_store(move |store| store.base_weights(&base)).await?;
    if !Quantization::is_source(from) {
        return Err(
            Invalid::of("quantize", "quantization is only supported for F16, BF16 and F32 models").into()
        );
    }
    let total = weights.bytes();
    // The most that it can become: 16 bits a weight to 32.
    let most = if to == Quantization::F32 { total.saturating_mul(2) } else { total };
    let output = api.on_store(move |store| store.begin_written(most)).await?;
    let status = format!("quantizing {from} model to {to}");
    let model = weights.reader().map_err(Error::Weights)?;
    let mut say = |part: f32| {
        let completed = (f64::from(part) * total as f64) as u64;
        let line =
            TransferLine { status: status.clone(), digest: NO_DIGEST.into(), total, completed, from: vec![] };
        // Not worth waiting for: the next one says more.
        let _late = sender.try_send(Ok(ndjson::line(&line)));
    };
    let packing = api.scheduler.quantize(model, output.file()?, to, &mut say);
    tokio::select! {
        packed = packing => packed?,
        why = Cut::of(api) => return Err(why.into()),
    }
    drop(sender.send(Ok(ndjson::line(&Status { status: "verifying conversion".into() }))).await);
    api.on_store(move |_| output.finish()).await
}

/// Ollama's word for a digest that is not known yet.
const NO_DIGEST: &str = "0000000000000000000";

async fn pull_missing(api: &Api, from: &ModelName, sender: &mpsc::Sender<Step>) -> Result<(), Error> {
    let name = from.clone();
    let found: Result<_, Error> = api.on_store(move |store| store.manifest(&name)).await;
    match found {
        Err(Error::Store(StoreError::UnknownModel(_))) => {}
        other => return other.map(drop),
    }
    let mut transfer =
        TrackedTransfer::of(api, api.registry.pull(from.clone(), Authority::Registry(Transport::Secure)));
    while let Some(word) = transfer.next().await {
        let word = word?;
        if word != Progress::Step("success") {
            drop(sender.send(Ok(transfers::line(&word))).await);
        }
    }
    Ok(())
}

fn line(step: Step) -> Bytes {
    step.unwrap_or_else(|error| ndjson::line(&ErrorBody { error: error.message() }))
}

/// A body of `/api/create`, checked.
pub(super) struct Request {
    name: ModelName,
    framing: Framing,
    recipe: Recipe,
    quantize: Option<Quantization>,
}

impl Request {
    pub(super) fn read(mut fields: Fields) -> Result<Self, Error> {
        for field in NOT_YET {
            fields.refuse(field)?;
        }
        let old_name = fields.text("name")?;
        let old_quantize = fields.text("quantization")?;
        let quantize = fields.text("quantize")?.or(old_quantize);
        let quantize = quantize.map(|text| text.parse()).transpose();
        let name = fields.text("model")?.or(old_name).unwrap_or_default();
        let request = Self {
            name: name.parse().map_err(|_| Error::InvalidName)?,
            framing: request::framing(&mut fields)?,
            quantize: quantize
                .map_err(|error: InvalidQuantization| Invalid::of("quantize", error.to_string()))?,
            recipe: Recipe {
                base: base(&mut fields)?,
                weights: None,
                adapters: blobs(&mut fields, "adapters")?,
                draft: draft(&mut fields)?,
                template: fields.text("template")?,
                system: fields.text("system")?,
                licenses: licenses(&mut fields)?,
                parameters: fields.map("parameters")?.into_iter().collect(),
                messages: messages(&mut fields)?,
                renderer: fields.text("renderer")?,
                parser: fields.text("parser")?,
                requires: fields.text("requires")?,
            },
        };
        fields.finish();
        Ok(request)
    }

    /// Refuses to make a model that is not for the caller, or to make one of such.
    async fn visible(&self, api: &Api) -> Result<(), Error> {
        api.makeable(&self.name)?;
        let recipe = &self.recipe;
        let files = match &recipe.base {
            Base::Model(from) => {
                api.visible(from, &from.to_string())?;
                &[]
            }
            Base::Blobs(files) => files.as_slice(),
        };
        let blobs = files.iter().chain(&recipe.adapters).chain(&recipe.draft).map(|(_, digest)| *digest);
        match api.hidden(blobs.collect()).await? {
            Some(digest) => Err(StoreError::UnknownBlob(digest).into()),
            None => Ok(()),
        }
    }
}

fn base(fields: &mut Fields) -> Result<Base, Error> {
    let files = blobs(fields, "files")?;
    match fields.text("from")? {
        Some(_) if !files.is_empty() => Err(Invalid::of("files", "from and files exclude each other").into()),
        Some(from) => Ok(Base::Model(from.parse().map_err(|_| Error::InvalidName)?)),
        None if files.is_empty() => Err(Invalid::new("neither 'from' or 'files' was specified").into()),
        None => Ok(Base::Blobs(files)),
    }
}

/// Words alone: a Modelfile has no place for files.
fn messages(fields: &mut Fields) -> Result<Vec<Message>, Invalid> {
    match request::messages(fields)? {
        (messages, files) if files.is_empty() => Ok(messages),
        _ => Err(Invalid::of("messages", "messages of a model cannot have images")),
    }
}

fn draft(fields: &mut Fields) -> Result<Option<(String, Digest)>, Invalid> {
    let mut files = blobs(fields, "draft_files")?;
    match files.len() {
        0 | 1 => Ok(files.pop()),
        _ => Err(Invalid::of("draft_files", "only one draft model is supported, as one GGUF file")),
    }
}

/// Uploaded files by name.
fn blobs(fields: &mut Fields, field: &str) -> Result<Vec<(String, Digest)>, Invalid> {
    let blob = |(file, digest): (String, Value)| {
        let parsed = digest.as_str().and_then(|digest| digest.parse().ok());
        Ok((file, parsed.ok_or_else(|| Invalid::of(field, "invalid digest format"))?))
    };
    fields.map(field)?.into_iter().map(blob).collect()
}

fn licenses(fields: &mut Fields) -> Result<Vec<String>, Invalid> {
    let text = |value: Value| match value {
        Value::String(text) => Ok(text),
        _ => Err(Invalid::of("license", "license must be a string or a list of strings")),
    };
    match fields.take("license") {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => items.into_iter().map(text).collect(),
        Some(one) => Ok(vec![text(one)?]),
    }
}
