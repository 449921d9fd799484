//! Models made, packed and looked after.

use std::fs;
use std::path::Path;
use std::process::Output;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use behaviour::server::{Model, Server};
use behaviour::{Answer, Hob, adapter_file, float_model_file, merged_model_file, model_file, projector_file};
use serde_json::{Value, json};

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn weights_are_packed_when_a_model_is_made() {
    let hob = Hob::start_empty(&[]);
    let modelfile = hob.home.path().join("Modelfile");
    fs::write(&modelfile, format!("FROM {}\n", float_model_file().display())).unwrap();

    let made = hob.cli(&["create", "packed", "-q", "q4_K_M", "-f", modelfile.to_str().unwrap()]);

    succeeded(&made);
    let show = hob.post("/api/show", &json!({"model": "packed"})).json();
    assert_eq!(show["details"]["quantization_level"], "Q4_K_M");
    let tags = hob.get("/api/tags").json();
    let (packed, whole) =
        (tags["models"][0]["size"].as_u64().unwrap(), fs::metadata(float_model_file()).unwrap().len());
    assert!(packed < whole / 2, "{packed} of {whole}");
    let options = json!({"temperature": 0, "num_predict": 16});
    let asked =
        json!({"model": "packed", "prompt": "Why is the sky blue?", "stream": false, "options": options});
    assert_eq!(hob.post("/api/generate", &asked).json()["eval_count"], 16, "it answers");
    assert_eq!(
        hob.post("/admin/api/store/scrub?deep=true", &Value::Null).lines().pop().unwrap()["problems"],
        json!([])
    );
}

#[test]
fn packing_tells_how_far_it_is_and_what_it_cannot_do() {
    let hob = Hob::start_empty(&[]);
    succeeded(&hob.create("float", &float_model_file()));
    let create =
        |from: &str, to: &str| hob.post("/api/create", &json!({"model": "x", "from": from, "quantize": to}));

    let lines = create("float", "Q8_0").lines();
    let packing =
        |line: &&Value| line["status"] == "quantizing F16 model to Q8_0" && line["total"].as_u64() > Some(0);
    assert!(lines.iter().filter(packing).count() > 10, "{lines:?}");
    assert_eq!(lines.last().unwrap()["status"], "success");

    let unknown = create("float", "Q1_X");
    assert_eq!(unknown.status, 400);
    assert!(unknown.json()["error"].as_str().unwrap().starts_with("unsupported quantization type Q1_X"));
    let again = create("x", "Q4_K_M");
    assert_eq!(again.json()["error"], "quantization is only supported for F16, BF16 and F32 models");
    assert_eq!(hob.workers(), Vec::<i32>::new(), "the worker ended with its work");
}

#[test]
fn the_files_of_a_split_model_become_one_model() {
    let hob = Hob::start_empty(&[]);
    succeeded(&hob.create("whole", &float_model_file()));
    let first = float_model_file().with_file_name("SmolLM2-135M-Instruct.F16-00001-of-00003.gguf");

    succeeded(&hob.create("parts", &first));

    let answer = |model: &str| {
        let options = json!({"temperature": 0, "num_predict": 12});
        let asked =
            json!({"model": model, "prompt": "Why is the sky blue?", "stream": false, "options": options});
        hob.post("/api/generate", &asked).json()["response"].clone()
    };
    assert_eq!(answer("parts"), answer("whole"));
    let parameters = |model: &str| {
        hob.post("/api/show", &json!({"model": model})).json()["details"]["parameter_size"].clone()
    };
    assert_eq!(parameters("parts"), parameters("whole"));
    let lonely = hob.home.path().join("lonely-00001-of-00003.gguf");
    fs::copy(&first, &lonely).unwrap();
    let refused = hob.create("lonely", &lonely);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not complete"), "{refused:?}");
}

