//! The page's and the command line's own API, under `/admin/api`: what no other family has. It only translates.

mod activity;
mod fit;
mod store;

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
}
