//! What each route needs of its caller: one table, and the layer over the whole router that holds to it. A route that is not in
//! the table answers nobody. Who a caller is was found out by `front`; what it may use of what a route gives is `caller`'s.

use access::{Caller, Origin, Scope, Way, Who};
use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, header::ALLOW};

use crate::{Api, error::Error, family::Family, method_not_allowed, quota};

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Anyone,
    /// To come by a way that nobody can listen in on or write into; nothing else.
    Private,
    /// To be somebody: a program on this machine, or whoever presented something.
    Somebody,
    /// This scope.
    Scope(Scope),
    /// This scope, and all models or the whole box: it tells of all of them, or touches all.
    All(Scope),
    /// To be somebody, or to come from this machine or through it.
    Near,
    /// This scope, and that limits of requests and of tokens have room: a model is put to work.
    Work(Scope),
    /// To come by the admin socket.
    Operator,
}

use Need::{All, Anyone, Near, Operator, Private, Somebody, Work};
use Scope::{Admin, Embed, Infer, ModelsRead, ModelsWrite, Split};

const GET: Method = Method::GET;
const HEAD: Method = Method::HEAD;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// All routes. A HEAD that is not here needs what its GET does.
#[rustfmt::skip]
const TABLE: &[(Method, &str, Need)] = &[
    // Ollama's.
    (GET, "/", Anyone),
    (GET, "/api/version", Near),
    (GET, "/api/status", Somebody),
    (GET, "/api/tags", Need::Scope(ModelsRead)),
    (GET, "/api/ps", Need::Scope(ModelsRead)),
    (POST, "/api/show", Need::Scope(ModelsRead)),
    (POST, "/api/generate", Work(Infer)),
    (POST, "/api/chat", Work(Infer)),
    (POST, "/api/embed", Work(Embed)),
    (POST, "/api/embeddings", Work(Embed)),
    (POST, "/api/create", Need::Scope(ModelsWrite)),
    (POST, "/api/copy", Need::Scope(ModelsWrite)),
    (POST, "/api/pull", Need::Scope(ModelsWrite)),
    (POST, "/api/push", Need::Scope(ModelsWrite)),
    (DELETE, "/api/delete", Need::Scope(ModelsWrite)),
    (HEAD, "/api/blobs/{digest}", Need::Scope(ModelsWrite)),
    (POST, "/api/blobs/{digest}", Need::Scope(ModelsWrite)),
    (POST, "/api/experimental/web_search", Need::Scope(Infer)),
    (POST, "/api/experimental/web_fetch", Need::Scope(Infer)),
    // OpenAI's, of which the lists of models are Anthropic's as well.
    (GET, "/v1/models", Need::Scope(ModelsRead)),
    (GET, "/v1/models/{*model}", Need::Scope(ModelsRead)),
    (DELETE, "/v1/models/{*model}", Need::Scope(ModelsWrite)),
    (POST, "/v1/chat/completions", Work(Infer)),
    (POST, "/v1/completions", Work(Infer)),
    (POST, "/v1/embeddings", Work(Embed)),
    (POST, "/v1/rerank", Work(Embed)),
    (POST, "/v1/tokenize", Work(Infer)),
    (POST, "/v1/detokenize", Work(Infer)),
    (POST, "/v1/responses", Work(Infer)),
    (POST, "/v1/responses/input_tokens", Work(Infer)),
    // What was asked for already; nothing is put to work.
    (GET, "/v1/responses/{response}", Need::Scope(Infer)),
    (DELETE, "/v1/responses/{response}", Need::Scope(Infer)),
    (POST, "/v1/responses/{response}/cancel", Need::Scope(Infer)),
    (GET, "/v1/responses/{response}/input_items", Need::Scope(Infer)),
    // Anthropic's.
    (POST, "/v1/messages", Work(Infer)),
    (POST, "/v1/messages/count_tokens", Work(Infer)),
    // Models, as a registry has them.
    (GET, "/v2/", Somebody),
    (GET, "/v2/_catalog", Need::Scope(ModelsRead)),
    (GET, "/v2/{*path}", Need::Scope(ModelsRead)),
    // What there is.
    (GET, "/openapi.json", Somebody),
    (GET, "/openapi", Somebody),
    (GET, "/openapi.css", Somebody),
    // How the box is, and who it is.
    (GET, "/healthz", Anyone),
    (GET, "/readyz", Anyone),
    (GET, "/trust", Private),
    (GET, "/trust/page.css", Private),
    (GET, "/trust/root.crt", Private),
    (GET, "/trust/root.pem", Private),
    (GET, "/trust/root.mobileconfig", Private),
    // The page. What it shows is asked for by routes of their own.
    (GET, "/chat", Private),
    (GET, "/chat/{conversation}", Private),
    (GET, "/models", Private),
    (GET, "/now", Private),
    (GET, "/keys", Private),
    (GET, "/network", Private),
    (GET, "/settings", Private),
    (GET, "/connect", Private),
    (GET, "/records", Private),
    (GET, "/assets/{file}", Private),
    (GET, "/icon.svg", Private),
    (GET, "/site.webmanifest", Private),
    (GET, "/admin/api/box", Private),
    // What paired boxes ask.
    (GET, "/peer/models", Need::Scope(Infer)),
    // Who may do what.
    (POST, "/claim", Private),
    (POST, "/pair", Private),
    (POST, "/pair/proof", Private),
    (POST, "/admin/api/invitations", Need::Scope(Admin)),
    (DELETE, "/admin/api/invitations", Need::Scope(Admin)),
    (GET, "/admin/api/peers", Need::Scope(Admin)),
    (POST, "/admin/api/peers", Need::Scope(Admin)),
    (DELETE, "/admin/api/peers/{name}", Need::Scope(Admin)),
    (POST, "/admin/api/login", Private),
    (POST, "/admin/api/logout", Somebody),
    (GET, "/admin/api/me", Somebody),
    (GET, "/admin/api/keys", Need::Scope(Admin)),
    (POST, "/admin/api/keys", Need::Scope(Admin)),
    (DELETE, "/admin/api/keys/{id}", Need::Scope(Admin)),
    (POST, "/admin/api/keys/{id}/rotate", Need::Scope(Admin)),
    (GET, "/admin/api/usage", Need::Scope(Admin)),
    (GET, "/admin/api/sessions", Need::Scope(Admin)),
    (DELETE, "/admin/api/sessions/{id}", Need::Scope(Admin)),
    (POST, "/admin/api/password", Somebody),
    (GET, "/admin/api/people", Need::Scope(Admin)),
    (POST, "/admin/api/people", Need::Scope(Admin)),
    (DELETE, "/admin/api/people/{name}", Need::Scope(Admin)),
    (POST, "/admin/api/people/{name}/password", Need::Scope(Admin)),
    (POST, "/admin/api/reset-password", Operator),
    (GET, "/admin/api/audit", Need::Scope(Admin)),
    (GET, "/admin/api/audit/entries", Need::Scope(Admin)),
    (GET, "/admin/api/audit/events", Need::Scope(Admin)),
    (GET, "/admin/api/logs", Need::Scope(Admin)),
    (GET, "/admin/api/logs/events", Need::Scope(Admin)),
    (GET, "/admin/api/logs/text", Need::Scope(Admin)),
    (GET, "/admin/api/status", Need::Scope(Admin)),
    (GET, "/admin/api/diagnostics", Need::Scope(Admin)),
    (POST, "/admin/api/backup", Need::Scope(Admin)),
    (POST, "/admin/api/restore", Need::Scope(Admin)),
    (POST, "/admin/api/reset", Need::Scope(Admin)),
    // What was said; to each their own.
    (GET, "/admin/api/conversations", Need::Scope(Infer)),
    (POST, "/admin/api/conversations", Need::Scope(Infer)),
    (DELETE, "/admin/api/conversations", Need::Scope(Infer)),
    (GET, "/admin/api/conversations/export", Need::Scope(Infer)),
    (GET, "/admin/api/conversations/{id}", Need::Scope(Infer)),
    (PATCH, "/admin/api/conversations/{id}", Need::Scope(Infer)),
    (DELETE, "/admin/api/conversations/{id}", Need::Scope(Infer)),
    (PUT, "/admin/api/conversations/{id}/messages/{message}", Need::Scope(Infer)),
    (GET, "/admin/api/settings", Need::Scope(Admin)),
    (PUT, "/admin/api/settings", Need::Scope(Admin)),
    (POST, "/admin/api/restart", Need::Scope(Admin)),
    (PUT, "/admin/api/certificate", Need::Scope(Admin)),
    (DELETE, "/admin/api/certificate", Need::Scope(Admin)),
    // What goes on.
    (GET, "/admin/api/now", Need::Scope(Admin)),
    (GET, "/admin/api/now/events", Need::Scope(Admin)),
    (GET, "/admin/api/history", Need::Scope(Admin)),
    (DELETE, "/admin/api/requests/{id}", Need::Scope(Admin)),
    // Between boxes.
    (GET, "/peer/split", All(Split)),
    (POST, "/peer/split", All(Split)),
    // Hob's own, of models.
    (GET, "/admin/api/models", Need::Scope(ModelsRead)),
    (GET, "/admin/api/fit", Need::Scope(ModelsRead)),
    (POST, "/admin/api/store/blobs", Need::Scope(ModelsWrite)),
    (PUT, "/admin/api/store/manifests", Need::Scope(ModelsWrite)),
    (GET, "/admin/api/store/room", Need::Scope(ModelsWrite)),
    (POST, "/admin/api/store/scrub", All(ModelsWrite)),
    (POST, "/admin/api/store/prune", All(ModelsWrite)),
    (GET, "/admin/api/store/partials", All(ModelsRead)),
    (DELETE, "/admin/api/store/partials/{digest}", All(ModelsWrite)),
    (GET, "/admin/api/pulls", Need::Scope(ModelsWrite)),
    (POST, "/admin/api/pulls", Need::Scope(ModelsWrite)),
    (GET, "/admin/api/pulls/events", Need::Scope(ModelsWrite)),
    (DELETE, "/admin/api/pulls/{id}", Need::Scope(ModelsWrite)),
    (POST, "/admin/api/pulls/{id}/pause", Need::Scope(ModelsWrite)),
    (POST, "/admin/api/pulls/{id}/resume", Need::Scope(ModelsWrite)),
];

