//! One model on two boxes: what does not fit into one has its last layers on another, which lends itself only to whom its owner
//! lets.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use behaviour::pairs::{Boxes, House};
use behaviour::{Hob, model_file};
use serde_json::{Value, json};

const SPLIT: (&str, &str) = ("HOB_LAN__SPLIT", "experimental");
/// Too little for the model with the context that is asked for, and enough for most of it.
const LITTLE: (&str, &str) = ("HOB_MEMORY__LIMIT", "170MiB");

const PATIENCE: Duration = Duration::from_secs(120);

/// The first lends itself to the second, where the model does not fit. Both have it.
fn lender_and_borrower() -> Boxes {
    let boxes = Boxes::each(&[&[SPLIT], &[SPLIT, LITTLE]]);
    boxes.pair(1, 0, &["split"]);
    for number in 0..2 {
        boxes[number].create("smollm2", &model_file());
    }
    boxes
}

/// `curl` on a box's machine.
fn curl(house: &House, args: &[&str]) -> Command {
    let mut command = house.machine.command("curl");
    command.args(["--silent", "--show-error", "--no-buffer", "--max-time", "120"]).args(args);
    command.stdin(Stdio::null());
    command
}

fn question(temperature: f64, tokens: u32, stream: bool) -> String {
    json!({
        "model": "smollm2", "prompt": "Why is the sky blue?", "stream": stream,
        "options": {"temperature": temperature, "num_predict": tokens, "num_ctx": 2048},
    })
    .to_string()
}

/// What a box answers to its own user.
fn ask(house: &House, tokens: u32) -> Value {
    let url = format!("{}/api/generate", house.hob.url);
    let asked = curl(house, &["--data", &question(0.0, tokens, false), &url]).output().unwrap();
    serde_json::from_slice(&asked.stdout).unwrap_or_else(|_| panic!("{asked:?}"))
}

