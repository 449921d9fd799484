//! Each hole that others had in their store or their pulls, tried here. The numbers are those of the CVE record.

use std::fs;
use std::path::PathBuf;

use behaviour::server::{Model, Reply, Server, digest};
use behaviour::{Answer, Hob};
use serde_json::{Value, json};

/// What a text that should be a digest or a name may be instead.
const TRAVERSALS: [&str; 8] = [
    "sha256:../../../../../../etc/passwd",
    "sha256-../../../../../../etc/passwd",
    "../../../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "sha256:%2e%2e%2f%2e%2e%2f",
    "/etc/passwd",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/../../x",
    "file:///etc/passwd",
];

/// Every file of the home, with its length.
fn files(hob: &Hob) -> Vec<(PathBuf, u64)> {
    let (mut found, mut folders) = (Vec::new(), vec![hob.home.path().to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                found.push((entry.path(), metadata.len()));
            }
        }
    }
    found.sort();
    found
}

#[track_caller]
fn assert_refused(answer: &Answer) {
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert!(!answer.text.contains("/tmp/") && !answer.text.contains("root:"), "{answer:?}");
}

/// CVE-2024-37032, 2026-103663, 2026-7020: a digest became a path. CVE-2025-44779: and a file was removed by it.
#[test]
fn no_text_from_outside_becomes_a_path() {
    let hob = Hob::start();
    let before = files(&hob);
    for text in TRAVERSALS {
        let path = text.replace('/', "%2f");
        assert_refused(&hob.post_text(&format!("/api/blobs/{path}"), "planted"));
        assert_refused(&hob.delete(&format!("/admin/api/store/partials/{path}"), &json!({})));
        assert_refused(&hob.post("/api/create", &json!({"model": "x", "files": {"a.gguf": text}})));
        for body in [json!({"model": text}), json!({"name": text})] {
            assert_refused(&hob.delete("/api/delete", &body));
            assert_refused(&hob.post("/api/show", &body));
        }
        assert_refused(&hob.post("/api/copy", &json!({"source": "smollm2", "destination": text})));
    }
    assert_eq!(files(&hob), before);
}

/// CVE-2024-39719, 2024-39722: what is said of a file tells whether it is there. CVE-2024-39721: a device was read for ever.
#[test]
fn nothing_tells_whether_a_file_of_the_machine_is_there() {
    let hob = Hob::start_empty(&[]);
    let texts = |path: &str| -> Vec<String> {
        let answers = [
            hob.post("/api/create", &json!({"model": "x", "from": path, "stream": false})),
            hob.post(
                "/api/create",
                &json!({"model": "x", "files": {path: "sha256:".to_owned() + &"0".repeat(64)}}),
            ),
            hob.post("/api/create", &json!({"model": "x", "path": path})),
            hob.post("/api/push", &json!({"model": path, "stream": false})),
        ];
        answers.iter().map(|answer| answer.text.replace(path, "PATH")).collect()
    };

    let there = texts("/etc/passwd");

    assert_eq!(there, texts("/etc/nobody-has-this"));
    assert_eq!(there, texts("/dev/zero"));
}

/// CVE-2024-12886: a small body that unpacks to a large one.
#[test]
fn a_packed_body_is_not_unpacked() {
    let served = Model::of(1000);
    // The first bytes of a gzip stream; unpacked or not, they are no manifest.
    let server = Server::start(move |asked| match asked.is_blob() {
        true => served.answer(asked),
        false => Reply::of(200).with("Content-Encoding", "gzip").body([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]),
    });
    let hob = Hob::start_empty(&[("HOB_REGISTRY__TRUSTED", &server.host)]);

    let pulled =
        hob.post("/api/pull", &json!({"model": format!("{}/library/model", server.host), "insecure": true}));

    assert!(pulled.text.contains("manifest makes no sense"), "{pulled:?}");
    assert!(server.asked().iter().all(|asked| asked.header("accept-encoding").is_none()));
    hob.assert_alive();
}