/// What a route needs; `None` if it is not in the table.
fn need(method: &Method, path: &str) -> Option<Need> {
    let find = |method: &Method| TABLE.iter().find(|(of, at, _)| of == method && *at == path);
    let found = find(method).or_else(|| (*method == HEAD).then(|| find(&GET)).flatten());
    found.map(|(_, _, need)| *need)
}

/// Lets a request through to its route if its caller has what that needs.
pub(crate) async fn enforce(api: Api, request: Request, next: Next) -> Response {
    // Where nothing matches, there is nothing but word that there is nothing.
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else {
        return next.run(request).await;
    };
    let Some(need) = need(request.method(), path.as_str()) else {
        return unknown(request, path.as_str()).await;
    };
    let family = Family::of(request.uri().path(), request.headers());
    let way = request.extensions().get::<Origin>().map(|origin| origin.way);
    let admitted = match way {
        Some(Way::Plaintext) if path.as_str().starts_with("/admin/") => Err(Error::Readable),
        _ => allowed(&api, way, need),
    };
    match admitted {
        // It is `front` that writes down who was refused, by the status.
        Err(error) => family.refuse(error),
        Ok(()) if matches!(need, Work(_)) => quota::admit(&api, family, request, next).await,
        Ok(()) => next.run(request).await,
    }
}

