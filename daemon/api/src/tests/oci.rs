//! The models of a box as a registry's: who may read what of them, and in which shape they are told no.

use access::{Caller, Policy, Scope};
use axum::body::Body;
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{IF_NONE_MATCH, RANGE},
};
use store::{Digest, ModelName, Store};

use super::{Answer, Rig, scopes};

/// Two models that have a blob in common, and a blob that is nobody's.
struct Shelf {
    rig: Rig,
    shared: Digest,
    secret: Digest,
    loose: Digest,
}

const WEIGHTS: &[u8] = b"weights that both have";

fn put(store: &Store, bytes: &[u8]) -> store::HeldBlob {
    let mut blob = store.begin_unnamed_blob().unwrap();
    blob.push(bytes).unwrap();
    blob.finish().unwrap()
}

fn model(store: &Store, name: &str, layers: &[&[u8]]) {
    let config = put(store, format!("{{\"of\":\"{name}\"}}").as_bytes());
    let held: Vec<_> = layers.iter().map(|bytes| put(store, bytes)).collect();
    let blob = |held: &store::HeldBlob| {
        format!(r#"{{"mediaType":"x","digest":"{}","size":{}}}"#, held.digest(), held.bytes())
    };
    let layers: Vec<String> = held.iter().map(blob).collect();
    let text = format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, blob(&config), layers.join(","));
    let manifest = store::Manifest::parse(text.into_bytes()).unwrap();
    let held: Vec<_> = held.into_iter().chain([config]).collect();
    store.publish(&name.parse::<ModelName>().unwrap(), &manifest, &held).unwrap();
}

fn shelf() -> Shelf {
    let rig = Rig::new();
    let store = &rig.api.store;
    model(store, "open:1b", &[WEIGHTS, b"open"]);
    model(store, "hf.co/Me/Closed:Q4", &[WEIGHTS, b"secret"]);
    put(store, b"loose");
    let [shared, secret, loose] = [WEIGHTS, b"secret", b"loose"].map(Digest::of);
    Shelf { rig, shared, secret, loose }
}

impl Shelf {
    async fn get(&self, by: &Caller, path: &str) -> Answer {
        self.rig.ask(by, Method::GET, path, None).await
    }

    async fn with(&self, path: &str, header: http::HeaderName, value: &str) -> Answer {
        let request = Request::builder().uri(path).header(header, HeaderValue::from_str(value).unwrap());
        let request = request.body(Body::empty()).unwrap();
        self.rig.send(&Caller::operator(), access::Way::Loopback, request).await
    }
}

