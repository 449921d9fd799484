//! The page in the box: its files, which are in the executable, and under which paths a browser gets it. What it shows it asks
//! the other families for; `/trust` stands by itself, for it must do without script.

mod files;
mod headers;

use access::{Origin, Way};
use axum::{
    Extension, Router,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderMap, Method, StatusCode, Uri,
    header::{ACCEPT, IF_NONE_MATCH},
};

use crate::Api;

pub(crate) use headers::{Policy, kept_apart, secured};

/// Where the page is at, beside `/`: it shows by itself what the path asks for.
const PATHS: &[&str] = &[
    "/chat",
    "/chat/{conversation}",
    "/models",
    "/now",
    "/keys",
    "/network",
    "/settings",
    "/connect",
    "/records",
];

/// The page under its paths, and all of its files. `/` is Ollama's as well, which asks for [`at_root`].
pub(crate) fn router() -> Router<Api> {
    let page = async |headers: HeaderMap| files::index(&headers);
    let router = PATHS.iter().fold(Router::new(), |router, path| router.route(path, get(page)));
    router
        .route("/assets/{file}", get(asset))
        .route("/icon.svg", get(asset))
        .route("/site.webmanifest", get(asset))
}

async fn asset(uri: Uri, headers: HeaderMap) -> Response {
    match files::named(uri.path(), &headers) {
        Some(file) => file,
        None => (StatusCode::NOT_FOUND, "404 page not found").into_response(),
    }
}

/// The page, for a browser that asks for `/` by a way that nobody can write into.
pub(crate) fn at_root(headers: &HeaderMap, origin: Option<Extension<Origin>>) -> Option<Response> {
    let readable = origin.is_some_and(|Extension(origin)| origin.way == Way::Plaintext);
    (!readable && wants_html(headers)).then(|| files::index(headers))
}

/// What answers for families and for files, where a path that is not there is no page that somebody mistyped.
const OTHERS: &[&str] = &["/api", "/v1", "/v2", "/admin", "/assets", "/trust"];

/// The page, which says that there is nothing here, for a browser that asks for a path that nobody has.
pub(crate) fn at_unknown(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    way: Option<Way>,
) -> Option<Response> {
    let within =
        |at: &&str| path.strip_prefix(*at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let asks = matches!(*method, Method::GET | Method::HEAD) && wants_html(headers);
    if !asks || way == Some(Way::Plaintext) || OTHERS.iter().any(within) {
        return None;
    }
    // It is not there, whatever a browser has of it.
    let mut headers = headers.clone();
    headers.remove(IF_NONE_MATCH);
    let mut page = files::index(&headers);
    *page.status_mut() = StatusCode::NOT_FOUND;
    Some(page)
}

/// Whether what the client takes names HTML. `*/*` is every program's.
fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    accepted
        .flat_map(|accept| accept.split(','))
        .any(|range| range.split(';').next().is_some_and(|range| range.trim() == "text/html"))
}