/// Of a path that is here by other methods, those; of any other, that it is not here, whatever the router has at it.
async fn unknown(request: Request, path: &str) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut methods: Vec<&str> =
        TABLE.iter().filter(|(_, at, _)| *at == path).map(|(method, _, _)| method.as_str()).collect();
    if methods.is_empty() {
        tracing::error!(%method, path, "this route is not in the table of scopes, and answers nobody");
        return crate::not_found(request).await;
    }
    if methods.contains(&"GET") && !methods.contains(&"HEAD") {
        methods.push("HEAD");
    }
    let mut response = method_not_allowed(method, uri).await.into_response();
    if let Ok(methods) = HeaderValue::from_str(&methods.join(",")) {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}

fn allowed(api: &Api, way: Option<Way>, need: Need) -> Result<(), Error> {
    let caller = &api.caller;
    match need {
        Anyone => Ok(()),
        Private if way == Some(Way::Plaintext) => Err(Error::Readable),
        Private => Ok(()),
        Somebody if *caller.who() != Who::Nobody => Ok(()),
        Near if !matches!(way, Some(Way::Lan | Way::Plaintext)) || *caller.who() != Who::Nobody => Ok(()),
        Need::Scope(scope) | Work(scope) if caller.may(scope) => Ok(()),
        All(scope) if caller.may(scope) && (caller.may_use_all() || caller.may(Admin)) => Ok(()),
        All(scope) if caller.may(scope) => Err(lacking(api, caller, Admin)),
        Operator if *caller.who() == Who::Operator => Ok(()),
        Operator => Err(Error::NotOperator),
        Somebody | Near => Err(api.nobody(None)),
        Need::Scope(scope) | Work(scope) | All(scope) => Err(lacking(api, caller, scope)),
    }
}

