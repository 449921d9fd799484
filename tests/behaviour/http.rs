//! What every route has of the front door, seen from outside: protocols, names of requests, packed bodies, pages of other
//! origins, many connections. The door's limits are tested beside it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use behaviour::{Answer, Hob};
use serde_json::json;

/// Head and body of the answer to a request of these lines.
fn raw(hob: &Hob, request: &str, headers: &str, body: &[u8]) -> (u16, String, String) {
    let host = hob.url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(body).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

/// By curl, which speaks HTTP/2 with prior knowledge.
#[expect(clippy::disallowed_methods, reason = "tests start the real program")]
fn curl(hob: &Hob, path: &str, arguments: &[&str]) -> Answer {
    let url = format!("{}{path}", hob.url);
    let asked = Command::new("curl")
        .args(["--silent", "--show-error", "--no-buffer", "--write-out", "\n%{http_version} %{http_code}"])
        .args(arguments)
        .arg(url)
        .output()
        .unwrap();
    let text = String::from_utf8(asked.stdout).unwrap();
    let (body, tail) = text.rsplit_once('\n').unwrap_or_else(|| panic!("{:?}", asked.stderr));
    let (version, status) = tail.split_once(' ').unwrap();
    assert_eq!(version, "2", "{text}");
    Answer { status: status.parse().unwrap(), text: body.into() }
}

#[test]
fn a_stream_comes_over_http_2_as_over_http_1() {
    let hob = Hob::start();
    let body = json!({
        "model": "smollm2", "stream": true, "max_tokens": 5, "temperature": 0,
        "messages": [{"role": "user", "content": "Why is the sky blue?"}],
    });
    let content = |answer: &Answer| -> String {
        let events = answer.events();
        events
            .iter()
            .filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
            .collect()
    };

    let over_2 =
        curl(&hob, "/v1/chat/completions", &["--http2-prior-knowledge", "--data", &body.to_string()]);
    let over_1 = hob.post("/v1/chat/completions", &body);

    assert_eq!(over_2.status, 200, "{over_2:?}");
    assert!(!content(&over_2).is_empty());
    assert_eq!(content(&over_2), content(&over_1));
    // The Host that is checked is the one that HTTP/2 has.
    let foreign = ["--http2-prior-knowledge", "--header", "Host: evil.example"];
    assert_eq!(curl(&hob, "/api/tags", &foreign).status, 403);
}

#[test]
fn streams_ask_not_to_be_collected_and_name_their_request() {
    let hob = Hob::start();
    let body = json!({
        "model": "smollm2", "stream": true, "max_tokens": 1,
        "messages": [{"role": "user", "content": "Hi"}], "options": {"num_predict": 1},
    });
    for (path, kind) in [("/v1/chat/completions", "text/event-stream"), ("/api/chat", "application/x-ndjson")]
    {
        let mut body = body.clone();
        body.as_object_mut().unwrap().remove(if path == "/api/chat" { "max_tokens" } else { "options" });
        let (status, head, _) =
            raw(&hob, &format!("POST {path}"), "X-Request-Id: mine-7\r\n", body.to_string().as_bytes());
        assert_eq!(status, 200, "{head}");
        for line in [
            format!("content-type: {kind}"),
            "x-accel-buffering: no".into(),
            "x-request-id: mine-7".into(),
            "request-id: mine-7".into(),
        ] {
            assert!(head.lines().any(|found| found == line), "{line} is not in {head}");
        }
        assert!(!head.contains("content-encoding") && !head.contains("keep-alive"), "{head}");
    }
}

#[test]
fn a_stream_begins_before_its_answer_does_and_a_late_failure_is_told_in_it() {
    let hob = Hob::start_scripted();
    let body = |script: &str| {
        json!({
            "model": "smollm2", "stream": true, "messages": [{"role": "user", "content": script}],
        })
    };
    let begun = Instant::now();
    let mut slow = hob.stream("/v1/chat/completions", &body(r#"{"tokens": 2, "first_ms": 20000}"#));
    let headers = begun.elapsed();

    assert_eq!(slow.get_ref().status(), 200);
    assert!(headers >= Duration::from_secs(10), "{headers:?}");
    // A token of it takes twice that.
    assert!(headers < Duration::from_secs(20), "{headers:?}");
    let mut text = String::new();
    slow.read_to_string(&mut text).unwrap();
    assert!(text.contains(" word") && text.ends_with("data: [DONE]\n\n"), "{text}");

    let mut failing = hob.stream("/v1/chat/completions", &body(r#"{"tokens": 2, "first_ms": 60000}"#));
    assert_eq!(failing.get_ref().status(), 200);
    for worker in hob.workers() {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(worker), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
    }
    let mut text = String::new();
    failing.read_to_string(&mut text).unwrap();
    assert!(text.contains(r#""type":"api_error""#) && !text.contains("[DONE]"), "{text}");
}

#[test]
fn every_route_names_its_requests() {
    let hob = Hob::start_empty(&[]);
    for request in
        ["GET /", "GET /api/tags", "GET /v1/models", "GET /nowhere", "GET /v1/nowhere", "POST /api/chat"]
    {
        let (_, head, _) = raw(&hob, request, "", b"");
        let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
        assert!(id.starts_with("req_") && id.len() == 28, "{request}: {id}");
    }
}

#[test]
fn a_refusal_has_the_shape_of_the_api_that_was_asked() {
    let hob = Hob::start_empty(&[]);
    let foreign = "Origin: https://evil.example\r\n";
    let told = |path: &str| {
        let (status, _, body) = raw(&hob, &format!("POST {path}"), foreign, b"");
        assert_eq!(status, 403, "{body}");
        serde_json::from_str::<serde_json::Value>(&body).unwrap()
    };
    let anthropic = told("/v1/messages");
    assert_eq!(
        (&anthropic["type"], &anthropic["error"]["type"]),
        (&json!("error"), &json!("permission_error"))
    );
    assert!(anthropic["request_id"].as_str().unwrap().starts_with("req_"));
    assert_eq!(told("/v1/chat/completions")["error"]["type"], "permission_error");
    assert!(told("/api/chat")["error"].is_string());
}

/// A frame of zstd that holds a text as it is.
fn zstd(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap();
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend(length.to_le_bytes());
    frame.extend(&(length << 3 | 1).to_le_bytes()[..3]);
    frame.extend(text);
    frame
}

#[test]
fn a_packed_body_is_read_and_a_bomb_is_not() {
    let hob = Hob::start();
    let show = json!({"model": "smollm2"}).to_string();
    let (status, _, body) = raw(&hob, "POST /api/show", "Content-Encoding: zstd\r\n", &zstd(show.as_bytes()));
    assert_eq!(status, 200, "{body}");

    // Blocks of one byte that stands for 128 KiB of it.
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 7 << 3];
    for _ in 0..(1 << 30) / (128 << 10) {
        bomb.extend(&((128_u32 << 10) << 3 | 1 << 1).to_le_bytes()[..3]);
        bomb.push(b' ');
    }
    let before = resident_kb(&hob);
    let (status, _, body) = raw(&hob, "POST /v1/chat/completions", "Content-Encoding: zstd\r\n", &bomb);
    assert_eq!(status, 413, "{body}");
    assert!(body.contains("invalid_request_error"), "{body}");
    let grown = resident_kb(&hob).saturating_sub(before);
    assert!(grown < 200 << 10, "{grown} kB more");

    let (status, _, body) = raw(&hob, "POST /v1/embeddings", "Content-Encoding: br\r\n", b"x");
    assert_eq!(status, 415, "{body}");
}

/// The most that the daemon ever had in memory.
fn resident_kb(hob: &Hob) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", hob.process())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn an_extension_is_let_in_by_the_settings_and_by_nothing_else() {
    let preflight = "Origin: vscode-webview://1abc\r\nAccess-Control-Request-Method: POST\r\n\
         Access-Control-Request-Headers: authorization, x-stainless-lang, anthropic-version\r\n";
    let ask = |hob: &Hob| raw(hob, "OPTIONS /v1/messages", preflight, b"");

    assert_eq!(ask(&Hob::start_empty(&[])).0, 403);

    let (status, head, _) = ask(&Hob::start_empty(&[("OLLAMA_ORIGINS", "vscode-webview://*")]));
    assert_eq!(status, 200);
    assert!(head.contains("access-control-allow-origin: vscode-webview://1abc"), "{head}");
    assert!(head.contains("x-stainless-lang"), "{head}");
}

#[test]
fn a_thousand_idle_connections_keep_nobody_out() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let hob = Hob::start_empty(&[]);
    let host = hob.url.strip_prefix("http://").unwrap();
    let idle: Vec<TcpStream> = (0..1000).map(|_| TcpStream::connect(host).unwrap()).collect();

    hob.assert_alive();

    drop(idle);
}
