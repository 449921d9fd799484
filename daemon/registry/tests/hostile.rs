//! Pulls from registries that break, lie and attack. Each must end well or with a clear error, and leave a clean store.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use behaviour::server::{Asked, Model, Reply, Server};
use registry::{Authority, Config, Credential, Progress, Registry, RegistryError, Transport};
use store::{Depth, Digest, ModelName, Store, StoreError};
use tempfile::TempDir;

const MIB: usize = 1 << 20;

struct Bench {
    folder: TempDir,
    store: Store,
    registry: Registry,
}

fn bench(config: Config) -> Bench {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path().to_path_buf()).unwrap();
    let registry = Registry::new(store.clone(), config).unwrap();
    Bench { folder, store, registry }
}

fn trusting(servers: &[&Server]) -> Bench {
    let hosts: Vec<&str> = servers.iter().map(|server| server.host.as_str()).collect();
    bench(Config { hosts: hosts.join(",").parse().unwrap(), ..Config::default() })
}

fn name(server: &Server) -> ModelName {
    format!("{}/library/model", server.host).parse().unwrap()
}

impl Bench {
    async fn pull(&self, server: &Server) -> Result<(), Arc<RegistryError>> {
        let mut transfer = self.registry.pull(name(server), Authority::Registry(Transport::Plain));
        while let Some(word) = transfer.next().await {
            word?;
        }
        Ok(())
    }

    /// The pull failed, and nothing of it can be taken for a model.
    async fn refused(&self, server: &Server) -> Arc<RegistryError> {
        let error = self.pull(server).await.unwrap_err();
        assert!(self.store.list().unwrap().is_empty());
        error
    }

