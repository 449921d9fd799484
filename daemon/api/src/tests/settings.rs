//! The settings, a restart and the owner's certificate as the page asks for them, over settings that are held in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use access::{Caller, Scope, Way};
use http::{Method, StatusCode};
use identity::{Identity, Names};
use serde_json::{Value as Json, json};

use super::{Answer, NOW, Rig, admin::PASSWORD, request, scopes};
use crate::{
    Api,
    settings::{
        Changes, Counts, InForce, Kind, Layer, Needs, Origin, Setting, Settings, SettingsError, Value,
    },
};

/// Settings in memory: `name`, which is right unless it is `wrong`, `origins`, which needs a password, and `registry.proxy`, which
/// is told to nobody.
pub(crate) struct Fixed(Mutex<Held>);

struct Held {
    in_force: InForce,
    all: Vec<Setting>,
    kept: Vec<Changes>,
    full: bool,
    restarts: usize,
}

impl Default for Fixed {
    fn default() -> Self {
        let in_force = InForce { name: "Hob".into(), context_tokens: 4096, share: true };
        let all = vec![
            setting("name", Value::Text("Hob".into())),
            Setting { needs: Needs::Password, ..setting("origins", Value::None) },
            Setting { locked: Some("it is a secret".into()), ..setting("registry.proxy", Value::Hidden) },
        ];
        Self(Mutex::new(Held { in_force, all, kept: Vec::new(), full: false, restarts: 0 }))
    }
}

fn setting(name: &'static str, value: Value) -> Setting {
    Setting {
        name,
        kind: Kind::Open(&["a", "b"]),
        about: "What it is about.",
        default: None,
        value,
        origin: Origin { layer: Layer::File, place: Some("/etc/hob/hob.toml".into()) },
        kept: Value::None,
        locked: None,
        counts: Counts::AtOnce,
        needs: Needs::Admin,
    }
}

impl Fixed {
    pub(crate) fn put_in_force(&self, change: impl FnOnce(&mut InForce)) {
        change(&mut self.held().in_force);
    }

    pub(crate) fn have(&self, setting: Setting) {
        self.held().all.push(setting);
    }

    pub(crate) fn restarts(&self) -> usize {
        self.held().restarts
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Anything is a setting.
impl backup::KeptSettings for Fixed {
    fn check(&self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn without_secrets(&self, _: &str) -> Option<String> {
        None
    }
}

impl Settings for Fixed {
    fn shown(&self, name: &str, text: &str) -> Value {
        let is_secret = !self.held().all.iter().any(|setting| setting.name == name) || text.contains('@');
        if is_secret { Value::Hidden } else { Value::Text(text.to_owned()) }
    }

    fn in_force(&self) -> Arc<InForce> {
        Arc::new(self.held().in_force.clone())
    }

    fn all(&self) -> Vec<Setting> {
        self.held().all.clone()
    }

    fn check(&self, changes: &Changes) -> Result<(), SettingsError> {
        match changes.get("name") {
            Some(Some(name)) if name == "wrong" => {
                Err(SettingsError::Invalid { name: Some("name".into()), message: "it is wrong".into() })
            }
            _ => Ok(()),
        }
    }

    fn keep(&self, changes: &Changes) -> Result<(), SettingsError> {
        if self.held().full {
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull).into());
        }
        self.held().kept.push(changes.clone());
        Ok(())
    }

    fn restart(&self) {
        self.held().restarts += 1;
    }
}

impl Rig {
    /// As whoever may open the admin socket.
    async fn there(&self, method: Method, path: &str, body: Option<Json>) -> Answer {
        self.send(&Caller::operator(), Way::AdminSocket, request(method, path, body)).await
    }

