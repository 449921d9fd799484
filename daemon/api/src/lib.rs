//! The API families: each translates its JSON to the vocabulary and back. Routes and what every family shares live
//! here; listening, limits on connections and access do not (`front`), nor does which model is in memory (`scheduler`).
#![forbid(unsafe_code)]

mod adapters;
mod admin;
mod answer;
mod anthropic;
mod asked;
mod body;
mod caller;
mod conversation;
mod cut;
mod embed;
mod error;
mod family;
mod go_json;
mod health;
mod identifier;
mod json;
mod keep_alive;
mod load;
mod log;
mod media;
mod ndjson;
mod oci;
mod ollama;
mod openai;
mod openapi;
mod options;
mod pages;
mod places;
mod quota;
mod rate;
mod relay;
mod scopes;
pub mod settings;
mod split;
mod sse;
mod strays;
#[cfg(test)]
mod tests;
mod tools;
mod trust;
mod upload;

use std::sync::Arc;

use access::{Access, Caller, Origin};
use axum::{
    Router,
    extract::Request,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use backup::Backups;
use discovery::Discovery;
use error::Error;
use family::Family;
pub use health::Health;
use http::{Method, StatusCode, Uri, header::LOCATION};
use identity::Identity;
pub use log::{Log, LogLevel, LogLine};
use registry::{Neighbourhood, Pulls, Registry};
pub use relay::Relay;
use scheduler::Scheduler;
use settings::Settings;
use state::{State, StateError};
use store::{Model, ModelName, Store, StoreError};
use tokio_util::sync::CancellationToken;

/// What every route works with, on behalf of one caller. A clone is cheap.
#[derive(Clone)]
pub struct Api {
    store: Store,
    registry: Registry,
    /// What the box brings by itself.
    pulls: Pulls,
    neighbourhood: Neighbourhood,
    discovery: Option<Discovery>,
    /// If requests may be passed to paired boxes.
    relay: Option<Relay>,
    scheduler: Scheduler,
    state: State,
    access: Access,
    identity: Option<Identity>,
    settings: Arc<dyn Settings>,
    backups: Backups,
    /// What the daemon said last.
    log: Log,
    health: Health,
    caller: Caller,
    /// Held for as long as something is done on behalf of the caller.
    _place: Option<quota::Place>,
    /// If a paired box passed the request on.
    hop: Option<relay::Hop>,
    /// Cancelled when no answer is waited for any more.
    stopping: CancellationToken,
    background: openai::Background,
    uploads: places::Places,
    /// Of blobs, by others.
    downloads: places::Places,
    /// Of conversations, by those who read through them.
    readings: places::Places,
    /// Keys, to boxes that this one is being paired with.
    offers: admin::Offers,
    /// Of the machine, as they were read last.
    gauges: admin::Gauges,
    /// What went on in the last day.
    past: admin::Past,
    config: Config,
    capabilities: ollama::Known,
}

/// What an API is made of.
pub struct Parts {
    /// The models.
    pub store: Store,
    /// Where more come from.
    pub registry: Registry,
    /// The boxes that this one is paired with.
    pub neighbourhood: Neighbourhood,
    /// Who else is on the network, if that is looked for.
    pub discovery: Option<Discovery>,
    /// What it takes to pass requests to paired boxes, if that may be done.
    pub relay: Option<Relay>,
    /// The workers.
    pub scheduler: Scheduler,
    /// What is kept besides.
    pub state: State,
    /// Who may do what.
    pub access: Access,
    /// Who the box is, if it has anything to do with the network.
    pub identity: Option<Identity>,
    /// What the owner has decided.
    pub settings: Arc<dyn Settings>,
    /// The box in one file, and back.
    pub backups: Backups,
    /// What the daemon said last.
    pub log: Log,
}

/// What the operator decided, once and for all.
#[derive(Clone, Debug)]
pub struct Config {
    /// Told to clients by `/api/version`.
    pub version: String,
    /// Requests that one worker runs at once.
    pub sequences: u32,
    /// Milliseconds that a step may take while somebody waits for their next token.
    pub max_step_ms: u32,
    /// Whether text that repeats itself is guessed ahead.
    pub speculation: bool,
    /// In what a KV cache is kept.
    pub cache_types: protocol::CacheTypes,
    /// Compute threads of a worker; `None` is one for each core.
    pub threads: Option<u32>,
    /// The engine, if paired boxes may have their models computed by it.
    pub lends: Option<String>,
}

impl Api {
    /// An API over these. What it does by itself, it does on behalf of whoever runs the box.
    pub fn new(parts: Parts, config: Config) -> Self {
        Self {
            store: parts.store,
            pulls: Pulls::new(parts.registry.clone()),
            registry: parts.registry,
            neighbourhood: parts.neighbourhood,
            discovery: parts.discovery,
            relay: parts.relay,
            scheduler: parts.scheduler,
            state: parts.state,
            access: parts.access,
            identity: parts.identity,
            settings: parts.settings,
            backups: parts.backups,
            log: parts.log,
            health: Health::default(),
            caller: Caller::operator(),
            _place: None,
            hop: None,
            stopping: CancellationToken::new(),
            background: openai::Background::default(),
            uploads: upload::places(),
            downloads: oci::places(),
            readings: admin::readings(),
            offers: admin::Offers::default(),
            gauges: admin::Gauges::default(),
            past: admin::Past::default(),
            config,
            capabilities: ollama::Known::default(),
        }
    }

    /// How the box is, for those who find out.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Ends all answers that are under way, each with word of it in its own family's shape.
    pub fn cut(&self) {
        self.stopping.cancel();
    }

    /// Waits until nothing is under way that nobody waits for. No more may be asked for meanwhile.
    pub async fn drain(&self) {
        self.background.drain().await;
    }

    /// Ends what is under way that nobody waits for, and waits until it is written down.
    pub async fn stop(&self) {
        self.pulls.stop();
        self.background.stop().await;
    }

    /// The model that a client asked for, by the name as it was written.
    async fn resolve(&self, asked: &str) -> Result<Model, Error> {
        if asked.is_empty() {
            return Err(Error::UnknownModel { asked: String::new() });
        }
        let name = asked.parse::<ModelName>().map_err(|_| Error::InvalidName)?;
        let found = self.on_store(move |store| store.resolve(&name)).await;
        let model = found.map_err(|error| error.about_model(asked))?;
        self.visible(&model.name, asked)?;
        match self.hop.as_ref().is_none_or(|hop| hop.means(model.digest)) {
            true => Ok(model),
            false => Err(Error::UnknownModel { asked: asked.into() }),
        }
    }

    /// Runs what blocks on the disk where blocking is allowed.
    async fn on_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Error> {
        let store = self.store.clone();
        Ok(tokio::task::spawn_blocking(move || work(store)).await??)
    }

    /// The same of the state.
    async fn on_state<T: Send + 'static>(
        &self,
        work: impl FnOnce(State) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, Error> {
        let state = self.state.clone();
        Ok(tokio::task::spawn_blocking(move || work(state)).await??)
    }
}

/// All routes of all families.
pub fn router(api: Api) -> Router {
    let (ollama, of_ollama) = ollama::router().split_for_parts();
    let (openai, of_openai) = openai::router().split_for_parts();
    let (responses, of_responses) = openai::responses_router().split_for_parts();
    let (anthropic, of_anthropic) = anthropic::router().split_for_parts();
    let families = vec![
        ("Ollama", of_ollama),
        ("OpenAI", of_openai),
        ("Responses", of_responses),
        ("Anthropic", of_anthropic),
    ];
    let rated = |family: Family| from_fn_with_state((api.clone(), family), rate::tell);
    let passed = |family: Family| from_fn_with_state((api.clone(), family), relay::pass);
    let description = openapi::router(&api.config.version, families);
    Router::new()
        .merge(ollama.layer(passed(Family::Ollama)))
        .merge(
            openai
                .merge(responses)
                .layer(passed(Family::OpenAi))
                .layer(rated(Family::OpenAi))
                .layer(from_fn_with_state(api.clone(), anthropic::where_asked)),
        )
        .merge(anthropic.layer(passed(Family::Anthropic)).layer(rated(Family::Anthropic)))
        .merge(admin::router().layer(from_fn(pages::kept_apart)))
        .merge(oci::router())
        .merge(relay::router())
        .merge(trust::router())
        .merge(pages::router().layer(from_fn(pages::kept_apart)))
        .merge(split::router())
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .merge(description)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(body::judge))
        .layer(from_fn_with_state(api.clone(), scopes::enforce))
        .layer(from_fn(anthropic::tell_request))
        .with_state(api)
}

