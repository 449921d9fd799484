//! How this family says that a request failed: `{"error": …}`.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::error::Error;

/// A failure on its way to the client.
pub(super) struct Refusal(Error);

/// The object, as an answer or as the last line of one.
#[derive(Serialize)]
pub(super) struct Failed {
    pub(super) error: String,
}

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.0.status();
        tracing::debug!(%status, error = %self.0, "request refused");
        let mut response = (status, Json(Failed { error: self.0.message() })).into_response();
        self.0.tell(response.headers_mut());
        response
    }
}
