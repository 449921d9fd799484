//! The page's and the command line's own API, under `/admin/api`: what no other family has. It only translates.

mod activity;
mod audit;
mod certificate;
mod errors;
mod expiry;
mod fit;
mod invitations;
mod keys;
mod manifests;
mod meeting;
mod offers;
mod pairing;
mod peers;
mod people;
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
        .route("/admin/api/audit", get(audit::entries))
        .route("/admin/api/usage", get(usage::used))
        .route("/admin/api/status", get(status::status))
        .route("/admin/api/settings", get(settings::list).put(settings::change))
        .route("/admin/api/restart", post(restart::restart))
        .route("/admin/api/certificate", put(certificate::keep).delete(certificate::forget))
}
