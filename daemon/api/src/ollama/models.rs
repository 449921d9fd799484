//! The routes about stored and loaded models: `/api/tags`, `/api/ps`, `/api/show`, `/api/delete`.

use std::{
    cmp::Reverse,
    time::{Duration, SystemTime},
};

use access::audit::Action;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};

use http::StatusCode;
use jiff::Timestamp;
use protocol::Message;
use scheduler::Loaded;
use serde_json::{Map, Value, json};
use store::{
    Listed, Model, ModelConfig, ModelName, Outline, Store, StoreError,
    gguf::{self, Header},
};

use super::{
    capabilities,
    errors::{Refusal, Refusals},
    routes::object,
    schema::{DeleteRequest, ShowRequest},
    wire::{Details, Models, Process, ProcessPart, Show, ShownMessage, Tag, TensorInfo},
};
use crate::{
    Api,
    body::{self, COMMAND_BYTES},
    error::{Error, Invalid},
    go_json::Fields,
};

/// What clients print as forever: as far as Go's clock counts.
const FOREVER: Duration = Duration::from_nanos(i64::MAX as u64);
/// Longer lists of a model's metadata are shown only to who asks for all.
const SHORT_LIST: usize = 5;

/// The models that there are, newest first.
#[utoipa::path(get, path = "/api/tags", responses((status = OK, body = Models<Tag>), Refusals))]
pub(super) async fn tags(api: Api) -> Result<Response, Refusal> {
    let (known, caller) = (api.capabilities.clone(), api.caller.clone());
    let models = api.on_store(move |store| {
        let mut listed = store.list()?;
        listed.sort_by_key(|model| Reverse(model.modified));
        known.keep(&listed);
        listed.retain(|model| caller.may_use(&model.name.fully_qualified()));
        Ok(listed.into_iter().map(|model| tag(&known, &store, model)).collect())
    });
    Ok(object(&Models { models: models.await? }))
}

fn tag(known: &capabilities::Known, store: &Store, model: Listed) -> Tag {
    Tag {
        capabilities: known.of(store, &model),
        name: model.name.to_string(),
        model: model.name.to_string(),
        modified_at: timestamp(model.modified),
        size: model.size_bytes,
        digest: model.digest.hex(),
        details: details(&model.config),
    }
}

/// The models in memory; what stays longest comes first.
#[utoipa::path(get, path = "/api/ps", responses((status = OK, body = Models<Process>), Refusals))]
pub(super) async fn ps(api: Api) -> Result<Response, Refusal> {
    let mut loaded = api.scheduler.loaded().await;
    loaded.retain(|model| api.caller.may_use(&model.name.fully_qualified()));
    if !api.is_for_its_owner() {
        loaded.iter_mut().for_each(|model| model.parts.clear());
    }
    let forever = SystemTime::now() + FOREVER;
    loaded.sort_by_key(|model| Reverse(model.expires_at.unwrap_or(forever)));
    let models = api
        .on_store(move |store| {
            Ok(loaded
                .into_iter()
                .map(|model| {
                    // A model deleted while loaded has no details any more.
                    let details =
                        store.resolve(&model.name).map(|found| details(&found.config)).unwrap_or_default();
                    process(model, details, forever)
                })
                .collect())
        })
        .await?;
    Ok(object(&Models { models }))
}

/// All about a model.
#[utoipa::path(post, path = "/api/show", request_body = ShowRequest, responses((status = OK, body = Show), Refusals))]
pub(super) async fn show(api: Api, body: Body) -> Result<Response, Refusal> {
    let mut fields = body::read(body, COMMAND_BYTES, "ShowRequest").await?;
    let lists = match fields.flag("verbose")? {
        Some(true) => Lists::Whole,
        _ => Lists::Short,
    };
    let asked = asked(&mut fields)?.ok_or_else(|| Invalid::of("model", "model is required"))?;
    fields.finish();
    let name = asked.parse::<ModelName>().map_err(|_| Error::InvalidName)?;
    let model = api.resolve(&asked).await.map_err(|error| match error {
        Error::UnknownModel { .. } => Error::UnknownModel { asked: name.to_string() },
        other => other,
    })?;
    let shown = api.on_store(move |store| {
        let projector = store.projector(&model)?;
        let outline = store.outline(&model.weights_digest)?;
        let show = Show {
            modelfile: store.modelfile(&model),
            capabilities: capabilities::of(&model, &outline.header, projector.as_ref()),
            projector_info: projector.map(|header| model_info(&header, header.parameter_count(), lists)),
            ..shown(model.clone(), &outline)
        };
        match lists {
            Lists::Short => Ok(show),
            Lists::Whole => {
                let header = store.header(&model)?;
                let tensors = header.tensors.iter().map(tensor).collect();
                Ok(Show { model_info: model_info(&header, outline.parameter_count, lists), tensors, ..show })
            }
        }
    });
    Ok(object(&shown.await?))
}

