//! `GET /admin/api/status`: how the box is, for whoever looks after it.

use access::Who;
use axum::Json;
use identity::{Identity, Source};
use serde::Serialize;

use super::time;
use crate::{Api, health::Reason};

#[derive(Serialize)]
pub(super) struct Status {
    version: String,
    claimed: bool,
    /// What the box is claimed with; told to those on its admin socket alone, and gone once it is claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    setup_code: Option<String>,
    /// Absent if it serves no TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<Device>,
    /// Where it can be asked, as a browser takes it.
    addresses: Vec<String>,
    /// What does not work as it should.
    degraded: Vec<Reason>,
}

#[derive(Serialize)]
struct Device {
    id: String,
    short: String,
    label: String,
    certificate: Certificate,
}

#[derive(Serialize)]
struct Certificate {
    /// `local` if the box issued it, `own` if it is the owner's.
    source: &'static str,
    names: Vec<String>,
    expires: String,
    warnings: Vec<String>,
}

/// `GET /admin/api/status`.
pub(super) async fn status(api: Api) -> Json<Status> {
    let is_operator = *api.caller.who() == Who::Operator;
    Json(Status {
        version: api.config.version.clone(),
        claimed: api.access.is_claimed(),
        setup_code: if is_operator { api.access.setup_code().map(|code| code.reveal()) } else { None },
        device: api.identity.as_ref().map(device),
        addresses: api.health.addresses(),
        degraded: api.health.reasons(),
    })
}

fn device(identity: &Identity) -> Device {
    let status = identity.status();
    Device {
        id: status.id.to_string(),
        short: status.id.short(),
        label: status.label,
        certificate: Certificate {
            source: match status.source {
                Source::Local => "local",
                Source::Own => "own",
            },
            names: status.names,
            expires: time::written(status.not_after),
            warnings: status.warnings.iter().map(ToString::to_string).collect(),
        },
    }
}
