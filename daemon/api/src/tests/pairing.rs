//! Invitations, and what is brought with their codes, as a box on the network sees it that may not be what it says.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use access::{Caller, Policy, Scope, Scopes, Way};
use http::{Method, StatusCode};
use identity::{Identity, Names};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Answer, NOW, Rig, request};
use crate::Api;

/// A box of its own, as far as its identity goes.
fn identity(folder: &TempDir) -> Identity {
    let names = Names { hostname: "box".into(), extra: Vec::new() };
    let config = identity::Config { names, now: Arc::new(|| NOW), build_date: NOW, own: None };
    Identity::open(folder.path(), config).unwrap()
}

/// A claimed box that serves a network.
struct Host {
    rig: Rig,
    identity: Identity,
    _folder: TempDir,
}

impl Host {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let identity = identity(&folder);
        let rig = Rig::new();
        let api = Api { identity: Some(identity.clone()), ..rig.api.clone() };
        let rig = Rig { router: crate::router(api.clone()), api, ..rig };
        let code = rig.access.setup_code().unwrap().reveal();
        let claim = json!({"code": code, "name": "ada", "password": "correct horse battery"});
        let claimed =
            rig.send(&Caller::nobody(), Way::Lan, request(Method::POST, "/claim", Some(claim))).await;
        assert_eq!(claimed.status, StatusCode::OK, "{}", claimed.text);
        Self { rig, identity, _folder: folder }
    }

    async fn invite(&self) -> String {
        let made = self.operator(Method::POST, "/admin/api/invitations", Some(json!({}))).await;
        assert_eq!(
            (made.status, made.header("cache-control")),
            (StatusCode::CREATED, "no-store"),
            "{}",
            made.text
        );
        assert_eq!(made.json()["id"], self.identity.id().to_string());
        made.json()["code"].as_str().unwrap().to_owned()
    }

    async fn operator(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.rig.send(&Caller::operator(), Way::AdminSocket, request(method, path, body)).await
    }

    async fn pair(&self, body: Value) -> Answer {
        self.rig.send(&Caller::nobody(), Way::Lan, request(Method::POST, "/pair", Some(body))).await
    }

    fn keys(&self) -> Vec<String> {
        self.rig.access.keys().into_iter().map(|key| key.name).collect()
    }
}

/// What a box brings that is not there where it comes from.
fn elsewhere(root: &str) -> Value {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    json!({"root": root, "port": port, "key": access::Secret::generate().reveal()})
}

#[tokio::test]
async fn a_person_gets_a_key_for_a_code_and_nobody_gets_one_for_it_again() {
    let host = Host::new().await;
    let code = host.invite().await;
    let body = |code: &str| json!({"code": code, "name": "laptop", "person": "ada@laptop"});

    let wrong = host.pair(body("AAAA-AAAA")).await;
    let redeemed = host.pair(body(&code)).await;
    let replayed = host.pair(body(&code)).await;

    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED, "{}", wrong.text);
    assert_eq!(
        (redeemed.status, redeemed.header("cache-control")),
        (StatusCode::OK, "no-store"),
        "{}",
        redeemed.text
    );
    assert_eq!(replayed.status, StatusCode::CONFLICT, "{}", replayed.text);
    let told = redeemed.json();
    assert_eq!(
        (&told["label"], &told["scopes"]),
        (&json!(host.identity.label()), &json!(["infer", "embed", "models.read"]))
    );
    assert!(told.get("box_key").is_none());
    let caller = host.rig.by_key(told["key"].as_str().unwrap());
    assert!(caller.may(Scope::Infer) && !caller.may(Scope::Admin) && caller.peer().is_none());
    assert_eq!(host.keys(), ["ada@laptop"]);
}

#[tokio::test]
async fn what_a_code_is_good_for_is_made_though_nobody_waits_for_it() {
    let host = Host::new().await;
    let code = host.invite().await;
    let body = json!({"code": code, "name": "laptop", "person": "ada@laptop"});

    let mut asked = Box::pin(host.pair(body));
    assert!(futures_util::poll!(&mut asked).is_pending());
    drop(asked);

    let made = async {
        while host.keys() != ["ada@laptop"] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), made)
        .await
        .expect("the code is spent, and nothing was made");
}

