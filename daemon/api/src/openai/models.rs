//! `/v1/models`: which models there are.

use std::time::SystemTime;

use access::audit::Action;
use axum::response::Response;
use serde::Serialize;
use store::ModelName;
use utoipa::ToSchema;

use super::{
    errors::{Refusal, Refusals},
    object,
    path::Named,
    seconds,
};
use crate::{Api, error::Error};

#[derive(Serialize, ToSchema)]
pub(crate) struct Models {
    object: &'static str,
    data: Vec<Model>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Model {
    id: String,
    object: &'static str,
    /// When it was made, in seconds since 1970.
    created: i64,
    /// The namespace of its name.
    owned_by: String,
}

/// What became of a model that was to be deleted.
#[derive(Serialize, ToSchema)]
pub(crate) struct Deleted {
    id: String,
    object: &'static str,
    deleted: bool,
}

/// The models that there are, the newest first. An empty list is `[]`, where Ollama's `null` breaks OpenAI's own client.
#[utoipa::path(get, path = "/v1/models", responses((status = OK, body = Models), Refusals))]
pub(super) async fn list(api: Api) -> Result<Response, Refusal> {
    let mut listed = api.on_store(|store| store.list()).await?;
    listed.retain(|model| api.caller.may_use(&model.name.fully_qualified()));
    listed.sort_by_key(|model| std::cmp::Reverse(model.modified));
    let data =
        listed.into_iter().map(|listed| described(listed.name.to_string(), &listed.name, listed.modified));
    Ok(object(&Models { object: "list", data: data.collect() }))
}

/// One model. Its name may hold slashes.
#[utoipa::path(
    get, path = "/v1/models/{*model}", params(("model" = String, Path)), responses((status = OK, body = Model), Refusals)
)]
pub(super) async fn get(api: Api, Named(asked): Named) -> Result<Response, Refusal> {
    let model = api.resolve(&asked).await?;
    Ok(object(&described(asked, &model.name, model.modified)))
}

/// Removes a model, and what no other model needs of it.
#[utoipa::path(
    delete, path = "/v1/models/{*model}", params(("model" = String, Path)), responses((status = OK, body = Deleted), Refusals)
)]
pub(super) async fn delete(api: Api, Named(asked): Named) -> Result<Response, Refusal> {
    let name = asked.parse::<ModelName>().map_err(|_| Error::InvalidName)?;
    api.visible(&name, &asked)?;
    api.present(&name).await.map_err(|error| error.about_model(&asked))?;
    let target = name.to_string();
    let deleting = api.on_store(move |store| store.delete(&name));
    let deleted = api.audited(Action::ModelRemove, target, deleting).await;
    deleted.map_err(|error| error.about_model(&asked))?;
    Ok(object(&Deleted { id: asked, object: "model", deleted: true }))
}

fn described(id: String, name: &ModelName, modified: SystemTime) -> Model {
    // A short name is the default namespace's.
    let short = name.to_string();
    let owned_by = short.rsplit('/').nth(1).unwrap_or("library").to_owned();
    Model { id, object: "model", created: seconds::of(modified), owned_by }
}