#[test]
fn an_adapter_answers_as_if_it_were_merged_into_the_weights() {
    let hob = Hob::start_empty(&[]);
    let modelfile = hob.home.path().join("Modelfile");
    let create = |name: &str, adapter: &str| {
        let text = format!("FROM {}\nADAPTER {adapter}\n", float_model_file().display());
        fs::write(&modelfile, text).unwrap();
        hob.cli(&["create", name, "-f", modelfile.to_str().unwrap()])
    };
    let ask = |model: &str, lora: Value| {
        let options = json!({"temperature": 0, "num_predict": 12});
        let asked = json!({"model": model, "prompt": "Why is the sky blue?", "stream": false, "options": options, "lora": lora});
        hob.post("/api/generate", &asked)
    };
    let answer = |model: &str| ask(model, Value::Null).json()["response"].clone();
    succeeded(&hob.create("plain", &float_model_file()));
    succeeded(&hob.create("merged", &merged_model_file()));

    succeeded(&create("adapted", adapter_file().to_str().unwrap()));

    assert_eq!(answer("adapted"), answer("merged"));
    assert_ne!(answer("adapted"), answer("plain"));
    let without = ask("adapted", json!([{"id": 0, "scale": 0}]));
    assert_eq!(without.json()["response"], answer("plain"), "a request may do without it");
    let strange = ask("adapted", json!([{"id": 1}]));
    assert_eq!(strange.status, 400);
    assert!(strange.json()["error"].as_str().unwrap().contains("none with the id 1"));
    let printed = succeeded(&hob.cli(&["show", "adapted", "--modelfile"]));
    fs::write(&modelfile, printed).unwrap();
    succeeded(&hob.cli(&["create", "again", "-f", modelfile.to_str().unwrap()]));
    let digest = |model: &str| {
        let tags = hob.get("/api/tags").json();
        let mut models = tags["models"].as_array().unwrap().iter();
        models.find(|listed| listed["model"] == format!("{model}:latest")).unwrap()["digest"].clone()
    };
    assert_eq!(digest("again"), digest("adapted"));
    let none = String::from_utf8(create("none", float_model_file().to_str().unwrap()).stderr).unwrap();
    assert!(none.contains("is no adapter"), "{none}");
    let foreign = hob
        .post("/api/create", &json!({"model": "foreign", "from": "plain", "adapters": {"a": "sha256:00"}}));
    assert_eq!((foreign.status, foreign.json()["error"].clone()), (400, json!("invalid digest format")));
}

#[test]
fn a_model_with_a_projector_sees_what_is_shown_to_it() {
    let hob = Hob::start_empty(&[]);
    let modelfile = hob.home.path().join("Modelfile");
    let text = format!("FROM {}\nFROM {}\n", model_file().display(), projector_file().display());
    fs::write(&modelfile, text).unwrap();
    succeeded(&hob.cli(&["create", "seeing", "-f", modelfile.to_str().unwrap()]));
    succeeded(&hob.create("blind", &model_file()));
    let picture = |colour: [u8; 3]| STANDARD.encode(bitmap(colour));
    let options = json!({"temperature": 0, "num_predict": 10});
    let generate = |model: &str, picture: &str| {
        let asked = json!({"model": model, "prompt": "Describe it.", "images": [picture], "stream": false, "options": options});
        hob.post("/api/generate", &asked)
    };
    let (red, blue) = (picture([0, 0, 255]), picture([255, 0, 0]));

    let seen = generate("seeing", &red).json()["response"].clone();

    assert_ne!(seen, generate("seeing", &blue).json()["response"]);
    let chat = json!({"model": "seeing", "stream": false, "options": options,
        "messages": [{"role": "user", "content": "Describe it.", "images": [red]}]});
    assert_eq!(hob.post("/api/chat", &chat).json()["message"]["content"], seen);
    let part = json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{red}")}});
    let words = json!({"type": "text", "text": "Describe it."});
    let chat = json!({"model": "seeing", "temperature": 0, "max_tokens": 10,
        "messages": [{"role": "user", "content": [words, part]}]});
    assert_eq!(hob.post("/v1/chat/completions", &chat).json()["choices"][0]["message"]["content"], seen);
    let part =
        json!({"type": "input_image", "image_url": format!("data:image/png;base64,{red}"), "detail": "auto"});
    let words = json!({"type": "input_text", "text": "Describe it."});
    let asked = json!({"model": "seeing", "temperature": 0, "max_output_tokens": 10});
    let respond = |more: Value| {
        let mut body = asked.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        hob.post("/v1/responses", &body).json()
    };
    let first = respond(json!({"input": [{"role": "user", "content": [words, part]}]}));
    assert_eq!(first["output"][0]["content"][0]["text"], seen);
    // What was seen is a part of what goes on from there.
    let second = respond(json!({"input": "And?", "previous_response_id": first["id"]}));
    let unseen = respond(json!({"input": [{"role": "user", "content": "Describe it."},
        {"role": "assistant", "content": seen}, {"role": "user", "content": "And?"}]}));
    assert!(second["usage"]["input_tokens"].as_u64() > unseen["usage"]["input_tokens"].as_u64(), "{second}");
    let shown = hob.post("/api/show", &json!({"model": "seeing"})).json();
    assert!(shown["capabilities"].as_array().unwrap().contains(&json!("vision")), "{shown}");
    let total = |model: &str| {
        hob.get(&format!("/admin/api/fit?model={model}")).json()["total_bytes"].as_u64().unwrap()
    };
    assert!(total("seeing") > total("blind"));

    let refused = |answer: &Answer| (answer.status, answer.json()["error"].as_str().unwrap().to_owned());
    let blind = "registry.ollama.ai/library/blind:latest does not support vision";
    assert_eq!(refused(&generate("blind", &red)), (400, blind.into()));
    let (status, words) = refused(&generate("seeing", &STANDARD.encode("no picture")));
    assert!(status == 400 && words.contains("neither an image"), "{words}");
    assert_eq!(refused(&generate("seeing", "?")).0, 400);
    let printed = succeeded(&hob.cli(&["show", "seeing", "--modelfile"]));
    assert_eq!(printed.matches("\nFROM ").count(), 2, "{printed}");
}