#[tokio::test]
async fn a_box_that_claims_anothers_root_gets_nothing_of_that_one() {
    let host = Host::new().await;
    let folder = tempfile::tempdir().unwrap();
    let victim = identity(&folder);
    let policy = Policy {
        peer: Some(victim.id().to_string()),
        ..Policy::new([Scope::Infer].into_iter().collect::<Scopes>())
    };
    let of_victim = host.rig.by_key(&host.rig.key(policy));
    let code = host.invite().await;

    let redeemed =
        host.pair(json!({"code": code, "name": "hob-evil", "box": elsewhere(victim.root_pem())})).await;

    assert_eq!(redeemed.status, StatusCode::OK, "{}", redeemed.text);
    assert!(redeemed.json()["one_way"].as_str().unwrap().contains("127.0.0.1"), "{}", redeemed.text);
    let caller = host.rig.by_key(redeemed.json()["box_key"].as_str().unwrap());
    assert!(caller.peer().is_none() && caller.may(Scope::ModelsRead) && !caller.may(Scope::Split));
    assert!(!of_victim.is_over(), "the key of the one whose root it is");
    assert!(host.rig.api.neighbourhood.known().list().is_empty());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_the_code_is_used_up() {
    let host = Host::new().await;
    let folder = tempfile::tempdir().unwrap();
    let other = identity(&folder);
    let code = host.invite().await;
    let with = |field: &str, value: Value| {
        let mut of_box = elsewhere(other.root_pem());
        of_box[field] = value;
        json!({"code": code, "name": "hob-bbbb", "box": of_box})
    };
    let two = format!("{}{}", other.root_pem(), host.identity.root_pem());
    for (body, field) in [
        (with("root", json!(two)), "root certificate"),
        (with("root", json!("nonsense")), "root certificate"),
        (with("root", json!(host.identity.root_pem())), "that box already"),
        (with("port", json!(0)), "port"),
        (with("port", json!(70000)), "port"),
        (with("key", json!("hob_short")), "key"),
        (with("key", Value::Null), "or none of them"),
        (with("scopes", json!(["admin"])), "for infer, embed, models.read and split"),
        (json!({"code": code, "name": "hob-bbbb", "box": {}, "scopes": ["admin"]}), "scopes"),
        (json!({"code": code, "name": "hob-bbbb"}), "nobody would get a key"),
        (json!({"code": code, "name": "../bbbb", "box": {}}), "name"),
        (json!({"code": code, "name": "n", "person": "a b\u{1b}[2J"}), "person"),
        (json!({"code": code, "name": "n", "person": "a".repeat(65)}), "person"),
    ] {
        let refused = host.pair(body.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}: {}", refused.text);
        assert!(refused.text.contains(field), "{body}: {}", refused.text);
    }
    let oversized = host.pair(json!({"code": code, "name": "n", "person": "a".repeat(5000)})).await;
    assert_eq!(oversized.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(host.keys().is_empty());

    let redeemed = host.pair(json!({"code": code, "name": "hob-bbbb", "box": {}})).await;
    assert_eq!(redeemed.status, StatusCode::OK, "{}", redeemed.text);
    assert_eq!(host.keys(), ["box hob-bbbb, unproven"]);
}

#[tokio::test]
async fn a_code_is_taken_on_the_network_over_tls_alone() {
    let host = Host::new().await;
    let code = host.invite().await;
    let body = json!({"code": code, "name": "laptop", "person": "ada@laptop"});
    for way in [Way::Loopback, Way::Forwarded, Way::Plaintext] {
        let request = request(Method::POST, "/pair", Some(body.clone()));
        let refused = host.rig.send(&Caller::nobody(), way, request).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{way:?}: {}", refused.text);
    }
    let redeemed = host.pair(body).await;
    assert_eq!(redeemed.status, StatusCode::OK, "{}", redeemed.text);
}

#[tokio::test]
async fn an_invitation_is_for_what_boxes_do_and_by_a_box_that_is_reached() {
    let host = Host::new().await;
    let invite = async |host: &Rig, by: &Caller, body: Value| {
        host.ask(by, Method::POST, "/admin/api/invitations", Some(body)).await
    };
    let admin = host.rig.by_key(&host.rig.key(Policy::new(Scopes::all())));
    let split = invite(&host.rig, &admin, json!({"scopes": ["split"]})).await;
    assert_eq!((split.status, &split.json()["scopes"]), (StatusCode::CREATED, &json!(["split"])));
    for scopes in [json!(["admin"]), json!(["infer", "models.write"]), json!(["root"]), json!([])] {
        let refused = invite(&host.rig, &admin, json!({"scopes": scopes})).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{scopes}: {}", refused.text);
    }
    let program = host.rig.by_key(&host.rig.key(Policy::new([Scope::Infer].into_iter().collect())));
    assert_eq!(invite(&host.rig, &program, json!({})).await.status, StatusCode::FORBIDDEN);
    let nowhere = invite(&Rig::new(), &Caller::operator(), json!({})).await;
    assert!(nowhere.status == StatusCode::CONFLICT && nowhere.text.contains("lan"), "{}", nowhere.text);

    let withdrawn = host.operator(Method::DELETE, "/admin/api/invitations", None).await;
    let nobody = host.operator(Method::DELETE, "/admin/api/invitations", None).await;
    assert_eq!((withdrawn.status, nobody.status), (StatusCode::NO_CONTENT, StatusCode::CONFLICT));
}

#[tokio::test]
async fn a_box_that_is_not_there_or_is_not_known_changes_nothing() {
    let host = Host::new().await;
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let body =
        |id: &str| Some(json!({"address": format!("127.0.0.1:{port}"), "id": id, "code": "AAAA-AAAA"}));

    let nobody =
        host.operator(Method::POST, "/admin/api/peers", body(&identity(&folder).id().to_string())).await;
    let no_id = host.operator(Method::POST, "/admin/api/peers", body("nonsense")).await;
    let unknown = host.operator(Method::DELETE, "/admin/api/peers/attic", None).await;
    let listed = host.operator(Method::GET, "/admin/api/peers", None).await;

    assert_eq!(nobody.status, StatusCode::BAD_GATEWAY, "{}", nobody.text);
    assert_eq!(no_id.status, StatusCode::BAD_REQUEST, "{}", no_id.text);
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{}", unknown.text);
    assert_eq!(listed.json(), json!({"peers": [], "neighbours": []}));
    assert!(host.keys().is_empty());
}
