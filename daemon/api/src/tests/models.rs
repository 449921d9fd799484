//! Models that a key is not for: to it they are not there.

use access::{Caller, Policy, Scope, Scopes, Way};
use http::{HeaderValue, Method, Request, StatusCode};
use serde_json::{Value, json};
use store::{Digest, HeldBlob, Manifest, Store};

use super::{Rig, request};

/// A model of which nothing but the name is any good.
fn publish(store: &Store, name: &str) {
    let blob = |bytes: &[u8]| {
        let mut incoming = store.begin_blob(&Digest::of(bytes)).unwrap();
        incoming.push(bytes).unwrap();
        incoming.finish().unwrap()
    };
    let held: [HeldBlob; 2] = [blob(b"{}"), blob(name.as_bytes())];
    let [config, weights] = held.each_ref().map(|held| {
        json!({"mediaType": "application/vnd.ollama.image.model", "digest": held.digest(), "size": held.bytes()})
    });
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [weights]}).to_string();
    store.publish(&name.parse().unwrap(), &Manifest::parse(manifest.into_bytes()).unwrap(), &held).unwrap();
}

/// Whoever has a key for one model.
fn with_key_for(rig: &Rig, model: &str) -> Caller {
    let models = vec![format!("registry.ollama.ai/library/{model}:latest").parse().unwrap()];
    rig.by_key(&rig.key(Policy { models, ..Policy::new(Scopes::all()) }))
}