/// Who presented nothing can present something; who did is not asked for another.
fn lacking(api: &Api, caller: &Caller, scope: Scope) -> Error {
    match caller.who() {
        Who::Nobody | Who::Local => api.nobody(Some(scope)),
        Who::Person(_) => Error::NotForMembers,
        _ => Error::LacksScope { scope },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_route_is_in_the_table_twice() {
        let mut seen = BTreeSet::new();
        for (method, path, _) in TABLE {
            assert!(seen.insert((method.as_str(), path)), "{method} {path}");
        }
    }

    #[test]
    fn a_head_needs_what_its_get_does_unless_it_is_a_route_of_its_own() {
        assert_eq!(need(&HEAD, "/api/tags"), Some(Need::Scope(ModelsRead)));
        assert_eq!(need(&HEAD, "/api/chat"), None);
        assert_eq!(need(&GET, "/api/blobs/{digest}"), None);
        assert_eq!(need(&Method::OPTIONS, "/"), None);
    }

    /// The router's routes are those of the table: none is missing there, and none is there for nothing.
    #[tokio::test]
    async fn the_table_and_the_router_have_the_same_routes() {
        let routed = routed(&format!("{:?}", crate::router(crate::tests::Rig::new().api)));
        let listed: BTreeSet<(String, String)> =
            TABLE.iter().map(|(method, path, _)| (method.to_string(), (*path).to_owned())).collect();
        // Each GET has a HEAD as well.
        let own = |(method, path): &(String, String)| {
            method != "HEAD" || !routed.contains(&("GET".to_owned(), path.clone()))
        };
        let routed: BTreeSet<_> = routed.iter().filter(|route| own(route)).cloned().collect();
        let missing: Vec<_> = routed.difference(&listed).collect();
        assert!(missing.is_empty(), "not in the table, so nobody may ask for them: {missing:?}");
        let idle: Vec<_> = listed.difference(&routed).collect();
        assert!(idle.is_empty(), "in the table, and no routes: {idle:?}");
    }

    /// A router's routes, by how it describes itself: there is no other way to have it list them.
    fn routed(described: &str) -> BTreeSet<(String, String)> {
        let (routes, paths) = described.split_once("node: Node").expect("a router describes its paths");
        let id = |text: &str| -> u32 {
            text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
        };
        let paths = paths.split_once('}').map_or(paths, |_| paths);
        let path = |wanted: u32| -> String {
            let found = paths.split("RouteId(").skip(1).find(|text| id(text) == wanted);
            let text =
                found.unwrap_or_else(|| panic!("route {wanted} has no path")).split_once('"').unwrap().1;
            text.split_once('"').unwrap().0.to_owned()
        };
        let mut all = BTreeSet::new();
        for route in routes.split("RouteId(").skip(1) {
            let (_, allow) = route.split_once("allow_header: Bytes(b\"").expect("a route has its methods");
            let methods = allow.split_once('"').unwrap().0;
            all.extend(methods.split(',').map(|method| (method.to_owned(), path(id(route)))));
        }
        assert!(all.contains(&("POST".into(), "/api/chat".into())), "this router describes itself otherwise");
        all
    }
}