    fn assert_whole(&self, server: &Server, model: &Model) {
        let scrubbed = self.store.scrub(Depth::Hashes, &mut |_| {}).unwrap();
        assert_eq!((scrubbed.models, &scrubbed.problems[..]), (1, &[][..]));
        assert_eq!(self.store.manifest(&name(server)).unwrap().bytes(), model.manifest().as_bytes());
        assert!(self.store.has_blob(&Digest::of(&model.weights)));
        assert!(self.store.partials().unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_at_any_byte_cost_only_time() {
    let model = Model::of(40 * MIB);
    let (served, cuts) = (model.clone(), AtomicUsize::new(0));
    let server = Server::start(move |asked| {
        let reply = served.answer(asked);
        let cut = cuts.fetch_add(1, Ordering::Relaxed);
        let cut_after = (asked.is_blob() && cut < 30).then_some(1 + (cut * 7_919_993) % (3 * MIB));
        Reply { cut_after, ..reply }
    });
    let bench = trusting(&[&server]);

    bench.pull(&server).await.unwrap();

    bench.assert_whole(&server, &model);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_was_ended_goes_on_where_it_was() {
    let model = Model::of(40 * MIB);
    let served = model.clone();
    let server = Server::start(move |asked| served.answer(asked));
    let hosts: registry::Hosts = server.host.parse().unwrap();
    let slow = Config { hosts, bytes_per_second: Some(20 * MIB as u64), ..Config::default() };
    let bench = bench(slow.clone());
    let mut transfer = bench.registry.pull(name(&server), Authority::Registry(Transport::Plain));
    loop {
        if let Progress::Blob { completed, .. } = transfer.next().await.unwrap().unwrap()
            && completed > 10 * MIB as u64
        {
            break;
        }
    }
    drop(transfer);

    let again = Registry::new(bench.store.clone(), Config { bytes_per_second: None, ..slow }).unwrap();
    let before = server.bytes_asked();
    let mut transfer = again.pull(name(&server), Authority::Registry(Transport::Plain));
    let mut first = None;
    while let Some(word) = transfer.next().await {
        if let Progress::Blob { completed, total, .. } = word.unwrap()
            && total > MIB as u64
        {
            first.get_or_insert(completed);
        }
    }

    bench.assert_whole(&server, &model);
    assert!(first.unwrap() > 10 * MIB as u64, "it begins where the other was: {first:?}");
    let asked_again = server.bytes_asked() - before;
    assert!(asked_again < 31 * MIB, "{asked_again} bytes were asked for again");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pulls_of_one_model_share_its_download() {
    let model = Model::of(20 * MIB);
    let served = model.clone();
    let server = Server::start(move |asked| served.answer(asked));
    let bench = trusting(&[&server]);

    let (one, two) = tokio::join!(bench.pull(&server), bench.pull(&server));

    one.unwrap();
    two.unwrap();
    bench.assert_whole(&server, &model);
    assert!(server.bytes_asked() < 21 * MIB, "{}", server.bytes_asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_what_they_are_called_are_not_kept() {
    let model = Model::of(MIB);
    let served = model.clone();
    let server = Server::start(move |asked| {
        let mut reply = served.answer(asked);
        if asked.is_blob() {
            reply.body[0] ^= 1;
        }
        reply
    });
    let bench = trusting(&[&server]);

    let error = bench.refused(&server).await;

    assert!(matches!(*error, RegistryError::Store(StoreError::DigestMismatch { .. })), "{error}");
    assert!(!bench.store.has_blob(&Digest::of(&model.weights)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_is_a_lie_is_an_error() {
    for (claimed, extra) in [(Some(MIB as u64 * 9), 0), (None, 100)] {
        let served = Model::of(MIB);
        let server = Server::start(move |asked| {
            let mut reply = served.answer(asked);
            if asked.is_blob() {
                reply.body.extend(vec![0; extra]);
                reply.claimed_length = claimed;
                // It would wait for what never comes.
                reply.cut_after = claimed.map(|_| usize::MAX);
            }
            reply
        });
        let bench = trusting(&[&server]);

        let result = bench.pull(&server).await;

        // More than was promised is refused; a promise of more than there is costs nothing, as the manifest has the last word.
        assert_eq!(result.is_ok(), extra == 0, "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_knows_no_parts_is_pulled_from_too() {
    let model = Model::of(40 * MIB);
    let served = model.clone();
    let server = Server::start(move |asked| {
        let whole = Asked { headers: HashMap::new(), ..asked.clone() };
        served.answer(&whole)
    });
    let bench = trusting(&[&server]);

    bench.pull(&server).await.unwrap();

    bench.assert_whole(&server, &model);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_beyond_the_end_is_an_error_at_once() {
    let served = Model::of(MIB);
    let server =
        Server::start(move |asked| if asked.is_blob() { Reply::of(416) } else { served.answer(asked) });
    let bench = trusting(&[&server]);

    let error = bench.refused(&server).await;

    assert!(matches!(*error, RegistryError::WrongLength(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_busy_is_asked_again_when_it_says() {
    let model = Model::of(MIB);
    let (served, refusals) = (model.clone(), AtomicUsize::new(0));
    let server = Server::start(move |asked| match refusals.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::of(429).with("Retry-After", "1"),
        1 => Reply::of(503),
        _ => served.answer(asked),
    });
    let bench = trusting(&[&server]);

    bench.pull(&server).await.unwrap();

    bench.assert_whole(&server, &model);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_do_not_follow_a_redirect_to_another_host() {
    let model = Model::of(MIB);
    let served = model.clone();
    let elsewhere = Server::start(move |asked| served.answer(asked));
    let (served, to) = (model.clone(), elsewhere.host.clone());
    let registry = Server::start(move |asked| match asked.header("authorization") {
        None => Reply::of(401).with("WWW-Authenticate", "Basic realm=\"x\""),
        Some(_) if asked.is_blob() => Reply::of(307).with("Location", format!("http://{to}{}", asked.path)),
        Some(_) => served.answer(asked),
    });
    let credential = Credential { user: "ada".into(), password: "planted".into() };
    let bench = bench(Config {
        hosts: format!("{},{}", registry.host, elsewhere.host).parse().unwrap(),
        credentials: HashMap::from([(registry.host.clone(), credential)]),
        ..Config::default()
    });

    bench.pull(&registry).await.unwrap();

    bench.assert_whole(&registry, &model);
    assert!(registry.asked().iter().any(|asked| asked.header("authorization").is_some()));
    assert!(elsewhere.asked().len() >= 2);
    assert!(elsewhere.asked().iter().all(|asked| asked.header("authorization").is_none()));
}

/// CVE-2025-51471.
#[tokio::test(flavor = "multi_thread")]
async fn a_realm_on_another_host_gets_no_credential_but_may_give_a_stranger_a_token() {
    let model = Model::of(MIB);
    let realm = Server::start(|_| Reply::of(200).body(r#"{"token":"granted"}"#));
    let (served, at) = (model.clone(), realm.host.clone());
    let registry = Server::start(move |asked| match asked.header("authorization") {
        Some("Bearer granted") => served.answer(asked),
        _ => {
            let challenge = format!(
                "Bearer realm=\"http://{at}/token\",service=\"s\",scope=\"repository:library/model:pull\""
            );
            Reply::of(401).with("WWW-Authenticate", challenge)
        }
    });
    let hosts: registry::Hosts = format!("{},{}", registry.host, realm.host).parse().unwrap();
    let credential = Credential { user: "ada".into(), password: "planted".into() };
    let credentials = HashMap::from([(registry.host.clone(), credential)]);
    let somebody = bench(Config { hosts: hosts.clone(), credentials, ..Config::default() });

    let error = somebody.refused(&registry).await;

    assert!(matches!(*error, RegistryError::ForeignRealm { .. }), "{error}");
    assert!(realm.asked().is_empty());

    let nobody = bench(Config { hosts, ..Config::default() });
    nobody.pull(&registry).await.unwrap();
    nobody.assert_whole(&registry, &model);
    assert!(realm.asked().iter().all(|asked| asked.header("authorization").is_none()));
}

/// CVE-2026-5530 and its kind: a name, a redirect or a realm that leads to the inside.
#[tokio::test(flavor = "multi_thread")]
async fn the_inside_of_the_network_is_not_reached_unless_it_is_trusted() {
    let inside = Server::start(|_| Reply::of(200));
    let model = Model::of(MIB);
    let (served, to) = (model.clone(), inside.host.clone());
    let redirecting = Server::start(move |asked| match asked.is_blob() {
        true => Reply::of(302).with("Location", format!("http://{to}/latest/meta-data")),
        false => served.answer(asked),
    });
    let to = inside.host.clone();
    let challenging = Server::start(move |_| {
        Reply::of(401).with("WWW-Authenticate", format!("Bearer realm=\"http://{to}/token\""))
    });
    let bench = trusting(&[&redirecting, &challenging]);

    assert!(matches!(*bench.refused(&redirecting).await, RegistryError::Untrusted { .. }));
    assert!(matches!(*bench.refused(&challenging).await, RegistryError::Untrusted { .. }));
    assert!(matches!(*bench.refused(&inside).await, RegistryError::Untrusted { .. }));
    for host in ["127.0.0.1", "localhost"] {
        let port = inside.host.rsplit_once(':').unwrap().1;
        let name = format!("{host}:{port}/library/model").parse().unwrap();
        let mut transfer = bench.registry.pull(name, Authority::Registry(Transport::Secure));
        let mut last = Ok(Progress::Step(""));
        while let Some(word) = transfer.next().await {
            last = word;
        }
        assert!(last.unwrap_err().to_string().contains("private address"));
    }
    assert!(inside.asked().is_empty());
}

/// CVE-2025-1975, and a manifest as long as a disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_endless_or_malformed_is_refused() {
    let endless = Server::start(|_| Reply {
        claimed_length: Some(10_000_000_000),
        body: vec![b' '; 8 * MIB],
        ..Reply::of(200)
    });
    let bench = trusting(&[&endless]);
    assert!(matches!(*bench.refused(&endless).await, RegistryError::Manifest(_)));

    let traversal = format!("sha256:{}", "../".repeat(20) + "etc/passwd");
    let manifests = [
        "{}".to_owned(),
        "[]".to_owned(),
        r#"{"schemaVersion":2,"config":null,"layers":null}"#.to_owned(),
        r#"{"schemaVersion":2,"layers":[]}"#.to_owned(),
        Model::of(10).manifest().replace(&Digest::of(&Model::of(10).weights).to_string(), &traversal),
    ];
    for manifest in manifests {
        let server = Server::start(move |_| Reply::of(200).body(manifest.clone()));
        let bench = trusting(&[&server]);
        assert!(matches!(*bench.refused(&server).await, RegistryError::Manifest(_)));
        assert_eq!(std::fs::read_dir(bench.folder.path().join("blobs")).unwrap().count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_end_and_do_not_leave_tls() {
    let around = Server::start(|asked| Reply::of(302).with("Location", asked.path.clone()));
    let bench = trusting(&[&around]);
    assert!(matches!(*bench.refused(&around).await, RegistryError::TooManyRedirects));
    let nowhere = Server::start(|_| Reply::of(302).with("Location", "file:///etc/passwd"));
    let bench = trusting(&[&nowhere]);
    assert!(matches!(
        *bench.refused(&nowhere).await,
        RegistryError::Untrusted { .. } | RegistryError::Malformed(_)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_fit_is_refused_before_its_first_byte() {
    // Whichever of its blobs is too much.
    for blob in ["\"size\":10}", "\"size\":23}"] {
        let served = Model::of(10);
        let server = Server::start(move |asked| {
            let mut reply = served.answer(asked);
            if !asked.is_blob() {
                let huge = String::from_utf8(reply.body).unwrap().replace(blob, "\"size\":99999999999999}");
                reply.body = huge.into_bytes();
            }
            reply
        });
        let bench = trusting(&[&server]);

        let error = bench.refused(&server).await;

        assert!(error.to_string().contains("free at least"), "{error}");
        assert!(!server.asked().iter().any(Asked::is_blob));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_not_there_and_a_blob_that_is_not_there_are_told_apart() {
    let empty = Server::start(|_| Reply::of(404));
    let bench = trusting(&[&empty]);
    assert_eq!(bench.refused(&empty).await.to_string(), "file does not exist");

    let served = Model::of(10);
    let hollow =
        Server::start(move |asked| if asked.is_blob() { Reply::of(404) } else { served.answer(asked) });
    let bench = trusting(&[&hollow]);
    assert!(matches!(*bench.refused(&hollow).await, RegistryError::UnknownBlob(_)));
}

/// Puts a model into the store by pulling it.
async fn stocked(weights_bytes: usize) -> (Bench, Server, Model) {
    let model = Model::of(weights_bytes);
    let served = model.clone();
    let server = Server::start(move |asked| served.answer(asked));
    let bench = bench(Config { hosts: "127.0.0.1".parse().unwrap(), ..Config::default() });
    bench.pull(&server).await.unwrap();
    (bench, server, model)
}

async fn push(bench: &Bench, from: &Server, to: &Server) -> Result<(), Arc<RegistryError>> {
    let target = name(to);
    bench.store.copy(&name(from), &target).unwrap();
    let mut transfer = bench.registry.push(target, Transport::Plain);
    while let Some(word) = transfer.next().await {
        word?;
    }
    Ok(())
}

/// First and last byte of a chunk that was sent.
fn chunk(asked: &Asked) -> Option<(usize, usize)> {
    let (from, to) = asked.header("content-range")?.split_once('-')?;
    Some((from.parse().unwrap(), to.parse().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_goes_on_after_what_the_registry_has_received() {
    let (bench, source, _) = stocked(80 * MIB).await;
    let (received, failures) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let registry = Server::start(move |asked| match asked.method.as_str() {
        "HEAD" => Reply::of(404),
        "POST" => Reply::of(202).with("Location", "/upload/1"),
        // The second chunk arrives by half, and the registry fails.
        "PATCH" if chunk(asked).unwrap().0 == 32 * MIB && failures.fetch_add(1, Ordering::Relaxed) == 0 => {
            received.store(48 * MIB, Ordering::Relaxed);
            Reply::of(503)
        }
        "PATCH" => {
            received.store(chunk(asked).unwrap().1 + 1, Ordering::Relaxed);
            Reply::of(202).with("Location", "/upload/1")
        }
        "GET" => {
            let last = received.load(Ordering::Relaxed) - 1;
            Reply::of(204).with("Location", "/upload/1").with("Range", format!("0-{last}"))
        }
        _ => Reply::of(201),
    });

    push(&bench, &source, &registry).await.unwrap();

    let chunks: Vec<(usize, usize)> = registry.asked().iter().filter_map(chunk).collect();
    let sent = [(0, 32 * MIB - 1), (32 * MIB, 64 * MIB - 1), (48 * MIB, 80 * MIB - 1)];
    assert_eq!(chunks[..3], sent);
    assert!(registry.asked().iter().any(|asked| asked.method == "PUT" && asked.path.contains("/manifests/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_sends_only_what_the_registry_lacks() {
    let (bench, source, _) = stocked(MIB).await;
    let registry = Server::start(|asked| Reply::of(if asked.method == "HEAD" { 200 } else { 201 }));

    push(&bench, &source, &registry).await.unwrap();

    assert!(
        registry.asked().iter().all(|asked| asked.method == "HEAD" || asked.path.contains("/manifests/"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_does_not_leave_for_another_host() {
    let (bench, source, _) = stocked(MIB).await;
    let elsewhere = Server::start(|_| Reply::of(202));
    let to = elsewhere.host.clone();
    let registry = Server::start(move |asked| match asked.method.as_str() {
        "POST" => Reply::of(202).with("Location", format!("http://{to}/upload")),
        _ => Reply::of(404),
    });

    let error = push(&bench, &source, &registry).await.unwrap_err();

    assert!(matches!(*error, RegistryError::UnsafeRedirect(_)), "{error}");
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_outlives_the_tokens_that_it_is_given() {
    let (bench, source, _) = stocked(80 * MIB).await;
    let (granted, received) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let current = Arc::clone(&granted);
    let realm = Server::start(move |_| {
        let token = current.load(Ordering::Relaxed);
        Reply::of(200).body(format!(r#"{{"access_token":"{token}"}}"#))
    });
    let at = realm.host.clone();
    let registry = Server::start(move |asked| {
        let wanted = format!("Bearer {}", granted.load(Ordering::Relaxed));
        if asked.header("authorization") != Some(&wanted) {
            return Reply::of(401).with("WWW-Authenticate", format!("Bearer realm=\"http://{at}/\""));
        }
        match asked.method.as_str() {
            "HEAD" => Reply::of(404),
            "POST" => Reply::of(202).with("Location", "/upload/1"),
            "PATCH" => {
                // No token is good for a second chunk.
                granted.fetch_add(1, Ordering::Relaxed);
                received.store(chunk(asked).unwrap().1, Ordering::Relaxed);
                Reply::of(202).with("Location", "/upload/1")
            }
            "GET" => Reply::of(204).with("Range", format!("0-{}", received.load(Ordering::Relaxed))),
            _ => Reply::of(201),
        }
    });

    push(&bench, &source, &registry).await.unwrap();

    let chunks = registry.asked().iter().filter(|asked| asked.method == "PATCH").count();
    assert_eq!(chunks, 4, "three of the weights, one of the config, none twice");
}

/// The first try shows the hash the right bytes, the second puts others in their place.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_sent_anew_are_hashed_anew() {
    let model = Model::of(24 * MIB);
    let (served, tries) = (model.clone(), AtomicUsize::new(0));
    let server = Server::start(move |asked| {
        let mut whole = served.answer(&Asked { headers: HashMap::new(), ..asked.clone() });
        if whole.body.len() == 24 * MIB {
            if asked.range().is_some() {
                return whole;
            }
            match tries.fetch_add(1, Ordering::Relaxed) {
                0 => whole.cut_after = Some(20 * MIB),
                _ => whole.body[..MIB].fill(0),
            }
        }
        whole
    });
    let bench = trusting(&[&server]);

    let error = bench.refused(&server).await;

    assert!(matches!(*error, RegistryError::Store(StoreError::DigestMismatch { .. })), "{error}");
    assert!(!bench.store.has_blob(&Digest::of(&model.weights)));
}