fn asked_for(model: &str) -> Vec<(Method, String, Option<Value>)> {
    let chat = json!({"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5});
    let input = json!({"model": model, "input": "a"});
    let body = |body: Value| Some(body);
    vec![
        (Method::POST, "/api/show".into(), body(json!({"model": model}))),
        (Method::POST, "/api/generate".into(), body(json!({"model": model}))),
        (Method::POST, "/api/chat".into(), body(json!({"model": model}))),
        (Method::POST, "/api/embed".into(), body(input.clone())),
        (Method::POST, "/api/copy".into(), body(json!({"source": model, "destination": "mine"}))),
        (Method::POST, "/api/push".into(), body(json!({"model": model}))),
        (Method::POST, "/api/create".into(), body(json!({"model": "mine", "from": model}))),
        (Method::DELETE, "/api/delete".into(), body(json!({"model": model}))),
        (Method::GET, format!("/v1/models/{model}"), None),
        (Method::DELETE, format!("/v1/models/{model}"), None),
        (Method::POST, "/v1/chat/completions".into(), body(chat.clone())),
        (Method::POST, "/v1/responses".into(), body(input.clone())),
        (Method::POST, "/v1/embeddings".into(), body(input)),
        (Method::POST, "/v1/messages".into(), body(chat)),
        (Method::GET, format!("/admin/api/fit?model={model}"), None),
    ]
}

#[tokio::test]
async fn a_model_that_a_key_is_not_for_is_as_one_that_is_not_there() {
    let (with, without) = (Rig::new(), Rig::new());
    publish(&with.api.store, "secret");
    for (method, path, body) in asked_for("secret") {
        let hidden = with.ask(&with_key_for(&with, "mine"), method.clone(), &path, body.clone()).await;
        let missing = without.ask(&with_key_for(&without, "mine"), method.clone(), &path, body).await;

        assert_eq!(hidden.status, StatusCode::NOT_FOUND, "{method} {path}: {}", hidden.text);
        assert_eq!((hidden.status, hidden.text), (missing.status, missing.text), "{method} {path}");
    }
    // Nothing of all that was done.
    assert_eq!(
        with.ask(&Caller::local(), Method::GET, "/v1/models/secret", None).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn lists_leave_out_the_models_that_a_key_is_not_for() {
    let rig = Rig::new();
    ["mine", "secret"].into_iter().for_each(|name| publish(&rig.api.store, name));
    let caller = with_key_for(&rig, "mine");
    let mut of_anthropic: Request<_> = request(Method::GET, "/v1/models", None);
    of_anthropic.headers_mut().insert("anthropic-version", HeaderValue::from_static("2023-06-01"));

    let lists = [
        rig.ask(&caller, Method::GET, "/api/tags", None).await,
        rig.ask(&caller, Method::GET, "/v1/models", None).await,
        rig.send(&caller, Way::Loopback, of_anthropic).await,
    ];

    for list in lists {
        assert!(list.text.contains("mine") && !list.text.contains("secret"), "{}", list.text);
    }
    let all = rig.ask(&Caller::local(), Method::GET, "/api/tags", None).await;
    assert!(all.text.contains("mine") && all.text.contains("secret"), "{}", all.text);
}

#[tokio::test]
async fn a_key_for_some_models_makes_none_that_it_may_not_use() {
    let rig = Rig::new();
    publish(&rig.api.store, "mine");
    publish(&rig.api.store, "theirs");
    let caller = with_key_for(&rig, "mine");
    for (path, body) in [
        ("/api/copy", json!({"source": "mine", "destination": "theirs"})),
        ("/api/create", json!({"model": "theirs", "from": "mine"})),
        ("/api/pull", json!({"model": "theirs"})),
    ] {
        let refused = rig.ask(&caller, Method::POST, path, Some(body)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}: {}", refused.text);
    }
}

#[tokio::test]
async fn what_is_kept_of_one_is_not_there_for_another() {
    let rig = Rig::new();
    let [one, other] = [(); 2].map(|()| rig.by_key(&rig.key(super::scopes(&[Scope::Infer]))));
    let kept = state::Response {
        id: "resp_1".into(),
        owner: one.owner(),
        previous: None,
        created: super::NOW,
        pending: false,
        body: json!({"id": "resp_1", "background": true}).to_string(),
        items: Vec::new(),
    };
    rig.api.state.keep_response(&kept, state::Limits::default()).unwrap();

    let own = rig.ask(&one, Method::GET, "/v1/responses/resp_1", None).await;
    assert_eq!(own.status, StatusCode::OK, "{}", own.text);
    for by in [&other, &Caller::local()] {
        for (method, path) in [
            (Method::GET, "/v1/responses/resp_1"),
            (Method::GET, "/v1/responses/resp_1/input_items"),
            (Method::POST, "/v1/responses/resp_1/cancel"),
            (Method::DELETE, "/v1/responses/resp_1"),
        ] {
            assert_eq!(rig.ask(by, method, path, None).await.status, StatusCode::NOT_FOUND, "{path}");
        }
    }
}

#[tokio::test]
async fn a_blob_of_models_that_a_key_is_not_for_is_as_one_that_is_not_there() {
    let rig = Rig::new();
    ["mine", "secret"].into_iter().for_each(|name| publish(&rig.api.store, name));
    let caller = with_key_for(&rig, "mine");
    let [own, shared, hidden] = [&b"mine"[..], b"{}", b"secret"].map(Digest::of);
    let missing = Digest::of(b"nowhere");
    let probe = async |by: &Caller, digest: Digest| {
        rig.ask(by, Method::HEAD, &format!("/api/blobs/{digest}"), None).await.status
    };

    for there in [own, shared] {
        assert_eq!(probe(&caller, there).await, StatusCode::OK);
    }
    for not_there in [hidden, missing] {
        assert_eq!(probe(&caller, not_there).await, StatusCode::NOT_FOUND);
    }
    assert_eq!(probe(&Caller::local(), hidden).await, StatusCode::OK);

    for field in ["files", "adapters", "draft_files"] {
        let create = async |digest: Digest| {
            let mut body = json!({"model": "mine", "stream": false, "files": {"a.gguf": own}});
            body[field] = json!({"b.gguf": digest});
            rig.ask(&caller, Method::POST, "/api/create", Some(body)).await
        };
        let (refused, unknown) = (create(hidden).await, create(missing).await);
        assert_eq!(refused.status, unknown.status, "{field}: {} {}", refused.text, unknown.text);
        let named = unknown.text.replace(&missing.to_string(), &hidden.to_string());
        assert_eq!(refused.text, named, "{field}");
    }
}

#[tokio::test]
async fn a_key_for_some_models_neither_sees_nor_touches_the_whole_store_unless_it_administers_the_box() {
    let rig = Rig::new();
    let listed = |scopes: Scopes| {
        let models = vec!["registry.ollama.ai/library/mine:latest".parse().unwrap()];
        rig.by_key(&rig.key(Policy { models, ..Policy::new(scopes) }))
    };
    let some = listed([Scope::ModelsRead, Scope::ModelsWrite].into_iter().collect());
    let admin = listed(Scopes::all());
    let whole = rig.by_key(&rig.key(super::scopes(&[Scope::ModelsRead, Scope::ModelsWrite])));
    let partial = format!("/admin/api/store/partials/{}", Digest::of(b"a"));
    for (method, path) in [
        (Method::POST, "/admin/api/store/scrub"),
        (Method::POST, "/admin/api/store/prune"),
        (Method::GET, "/admin/api/store/partials"),
        (Method::DELETE, partial.as_str()),
    ] {
        let refused = rig.ask(&some, method.clone(), path, None).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert!(refused.text.contains("scope admin"), "{}", refused.text);
        for by in [&admin, &whole, &Caller::local()] {
            let answered = rig.ask(by, method.clone(), path, None).await;
            assert_ne!(answered.status, StatusCode::FORBIDDEN, "{path}");
        }
    }
}

/// A manifest of a model, and its blobs; those that are `uploaded` are there.
fn bundled(store: &Store, weights: &[u8], uploaded: usize) -> String {
    let blobs: [&[u8]; 2] = [b"{}", weights];
    for bytes in &blobs[..uploaded] {
        let mut incoming = store.begin_blob(&Digest::of(bytes)).unwrap();
        incoming.push(bytes).unwrap();
        incoming.finish().unwrap();
    }
    let [config, weights] = blobs.map(|bytes| {
        json!({"mediaType": "application/vnd.ollama.image.model", "digest": Digest::of(bytes), "size": bytes.len()})
    });
    json!({"schemaVersion": 2, "config": config, "layers": [weights]}).to_string()
}

async fn put(rig: &Rig, by: &Caller, name: &str, digest: Digest, manifest: &str) -> (StatusCode, String) {
    let path = format!("/admin/api/store/manifests?name={name}&digest={digest}");
    let request = Request::builder().method(Method::PUT).uri(path);
    let request = request.body(axum::body::Body::from(manifest.to_owned())).unwrap();
    let answer = rig.send(by, Way::Loopback, request).await;
    (answer.status, answer.text)
}

#[tokio::test]
async fn a_manifest_is_taken_for_what_is_here_and_is_a_model_and_may_be_made() {
    let rig = Rig::new();
    let (store, local) = (&rig.api.store, Caller::local());
    let lacking = bundled(store, b"weights", 1);
    let of = |manifest: &str| Digest::of(manifest.as_bytes());

    let (status, text) = put(&rig, &local, "a", of(&lacking), &lacking).await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("not found"), "{status} {text}");
    let whole = bundled(store, b"weights", 2);
    let (status, text) = put(&rig, &local, "a", of("else"), &whole).await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("digest mismatch"), "{status} {text}");
    let (status, text) = put(&rig, &local, "a", of(&whole), &whole).await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("GGUF"), "{status} {text}");
    let longer = whole.replace("\"size\":7", "\"size\":8");
    let (status, text) = put(&rig, &local, "a", of(&longer), &longer).await;
    assert!(
        status == StatusCode::BAD_REQUEST && text.contains("has 8 bytes, and that has 7"),
        "{status} {text}"
    );
    let none = whole.replace(".image.model", ".image.other");
    let (status, text) = put(&rig, &local, "a", of(&none), &none).await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("no weights"), "{status} {text}");
    let (status, _) = put(&rig, &local, "../../a", of(&whole), &whole).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = put(&rig, &local, "a", of("{}"), "{}").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);

    let mine = with_key_for(&rig, "mine");
    let (status, _) = put(&rig, &mine, "a", of(&whole), &whole).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    // Blobs of a model that it may not use are not there for it.
    publish(store, "secret");
    let secret = store.manifest(&"secret".parse().unwrap()).unwrap();
    let text = String::from_utf8(secret.bytes().to_vec()).unwrap();
    let (status, text) = put(&rig, &mine, "mine", secret.digest(), &text).await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("not found"), "{status} {text}");
    let reader = rig.by_key(&rig.key(super::scopes(&[Scope::ModelsRead])));
    let (status, _) = put(&rig, &reader, "a", of(&whole), &whole).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(store.list().unwrap().len(), 1, "nothing was made");
}
