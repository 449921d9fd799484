//! The whole router over an empty store and a real access, asked as `front` would ask it. No model is ever loaded.

mod admin;
mod backup;
mod conversations;
mod events;
mod limits;
mod logs;
mod models;
mod now;
mod oci;
mod pages;
mod pairing;
mod people;
mod pulls;
mod refusals;
mod settings;
mod trust;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ::backup::{Backups, Folder};
use access::{Access, Caller, Credential, NewKey, Origin, Policy, Presented, Scope, Way};
use axum::{
    Router,
    body::{Body, to_bytes},
    response::Response,
};
use http::{HeaderMap, Method, Request, StatusCode, header::CONTENT_TYPE};
use identity::pairing::Peers;
use registry::{Neighbourhood, Registry};
use scheduler::{KeepAlive, MemoryLimit, Scheduler, WorkerProgram};
use serde_json::Value;
use state::{Clock, State};
use store::Store;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::{Api, Config, Log, Parts};

/// A box, with nothing in it.
pub(crate) struct Rig {
    pub(crate) api: Api,
    pub(crate) access: Access,
    pub(crate) settings: Arc<settings::Fixed>,
    router: Router,
    /// Seconds since 1970.
    now: Arc<AtomicI64>,
    folder: TempDir,
}

/// Some day in 2026.
const NOW: i64 = 1_795_000_000;

impl Rig {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(NOW));
        let clock = Clock::of({
            let now = Arc::clone(&now);
            move || now.load(Ordering::Relaxed)
        });
        let store = Store::open(folder.path().join("models")).unwrap();
        let state = State::open(folder.path(), clock.clone()).unwrap();
        let registry = Registry::new(store.clone(), registry_config()).unwrap();
        let access = access::Config {
            clock: clock.clone(),
            runtime_dir: folder.path().join("run"),
            audit_dir: folder.path().join("audit"),
            provision: None,
        };
        let access = Access::open(state.clone(), access).unwrap();
        let scheduler = Scheduler::start(scheduler_config());
        let peers = Peers::open(folder.path().join("peers")).unwrap();
        let settings = Arc::new(settings::Fixed::default());
        let backups = Backups::new(::backup::Parts {
            folder: Folder::of(folder.path().into()),
            state: state.clone(),
            store: store.clone(),
            peers: peers.clone(),
            identity: None,
            clock: clock.clone(),
            version: "0.1.0".into(),
            settings: settings.clone(),
        });
        let neighbourhood = Neighbourhood::new(peers, Arc::new(|_| Vec::new()));
        let access_too = access.clone();
        let (discovery, relay, identity) = (None, None, None);
        let settings_too = settings.clone();
        let parts = Parts {
            store,
            registry,
            neighbourhood,
            discovery,
            relay,
            scheduler,
            state,
            access: access_too,
            identity,
            settings: settings_too,
            backups,
            log: Log::default(),
        };
        let api = Api::new(parts, config());
        Self { router: crate::router(api.clone()), api, access, settings, now, folder }
    }

    /// A key for these scopes, with whatever else its policy says.
    pub(crate) fn key(&self, policy: Policy) -> String {
        let new = NewKey { name: "test".into(), policy, expires: None };
        self.access.create_key(&Caller::operator(), new).unwrap().1.reveal().to_owned()
    }

    /// Whoever has this key, on the loopback.
    pub(crate) fn by_key(&self, key: &str) -> Caller {
        let origin = Origin { way: Way::Loopback, address: Some([127, 0, 0, 1].into()) };
        self.access.identify(&Presented { origin, credential: Credential::Key(key) }).unwrap()
    }

    /// Ends all keys.
    pub(crate) fn revoke_all(&self) {
        for key in self.access.keys() {
            self.access.revoke_key(&Caller::operator(), key.id).unwrap();
        }
    }

    /// A model whose manifest cannot be read.
    pub(crate) fn put_damaged_model(&self, name: &str) {
        let folder = self.folder.path().join("models/manifests/registry.ollama.ai/library").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("latest"), "damaged").unwrap();
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.now.fetch_add(time.as_secs().cast_signed(), Ordering::Relaxed);
    }

    /// Asks as somebody.
    pub(crate) async fn ask(&self, by: &Caller, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send(by, Way::Loopback, request(method, path, body)).await
    }

    /// Asks as somebody, and reads nothing of the answer.
    pub(crate) async fn begin(&self, by: &Caller, mut request: Request<Body>) -> Response {
        request.extensions_mut().insert(by.clone());
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Asks as somebody, by a door.
    pub(crate) async fn send(&self, by: &Caller, way: Way, mut request: Request<Body>) -> Answer {
        let address = (way != Way::AdminSocket).then_some([127, 0, 0, 1].into());
        request.extensions_mut().insert(Origin { way, address });
        let response = self.begin(by, request).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

pub(crate) fn request(method: Method, path: &str, body: Option<Value>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    match body {
        Some(body) => {
            request.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap()
        }
        None => request.body(Body::empty()).unwrap(),
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) fn scopes(scopes: &[Scope]) -> Policy {
    Policy::new(scopes.iter().copied().collect())
}

fn registry_config() -> registry::Config {
    registry::Config {
        hosts: "".parse().unwrap(),
        credentials: Default::default(),
        proxy: None,
        bytes_per_second: None,
        version: "0".into(),
    }
}

fn scheduler_config() -> scheduler::Config {
    scheduler::Config {
        worker: WorkerProgram::this_executable().unwrap(),
        max_loaded: 1,
        memory: MemoryLimit::Bytes(1 << 30),
        keep_alive: KeepAlive::Forever,
        max_queue: 512,
        load_timeout: Duration::from_secs(9),
        stuck_after: Duration::from_secs(9),
        cache_bytes: 0,
        cache_disk: None,
        lenders: None,
    }
}

fn config() -> Config {
    Config {
        version: "0.0.0".into(),
        sequences: 1,
        max_step_ms: 200,
        speculation: false,
        cache_types: protocol::CacheTypes::default(),
        threads: None,
        lends: None,
    }
}