/// 32 by 32 pixels of one colour: blue, green, red.
fn bitmap(colour: [u8; 3]) -> Vec<u8> {
    let (side, header) = (32_u32, 54_u32);
    let pixels = colour.repeat((side * side) as usize);
    let mut file = b"BM".to_vec();
    for number in [header + pixels.len() as u32, 0, header, 40, side, side, 1 | 24 << 16, 0, 0, 0, 0, 0, 0] {
        file.extend(number.to_le_bytes());
    }
    [file, pixels].concat()
}

#[test]
fn a_draft_model_is_kept_with_its_model_and_counts_in_memory() {
    let hob = Hob::start_empty(&[]);
    let modelfile = hob.home.path().join("Modelfile");
    let create = |name: &str, draft: &Path| {
        let text = format!("FROM {}\nDRAFT {}\n", float_model_file().display(), draft.display());
        fs::write(&modelfile, text).unwrap();
        hob.cli(&["create", name, "-f", modelfile.to_str().unwrap()])
    };
    let ask = |model: &str| {
        let options = json!({"temperature": 0, "num_predict": 12, "draft_num_predict": 2});
        let asked =
            json!({"model": model, "prompt": "Why is the sky blue?", "stream": false, "options": options});
        hob.post("/api/generate", &asked).json()["response"].clone()
    };
    let total = |model: &str| {
        hob.get(&format!("/admin/api/fit?model={model}")).json()["total_bytes"].as_u64().unwrap()
    };
    succeeded(&hob.create("plain", &float_model_file()));

    succeeded(&create("drafted", &model_file()));

    assert!(total("drafted") > total("plain") + fs::metadata(model_file()).unwrap().len());
    assert_eq!(ask("drafted"), ask("plain"));
    let printed = succeeded(&hob.cli(&["show", "drafted", "--modelfile"]));
    assert!(printed.contains("\nDRAFT "), "{printed}");
    fs::write(&modelfile, "FROM drafted\nSYSTEM Hi.\n").unwrap();
    succeeded(&hob.cli(&["create", "heir", "-f", modelfile.to_str().unwrap()]));
    assert!(succeeded(&hob.cli(&["show", "heir", "--modelfile"])).contains("\nDRAFT "));
    for none in [float_model_file(), adapter_file()] {
        let refused = String::from_utf8(create("none", &none).stderr).unwrap();
        assert!(refused.contains("cannot draft for this model"), "{refused}");
    }
    let missing = String::from_utf8(create("none", Path::new("/nowhere")).stderr).unwrap();
    assert!(missing.contains("no draft model /nowhere"), "{missing}");
}

