//! `/trust`: how a person comes to trust the box. Static pages without script, and the root certificate to take along. Whoever is
//! between the two could change all of it, so what the box says of itself on its own console is what counts.

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
};
use identity::Identity;

use crate::{
    Api,
    pages::{Policy, secured},
};

/// Everything under `/trust`.
pub(crate) fn router() -> Router<Api> {
    Router::new()
        .route("/trust", get(page))
        .route("/trust/page.css", get(async || file("text/css; charset=utf-8", None, STYLE.into())))
        .route("/trust/root.crt", get(root_der))
        .route("/trust/root.pem", get(root_pem))
        .route("/trust/root.mobileconfig", get(mobileconfig))
}

const STYLE: &str = include_str!("trust/page.css");
const PAGE: &str = include_str!("trust/page.html");

async fn page(api: Api) -> Response {
    let Some(identity) = &api.identity else { return nothing() };
    let page = PAGE.replace("{id}", &identity.id().to_string()).replace("{label}", identity.label());
    file("text/html; charset=utf-8", None, page.into())
}

async fn root_der(api: Api) -> Response {
    download(&api, "application/x-x509-ca-cert", "crt", |identity| identity.root_der().to_vec())
}

async fn root_pem(api: Api) -> Response {
    download(&api, "application/x-pem-file", "pem", |identity| identity.root_pem().into())
}

async fn mobileconfig(api: Api) -> Response {
    download(&api, "application/x-apple-aspen-config", "mobileconfig", |identity| {
        identity.mobileconfig().into_bytes()
    })
}

fn download(
    api: &Api,
    kind: &'static str,
    extension: &str,
    bytes: impl FnOnce(&Identity) -> Vec<u8>,
) -> Response {
    let Some(identity) = &api.identity else { return nothing() };
    let name = format!("attachment; filename=\"{}.{extension}\"", identity.label());
    file(kind, HeaderValue::from_str(&name).ok(), bytes(identity))
}

fn file(kind: &'static str, name: Option<HeaderValue>, bytes: Vec<u8>) -> Response {
    let mut response = ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], bytes).into_response();
    if let Some(name) = name {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    secured(Policy::Still, response)
}

fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "This box serves no TLS, so there is no certificate to trust.").into_response()
}
