//! How this family says that a request failed: `{"error": …}`, and which field is at fault, if one is.

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
    /// The field at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) field: Option<String>,
}

impl Failed {
    /// Something that failed by itself, whatever was asked.
    pub(super) fn of(error: String) -> Self {
        Self { error, field: None }
    }
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
        let field = self.0.field().map(ToOwned::to_owned);
        let mut response = (status, Json(Failed { error: self.0.message(), field })).into_response();
        self.0.tell(response.headers_mut());
        response
    }
}