#[test]
fn what_show_prints_makes_the_same_model_again() {
    let hob = Hob::start();
    let modelfile = hob.home.path().join("Modelfile");
    let text = format!(
        "FROM {}\nSYSTEM \"\"\"You are\n \"kind\".\"\"\"\nPARAMETER stop <a>\nPARAMETER stop \" b\"\nPARAMETER temperature 0.5\n\
         TEMPLATE {{{{ .System }}}} {{{{ .Prompt }}}}\nMESSAGE user hi\nMESSAGE assistant hello\nLICENSE free\nREQUIRES 0.14.0\n",
        model_file().display()
    );
    fs::write(&modelfile, text).unwrap();
    succeeded(&hob.cli(&["create", "one", "-f", modelfile.to_str().unwrap()]));

    let printed = succeeded(&hob.cli(&["show", "one", "--modelfile"]));
    fs::write(&modelfile, printed).unwrap();
    succeeded(&hob.cli(&["create", "two", "-f", modelfile.to_str().unwrap()]));

    let tags = hob.get("/api/tags").json();
    let digest = |name: &str| {
        let models = tags["models"].as_array().unwrap();
        models.iter().find(|model| model["name"] == name).unwrap()["digest"].clone()
    };
    assert_eq!(digest("one:latest"), digest("two:latest"));
}

#[test]
fn a_folder_with_one_model_in_it_is_that_model() {
    let hob = Hob::start_empty(&[]);
    let folder = hob.home.path().join("model");
    fs::create_dir(&folder).unwrap();
    fs::hard_link(model_file(), folder.join("weights.gguf"))
        .or_else(|_| fs::copy(model_file(), folder.join("weights.gguf")).map(drop))
        .unwrap();
    let modelfile = hob.home.path().join("Modelfile");
    fs::write(&modelfile, "FROM ./model\n").unwrap();

    succeeded(&hob.cli(&["create", "one", "-f", modelfile.to_str().unwrap()]));

    fs::write(folder.join("more.gguf"), "GGUF").unwrap();
    let several = hob.cli(&["create", "two", "-f", modelfile.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&several.stderr).contains("several GGUF files"), "{several:?}");
}

#[test]
fn a_download_that_was_begun_is_listed_and_removed() {
    let model = Model::of(64 << 20);
    let server = Server::start(move |asked| model.answer(asked));
    let slow = [("HOB_REGISTRY__TRUSTED", server.host.as_str()), ("HOB_REGISTRY__LIMIT", "8MiB")];
    let hob = Hob::start_empty(&slow);
    let name = format!("{}/library/model", server.host);
    let mut pull = hob.terminal(&["pull", "--insecure", &name]);
    pull.wait_for("MB/67.11 MB");
    pull.type_keys("\u{3}");
    pull.end();

    let list = succeeded(&hob.cli(&["list", "--partial"]));
    assert!(list.contains(&format!("{name}:latest")) && list.contains("67 MB"), "{list}");
    let removed = hob.cli(&["rm", "--partial", &name]);
    assert!(succeeded(&removed).contains("deleted"), "{removed:?}");

    assert!(!succeeded(&hob.cli(&["list", "--partial"])).contains(&name));
    let blobs = hob.home.path().join(".local/share/hob/models/blobs");
    let left: Vec<_> = fs::read_dir(blobs).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|file| !file.to_string_lossy().contains("partial")), "{left:?}");
}