/// An answer whose lines are read one by one, and that could be another each time.
fn stream(house: &House, tokens: u32) -> (Child, BufReader<ChildStdout>) {
    let url = format!("{}/api/generate", house.hob.url);
    let mut asking = curl(house, &["--data", &question(1.0, tokens, true), &url]);
    let mut child = asking.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

/// What goes over a machine's link, written to a file.
struct Capture(Child);

impl Capture {
    fn begin(house: &House, file: &Path) -> Self {
        let mut dumpcap = house.machine.command("dumpcap");
        dumpcap.args(["-q", "-i", "lan0", "-B", "64", "-w", file.to_str().unwrap()]);
        let mut child = dumpcap.stderr(Stdio::piped()).spawn().expect("run scripts/setup tests");
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
        let begun = told.any(|line| line.unwrap().starts_with("File:"));
        assert!(begun, "dumpcap did not begin");
        // It says more when it ends.
        std::thread::spawn(move || told.for_each(drop));
        Self(child)
    }

    fn end(mut self) {
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.0.id().cast_signed()),
            nix::sys::signal::Signal::SIGINT,
        )
        .unwrap();
        self.0.wait().unwrap();
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[test]
fn a_model_on_two_boxes_says_what_it_says_on_one_and_nobody_between_them_sees_it() {
    let boxes = lender_and_borrower();
    let (lender, borrower) = (&boxes[0], &boxes[1]);
    let alone = ask(lender, 40);
    lender.say(&["stop", "smollm2"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wire.pcapng");
    let capture = Capture::begin(borrower, &file);

    let together = ask(borrower, 40);

    capture.end();
    assert!(alone["response"].as_str().is_some_and(|said| said.len() > 40), "{alone}");
    assert_eq!(together["response"], alone["response"], "{together}");
    let log = borrower.hob.log();
    assert!(log.contains("a part is lent"), "{log}");
    let (there, here) = (lender.say(&["ps"]), borrower.say(&["ps"]));
    assert!(there.contains(&format!("lent to {}", borrower.label())), "{there}");
    assert!(here.contains(&format!("layers on {}", lender.label())), "{here}");
    assert_eq!((lender.hob.workers().len(), borrower.hob.workers().len()), (1, 1));
    let (wire, model) = (std::fs::read(&file).unwrap(), std::fs::read(model_file()).unwrap());
    assert!(wire.len() > 10 << 20, "{} bytes: the weights went over the wire", wire.len());
    // Of the last blocks, which are there; and any name of a tensor, which ggml's RPC sends along.
    for end in 1..6 {
        let at = model.len() - end * (1 << 20);
        assert!(!contains(&wire, &model[at..at + 24]), "weights in clear");
    }
    assert!(!contains(&wire, b"blk.29") && !contains(&wire, b"attn_q"), "tensors' names in clear");
}

/// Status and body of a request for this box's, by curl on its machine, on its network.
fn wants(house: &House, key: Option<&str>, headers: &[&str]) -> (String, String) {
    let url = format!("https://{}:11443/peer/split", house.address());
    let mut curl =
        curl(house, &["--insecure", "--http1.1", "--request", "POST", "--write-out", "\n%{http_code}"]);
    // Whoever is let in hears nothing more.
    curl.args(["--max-time", "15"]);
    for header in headers {
        curl.args(["--header", header]);
    }
    if let Some(key) = key {
        curl.args(["--header", &format!("authorization: Bearer {key}")]);
    }
    let asked = curl.arg(&url).output().unwrap();
    let said = String::from_utf8(asked.stdout).unwrap();
    let (body, status) = said.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

/// What a box has to show at another that it is paired with.
fn key_of_box(house: &House, at: &House) -> String {
    let file = house.hob.home.path().join(format!(".local/share/hob/peers/{}.json", at.label()));
    let kept: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    kept["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_box_lends_itself_to_nobody_by_itself() {
    let boxes = Boxes::each(&[&[SPLIT, ("HOB_MEMORY__LIMIT", "1GiB")], &[]]);
    let (lends, does_not) = (&boxes[0], &boxes[1]);
    let key = |house: &House, scope: &str| {
        house.say(&["key", "create", &format!("for {scope}"), "--scope", scope]).trim_end().to_owned()
    };
    assert!(does_not.redeem(lends, &lends.invite(&["infer", "split"])).status.success());
    let split = key_of_box(does_not, lends);
    let engine = |house: &House, key: &str| {
        let url = format!("https://{}:11443/peer/split", house.address());
        let bearer = format!("authorization: Bearer {key}");
        let asked = curl(house, &["--insecure", "--header", &bearer, &url]).output().unwrap();
        serde_json::from_slice::<Value>(&asked.stdout).unwrap()
    };
    let ours = format!("hob-engine: {}", engine(lends, &split)["engine"].as_str().unwrap());
    let upgrade = ["connection: upgrade", "upgrade: hob-split"];
    let asked = |house, key: Option<&str>, engine: &str, bytes: &str| {
        wants(house, key, &[upgrade[0], upgrade[1], engine, &format!("hob-bytes: {bytes}")])
    };

    let (status, said) = asked(lends, Some(&key(lends, "infer")), &ours, "1000");
    assert!(status == "403" && said.contains("scope split"), "{status} {said}");
    assert_eq!(asked(lends, None, &ours, "1000").0, "401");
    let (status, said) = asked(does_not, Some(&key(does_not, "split")), &ours, "1000");
    assert!(status == "403" && said.contains("lan.split = experimental"), "{status} {said}");
    let (status, said) = asked(lends, Some(&key(lends, "split")), &ours, "1000");
    assert!(status == "403" && said.contains("paired with this one"), "{status} {said}");
    let (status, said) = asked(lends, Some(&split), "hob-engine: another, of last year", "1000");
    assert!(status == "409" && said.contains("another, of last year"), "{status} {said}");
    assert!(said.contains(ours.split_once(": ").unwrap().1), "{said}");
    let (status, said) = asked(lends, Some(&split), &ours, &(2_u64 << 30).to_string());
    assert!(status == "507" && said.contains("to lend"), "{status} {said}");
    let (status, _) = wants(lends, Some(&split), &[&ours, "hob-bytes: 1000"]);
    assert_eq!(status, "426");
    assert!(lends.hob.workers().is_empty() && does_not.hob.workers().is_empty());
}

#[test]
fn an_answer_whose_lender_is_gone_says_so_and_the_next_one_finds_another_way() {
    let boxes = lender_and_borrower();
    let (lender, borrower) = (&boxes[0], &boxes[1]);
    let (mut asking, mut lines) = stream(borrower, 2000);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.contains("\"response\""), "{line}");

    kill(&lender.hob);

    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    asking.wait().unwrap();
    let last = rest.lines().last().unwrap();
    assert!(last.contains("error") && last.contains(&lender.label()), "{last}");
    assert!(last.contains("lent itself"), "{last}");
    assert!(ask(borrower, 8)["response"].is_string(), "it is lent again");
    assert!(!borrower.hob.log().contains("the worker crashed"), "{}", borrower.hob.log());
}

/// The one worker of a box.
fn kill(hob: &Hob) {
    let workers = hob.workers();
    assert_eq!(workers.len(), 1, "{}", hob.log());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(workers[0]), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
}

#[test]
fn what_is_lent_goes_back_when_the_key_is_revoked_or_the_borrower_is_gone() {
    let boxes = lender_and_borrower();
    let (lender, borrower) = (&boxes[0], &boxes[1]);
    assert!(ask(borrower, 4)["response"].is_string());
    assert_eq!(lender.hob.workers().len(), 1);

    borrower.say(&["stop", "smollm2"]);
    lender.hob.await_log("this box is not lent any more", 1);
    assert!(lender.hob.workers().is_empty());

    assert!(ask(borrower, 4)["response"].is_string());
    let keys: Value = serde_json::from_str(&lender.say(&["key", "list", "--json"])).unwrap();
    let of_box = |key: &&Value| key["name"].as_str().is_some_and(|name| name.starts_with("box "));
    let key = keys.as_array().unwrap().iter().find(of_box).unwrap();
    lender.say(&["key", "revoke", key["id"].as_str().unwrap()]);

    lender.hob.await_log("this box is not lent any more", 2);
    assert!(lender.hob.workers().is_empty());
    let until = Instant::now() + PATIENCE;
    // Each look is a command of its own, so nothing spins.
    while borrower.say(&["ps"]).contains("smollm2") {
        assert!(Instant::now() < until, "{}", borrower.hob.log());
    }
    let refused = ask(borrower, 4);
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("memory")), "{refused}");
    let log = borrower.hob.log();
    assert!(log.contains("is not asked for a part of a model"), "{log}");
}
