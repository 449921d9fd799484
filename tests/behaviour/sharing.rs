//! Models between boxes beside each other: each has a machine of its own on a street that leads nowhere else.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use behaviour::lan::{Machine, Street};
use behaviour::{Hob, PATIENCE, cache, executable};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What one box knows of another: how it is called here, where it is, and how it is known.
struct Known {
    name: &'static str,
    text: String,
}

/// A box that belongs to somebody, and has `smollm2`.
fn giver(machine: &Machine) -> Hob {
    let hob = Hob::start_at(machine, &[]);
    succeeded(&hob.there_saying(machine, &["claim", "--password-file", "-"], "a longer word than most"));
    let modelfile = hob.home.path().join("Modelfile");
    fs::write(&modelfile, format!("FROM {}\n", behaviour::model_file().display())).unwrap();
    succeeded(&hob.there(machine, &["create", "smollm2", "-f", modelfile.to_str().unwrap()]));
    hob
}

/// What others know of it that are paired with it.
fn known(name: &'static str, hob: &Hob, machine: &Machine) -> Known {
    let key = succeeded(&hob.there(machine, &["key", "create", name, "--scope", "models.read"]));
    let root = succeeded(&hob.there(machine, &["trust", "export"]));
    let log = hob.log();
    let (_, rest) = log.split_once("this box is ").unwrap();
    let id = rest.split_whitespace().next().unwrap();
    written(name, machine, id, &root, key.trim())
}

fn written(name: &'static str, machine: &Machine, id: &str, root: &str, key: &str) -> Known {
    let address = format!("{}:11443", machine.address);
    Known { name, text: json!({"address": address, "id": id, "root": root, "key": key}).to_string() }
}

/// A box that is paired with these, and has nothing.
fn taker(machine: &Machine, peers: &[&Known], environment: &[(&str, &str)]) -> Hob {
    let home = TempDir::new().unwrap();
    let folder = home.path().join(".local/share/hob/peers");
    fs::create_dir_all(&folder).unwrap();
    for peer in peers {
        fs::write(folder.join(format!("{}.json", peer.name)), &peer.text).unwrap();
    }
    let mut command = machine.command(executable().to_str().unwrap());
    command.env_clear().env("HOME", home.path()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let address = format!("{}:11443", machine.address);
    Hob::start_as(command, home, &[&[("HOB_LAN", address.as_str())], environment].concat())
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn failed(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn store(hob: &Hob) -> PathBuf {
    hob.home.path().join(".local/share/hob/models")
}

/// The names of all blobs, in order.
fn blobs(hob: &Hob) -> Vec<String> {
    let entries = fs::read_dir(store(hob).join("blobs")).unwrap().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// It has what the other has, and all of it hashes to its name.
#[track_caller]
fn assert_same(taker: &Hob, machine: &Machine, giver: &Hob) {
    assert_eq!(blobs(taker), blobs(giver));
    assert_whole(taker, machine);
}

/// All of it hashes to its name, and there is something.
#[track_caller]
fn assert_whole(hob: &Hob, machine: &Machine) {
    assert!(!blobs(hob).is_empty());
    succeeded(&hob.there(machine, &["doctor", "--store", "--deep"]));
}

fn trusting(name: &str) -> (&'static str, &str) {
    ("HOB_REGISTRY__TRUSTED", name.split('/').next().unwrap())
}

/// A pull under way, whose words are read as they come.
struct Pull {
    curl: Child,
    lines: Receiver<Value>,
    /// One that makes no headway says so again and again.
    deadline: Instant,
}

impl Pull {
    fn begin(hob: &Hob, machine: &Machine, body: &Value) -> Self {
        let mut curl = machine.command("curl");
        curl.args(["-sN", &format!("{}/api/pull", hob.url), "-d", &body.to_string()]);
        let mut curl = curl.stdout(Stdio::piped()).spawn().unwrap();
        let lines = lines(curl.stdout.take().unwrap());
        Self { curl, lines, deadline: Instant::now() + PATIENCE }
    }

    fn next(&self) -> Option<Value> {
        self.lines.recv_timeout(self.deadline.saturating_duration_since(Instant::now())).ok()
    }

    /// Waits until there is something of a large blob.
    fn begun(&self) {
        let has_begun =
            |line: &Value| line["total"].as_u64() > Some(1 << 20) && line["completed"].as_u64() > Some(0);
        while !has_begun(&self.next().expect("nothing comes")) {}
    }

    /// Waits until a large blob is there by a fifth at least.
    fn in_the_middle(&self) -> Value {
        while let Some(line) = self.next() {
            let (total, completed) = (line["total"].as_u64(), line["completed"].as_u64());
            if total.zip(completed).is_some_and(|(total, completed)| total > 1 << 20 && completed > total / 5)
            {
                assert!(completed < total, "it was too fast to have a middle");
                return line;
            }
        }
        panic!("it has no middle");
    }

    /// Waits for its end; all that it said until then.
    fn end(mut self) -> Vec<Value> {
        let lines: Vec<Value> = std::iter::from_fn(|| self.next()).collect();
        let _gone = self.curl.kill();
        self.curl.wait().unwrap();
        lines
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        let _gone = self.curl.kill();
        let _gone = self.curl.wait();
    }
}

fn lines(output: ChildStdout) -> Receiver<Value> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                return;
            }
        }
    });
    lines
}