#[test]
fn the_doctor_says_what_is_wrong_and_fails() {
    let hob = Hob::start();
    assert!(succeeded(&hob.cli(&["doctor", "--store", "--deep"])).contains("1 models, 2 blobs, 0 problems"));
    let blobs = hob.home.path().join(".local/share/hob/models/blobs");
    let weights =
        fs::read_dir(blobs).unwrap().flatten().max_by_key(|entry| entry.metadata().unwrap().len()).unwrap();
    let mut bytes = fs::read(weights.path()).unwrap();
    bytes[50_000_000] ^= 1;
    fs::write(weights.path(), bytes).unwrap();

    assert!(hob.cli(&["doctor", "--store"]).status.success(), "lengths alone show nothing");
    let deep = hob.cli(&["doctor", "--store", "--deep"]);

    assert_eq!(deep.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&deep.stdout).contains("is damaged"), "{deep:?}");
}

/// As Ollama lays it out, down to its old blob names; Hob changes it, and what Ollama wrote stays as it was.
#[test]
fn a_store_of_ollamas_is_adopted_as_it_is() {
    let hob = Hob::start();
    let ollama = tempfile::TempDir::new().unwrap();
    let own = hob.home.path().join(".local/share/hob/models");
    let copy = |from: &str, to: &str| {
        let to = ollama.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(own.join(from), to).unwrap();
    };
    copy(
        "manifests/registry.ollama.ai/library/smollm2/latest",
        "manifests/registry.ollama.ai/library/smollm2/latest",
    );
    for blob in fs::read_dir(own.join("blobs")).unwrap().flatten() {
        let name = blob.file_name().into_string().unwrap();
        copy(&format!("blobs/{name}"), &format!("blobs/{name}"));
    }
    let manifest = ollama.path().join("manifests/registry.ollama.ai/library/smollm2/latest");
    let before = fs::read(&manifest).unwrap();

    let adopting = Hob::start_empty(&[("OLLAMA_MODELS", ollama.path().to_str().unwrap())]);
    assert!(succeeded(&adopting.cli(&["list"])).contains("smollm2:latest"));
    let made = adopting
        .post("/api/create", &json!({"model": "mine", "from": "smollm2", "system": "Hi.", "stream": false}));
    assert_eq!(made.status, 200, "{made:?}");
    assert!(adopting.cli(&["rm", "mine"]).status.success());

    assert_eq!(fs::read(&manifest).unwrap(), before);
    assert!(succeeded(&adopting.cli(&["doctor", "--store", "--deep"])).contains("0 problems"));
}

#[test]
fn two_daemons_change_one_store_and_lose_nothing() {
    let model = Model::of(5 << 20);
    let server = Server::start(move |asked| model.answer(asked));
    let models = tempfile::TempDir::new().unwrap();
    let folder = models.path().to_str().unwrap();
    let environment = [("HOB_REGISTRY__TRUSTED", server.host.as_str()), ("HOB_MODELS__DIR", folder)];
    let daemons = [Hob::start_empty(&environment), Hob::start_empty(&environment)];
    let pulled = format!("{}/library/model", server.host);
    let pull = |hob: &Hob| {
        let lines = hob.post("/api/pull", &json!({"model": pulled, "insecure": true})).lines();
        let last = lines.last().unwrap();
        // One waits for the other's download as long as that takes; to be told so is as good.
        let busy = last["error"].as_str().is_some_and(|error| error.contains("another process"));
        assert!(last["status"] == "success" || busy, "{last}");
    };
    let change = |hob: &Hob, own: &str| {
        for _ in 0..15 {
            pull(hob);
            // Whether the other has just removed it or not.
            let copied = hob.post("/api/copy", &json!({"source": pulled, "destination": own})).status;
            assert!([200, 404].contains(&copied), "{copied}");
            let removed = hob.delete("/api/delete", &json!({"model": pulled})).status;
            assert!([200, 404].contains(&removed), "{removed}");
            if copied == 200 {
                assert_eq!(hob.delete("/api/delete", &json!({"model": own})).status, 200);
            }
        }
    };

    std::thread::scope(|scope| {
        scope.spawn(|| change(&daemons[0], "mine"));
        scope.spawn(|| change(&daemons[1], "theirs"));
    });

    pull(&daemons[0]);
    for hob in &daemons {
        assert!(
            succeeded(&hob.cli(&["doctor", "--store", "--deep"])).contains("1 models, 2 blobs, 0 problems")
        );
    }
}