/// CVE-2025-1975: a manifest without what every manifest has.
#[test]
fn a_manifest_that_lacks_everything_takes_nothing_with_it() {
    for manifest in
        ["", "{}", "null", r#"{"schemaVersion":2,"config":{},"layers":[{}]}"#, r#"{"layers":null}"#]
    {
        let server = Server::start(move |_| Reply::of(200).body(manifest));
        let hob = Hob::start_empty(&[("HOB_REGISTRY__TRUSTED", &server.host)]);
        let pull =
            json!({"model": format!("{}/library/model", server.host), "insecure": true, "stream": false});
        assert_eq!(hob.post("/api/pull", &pull).status, 500);
        hob.assert_alive();
    }
}

/// CVE-2026-5530, 2026-108836: a model's host is a way to the machine's own network.
#[test]
fn a_models_host_is_no_way_to_the_inside() {
    let inside = Server::start(|_| Reply::of(200).body("secret"));
    let hob = Hob::start_empty(&[]);
    let port = inside.host.rsplit_once(':').unwrap().1;
    for host in ["127.0.0.1", "localhost", "0.0.0.0", "169.254.169.254"] {
        for path in ["/api/pull", "/api/push"] {
            let name = format!("{host}:{port}/library/model");
            let body = json!({"model": name, "insecure": true, "stream": false});
            let answer = hob.post(path, &body);
            assert!(answer.status >= 400 && !answer.text.contains("secret"), "{answer:?}");
        }
    }
    assert!(inside.asked().is_empty());
}

/// A template runs for ever: its own model ends, and nothing else.
#[test]
fn a_template_that_never_ends_takes_its_worker_only() {
    let hob = Hob::start();
    let mut file = fs::read(behaviour::model_file()).unwrap();
    let template = b"{% for message in messages %}";
    let at = file.windows(template.len()).position(|window| window == template).unwrap();
    let length = usize::try_from(u64::from_le_bytes(file[at - 8..at].try_into().unwrap())).unwrap();
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}";
    file[at..at + length].fill(b' ');
    file[at..at + endless.len()].copy_from_slice(endless.as_bytes());
    let digest = digest(&file);
    assert_eq!(hob.post_bytes(&format!("/api/blobs/{digest}"), &file).status, 201);
    assert_eq!(
        hob.post("/api/create", &json!({"model": "endless", "files": {"x": digest}, "stream": false})).status,
        200
    );
    let chat = json!({"model": "endless", "messages": [{"role": "user", "content": "Hi"}], "stream": false});

    let answer = hob.post("/api/chat", &chat);

    assert_eq!(answer.status, 500);
    assert!(
        answer.json()["error"].as_str().unwrap().contains("the worker process has terminated"),
        "{answer:?}"
    );
    assert!(hob.log().contains("the model's chat template took more than"));
    assert_eq!(hob.ask("Hello", 4)["done"], true);
}

/// CVE-2024-39720, 2024-12055, 2025-0312, 2025-0315, 2025-0317, 2024-8063: a file that its reader believes.
#[test]
fn a_hostile_file_is_refused_before_ggml_sees_it() {
    let hob = Hob::start();
    let real = fs::read(behaviour::model_file()).unwrap();
    let mut many = real.clone();
    many[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut zero_blocks = real.clone();
    let key = b"llama.block_count";
    let at = zero_blocks.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4;
    zero_blocks[at..at + 4].copy_from_slice(&0_u32.to_le_bytes());
    let hostile: [&[u8]; 5] = [b"GGUF", &real[..1000], &real[..real.len() - 1], &many, &zero_blocks];
    for file in hostile {
        let digest = digest(file);
        assert_eq!(hob.post_bytes(&format!("/api/blobs/{digest}"), file).status, 201);
        let made =
            hob.post("/api/create", &json!({"model": "x", "files": {"x.gguf": digest}, "stream": false}));
        assert_eq!(made.status, 400, "{made:?}");
        assert!(made.json()["error"].as_str().unwrap().contains("GGUF"), "{made:?}");
    }
    assert_eq!(hob.workers(), Vec::<i32>::new());
    let tags: Value = hob.get("/api/tags").json();
    assert_eq!(tags["models"].as_array().unwrap().len(), 1);
}
