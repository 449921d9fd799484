//! `/admin/api/certificate`: the owner's own certificate, kept on the box. What a good one is, is `identity`'s to know.

use access::audit::{Action, Outcome};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;

use super::{
    errors::Refusal,
    people::{Again, confirmed, confirmed_by},
    typed::Typed,
};
use crate::{
    Api,
    error::Error,
    settings::{Origin, Value},
};

/// A chain with its key, both PEM, and the password of a session's person again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Brought {
    certificate: String,
    key: String,
    confirm: Option<String>,
}

/// `PUT /admin/api/certificate`: it is served from the next handshake on.
pub(super) async fn keep(api: Api, Typed(brought): Typed<Brought>) -> Result<Response, Refusal> {
    let Brought { certificate, key, confirm } = brought;
    free_to_choose(&api)?;
    let identity = api.identity.clone().ok_or(Error::NoNetwork)?;
    confirmed(&api, confirm).await?;
    api.on_access(move |access, by| {
        let brought = identity.check_own(certificate, key)?;
        let target = brought.names().join(" ");
        access.record_act(by, Action::Certificate, &target, Outcome::Done)?;
        let kept = identity.keep_own(brought);
        if kept.is_err() {
            access.record_act(by, Action::Certificate, &target, Outcome::Failed)?;
        }
        Ok::<_, Error>(kept?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /admin/api/certificate`: back to the box's own.
pub(super) async fn forget(api: Api, again: Option<Typed<Again>>) -> Result<Response, Refusal> {
    free_to_choose(&api)?;
    let identity = api.identity.clone().ok_or(Error::NoNetwork)?;
    confirmed_by(&api, again).await?;
    api.on_access(move |access, by| {
        let target = "the box's own";
        access.record_act(by, Action::Certificate, target, Outcome::Done)?;
        let forgotten = identity.forget_own();
        if forgotten.is_err() {
            access.record_act(by, Action::Certificate, target, Outcome::Failed)?;
        }
        Ok::<_, Error>(forgotten?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Where the owner named files, these count.
fn free_to_choose(api: &Api) -> Result<(), Error> {
    let all = api.settings.all();
    let named = all.into_iter().find(|setting| setting.name == "tls.cert" && setting.value != Value::None);
    match named.map(|setting| setting.origin) {
        Some(Origin { place, .. }) => Err(Error::OwnByFile { place: place.unwrap_or_default() }),
        None => Ok(()),
    }
}