#[track_caller]
fn refused(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!(
        (answer.status, answer.json()["errors"][0]["code"].as_str()),
        (status, Some(code)),
        "{}",
        answer.text
    );
    assert!(!answer.json()["errors"][0]["message"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn a_manifest_and_its_blobs_are_read_as_they_are() {
    let shelf = shelf();
    let operator = Caller::operator();

    let manifest = shelf.get(&operator, "/v2/library/open/manifests/1b").await;
    let digest = Digest::of(manifest.text.as_bytes());
    assert_eq!(manifest.status, StatusCode::OK);
    assert_eq!(manifest.header("docker-content-digest"), digest.to_string());
    assert_eq!(manifest.header("content-type"), "application/vnd.oci.image.manifest.v1+json");
    let again =
        shelf.get(&operator, &format!("/v2/registry.ollama.ai/library/open/manifests/{digest}")).await;
    assert_eq!(again.text, manifest.text);

    let path = format!("/v2/hf.co/me/closed/blobs/{}", shelf.shared);
    let blob = shelf.get(&operator, &path).await;
    assert_eq!((blob.status, blob.text.as_bytes()), (StatusCode::OK, WEIGHTS));
    assert_eq!(blob.header("etag"), format!("\"{}\"", shelf.shared));
    let head = shelf.rig.ask(&operator, Method::HEAD, &path, None).await;
    assert_eq!((head.text.as_str(), head.header("content-length")), ("", "22"));
    let part = shelf.with(&path, RANGE, "bytes=8-11").await;
    assert_eq!((part.status, part.text.as_str()), (StatusCode::PARTIAL_CONTENT, "that"));
    assert_eq!((part.header("content-range"), part.header("content-length")), ("bytes 8-11/22", "4"));
    let beyond = shelf.with(&path, RANGE, "bytes=22-").await;
    refused(&beyond, StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_INVALID");
    assert_eq!(beyond.header("content-range"), "bytes */22");
    let known = shelf.with(&path, IF_NONE_MATCH, &format!("\"{}\"", shelf.shared)).await;
    assert_eq!((known.status, known.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
}

#[tokio::test]
async fn what_there_is_is_listed_a_page_at_a_time() {
    let shelf = shelf();
    let operator = Caller::operator();

    let first = shelf.get(&operator, "/v2/_catalog?n=1").await;
    assert_eq!(first.text, r#"{"repositories":["hf.co/Me/Closed"]}"#);
    assert_eq!(first.header("link"), "</v2/_catalog?n=1&last=hf.co/Me/Closed>; rel=\"next\"");
    let second = shelf.get(&operator, "/v2/_catalog?n=1&last=hf.co/Me/Closed").await;
    assert_eq!(
        (second.text.as_str(), second.header("link")),
        (r#"{"repositories":["registry.ollama.ai/library/open"]}"#, "")
    );
    assert_eq!(shelf.get(&operator, "/v2/open/tags/list").await.text, r#"{"name":"open","tags":["1b"]}"#);
}

#[tokio::test]
async fn a_key_for_one_model_sees_nothing_of_another() {
    let shelf = shelf();
    let policy = Policy {
        models: vec!["registry.ollama.ai/library/*".parse().unwrap()],
        ..scopes(&[Scope::ModelsRead])
    };
    let caller = shelf.rig.by_key(&shelf.rig.key(policy));

    assert_eq!(
        shelf.get(&caller, "/v2/_catalog").await.text,
        r#"{"repositories":["registry.ollama.ai/library/open"]}"#
    );
    refused(
        &shelf.get(&caller, "/v2/hf.co/Me/Closed/tags/list").await,
        StatusCode::NOT_FOUND,
        "NAME_UNKNOWN",
    );
    refused(
        &shelf.get(&caller, "/v2/hf.co/Me/Closed/manifests/Q4").await,
        StatusCode::NOT_FOUND,
        "MANIFEST_UNKNOWN",
    );
    for holder in ["-", "open", "hf.co/Me/Closed"] {
        let path = format!("/v2/{holder}/blobs/{}", shelf.secret);
        refused(&shelf.get(&caller, &path).await, StatusCode::NOT_FOUND, "BLOB_UNKNOWN");
    }
    // Also one of its own model's.
    assert_eq!(shelf.get(&caller, &format!("/v2/-/blobs/{}", shelf.shared)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_no_model_names_is_not_handed_out() {
    let shelf = shelf();

    let path = format!("/v2/-/blobs/{}", shelf.loose);
    refused(&shelf.get(&Caller::operator(), &path).await, StatusCode::NOT_FOUND, "BLOB_UNKNOWN");
    let other = format!("/v2/open/blobs/{}", shelf.secret);
    refused(&shelf.get(&Caller::operator(), &other).await, StatusCode::NOT_FOUND, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn other_boxes_get_nothing_where_the_owner_does_not_share_and_people_still_do() {
    let shelf = shelf();
    let reads = scopes(&[Scope::ModelsRead]);
    let of_a_box = Policy { peer: Some("a box".into()), ..reads.clone() };
    let (other_box, person) =
        (shelf.rig.by_key(&shelf.rig.key(of_a_box)), shelf.rig.by_key(&shelf.rig.key(reads)));
    let path = format!("/v2/-/blobs/{}", shelf.shared);
    assert_eq!(shelf.get(&other_box, &path).await.status, StatusCode::OK);

    shelf.rig.settings.put_in_force(|in_force| in_force.share = false);

    for path in [path.as_str(), "/v2/_catalog", "/v2/open/manifests/1b", "/v2/open/tags/list"] {
        let answer = shelf.get(&other_box, path).await;
        refused(&answer, StatusCode::FORBIDDEN, "DENIED");
        assert!(answer.text.contains("lan.share"), "{}", answer.text);
        assert_eq!(shelf.get(&person, path).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn who_may_not_read_is_told_so_as_a_registry_tells_it() {
    let shelf = shelf();
    let infers = shelf.rig.by_key(&shelf.rig.key(scopes(&[Scope::Infer])));

    let base = shelf.get(&infers, "/v2/").await;
    assert_eq!(
        (base.status, base.header("docker-distribution-api-version")),
        (StatusCode::OK, "registry/2.0")
    );
    refused(&shelf.get(&infers, "/v2/_catalog").await, StatusCode::FORBIDDEN, "DENIED");
    for path in ["/v2/", "/v2/open/manifests/1b"] {
        let answer = shelf.get(&Caller::nobody(), path).await;
        refused(&answer, StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"hob\"");
    }
    let operator = Caller::operator();
    let write = shelf.rig.ask(&operator, Method::POST, "/v2/open/blobs/uploads/", None).await;
    refused(&write, StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED");
    refused(
        &shelf.get(&operator, "/v2/open/blobs/sha256:x").await,
        StatusCode::BAD_REQUEST,
        "DIGEST_INVALID",
    );
    refused(&shelf.get(&operator, "/v2/../manifests/x").await, StatusCode::BAD_REQUEST, "NAME_INVALID");
}