    /// What the audit log says was done of one kind, and how it went.
    async fn recorded(&self, action: &str) -> Vec<(String, String)> {
        let log = self.there(Method::GET, "/admin/api/audit", None).await;
        let entries = log.text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        let entries = entries.filter(|entry| entry["action"] == action);
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        entries.map(|entry| (text(&entry["target"]), text(&entry["outcome"]))).collect()
    }
}

const SETTINGS: &str = "/admin/api/settings";

fn done(targets: &[&str]) -> Vec<(String, String)> {
    targets.iter().map(|target| ((*target).to_owned(), "done".to_owned())).collect()
}

#[tokio::test]
async fn a_setting_says_what_it_is_and_a_secret_does_not_say_what_it_is_set_to() {
    let rig = Rig::new();

    let told = rig.there(Method::GET, SETTINGS, None).await;

    assert_eq!((told.status, told.header("cache-control")), (StatusCode::OK, "no-store"));
    let told = &told.json()["settings"];
    assert_eq!(
        told[0],
        json!({
            "name": "name", "kind": "text", "choices": ["a", "b"], "about": "What it is about.", "default": null,
            "value": "Hob", "origin": {"layer": "file", "where": "/etc/hob/hob.toml"}, "restart": false,
            "confirm": false
        })
    );
    assert_eq!((&told[2]["value"], &told[2]["hidden"]), (&Json::Null, &json!(true)));
    assert_eq!((&told[1]["confirm"], &told[2]["locked"]), (&json!(true), &json!("it is a secret")));
    let infers = rig.by_key(&rig.key(scopes(&[Scope::Infer])));
    assert_eq!(rig.ask(&infers, Method::GET, SETTINGS, None).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_is_changed_is_on_the_record_first_and_what_is_wrong_is_not() {
    let rig = Rig::new();
    let put = async |body| rig.there(Method::PUT, SETTINGS, Some(body)).await;

    let wrong = put(json!({"values": {"name": "wrong"}})).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(wrong.json(), json!({"error": "it is wrong", "field": "name"}));
    assert_eq!(put(json!({"values": {}, "all": true})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(rig.recorded("settings").await, []);

    let values = json!({"name": "Kitchen", "models.context": 8192, "lan.share": false, "origins": null});
    let kept = put(json!({"values": values})).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.text);
    assert_eq!(kept.json()["settings"][0]["name"], "name");
    let text = |text: &str| Some(text.to_owned());
    let changes = [
        ("lan.share", text("false")),
        ("models.context", text("8192")),
        ("name", text("Kitchen")),
        ("origins", None),
    ];
    let changes: Changes = changes.map(|(name, value)| (name.to_owned(), value)).into();
    assert_eq!(rig.settings.held().kept, [changes]);
    let targets = ["lan.share=...", "models.context=...", "name=Kitchen", "origins as beneath"];
    assert_eq!(rig.recorded("settings").await, done(&targets), "what is in no catalogue could be a secret");

    rig.settings.held().full = true;
    let full = put(json!({"values": {"registry.proxy": "http://a:planted@b"}})).await;
    assert_eq!(full.status, StatusCode::INTERNAL_SERVER_ERROR);
    let recorded = rig.recorded("settings").await;
    assert_eq!(recorded.last().unwrap(), &("registry.proxy=...".into(), "failed".into()));

    rig.settings.held().full = false;
    rig.settings.held().all.push(setting("registry.proxy", Value::None));
    let unset_before = put(json!({"values": {"registry.proxy": "http://a:planted@b"}})).await;
    assert_eq!(unset_before.status, StatusCode::OK);
    let recorded = rig.recorded("settings").await;
    assert_eq!(recorded.last().unwrap(), &("registry.proxy=...".into(), "done".into()));
}

#[tokio::test]
async fn who_comes_in_is_decided_by_a_person_with_their_password_again() {
    let (rig, session) = Rig::claimed().await;
    let put = async |body| rig.as_person(&session, Method::PUT, SETTINGS, Some(body)).await;

    assert_eq!(put(json!({"values": {"name": "Kitchen"}})).await.status, StatusCode::OK);
    let without = put(json!({"values": {"origins": "https://a.example"}})).await;
    assert_eq!((without.status, &without.json()["field"]), (StatusCode::BAD_REQUEST, &json!("confirm")));
    let wrong = put(json!({"values": {"origins": null}, "confirm": "wrong horse battery"})).await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    assert_eq!(rig.settings.held().kept.len(), 1);

    let right = put(json!({"values": {"origins": "https://a.example"}, "confirm": PASSWORD})).await;
    assert_eq!(right.status, StatusCode::OK, "{}", right.text);
}

#[tokio::test]
async fn a_restart_is_begun_for_whoever_administers_the_box_and_is_on_the_record() {
    let (rig, session) = Rig::claimed().await;
    let infers = rig.by_key(&rig.key(scopes(&[Scope::Infer])));
    let path = "/admin/api/restart";
    assert_eq!(rig.ask(&infers, Method::POST, path, None).await.status, StatusCode::FORBIDDEN);
    assert_eq!(rig.settings.held().restarts, 0);

    let begun = rig.as_person(&session, Method::POST, path, None).await;

    assert_eq!((begun.status, begun.json()), (StatusCode::ACCEPTED, json!({})));
    assert_eq!(rig.settings.held().restarts, 1);
    assert_eq!(rig.recorded("restart").await, done(&[""]));
}

/// A box that serves a network.
fn identified(rig: Rig) -> (Rig, Identity, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let names = Names { hostname: "box".into(), extra: Vec::new() };
    let config = identity::Config { names, now: Arc::new(|| NOW), build_date: NOW, own: None };
    let identity = Identity::open(folder.path(), config).unwrap();
    let api = Api { identity: Some(identity.clone()), ..rig.api.clone() };
    (Rig { router: crate::router(api.clone()), api, ..rig }, identity, folder)
}

/// A certificate for a name, and its key, both PEM.
fn certificate(name: &str) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

const CERTIFICATE: &str = "/admin/api/certificate";

#[tokio::test]
async fn a_certificate_is_brought_with_the_password_and_served_at_once() {
    let (rig, session) = Rig::claimed().await;
    let (rig, identity, _folder) = identified(rig);
    let (pem, key) = certificate("box.example.org");
    let put = async |body| rig.as_person(&session, Method::PUT, CERTIFICATE, Some(body)).await;
    let before = rig.recorded("certificate").await;

    let unconfirmed = put(json!({"certificate": pem, "key": key})).await;
    assert_eq!(unconfirmed.json()["field"], "confirm");
    for (certificate, key, field) in
        [("", key.as_str(), "certificate"), (&pem, "", "key"), (&pem, &certificate("a").1, "key")]
    {
        let body = json!({"certificate": certificate, "key": key, "confirm": PASSWORD});
        let refused = put(body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.json()["field"], field, "{}", refused.text);
    }
    assert_eq!(rig.recorded("certificate").await, before);

    let kept = put(json!({"certificate": pem, "key": key, "confirm": PASSWORD})).await;
    assert_eq!(kept.status, StatusCode::NO_CONTENT, "{}", kept.text);
    assert_eq!(identity.status().names, ["box.example.org"]);
    let status = rig.there(Method::GET, "/admin/api/status", None).await;
    assert_eq!(status.json()["device"]["certificate"]["source"], "own");
    for (body, status) in [
        (None, StatusCode::BAD_REQUEST),
        (Some(json!({})), StatusCode::BAD_REQUEST),
        (Some(json!({"confirm": "wrong horse battery"})), StatusCode::FORBIDDEN),
    ] {
        let refused = rig.as_person(&session, Method::DELETE, CERTIFICATE, body).await;
        assert_eq!((refused.status, &refused.json()["field"]), (status, &json!("confirm")));
    }
    assert_eq!(identity.status().names, ["box.example.org"]);
    let again = Some(json!({"confirm": PASSWORD}));
    let forgotten = rig.as_person(&session, Method::DELETE, CERTIFICATE, again).await;
    assert_eq!(forgotten.status, StatusCode::NO_CONTENT);
    assert!(!identity.status().names.contains(&"box.example.org".into()));
    assert_eq!(rig.recorded("certificate").await, done(&["box.example.org", "the box's own"]));
}

#[tokio::test]
async fn where_files_are_named_or_there_is_no_network_no_certificate_is_taken() {
    let rig = Rig::new();
    let (pem, key) = certificate("box.example.org");
    let body = json!({"certificate": pem, "key": key});

    let no_network = rig.there(Method::PUT, CERTIFICATE, Some(body.clone())).await;
    assert_eq!(no_network.status, StatusCode::CONFLICT);
    let (rig, identity, _folder) = identified(rig);
    rig.settings.held().all.push(setting("tls.cert", Value::Text("/a.pem".into())));
    for method in [Method::PUT, Method::DELETE] {
        let body = (method == Method::PUT).then(|| body.clone());
        let by_file = rig.there(method, CERTIFICATE, body).await;
        assert_eq!(by_file.status, StatusCode::CONFLICT);
        assert!(by_file.text.contains("tls.cert in /etc/hob/hob.toml"), "{}", by_file.text);
    }
    assert!(!identity.status().names.contains(&"box.example.org".into()));
}