#[track_caller]
fn assert_succeeded(said: &[Value]) {
    assert_eq!(said.last(), Some(&json!({"status": "success"})), "{said:?}");
}

/// Who is named in any of these words as where something came from.
fn sources(said: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> =
        said.iter().filter_map(|line| line["from"].as_array()).flatten().filter_map(Value::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A program of tests/clients that plays a box or a registry.
struct False {
    process: Child,
    said: Value,
    requests: PathBuf,
    _folder: TempDir,
}

impl False {
    fn start(kind: &str, machine: &Machine, port: u16, store: &Path, manner: &str) -> Self {
        let python = cache().join("venv/bin/python");
        assert!(python.exists(), "{} is missing: run scripts/setup tests", python.display());
        let folder = TempDir::new().unwrap();
        let requests = folder.path().join("requests");
        let mut command = machine.command(python.to_str().unwrap());
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/false_box.py"));
        command.args([kind, &machine.address.to_string(), &port.to_string()]);
        command.arg(store).arg(manner).arg(&requests);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let said = lines(process.stdout.take().unwrap()).recv_timeout(PATIENCE).unwrap();
        Self { process, said, requests, _folder: folder }
    }

    fn a_box(name: &'static str, machine: &Machine, store: &Path, manner: &str) -> (Self, Known) {
        let it = Self::start("box", machine, 11443, store, manner);
        let [id, root] = ["id", "root"].map(|field| it.said[field].as_str().unwrap());
        let known = written(name, machine, id, root, "hob_planted");
        (it, known)
    }

    /// What it was asked, a line each.
    fn requests(&self) -> String {
        fs::read_to_string(&self.requests).unwrap_or_default()
    }

    fn parts_asked(&self) -> usize {
        self.requests().lines().filter(|line| line.contains("bytes=")).count()
    }
}

impl Drop for False {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

/// A registry on a machine of its own that has `library/smollm2`, and what it is called by.
fn registry(machine: &Machine, giver: &Hob, manner: &str) -> (False, String) {
    let host = format!("{}:5000", machine.address);
    let manifests = store(giver).join("manifests");
    let there = manifests.join(&host).join("library/smollm2");
    fs::create_dir_all(&there).unwrap();
    fs::copy(manifests.join("registry.ollama.ai/library/smollm2/latest"), there.join("latest")).unwrap();
    (False::start("registry", machine, 5000, &store(giver), manner), format!("{host}/library/smollm2"))
}

#[test]
fn a_box_without_a_way_to_anywhere_else_pulls_from_the_box_beside_it() {
    let mut street = Street::new();
    let (there, here) = (street.machine(), street.machine());
    let a = giver(&there);
    let b = taker(&here, &[&known("anna", &a, &there)], &[]);

    let pulled = b.there(&here, &["pull", "smollm2", "--from", "anna"]);

    succeeded(&pulled);
    assert_same(&b, &here, &a);
    let id = |hob: &Hob, machine| {
        succeeded(&hob.there(machine, &["list"])).split_whitespace().nth(5).map(str::to_owned)
    };
    assert_eq!(id(&b, &here), id(&a, &there));

    let stranger = failed(&b.there(&here, &["pull", "smollm2", "--from", "berta"]));
    assert!(stranger.contains("paired with no box called berta"), "{stranger}");
    let nothing = failed(&b.there(&here, &["pull", "nothing", "--from", "anna"]));
    assert!(nothing.contains("anna: it does not have nothing:latest"), "{nothing}");
}

#[test]
fn a_registry_out_of_reach_is_said_with_who_has_the_model() {
    let mut street = Street::new();
    let (there, here) = (street.machine(), street.machine());
    let a = giver(&there);
    let b = taker(&here, &[&known("anna", &a, &there)], &[]);

    let hint = failed(&b.there(&here, &["pull", "smollm2"]));

    assert!(hint.contains("the registry cannot be reached"), "{hint}");
    assert!(hint.contains("anna has smollm2:latest: `hob pull smollm2:latest --from anna`"), "{hint}");
    assert!(blobs(&b).is_empty());
}

#[test]
fn a_box_that_dies_in_the_middle_is_taken_over_from_by_another() {
    let mut street = Street::new();
    let machines = [street.machine(), street.machine(), street.machine()];
    let [first, second, here] = &machines;
    let (a, c) = (giver(first), giver(second));
    first.limit("200mbit");
    second.limit("200mbit");
    let b = taker(here, &[&known("anna", &a, first), &known("carla", &c, second)], &[]);
    let pull = Pull::begin(&b, here, &json!({"model": "smollm2", "from": "anna"}));

    pull.in_the_middle();
    drop(a);
    let said = pull.end();

    assert_succeeded(&said);
    assert_eq!(sources(&said), ["anna", "carla"]);
    assert_same(&b, here, &c);
}

#[test]
fn a_cable_that_is_pulled_out_and_put_in_again_costs_only_time() {
    let mut street = Street::new();
    let (there, here) = (street.machine(), street.machine());
    let a = giver(&there);
    there.limit("200mbit");
    let b = taker(&here, &[&known("anna", &a, &there)], &[]);
    let pull = Pull::begin(&b, &here, &json!({"model": "smollm2", "from": "anna"}));

    pull.in_the_middle();
    here.unplug();
    // Until the box has noticed, and looks for another.
    b.await_log("a paired box failed in a pull", 1);
    here.plug();
    let said = pull.end();

    assert_succeeded(&said);
    assert_same(&b, &here, &a);
}

#[test]
fn what_a_registry_names_comes_from_the_box_beside() {
    let mut street = Street::new();
    let [there, here, outside] = [(); 3].map(|()| street.machine());
    let a = giver(&there);
    let (registry, name) = registry(&outside, &a, "honest");
    let b = taker(&here, &[&known("anna", &a, &there)], &[trusting(&name)]);

    let said = Pull::begin(&b, &here, &json!({"model": name, "insecure": true})).end();

    assert_succeeded(&said);
    assert_eq!(sources(&said), ["anna"]);
    assert_eq!(registry.parts_asked(), 0, "{}", registry.requests());
    assert_whole(&b, &here);
}

/// A pull by a registry that is as it should be, beside a box that is not.
struct Survived {
    said: Vec<Value>,
    taker: Hob,
    other: False,
    registry: False,
    _giver: Hob,
    _street: Street,
}

fn pull_beside(manner: &str) -> Survived {
    let mut street = Street::new();
    let [there, here, outside, elsewhere] = [(); 4].map(|()| street.machine());
    let giver = giver(&elsewhere);
    let (registry, name) = registry(&outside, &giver, "honest");
    let (other, peer) = False::a_box("falsa", &there, &store(&giver), manner);
    let taker = taker(&here, &[&peer], &[trusting(&name)]);

    let said = Pull::begin(&taker, &here, &json!({"model": name, "insecure": true})).end();

    assert_succeeded(&said);
    assert_whole(&taker, &here);
    Survived { said, taker, other, registry, _giver: giver, _street: street }
}

#[test]
fn wrong_bytes_of_a_box_are_fetched_again_from_the_registry_and_the_box_is_named() {
    let survived = pull_beside("wrong");

    assert_eq!(sources(&survived.said), ["falsa"]);
    assert!(survived.registry.parts_asked() > 0);
    let log = survived.taker.log();
    assert!(
        log.contains("sent other bytes than those that were asked for") && log.contains("falsa"),
        "{log}"
    );
    // Each part once.
    assert_eq!(
        survived.other.parts_asked(),
        parts(survived.other.requests()),
        "{}",
        survived.other.requests()
    );
}

/// Different parts that were asked for.
fn parts(requests: String) -> usize {
    requests.lines().filter(|line| line.contains("bytes=")).collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn an_honest_box_is_not_blamed_for_the_lies_of_another() {
    let mut street = Street::new();
    let [first, second, here] = [(); 3].map(|()| street.machine());
    let honest = giver(&first);
    let (_other, false_one) = False::a_box("falsa", &second, &store(&honest), "wrong");
    let b = taker(&here, &[&known("anna", &honest, &first), &false_one], &[]);

    let said = Pull::begin(&b, &here, &json!({"model": "smollm2", "from": "anna"})).end();

    assert_succeeded(&said);
    assert_same(&b, &here, &honest);
    let log = b.log();
    let blamed: Vec<&str> = log.lines().filter(|line| line.contains("sent other bytes")).collect();
    assert!(!blamed.is_empty() && blamed.iter().all(|line| line.contains("falsa")), "{blamed:?}");
}

#[test]
fn a_box_that_stops_in_the_middle_or_stalls_is_taken_over_from() {
    for manner in ["stops", "stalls"] {
        let survived = pull_beside(manner);

        assert_eq!(sources(&survived.said), ["falsa"], "{manner}");
        assert!(survived.registry.parts_asked() > 0, "{manner}");
        assert!(survived.taker.log().contains("a paired box failed in a pull"), "{manner}");
    }
}

#[test]
fn a_box_that_sends_another_length_is_not_asked_again() {
    for manner in ["long", "other"] {
        let survived = pull_beside(manner);

        assert!(survived.registry.parts_asked() > 0, "{manner}");
        assert_eq!(survived.other.parts_asked(), parts(survived.other.requests()), "{manner}");
    }
}

#[test]
fn a_box_that_takes_its_time_to_answer_holds_nobody_up() {
    let mut street = Street::new();
    let [there, here, outside, elsewhere] = [(); 4].map(|()| street.machine());
    let giver = giver(&elsewhere);
    let (_registry, name) = registry(&outside, &giver, "honest");
    let (other, peer) = False::a_box("falsa", &there, &store(&giver), "slow");
    let taker = taker(&here, &[&peer], &[trusting(&name)]);
    let pull = Pull::begin(&taker, &here, &json!({"model": name, "insecure": true}));

    pull.begun();

    let asked = other.requests();
    assert!(asked.contains("HEAD") && !asked.contains("given up"), "{asked}");
    assert_succeeded(&pull.end());
    assert_whole(&taker, &here);
    assert_eq!(other.parts_asked(), 0);
}

#[test]
fn a_box_that_rests_is_waited_for_when_another_is_out_for_good() {
    let mut street = Street::new();
    let [first, second, here, elsewhere] = [(); 4].map(|()| street.machine());
    let giver = giver(&elsewhere);
    let (shut, anna) = False::a_box("anna", &first, &store(&giver), "shut");
    let (stumbling, carla) = False::a_box("carla", &second, &store(&giver), "stumbles");
    let taker = taker(&here, &[&anna, &carla], &[]);

    let said = Pull::begin(&taker, &here, &json!({"model": "smollm2", "from": "anna"})).end();

    assert_succeeded(&said);
    assert_same(&taker, &here, &giver);
    assert!(shut.parts_asked() > 0 && stumbling.parts_asked() > 0);
}

#[test]
fn a_box_that_says_it_is_another_hears_nothing_and_gives_nothing() {
    let mut street = Street::new();
    let [there, here, outside, elsewhere] = [(); 4].map(|()| street.machine());
    let giver = giver(&elsewhere);
    let (_registry, name) = registry(&outside, &giver, "honest");
    let (other, _) = False::a_box("falsa", &there, &store(&giver), "honest");
    // Paired with the one, at whose address the other is by now.
    let mut of_giver: Value = serde_json::from_str(&known("anna", &giver, &elsewhere).text).unwrap();
    of_giver["address"] = json!(format!("{}:11443", there.address));
    let anna = Known { name: "anna", text: of_giver.to_string() };
    // Or it says where it really is.
    elsewhere.unplug();
    let taker = taker(&here, &[&anna], &[trusting(&name)]);

    let said = Pull::begin(&taker, &here, &json!({"model": name, "insecure": true})).end();

    assert_succeeded(&said);
    assert_whole(&taker, &here);
    assert_eq!(sources(&said), Vec::<&str>::new());
    assert_eq!(other.requests(), "", "not even our key");
    let refused = failed(&taker.there(&here, &["pull", "smollm2", "--from", "anna"]));
    assert!(refused.contains("certificate"), "{refused}");
}

#[test]
fn a_manifest_that_is_not_what_it_is_called_is_not_taken() {
    let mut street = Street::new();
    let [there, here, elsewhere] = [(); 3].map(|()| street.machine());
    let giver = giver(&elsewhere);
    let (_other, peer) = False::a_box("falsa", &there, &store(&giver), "forged");
    let taker = taker(&here, &[&peer], &[]);

    let refused = failed(&taker.there(&here, &["pull", "smollm2", "--from", "falsa"]));

    assert!(refused.contains("falsa: ") && refused.contains("manifest digest"), "{refused}");
    assert!(blobs(&taker).is_empty());
}