/// A path that ends in a slash is sent to the one that does not.
async fn not_found(request: Request) -> Response {
    let (method, uri) = (request.method(), request.uri());
    let way = request.extensions().get::<Origin>().map(|origin| origin.way);
    match uri.path().strip_suffix('/') {
        // Only within the APIs: a path of any shape could name another host, as `//elsewhere` does.
        Some(path) if path.starts_with("/api/") || path.starts_with("/v1/") => {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            let status = match *method {
                Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
                _ => StatusCode::TEMPORARY_REDIRECT,
            };
            (status, [(LOCATION, format!("{path}{query}"))]).into_response()
        }
        _ if anthropic::has(uri.path()) => anthropic::no_route(method, uri, StatusCode::NOT_FOUND),
        _ if uri.path().starts_with("/v1/") => openai::no_route(method, uri, StatusCode::NOT_FOUND),
        _ if oci::has(uri.path()) => oci::no_route(StatusCode::NOT_FOUND),
        _ => pages::at_unknown(method, uri.path(), request.headers(), way)
            .unwrap_or_else(|| (StatusCode::NOT_FOUND, "404 page not found").into_response()),
    }
}

async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    match uri.path() {
        path if anthropic::has(path) => anthropic::no_route(&method, &uri, status),
        path if path.starts_with("/v1/") => openai::no_route(&method, &uri, status),
        path if oci::has(path) => oci::no_route(status),
        _ => (status, "405 method not allowed").into_response(),
    }
}
