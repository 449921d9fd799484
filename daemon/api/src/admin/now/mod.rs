//! What goes on now, and went on in the last day: `GET now`, `GET now/events`, `GET history`, and `DELETE requests/{id}`, which ends
//! a request. The scheduler says it all; here it is JSON.

mod told;

use axum::{Json, extract::Path};
use http::StatusCode;

use self::told::{Disk, History, Memory, Now, Rate, Sensors};
use super::{errors::Refusal, time};
use crate::{Api, error::Error};

/// Seconds of a row of the history.
const STEP: u64 = 60;

/// `GET /admin/api/now`.
pub(super) async fn now(api: Api) -> Json<Now> {
    Json(Now {
        at: time::now(&api.access).to_string(),
        memory: Memory {
            machine: None,
            available: None,
            limit: None,
            used: 0,
            leaving: 0,
            models: Vec::new(),
            lent: None,
        },
        models: Vec::new(),
        requests: Vec::new(),
        rate: Rate { prompt: 0.0, answer: 0.0 },
        sensors: Sensors { temperature: None, power: None },
        disk: Disk { free: None, total: None, models: None },
    })
}

/// `GET /admin/api/history`.
pub(super) async fn history(_: Api) -> Json<History> {
    Json(History { step: STEP, rows: Vec::new() })
}

/// `DELETE /admin/api/requests/{id}`.
pub(super) async fn stop(_: Api, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    Err(Error::UnknownRequest { id }.into())
}