/// Removes a model. A worker that has it loaded goes on.
#[utoipa::path(
    delete, path = "/api/delete", request_body = DeleteRequest, responses((status = OK, description = "It is gone"), Refusals)
)]
pub(super) async fn delete(api: Api, body: Body) -> Result<Response, Refusal> {
    let mut fields = body::read(body, COMMAND_BYTES, "DeleteRequest").await?;
    let asked = asked(&mut fields)?.unwrap_or_default();
    fields.finish();
    let name =
        asked.parse::<ModelName>().map_err(|_| Invalid::of("model", format!("name {asked:?} is invalid")))?;
    api.visible(&name, &asked)?;
    api.present(&name).await.map_err(|error| error.about_model(&asked))?;
    let target = name.to_string();
    let deleting = api.on_store(move |store| -> Result<(), StoreError> { store.delete(&name) });
    let deleted: Result<(), Error> = api.audited(Action::ModelRemove, target, deleting).await;
    deleted.map_err(|error| error.about_model(&asked))?;
    Ok(StatusCode::OK.into_response())
}

/// Whether long lists of metadata are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lists {
    Short,
    Whole,
}

pub(super) fn asked(fields: &mut Fields) -> Result<Option<String>, Invalid> {
    let old_name = fields.text("name")?;
    Ok(fields.text("model")?.or(old_name))
}

fn shown(model: Model, outline: &Outline) -> Show {
    let header = &outline.header;
    Show {
        license: model.licenses.join("\n"),
        modelfile: String::new(),
        parameters: parameters(&model.parameter_lines),
        details: details(&model.config),
        messages: model.messages.into_iter().map(shown_message).collect(),
        template: model.template.or_else(|| header.chat_template().map(Into::into)),
        system: model.system,
        renderer: model.config.renderer,
        parser: model.config.parser,
        requires: model.config.requires,
        model_info: model_info(header, outline.parameter_count, Lists::Short),
        projector_info: None,
        tensors: Vec::new(),
        capabilities: Vec::new(),
        modified_at: timestamp(model.modified),
    }
}

fn shown_message(message: Message) -> ShownMessage {
    ShownMessage { role: message.role.as_str(), content: message.content }
}

fn parameters(lines: &[(String, String)]) -> String {
    let line = |(name, value): &(String, String)| match name.as_str() {
        "stop" => format!("{name:<30} {value:?}"),
        _ => format!("{name:<30} {value}"),
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn model_info(header: &Header, parameter_count: u64, lists: Lists) -> Map<String, Value> {
    let hidden = ["general.name", "tokenizer.chat_template"];
    let shown = header.metadata.iter().filter(|(name, _)| !hidden.contains(&name.as_str()));
    let mut info: Map<_, _> = shown.map(|(name, value)| (name.clone(), info_value(value, lists))).collect();
    info.insert("general.parameter_count".into(), json!(parameter_count));
    info
}

fn tensor(tensor: &gguf::Tensor) -> TensorInfo {
    TensorInfo { name: tensor.name.clone(), kind: tensor.kind.name.into(), shape: tensor.dimensions.clone() }
}

fn process(model: Loaded, details: Details, forever: SystemTime) -> Process {
    Process {
        name: model.name.to_string(),
        model: model.name.to_string(),
        size: model.size_bytes,
        digest: model.digest.hex(),
        details,
        expires_at: timestamp(model.expires_at.unwrap_or(forever)),
        size_vram: model.gpu_bytes,
        context_length: model.context_tokens,
        parts: model.parts.into_iter().map(part).collect(),
    }
}

fn part(part: scheduler::Part) -> ProcessPart {
    ProcessPart { on: part.lender, layers: part.layers, size: part.bytes }
}

fn details(config: &ModelConfig) -> Details {
    Details {
        parent_model: String::new(),
        format: config.model_format.clone(),
        family: config.model_family.clone(),
        families: Some(config.model_families.clone()),
        parameter_size: config.model_type.clone(),
        quantization_level: config.file_type.clone(),
        context_length: config.context_length,
        embedding_length: config.embedding_length,
    }
}

fn info_value(value: &gguf::Value, lists: Lists) -> Value {
    match value {
        gguf::Value::Unsigned(number) => json!(number),
        gguf::Value::Signed(number) => json!(number),
        gguf::Value::Float(number) => json!(number),
        gguf::Value::Bool(truth) => json!(truth),
        gguf::Value::Text(text) => json!(text),
        gguf::Value::Array(items) if lists == Lists::Short && items.len() > SHORT_LIST => json!([]),
        gguf::Value::Array(items) => items.iter().map(|item| info_value(item, lists)).collect(),
    }
}

/// RFC 3339; a time that no calendar has is the epoch.
fn timestamp(time: SystemTime) -> String {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}
