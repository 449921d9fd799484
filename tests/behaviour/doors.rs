//! Each way into the box, and what it is not: the loopback, the network, sockets of systemd's, and a port that somebody has.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use behaviour::lan::Lan;
use behaviour::{Hob, executable};
use serde_json::json;
use tempfile::TempDir;

/// The whole answer to a request of HTTP/1.1 at the loopback, with these header lines.
fn answer(hob: &Hob, request: &str, headers: &str) -> String {
    let host = hob.url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    write!(socket, "{request} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn what_a_proxy_passes_on_is_not_of_this_machine() {
    let hob = Hob::start_empty(&[]);
    let status = |headers: &str| answer(&hob, "GET /api/tags", headers).split(' ').nth(1).unwrap().to_owned();

    assert_eq!(status(""), "200");
    for header in [
        "Forwarded: for=192.0.2.1\r\n",
        "X-Forwarded-For: 192.0.2.1\r\n",
        "X-Forwarded-Host: box\r\n",
        "X-Real-IP: 192.0.2.1\r\n",
        "Via: 1.1 proxy\r\n",
    ] {
        assert_eq!(status(header), "401", "{header}");
    }
}

#[test]
fn the_loopback_wants_a_key_where_the_owner_wants_that() {
    let hob = Hob::start_empty(&[("HOB_LOOPBACK__REQUIRE_KEY", "true")]);

    assert_eq!(hob.get("/api/tags").status, 401);
    let made = hob.cli(&["key", "create", "local"]);
    let key = String::from_utf8(made.stdout).unwrap();

    let bearer = format!("Authorization: Bearer {}\r\n", key.trim());
    assert!(answer(&hob, "GET /api/tags", &bearer).starts_with("HTTP/1.1 200"), "{}", hob.log());
}

#[test]
fn the_loopback_administers_nothing() {
    let hob = Hob::start_empty(&[]);

    for path in ["/admin/api/keys", "/admin/api/sessions", "/admin/api/audit", "/admin/api/status"] {
        assert_eq!(hob.get(path).status, 401, "{path}");
    }
    let key = json!({"name": "mine", "scopes": ["admin"]});
    assert_eq!(hob.post("/admin/api/keys", &key).status, 401);
    assert!(hob.cli(&["key", "create", "mine"]).status.success(), "who may open the socket may");
}

#[test]
fn a_port_that_somebody_has_keeps_nobody_from_the_network() {
    let lan = Lan::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let network = format!("{}:0", lan.address);
    let home = TempDir::new().unwrap();

    let mut serving = behaviour::command(home.path());
    serving.arg("serve").env("HOB_LISTEN", &address).env("HOB_LAN", &network).stderr(Stdio::piped());
    let mut daemon = serving.spawn().unwrap();
    let mut said = String::new();
    let mut log = std::io::BufReader::new(daemon.stderr.take().unwrap());
    while !said.contains("listening on https://") {
        assert_ne!(std::io::BufRead::read_line(&mut log, &mut said).unwrap(), 0, "{said}");
    }

    assert!(said.contains(&address) && said.contains(&format!("(process {})", std::process::id())), "{said}");
    let url = said.lines().find_map(|line| line.split_once("listening on ")).unwrap().1.to_owned();
    let ready = lan.command("curl").args(["-sk", &format!("{url}/readyz")]).output().unwrap();
    assert!(String::from_utf8_lossy(&ready.stdout).contains("degraded"), "{ready:?}");
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

/// What systemd does: it opens the socket, and starts the program with it as its descriptor 3.
pub(super) const ACTIVATE: &str = "
import os, socket, sys
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen()
if listener.fileno() != 3:
    os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='loopback')
os.execv(sys.argv[1], sys.argv[1:])
";

#[test]
#[expect(clippy::disallowed_methods, reason = "somebody must be systemd")]
fn sockets_of_systemds_are_served() {
    let home = TempDir::new().unwrap();
    let mut command = Command::new("python3");
    command
        .args(["-c", ACTIVATE])
        .arg(executable())
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", "/usr/bin:/bin");

    // Nothing else is bound by a daemon that was handed the loopback: nobody has this address.
    let hob = Hob::start_as(command, home, &[("HOB_LISTEN", "127.9.9.9:1")]);

    assert!(hob.url.starts_with("http://127.0.0.1:"), "{}", hob.url);
    hob.assert_alive();
}

#[test]
fn programs_without_tls_are_let_in_where_the_owner_says_so_with_a_key() {
    let lan = Lan::new();
    let port = behaviour::free_port();
    let listen = format!("{}:{port}", lan.address);
    let asked = |lan: &Lan, path: &str, key: &str| {
        let url = format!("http://{listen}{path}");
        let header = format!("Authorization: Bearer {key}");
        let output = lan
            .command("curl")
            .args(["-s", "-w", "%{http_code}", "-o", "/dev/null", "-H", &header, &url])
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let client = lan.client.to_string();

    let hob = Hob::start_on(&lan, &[("HOB_PLAINTEXT__LISTEN", &listen), ("HOB_PLAINTEXT__ALLOW", &client)]);
    let claimed = hob.cli_saying(&["claim", "--password-file", "-"], "a longer word than most");
    assert!(claimed.status.success(), "{claimed:?}");
    let key = String::from_utf8(hob.cli(&["key", "create", "old"]).stdout).unwrap().trim().to_owned();
    let admin = hob.cli(&["key", "create", "admin", "--scope", "admin,models.read"]);
    let admin = String::from_utf8(admin.stdout).unwrap().trim().to_owned();

    assert_eq!(asked(&lan, "/api/tags", ""), "401");
    assert_eq!(asked(&lan, "/api/tags", &key), "200");
    assert_eq!(asked(&lan, "/api/tags", &admin), "200");
    assert_eq!(asked(&lan, "/admin/api/keys", &admin), "403");
    let hob = hob.restarted_with(&[("HOB_PLAINTEXT__ALLOW", "192.168.77.0/24")]);
    assert_eq!(asked(&lan, "/api/tags", &key), "000", "whoever is elsewhere gets no answer");
    let hob = hob.restarted_with(&[("HOB_PLAINTEXT__ALLOW", &client)]);
    assert_eq!(asked(&lan, "/api/tags", &key), "200", "{}", hob.log());
}

/// Times by the wall's clock, as a board has them that has no battery and no network yet.
#[test]
fn a_box_whose_clock_was_never_set_is_reached_by_tls_all_the_same() {
    let faketime = Path::new("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1");
    let faketime = if faketime.exists() {
        faketime
    } else {
        Path::new("/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1")
    };
    assert!(faketime.exists(), "libfaketime is missing: run scripts/setup tests");
    let lan = Lan::new();

    let hob = Hob::start_on(
        &lan,
        &[
            ("LD_PRELOAD", faketime.to_str().unwrap()),
            ("FAKETIME", "@1970-01-02 00:00:00"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ],
    );

    let root = hob.home.path().join("root.pem");
    std::fs::write(&root, hob.cli(&["trust", "export"]).stdout).unwrap();
    let url = format!("{}/healthz", hob.lan_url.as_deref().unwrap());
    let asked = lan.command("curl").args(["-sS", "--cacert", root.to_str().unwrap(), &url]).output().unwrap();
    assert!(asked.status.success(), "whose clock is right trusts it: {asked:?}");
}
