//! The page's and the command line's own API, under `/admin/api`: what no other family has. It only translates.

mod activity;
mod errors;
mod expiry;
mod fit;
mod keys;
mod status;
mod store;
mod typed;
mod usage;

use axum::{
    Router,
    routing::{delete, get, post},
};

use crate::Api;

/// Everything under `/admin/api`.
pub(crate) fn router() -> Router<Api> {
    Router::new()
        .route("/admin/api/models", get(activity::models))
        .route("/admin/api/fit", get(fit::fit))
        .route("/admin/api/store/blobs", post(store::add_blob))
        .route("/admin/api/store/scrub", post(store::scrub))
        .route("/admin/api/store/prune", post(store::prune))
        .route("/admin/api/store/partials", get(store::partials))
        .route("/admin/api/store/partials/{digest}", delete(store::remove_partial))
        .route("/admin/api/keys", get(keys::list).post(keys::create))
        .route("/admin/api/keys/{id}", delete(keys::revoke))
        .route("/admin/api/keys/{id}/rotate", post(keys::rotate))
        .route("/admin/api/usage", get(usage::used))
        .route("/admin/api/status", get(status::status))
}
