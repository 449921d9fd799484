//! What goes on now, and went on in the last day: `GET now`, `GET now/events`, `GET history`, and `DELETE requests/{id}`, which ends
//! a request. The scheduler and the store say it all; here it is JSON.

mod events;
mod gauges;
mod look;
mod past;
mod told;

use access::audit::Action;
use axum::{
    Json,
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::CACHE_CONTROL};

pub(super) use self::{events::events, look::at, told::Now};
pub(crate) use self::{gauges::Gauges, past::Past};
use super::errors::Refusal;
use crate::{Api, error::Error};

/// `GET /admin/api/now`.
pub(super) async fn now(api: Api) -> Response {
    unkept(Json(at(&api).await).into_response())
}

/// `GET /admin/api/history`.
pub(super) async fn history(api: Api) -> Response {
    unkept(Json(api.past.told()).into_response())
}

/// `DELETE /admin/api/requests/{id}`.
pub(super) async fn stop(api: Api, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    let unknown = || Error::UnknownRequest { id: id.clone() };
    let number = id.parse().map_err(|_| unknown())?;
    let requests = api.scheduler.requests();
    let request = requests.iter().find(|request| request.id == number).ok_or_else(unknown)?;
    let kind = look::kind(request.errand.kind);
    let target = format!("{kind} with {} for {}", request.model, request.errand.who);
    let stopping = async {
        match api.scheduler.stop_request(number) {
            true => Ok(()),
            // It ended meanwhile.
            false => Err(unknown()),
        }
    };
    api.audited(Action::RequestStop, target, stopping).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is over in a moment is kept nowhere.
fn unkept(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
