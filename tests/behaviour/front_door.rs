//! The box on a network, from another machine of it: shut before it is claimed, then open to whom has a key, and to nobody else.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};

use behaviour::browser::Browser;
use behaviour::lan::Lan;
use behaviour::{Hob, cache, executable, model_file};
use serde_json::{Value, json};
use tempfile::TempDir;

const PASSWORD: &str = "a longer word than most";

/// A box on a network, and somebody's machine there, which has a home.
struct House {
    lan: Lan,
    hob: Hob,
    home: TempDir,
}

impl House {
    fn unclaimed() -> Self {
        Self::with(&[])
    }

    fn with(environment: &[(&str, &str)]) -> Self {
        let lan = Lan::new();
        let hob = Hob::start_on(&lan, environment);
        Self { lan, hob, home: TempDir::new().unwrap() }
    }

    /// Claimed by that machine, which was told the box's ID and its code by whoever stood before it.
    fn claimed() -> Self {
        let house = Self::unclaimed();
        let status = house.status();
        let (id, code) = (status["device"]["id"].as_str().unwrap(), status["setup_code"].as_str().unwrap());
        assert!(house.there(&["pair", house.url(), "--id", id, "--name", "box"]).status.success());
        let claimed = house.there_saying(&["--host", "box", "claim", code, "--password-file", "-"], PASSWORD);
        assert!(claimed.status.success(), "{claimed:?}");
        house
    }

    /// Where the network reaches it.
    fn url(&self) -> &str {
        self.hob.lan_url.as_deref().unwrap()
    }

    /// What the box says to those who stand before it.
    fn status(&self) -> Value {
        let status = self.hob.cli(&["status", "--json"]);
        assert!(status.status.success(), "{status:?}");
        serde_json::from_slice(&status.stdout).unwrap()
    }

    /// `hob ARGS...` on the other machine.
    fn there(&self, args: &[&str]) -> Output {
        self.there_saying(args, "")
    }

    /// The same, with something on standard input.
    fn there_saying(&self, args: &[&str], input: &str) -> Output {
        let file = self.home.path().join("input");
        std::fs::write(&file, input).unwrap();
        let mut command = self.lan.command(executable().to_str().unwrap());
        command.env_clear().env("HOME", self.home.path()).env("PATH", "/usr/sbin:/usr/bin:/bin").args(args);
        command.stdin(std::fs::File::open(file).unwrap()).output().unwrap()
    }

    /// A key that the other machine makes.
    fn key(&self, args: &[&str]) -> String {
        let made = self.there(&[&["--host", "box", "key", "create"], args].concat());
        assert!(made.status.success(), "{made:?}");
        let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        assert!(key.starts_with("hob_") && !key.contains(char::is_whitespace), "{key}");
        key
    }

