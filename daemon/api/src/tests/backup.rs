//! Backups, restoring and resetting, as the page asks for them. What is in a file is `backup`'s tests'.

use access::{Caller, Scope, Visitor};
use http::header::CONTENT_DISPOSITION;
use serde_json::json;

use super::*;

/// A person who is signed in, and whoever has a key that administers.
fn owner(rig: &Rig) -> (Caller, Caller) {
    let origin = Origin { way: Way::Lan, address: Some([10, 0, 0, 2].into()) };
    let visitor = Visitor { origin, agent: "test" };
    let code = rig.access.setup_code().unwrap().reveal();
    let (name, password) = ("ada".parse().unwrap(), PASSWORD.parse().unwrap());
    let signed_in = rig.access.claim(Some(&code), &name, &password, &visitor).unwrap();
    (signed_in.caller, rig.by_key(&rig.key(scopes(&[Scope::Admin]))))
}

const PASSWORD: &str = "a password of mine";
const PASSPHRASE: &str = "correct horse 电池 battery";

fn post(path: &str, body: &Value) -> Request<Body> {
    let request = Request::post(format!("/admin/api/{path}")).header(CONTENT_TYPE, "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

fn restore(file: Vec<u8>, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::post("/admin/api/restore");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(file)).unwrap()
}

async fn told(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

fn recorded(rig: &Rig) -> Vec<String> {
    let entries = rig.access.audit_entries(0).unwrap();
    let lines = entries.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    lines
        .map(|entry| format!("{} {}", entry["action"].as_str().unwrap(), entry["target"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_backup_is_a_file_that_is_taken_in_and_the_box_starts_anew_with_it() {
    let rig = Rig::new();
    let (person, _) = owner(&rig);
    let wanted = json!({"confirm": PASSWORD, "passphrase": PASSPHRASE});

    let made = rig.begin(&person, post("backup", &wanted)).await;

    assert_eq!(made.status(), StatusCode::OK);
    assert_eq!(made.headers()[CONTENT_DISPOSITION], "attachment; filename=\"hob-2026-11-18.hobbackup\"");
    let file = to_bytes(made.into_body(), 1 << 24).await.unwrap().to_vec();
    let encoded = "correct%20horse%20%E7%94%B5%E6%B1%A0%20battery";
    let headers = [("hob-confirm", "a%20password%20of%20mine"), ("hob-passphrase", encoded)];
    let (status, taken) = told(rig.begin(&person, restore(file.clone(), &headers)).await).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{taken}");
    assert_eq!((&taken["people"], &taken["keys"], &taken["box"]), (&json!(1), &json!(1), &Value::Null));
    assert_eq!(rig.settings.restarts(), 1);
    let recorded = recorded(&rig);
    assert!(recorded.contains(&"backup.make sealed".to_owned()), "{recorded:?}");
    assert!(
        recorded.last().unwrap().starts_with("backup.restore of a box without a network, made 2026"),
        "{recorded:?}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_backup_or_who_asks_is_told_and_nothing_happens() {
    let rig = Rig::new();
    let (person, key) = owner(&rig);
    let file = rig.begin(&key, post("backup", &json!({"passphrase": PASSPHRASE}))).await;
    let file = to_bytes(file.into_body(), 1 << 24).await.unwrap().to_vec();
    let refused = async |caller: &Caller, request| {
        let (status, told) = told(rig.begin(caller, request).await).await;
        (status.as_u16(), told["field"].as_str().unwrap_or_default().to_owned())
    };
    let field = |status, name: &str| (status, name.to_owned());

    let short = json!({"passphrase": "short"});
    assert_eq!(refused(&key, post("backup", &short)).await, field(400, "passphrase"));
    assert_eq!(refused(&person, post("backup", &json!({}))).await, field(400, "confirm"));
    let wrong = json!({"models": "keep", "confirm": "not my password"});
    assert_eq!(refused(&person, post("reset", &wrong)).await, field(403, "confirm"));
    assert_eq!(refused(&key, post("reset", &json!({"models": "burn"}))).await.0, 400);
    assert_eq!(refused(&person, restore(file.clone(), &[])).await, field(400, "confirm"));
    assert_eq!(refused(&key, restore(file.clone(), &[])).await, field(400, "passphrase"));
    let other = [("hob-passphrase", "another%20passphrase")];
    assert_eq!(refused(&key, restore(file.clone(), &other)).await, field(400, "passphrase"));
    assert_eq!(
        refused(&key, restore(file, &[("hob-passphrase", "%ff%fe%ff%fe%ff%fe%ff%fe%ff%fe")])).await,
        field(400, "passphrase")
    );
    assert_eq!(refused(&key, restore(b"PK".to_vec(), &[])).await, field(400, ""));
    let lesser = rig.by_key(&rig.key(scopes(&[Scope::ModelsWrite])));
    for path in ["backup", "restore", "reset"] {
        assert_eq!(refused(&lesser, post(path, &json!({"models": "keep"}))).await.0, 403, "{path}");
    }
    assert_eq!(rig.settings.restarts(), 0);
    assert!(
        !recorded(&rig).iter().any(|entry| entry.starts_with("backup.restore") || entry.starts_with("reset"))
    );
}

#[tokio::test]
async fn a_reset_is_on_the_record_and_begins_with_a_restart() {
    let rig = Rig::new();
    let (person, _) = owner(&rig);
    let wanted = json!({"models": "remove", "confirm": PASSWORD});

    let (status, _) = told(rig.begin(&person, post("reset", &wanted)).await).await;

    assert_eq!((status, rig.settings.restarts()), (StatusCode::ACCEPTED, 1));
    assert_eq!(recorded(&rig).last().unwrap(), "reset models are removed");
}

#[tokio::test]
async fn diagnostics_tell_how_the_box_is_and_no_secret() {
    use crate::settings::{Counts, Kind, Layer, Needs, Origin as Said, Setting, Value as Set};
    let rig = Rig::new();
    let code = rig.access.setup_code().unwrap().reveal();
    rig.api.log.push(NOW, crate::LogLevel::Info, "hob".into(), format!("claim it with the code {code}, now"));
    rig.settings.have(Setting {
        name: "registry.proxy",
        kind: Kind::Text,
        about: "A proxy.",
        default: None,
        value: Set::Hidden,
        origin: Said { layer: Layer::Page, place: None },
        kept: Set::Hidden,
        locked: None,
        counts: Counts::AfterRestart,
        needs: Needs::Password,
    });
    let asked = Request::get("/admin/api/diagnostics").body(Body::empty()).unwrap();

    let (status, told) = told(rig.begin(&Caller::operator(), asked).await).await;

    assert_eq!(status, StatusCode::OK, "{told}");
    for part in ["at", "system", "status", "settings", "now", "network", "log"] {
        assert!(!told[part].is_null(), "{part}: {told}");
    }
    assert_eq!(told["log"][0]["message"], "claim it with the code …, now");
    let all = told["settings"].as_array().unwrap();
    let proxy = all.iter().rfind(|setting| setting["name"] == "registry.proxy").unwrap();
    assert_eq!((&proxy["hidden"], &proxy["value"]), (&json!(true), &Value::Null));
    assert!(!told.to_string().contains(&code), "{told}");
    let (_, key) = owner(&rig);
    assert!(told_of(&rig, &key).await.contains("\"claimed\":true"));
}

async fn told_of(rig: &Rig, by: &Caller) -> String {
    let asked = Request::get("/admin/api/diagnostics").body(Body::empty()).unwrap();
    told(rig.begin(by, asked).await).await.1.to_string()
}
