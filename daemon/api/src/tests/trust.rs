//! The pages by which a person comes to trust the box.

use std::sync::Arc;

use access::{Caller, Way};
use http::{Method, StatusCode};
use identity::{Identity, Names};

use super::{NOW, Rig, request};
use crate::Api;

#[tokio::test]
async fn who_the_box_is_and_its_root_are_shown_to_anybody_and_without_script() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names { hostname: "box".into(), extra: Vec::new() };
    let config = identity::Config { names, now: Arc::new(|| NOW), build_date: NOW, own: None };
    let identity = Identity::open(folder.path(), config).unwrap();
    let rig = Rig::new();
    let rig =
        Rig { router: crate::router(Api { identity: Some(identity.clone()), ..rig.api.clone() }), ..rig };
    let get = async |path| rig.send(&Caller::nobody(), Way::Lan, request(Method::GET, path, None)).await;

    let page = get("/trust").await;
    assert!(page.text.contains(&identity.id().to_string()) && page.text.contains(identity.label()));
    assert!(!page.text.contains("<script") && !page.text.contains("{id}") && !page.text.contains("style="));
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert_eq!(page.header("x-content-type-options"), "nosniff");

    let pem = get("/trust/root.pem").await;
    assert_eq!(pem.text, identity.root_pem());
    assert!(pem.header("content-disposition").contains(&format!("{}.pem", identity.label())));
    assert_eq!(
        get("/trust/root.mobileconfig").await.header("content-type"),
        "application/x-apple-aspen-config"
    );
    assert_eq!(get("/trust/page.css").await.status, StatusCode::OK);
}