    /// The root that a person copies from the box.
    fn root(&self) -> String {
        let file = self.home.path().join("root.pem");
        let exported = self.hob.cli(&["trust", "export"]);
        assert!(exported.status.success(), "{exported:?}");
        std::fs::write(&file, exported.stdout).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// Status and body of what curl is answered there, with the root.
    fn curl(&self, path: &str, args: &[&str]) -> (u16, String) {
        let root = self.root();
        let url = format!("{}{path}", self.url());
        let mut command = self.lan.command("curl");
        command.args(["-sS", "--max-time", "60", "-w", "\n%{http_code}", "--cacert", &root, &url]).args(args);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    /// A script of Python on that machine.
    fn python(&self, script: &str, args: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script);
        let mut command = self.lan.command(cache().join("venv/bin/python").to_str().unwrap());
        let output = command.arg(script).args(args).output().unwrap();
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn an_unclaimed_box_tells_the_network_nothing_and_does_nothing_for_it() {
    let house = House::unclaimed();

    for path in
        ["/api/tags", "/v1/models", "/api/ps", "/admin/api/status", "/admin/api/keys", "/openapi.json"]
    {
        let (status, body) = house.curl(path, &[]);
        assert!([401, 403].contains(&status), "{path}: {status} {body}");
        assert!(!body.contains("smollm2"), "{path}: {body}");
    }
    let asked = ["-d", r#"{"model":"smollm2","prompt":"hello"}"#];
    let (status, body) = house.curl("/api/generate", &asked);
    assert!([401, 403].contains(&status) && body.contains("claim"), "{status} {body}");
    assert_eq!(house.curl("/healthz", &[]).0, 200);
    let (status, page) = house.curl("/trust", &[]);
    assert!(status == 200 && page.contains(house.status()["device"]["id"].as_str().unwrap()), "{page}");
    let code = house.status()["setup_code"].as_str().unwrap().to_owned();
    for path in ["/trust", "/healthz", "/readyz", "/"] {
        assert!(!house.curl(path, &[]).1.contains(&code), "{path} tells the code");
    }
}

#[test]
fn a_box_is_claimed_from_another_machine_and_serves_it_until_its_key_is_revoked() {
    let house = House::claimed();
    assert!(house.hob.create("smollm2", &model_file()).status.success());
    assert!(house.status()["setup_code"].is_null());

    let key = house.key(&["laptop"]);
    let bearer = format!("Authorization: Bearer {key}");
    let asked = [
        "-H",
        &bearer,
        "-d",
        r#"{"model":"smollm2","prompt":"Why?","stream":false,"options":{"num_predict":4}}"#,
    ];
    let (status, body) = house.curl("/api/generate", &asked);
    assert_eq!(status, 200, "{body}");
    house.python("over_tls.py", &[house.url(), &house.root(), &key]);
    let models = house.there(&["--host", "box", "list"]);
    assert!(String::from_utf8_lossy(&models.stdout).contains("smollm2"), "{models:?}");

    assert!(house.there(&["--host", "box", "key", "revoke", "laptop"]).status.success());
    let (status, body) = house.curl("/api/generate", &asked);
    assert!(status == 401 && body.contains("hob key create"), "{status} {body}");
    let audit = house.hob.cli(&["audit", "show"]);
    let said = String::from_utf8_lossy(&audit.stdout);
    for word in ["claim", "key", "laptop", "revoke"] {
        assert!(said.contains(word), "{word}: {audit:?}");
    }
    assert!(!said.contains(&key) && !said.contains(PASSWORD));
    assert!(house.hob.cli(&["audit", "verify"]).status.success());
}

#[test]
fn what_the_page_shows_to_be_copied_does_what_it_says() {
    let house = House::claimed();
    assert!(house.hob.create("smollm2", &model_file()).status.success());
    let short = json!({"model": "short", "from": "smollm2", "parameters": {"num_predict": 8}});
    assert_eq!(house.hob.post("/api/create", &short).status, 200);
    let key = house.key(&["laptop"]);
    let packages = cache().join("node");

    house.python("examples.py", &[house.url(), &house.root(), &key, "short", packages.to_str().unwrap()]);
}

/// A server may answer before it has read what is sent, and curl then shows a broken stream every third time.
#[test]
fn who_is_refused_is_told_so_though_nobody_read_what_they_sent() {
    let house = House::unclaimed();
    let root = house.root();
    let url = format!("{}/api/generate", house.url());
    for turn in 0..30 {
        let mut curl = house.lan.command("curl");
        curl.args([
            "-sS",
            "--http2",
            "--cacert",
            &root,
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            &url,
            "-d",
            "{}",
        ]);
        let output = curl.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "401", "{turn}: {output:?}");
    }
}

#[test]
fn a_stream_ends_when_its_key_is_revoked() {
    let house = House::claimed();
    assert!(house.hob.create("smollm2", &model_file()).status.success());
    let key = house.key(&["phone"]);
    let mut command = house.lan.command("curl");
    let url = format!("{}/v1/chat/completions", house.url());
    let body = r#"{"model":"smollm2","stream":true,"max_tokens":100000,"logit_bias":{"2":-100},"messages":[{"role":"user","content":"Tell a story."}]}"#;
    command.args([
        "-sN",
        "--cacert",
        &house.root(),
        &url,
        "-H",
        &format!("Authorization: Bearer {key}"),
        "-d",
        body,
    ]);
    let mut curl = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(curl.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("data: "));

    assert!(house.hob.cli(&["key", "revoke", "phone"]).status.success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();

    curl.wait().unwrap();
    assert!(
        rest.iter().any(|line| line.contains("\"error\"") && line.contains("revoked")),
        "{:?}",
        rest.last()
    );
}

#[test]
fn a_changed_box_is_told_from_the_one_that_was_paired() {
    let house = House::claimed();
    let tls = house.hob.home.path().join(".local/share/hob/tls");
    assert!(tls.is_dir());
    std::fs::remove_dir_all(&tls).unwrap();
    let port = house.url().rsplit(':').next().unwrap().to_owned();
    let House { lan, hob, home } = house;
    let before =
        serde_json::from_slice::<Value>(&hob.cli(&["status", "--json"]).stdout).unwrap()["device"]["id"]
            .clone();
    let hob = hob.restarted_with(&[("HOB_LAN", &format!("{}:{port}", lan.address))]);
    let house = House { lan, hob, home };
    let after = house.status()["device"]["id"].clone();
    assert_ne!(before, after);

    let refused = house.there(&["--host", "box", "list"]);

    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{refused:?}");
    assert!(said.contains(before.as_str().unwrap()) && said.contains(after.as_str().unwrap()), "{said}");
}

#[test]
fn the_commands_of_the_readme_for_the_network_work_in_their_order() {
    let house = House::unclaimed();
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let section = readme.split("## On the network").nth(1).unwrap().split("```").nth(1).unwrap();
    // Any that is made with OpenAI's package.
    std::fs::write(house.home.path().join("program.py"), "import openai; openai.OpenAI().models.list()")
        .unwrap();
    let python = cache().join("venv/bin").display().to_string();
    let password = house.home.path().join("password");
    std::fs::write(&password, PASSWORD).unwrap();
    let (device, address) = (&house.status()["device"], house.url().strip_prefix("https://").unwrap());
    let here = |line: &str| {
        line.replace("192.168.1.5:11443", address)
            .replace("pair 192.168.1.5", &format!("pair {address}"))
            .replace("5DU4-VW67-OOZP-K3", device["short"].as_str().unwrap())
            .replace("hob-5du4", device["label"].as_str().unwrap())
            // The one thing that is asked at a terminal.
            .replace(
                "K7RM-4XWP",
                &format!(
                    "{} --password-file {}",
                    house.status()["setup_code"].as_str().unwrap(),
                    password.display()
                ),
            )
    };
    let laptop: Vec<String> =
        section.lines().filter_map(|line| line.strip_prefix("laptop$ ")).map(here).collect();
    assert!(laptop.len() > 5, "{section}");
    let folder = executable().parent().unwrap().display().to_string();
    let script = laptop.join("\n").replace("curl ", "curl -sS --fail-with-body ");

    let mut shell = house.lan.command("bash");
    shell.args(["-ec", &script]).current_dir(house.home.path()).env("HOME", house.home.path());
    let output = shell.env("PATH", format!("{folder}:{python}:/usr/sbin:/usr/bin:/bin")).output().unwrap();

    assert!(output.status.success(), "{script}\n{output:?}");
    let audit = house.hob.cli(&["audit", "show"]);
    assert!(String::from_utf8_lossy(&audit.stdout).contains("phone"), "{audit:?}");
}

#[test]
fn a_scan_finds_nothing_weak() {
    let house = House::unclaimed();
    let (address, port) = house.url().strip_prefix("https://").unwrap().rsplit_once(':').unwrap();

    house.python("tls_scan.py", &["localhost", address, port, &house.root()]);
}

#[test]
fn a_browser_trusts_the_box_once_its_root_is_imported_and_a_foreign_page_gets_nowhere() {
    let house = House::claimed();
    let trusting = Browser::trusting(&std::fs::read(house.root()).unwrap());
    let strange = TempDir::new().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/browser_trust.mjs");
    let device = house.status()["device"]["id"].as_str().unwrap().to_owned();

    let mut node = house.lan.command("node");
    node.arg(script).arg(cache().join("node")).arg(house.url());
    node.args([trusting.home(), strange.path()]).args(["admin", PASSWORD, &device]);
    let output = node.output().unwrap();

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
