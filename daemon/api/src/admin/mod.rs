//! The page's and the command line's own API, under `/admin/api`: what no other family has. It only translates.

mod activity;
mod audit;
mod backup;
mod certificate;
mod conversations;
mod diagnostics;
mod entries;
mod errors;
mod events;
mod expiry;
mod fit;
mod invitations;
mod keys;
mod logs;
mod manifests;
mod meeting;
mod members;
mod now;
mod offers;
mod pairing;
mod peers;
mod people;
mod pulls;
mod reset;
mod restart;
mod sessions;
mod settings;
mod status;
mod store;
mod time;
mod typed;
mod usage;

use axum::{
    Router,
    routing::{delete, get, post, put},
};

use crate::Api;

pub(crate) use conversations::readings;
pub(crate) use now::{Gauges, Past};
pub(crate) use offers::Offers;

/// Everything under `/admin/api`, `/claim` and `/pair`.
pub(crate) fn router() -> Router<Api> {
    Router::new()
        .route("/admin/api/models", get(activity::models))
        .route("/admin/api/fit", get(fit::fit))
        .route("/admin/api/store/blobs", post(store::add_blob))
        .route("/admin/api/store/manifests", put(manifests::accept))
        .route("/admin/api/store/scrub", post(store::scrub))
        .route("/admin/api/store/prune", post(store::prune))
        .route("/admin/api/store/room", get(store::room))
        .route("/admin/api/store/partials", get(store::partials))
        .route("/admin/api/store/partials/{digest}", delete(store::remove_partial))
        .route("/admin/api/pulls", get(pulls::list).post(pulls::begin))
        .route("/admin/api/pulls/events", get(pulls::follow))
        .route("/admin/api/pulls/{id}", delete(pulls::remove))
        .route("/admin/api/pulls/{id}/pause", post(pulls::pause))
        .route("/admin/api/pulls/{id}/resume", post(pulls::resume))
        .route("/admin/api/keys", get(keys::list).post(keys::create))
        .route("/admin/api/keys/{id}", delete(keys::revoke))
        .route("/admin/api/keys/{id}/rotate", post(keys::rotate))
        .route("/claim", post(people::claim))
        .route("/pair", post(invitations::redeem))
        .route("/pair/proof", post(offers::prove))
        .route("/admin/api/invitations", post(invitations::make).delete(invitations::withdraw))
        .route("/admin/api/peers", get(peers::list).post(pairing::pair))
        .route("/admin/api/peers/{name}", delete(peers::forget))
        .route("/admin/api/login", post(people::sign_in))
        .route("/admin/api/logout", post(people::sign_out))
        .route("/admin/api/box", get(meeting::meet))
        .route("/admin/api/me", get(people::me))
        .route("/admin/api/password", post(people::change_password))
        .route("/admin/api/reset-password", post(people::reset_password))
        .route("/admin/api/sessions", get(sessions::list))
        .route("/admin/api/sessions/{id}", delete(sessions::end))
        .merge(conversations::router())
        .merge(members::router())
        .route("/admin/api/audit", get(audit::entries))
        .route("/admin/api/audit/entries", get(entries::newest))
        .route("/admin/api/audit/events", get(entries::follow))
        .route("/admin/api/logs", get(logs::last))
        .route("/admin/api/logs/events", get(logs::follow))
        .route("/admin/api/logs/text", get(logs::text))
        .route("/admin/api/usage", get(usage::used))
        .route("/admin/api/status", get(status::status))
        .route("/admin/api/diagnostics", get(diagnostics::diagnostics))
        .route("/admin/api/backup", post(backup::backup))
        .route("/admin/api/restore", post(backup::restore))
        .route("/admin/api/reset", post(reset::reset))
        .route("/admin/api/settings", get(settings::list).put(settings::change))
        .route("/admin/api/restart", post(restart::restart))
        .route("/admin/api/certificate", put(certificate::keep).delete(certificate::forget))
        .route("/admin/api/now", get(now::now))
        .route("/admin/api/now/events", get(now::events))
        .route("/admin/api/history", get(now::history))
        .route("/admin/api/requests/{id}", delete(now::stop))
}
