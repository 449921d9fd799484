//! `POST /admin/api/reset`: the box becomes new. What goes is `backup`'s to know, and it goes at the next start.

use access::audit::Action;
use axum::Json;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{errors::Refusal, people::confirmed, typed::Typed};
use crate::Api;

/// What is to become of the models, and the password typed again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reset {
    models: Models,
    confirm: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Models {
    Keep,
    Remove,
}

#[derive(Serialize)]
pub(super) struct Begun {}

/// `POST /admin/api/reset`. Running answers get as long as at any end; then the box starts anew.
pub(super) async fn reset(
    api: Api,
    Typed(Reset { models, confirm }): Typed<Reset>,
) -> Result<(StatusCode, Json<Begun>), Refusal> {
    confirmed(&api, confirm).await?;
    let (models, target) = match models {
        Models::Keep => (backup::Models::Keep, "models are kept"),
        Models::Remove => (backup::Models::Remove, "models are removed"),
    };
    let backups = api.backups.clone();
    let begun = async move { Ok(tokio::task::spawn_blocking(move || backups.reset(models)).await??) };
    api.audited(Action::Reset, target.into(), begun).await?;
    api.settings.restart();
    Ok((StatusCode::ACCEPTED, Json(Begun {})))
}
