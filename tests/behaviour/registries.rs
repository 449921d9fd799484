//! Models to and from registries, as a user moves them.

use std::fs;
use std::process::Output;

use behaviour::docker_registry::DockerRegistry;
use behaviour::lan::Lan;
use behaviour::server::{Model, Reply, Server, digest};
use behaviour::{Answer, Hob, float_model_file};
use serde_json::{Value, json};

fn trusting(host: &str) -> Hob {
    Hob::start_with(&[("HOB_REGISTRY__TRUSTED", host)])
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The ID that `hob list` shows.
fn id(hob: &Hob, name: &str) -> String {
    let list = succeeded(&hob.cli(&["list", name]));
    let row = list.lines().nth(1).unwrap_or_else(|| panic!("{name} is not in {list}"));
    row.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn a_model_goes_to_a_real_registry_and_comes_back_as_it_was() {
    let registry = DockerRegistry::start();
    let hob = trusting(&registry.host);
    let name = format!("{}/me/smollm2:135m", registry.host);

    assert_eq!(succeeded(&hob.cli(&["cp", "smollm2", &name])), format!("copied 'smollm2' to '{name}'\n"));
    let before = id(&hob, &name);
    let pushed = hob.cli(&["push", "--insecure", &name]);
    succeeded(&pushed);
    for model in [name.as_str(), "smollm2"] {
        succeeded(&hob.cli(&["rm", model]));
    }
    assert_eq!(fs::read_dir(hob.home.path().join(".local/share/hob/models/blobs")).unwrap().count(), 0);
    let pulled = hob.cli(&["pull", "--insecure", &name]);
    succeeded(&pulled);

    assert_eq!(id(&hob, &name), before);
    let said = String::from_utf8_lossy(&pulled.stderr).into_owned();
    for step in ["pulling manifest", "verifying sha256 digest", "writing manifest", "success"] {
        assert!(said.contains(step), "{said}");
    }
    let again = hob.cli(&["push", "--insecure", &name]);
    succeeded(&again);
    assert!(!succeeded(&hob.cli(&["run", &name, "Why is the sky blue?"])).trim().is_empty());
}

#[test]
fn a_pull_tells_its_steps_as_ollama_does() {
    let registry = DockerRegistry::start();
    let hob = trusting(&registry.host);
    let name = format!("{}/me/model:latest", registry.host);
    succeeded(&hob.cli(&["cp", "smollm2", &name]));
    let pushed = hob.post("/api/push", &json!({"model": name, "insecure": true, "stream": false}));
    assert_eq!(pushed.text, r#"{"status":"success"}"#);
    for model in [name.as_str(), "smollm2"] {
        succeeded(&hob.cli(&["rm", model]));
    }

    let lines = hob.post("/api/pull", &json!({"model": name, "insecure": true})).lines();

    assert_eq!(lines[0], json!({"status": "pulling manifest"}));
    let layer = &lines[1];
    let digest = layer["digest"].as_str().unwrap();
    assert_eq!(layer["status"], format!("pulling {}", &digest["sha256:".len()..][..12]));
    assert_eq!(layer["total"], 98_362_432);
    let ends: Vec<&str> = lines.iter().rev().take(4).map(|line| line["status"].as_str().unwrap()).collect();
    assert_eq!(ends, ["success", "removing unused layers", "writing manifest", "verifying sha256 digest"]);
}

#[test]
fn a_pull_that_fails_says_why_in_ollamas_words() {
    let registry = DockerRegistry::start();
    let hob = trusting(&registry.host);
    let name = format!("{}/me/nothing", registry.host);
    let pull = |body| hob.post("/api/pull", &body);
    let last = |answer: Answer| answer.lines().pop().unwrap();

    let streamed = pull(json!({"model": name, "insecure": true}));
    assert_eq!(streamed.status, 200);
    assert_eq!(last(streamed), json!({"error": "pull model manifest: file does not exist"}));
    let whole = pull(json!({"model": name, "insecure": true, "stream": false}));
    assert_eq!(
        (whole.status, &whole.json()["error"]),
        (500, &json!("pull model manifest: file does not exist"))
    );
    assert_eq!(pull(json!({"model": "../../etc/passwd"})).status, 400);
    assert_eq!(pull(json!({})).json()["error"], "invalid model name");

    // The inside of the network is for hosts that the owner named.
    let untrusted = Hob::start_empty(&[]);
    let refused = untrusted.post("/api/pull", &json!({"model": name, "insecure": true}));
    assert!(last(refused)["error"].as_str().unwrap().contains("registry.trusted"));
    let private = untrusted.post("/api/pull", &json!({"model": name}));
    assert!(last(private)["error"].as_str().unwrap().contains("private address"));
}

#[test]
fn a_real_registry_reads_from_a_box_as_from_another_registry() {
    let hob = Hob::start();
    let mirror = DockerRegistry::mirroring(&hob.url);
    let taker = trusting(&mirror.host);
    let name = format!("{}/library/smollm2", mirror.host);
    succeeded(&taker.cli(&["rm", "smollm2"]));

    succeeded(&taker.cli(&["pull", "--insecure", &name]));

    assert_eq!(id(&taker, &name), id(&hob, "smollm2"));
}

#[test]
fn a_client_of_registries_shows_a_key_as_a_password() {
    let lan = Lan::new();
    let hob = Hob::start_on(&lan, &[]);
    succeeded(&hob.cli_saying(&["claim", "--password-file", "-"], "a longer word than most"));
    let key = succeeded(&hob.cli(&["key", "create", "mirror", "--scope", "models.read"]));
    let status = |user: &str| {
        let mut curl = lan.command("curl");
        let url = format!("{}/v2/_catalog", hob.lan_url.as_ref().unwrap());
        // Whose box it is, is not what is asked here.
        succeeded(&curl.args(["-sk", "-w", "%{http_code}", "-u", user, &url]).output().unwrap())
    };

    assert_eq!(status(&format!("anybody:{}", key.trim())), "{\"repositories\":[]}200");
    let refused = status("anybody:hob_wrong");
    assert!(refused.ends_with("401") && refused.contains("\"code\":\"UNAUTHORIZED\""), "{refused}");
}

#[test]
fn a_copy_of_nothing_and_a_bad_name_are_errors() {
    let hob = Hob::start();
    let copy = |from: &str, to: &str| hob.post("/api/copy", &json!({"source": from, "destination": to}));

    assert_eq!(copy("smollm2", "two").status, 200);
    let nothing = copy("nope", "two");
    assert_eq!((nothing.status, &nothing.json()["error"]), (404, &json!("model \"nope:latest\" not found")));
    let bad = copy("smollm2", "../x");
    assert_eq!((bad.status, &bad.json()["error"]), (400, &json!("destination \"../x\" is invalid")));
    assert_eq!(
        hob.get("/api/tags/").json()["models"].as_array().unwrap().len(),
        2,
        "a slash too many is forgiven"
    );
}

#[test]
fn ctrl_c_ends_a_pull_and_the_next_one_goes_on_where_it_was() {
    let model = Model::of(64 << 20);
    let served = model.clone();
    let server = Server::start(move |asked| served.answer(asked));
    let slow = [("HOB_REGISTRY__TRUSTED", server.host.as_str()), ("HOB_REGISTRY__LIMIT", "16MiB")];
    let hob = Hob::start_empty(&slow);
    let name = format!("{}/library/model", server.host);

    let mut pull = hob.terminal(&["pull", "--insecure", &name]);
    pull.wait_for("MB/s");
    pull.wait_for("MB/67.11 MB");
    pull.wait_for(" 3");
    pull.type_keys("\u{3}");
    pull.end();
    let mut again = hob.terminal(&["pull", "--insecure", &name]);
    let said = again.wait_for("MB/67.11 MB");
    again.end();

    let first_percent = said.rsplit_once('%').unwrap().0.rsplit(' ').next().unwrap().parse::<u32>().unwrap();
    assert!(first_percent > 0, "{said}");
    // Starting over would ask for all of it twice.
    assert!(server.bytes_asked() < (2 * 64) << 20, "{}", server.bytes_asked());
    assert!(succeeded(&hob.cli(&["list"])).contains("library/model:latest"));
}

#[test]
fn what_a_model_is_made_from_is_asked_of_its_registry() {
    let registry = DockerRegistry::start();
    let hob = trusting(&registry.host);
    let name = format!("{}/me/base:latest", registry.host);
    succeeded(&hob.cli(&["cp", "smollm2", &name]));
    succeeded(&hob.cli(&["push", "--insecure", &name]));
    succeeded(&hob.cli(&["rm", &name, "smollm2"]));

    // Only TLS is used without being asked, so this is refused; but it was tried.
    let made = hob.post("/api/create", &json!({"model": "new", "from": name, "stream": false}));

    assert!(made.json()["error"].as_str().unwrap().starts_with("pull model manifest: "), "{made:?}");
}

#[test]
fn a_model_that_a_registry_keeps_in_several_files_becomes_one() {
    let file = |number: u32| {
        let name = format!("SmolLM2-135M-Instruct.F16-0000{number}-of-00003.gguf");
        fs::read(float_model_file().with_file_name(name)).unwrap()
    };
    // In no order.
    let files: Vec<(String, Vec<u8>)> =
        [2, 3, 1].map(file).into_iter().map(|bytes| (digest(&bytes), bytes)).collect();
    let layer = |(digest, bytes): &(String, Vec<u8>)| json!({"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": bytes.len()});
    let whole = Model::of(1);
    let mut manifest: Value = serde_json::from_str(&whole.manifest()).unwrap();
    manifest["layers"] = files.iter().map(layer).collect();
    let registry = Server::start(move |asked| {
        let blob = files.iter().find(|(digest, _)| asked.path.ends_with(digest));
        match (blob, asked.range()) {
            (Some((_, bytes)), Some((from, to))) => Reply::of(206).body(&bytes[from..=to]),
            _ if asked.path.contains("/manifests/") => Reply::of(200).body(manifest.to_string()),
            _ => whole.answer(asked),
        }
    });
    let hob = Hob::start_empty(&[("HOB_REGISTRY__TRUSTED", &registry.host)]);
    let name = format!("{}/library/split", registry.host);

    succeeded(&hob.cli(&["pull", "--insecure", &name]));

    succeeded(&hob.create("whole", &float_model_file()));
    let answer = |model: &str| {
        let options = json!({"temperature": 0, "num_predict": 8});
        let asked =
            json!({"model": model, "prompt": "Why is the sky blue?", "stream": false, "options": options});
        hob.post("/api/generate", &asked).json()["response"].clone()
    };
    assert_eq!(answer(&name), answer("whole"));
    let doctor = succeeded(&hob.cli(&["doctor", "--store"]));
    assert!(doctor.contains("2 models") && doctor.contains("0 problems"), "{doctor}");
}
