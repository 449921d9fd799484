//! The network's door: TLS, and that every limit holds beneath it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use front::Limits;
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{interval, timeout};
use tokio_rustls::rustls::ClientConnection;

use crate::harness::{By, Door, NAME, PATIENCE, app, client, endless, exchange};

#[tokio::test]
async fn both_protocols_are_spoken_as_was_agreed() {
    let door = Door::lan(app(), Limits::default());
    assert_eq!(door.ask_tls("GET /", "", b"").await.body, "here");
    let mut client = door.h2_tls().await;
    let get = client.get("/").body(()).unwrap();
    assert_eq!(client.ask(get, None).await, (StatusCode::OK, "here".into()));

    // What was not agreed on is not spoken.
    let mut other = door.tls(Some(NAME), b"http/1.1").await;
    other.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _closed = timeout(PATIENCE, other.read_to_end(&mut answer)).await.unwrap();
    assert!(!answer.starts_with(&[0, 0]), "{answer:?}");
    assert!(door.secure(TcpStream::connect(door.address).await.unwrap(), Some(NAME), b"spdy").await.is_err());
}

#[tokio::test]
async fn plaintext_on_the_port_of_tls_is_told_where_to_go() {
    let door = Door::lan(app(), Limits::default());
    let ours = format!("Host: {}\r\n", door.authority());
    let ask = async |request: &str, lines: String, body: &[u8]| {
        exchange(TcpStream::connect(door.address).await.unwrap(), request, &lines, body).await
    };
    let page = ask("GET /trust?a=b", format!("{ours}Accept: text/html,*/*;q=0.8\r\n"), b"").await;
    assert_eq!(page.status, 308);
    assert_eq!(page.header("location").unwrap(), format!("https://{}/trust?a=b", door.authority()));
    assert_eq!(page.header("connection").unwrap(), "close");

    let told = format!("this port speaks TLS; use https://{}", door.authority());
    let program = ask("POST /api/chat", ours.clone(), &[b' '; 20 << 10]).await;
    assert_eq!((program.status, program.body), (400, format!(r#"{{"error":"{told}"}}"#)));
    let openai = ask("GET /v1/models", ours, b"").await;
    assert!(openai.status == 400 && openai.body.contains(&told) && openai.body.contains("\"type\""));

    // Nobody is sent to a stranger's.
    let foreign = ask("GET /", "Host: evil.example\r\nAccept: text/html\r\n".into(), b"").await;
    assert_eq!((foreign.status, foreign.header("location")), (400, None));
    assert!(!foreign.body.contains("evil"), "{foreign:?}");
    let mut noise = TcpStream::connect(door.address).await.unwrap();
    noise.write_all(b"SSH-2.0-OpenSSH_9.9\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _reset = timeout(PATIENCE, noise.read_to_end(&mut answer)).await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_cut_off() {
    let limits = Limits { handshake_time: Duration::from_millis(200), ..Limits::default() };
    let door = Door::lan(app(), limits);
    // Nothing; the beginning of a handshake, and of plaintext.
    for said in [&b""[..], b"\x16\x03\x01\x02\x00\x01", b"GET / HT"] {
        let mut client = TcpStream::connect(door.address).await.unwrap();
        client.write_all(said).await.unwrap();
        let mut answer = Vec::new();
        let closed = timeout(PATIENCE, client.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "{said:?} keeps its place");
    }
    // A byte at a time is no way to have more of it.
    let mut client = TcpStream::connect(door.address).await.unwrap();
    let mut pace = interval(Duration::from_millis(20));
    let slow = async {
        loop {
            pace.tick().await;
            if client.write_all(&[0x16]).await.is_err() {
                return;
            }
        }
    };
    timeout(PATIENCE, slow).await.unwrap();
}

/// Before a handshake that is stuck is given up.
const SOON: Duration = Duration::from_secs(4);

#[tokio::test]
async fn one_slow_handshake_holds_up_no_other() {
    let door = Door::lan(app(), Limits { unauthenticated_per_address: 1000, ..Limits::default() });
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut client = TcpStream::connect(door.address).await.unwrap();
        client.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
        slow.push(client);
    }
    // And some that have said all that is dear to answer, and then nothing.
    let config = client(door.root(), b"h2");
    for _ in 0..10 {
        let name = NAME.try_into().unwrap();
        let mut hello = Vec::new();
        ClientConnection::new(Arc::new(config.clone()), name).unwrap().write_tls(&mut hello).unwrap();
        let mut client = TcpStream::connect(door.address).await.unwrap();
        client.write_all(&hello).await.unwrap();
        let answered = timeout(SOON, client.read(&mut [0; 16])).await.unwrap().unwrap();
        assert_ne!(answered, 0);
        slow.push(client);
    }
    let asked = timeout(SOON, door.ask_tls("GET /", "", b"")).await.unwrap();
    assert_eq!(asked.status, 200);
}

#[tokio::test]
async fn headers_and_bodies_that_do_not_arrive_are_cut_off() {
    let short = Duration::from_millis(200);
    let door = Door::lan(app(), Limits { header_time: short, body_idle: short, ..Limits::default() });
    for said in ["", "GET / HTTP/1.1\r\nHost: "] {
        let mut client = door.tls(Some(NAME), b"http/1.1").await;
        client.write_all(said.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let closed = timeout(PATIENCE, client.read_to_end(&mut answer)).await;
        assert!(closed.is_ok() && answer.is_empty(), "{said:?} keeps its place");
    }
    let mut client = door.tls(Some(NAME), b"http/1.1").await;
    let head = format!(
        "POST /echo HTTP/1.1\r\nHost: {}\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf",
        door.authority()
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _closed = timeout(PATIENCE, client.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_client_that_stops_reading_loses_its_answer() {
    for protocol in [&b"http/1.1"[..], b"h2"] {
        let (app, ended) = endless();
        let door = Door::lan(app, Limits { write_idle: Duration::from_millis(50), ..Limits::default() });
        if protocol == b"h2" {
            let client = door.h2_tls().await;
            let get = client.get("/").body(()).unwrap();
            let (response, _) =
                client.requests.clone().ready().await.unwrap().send_request(get, true).unwrap();
            let _stalled = timeout(PATIENCE, response).await.unwrap().unwrap();
            timeout(PATIENCE, ended).await.unwrap().unwrap();
        } else {
            let mut client = door.tls(Some(NAME), protocol).await;
            let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", door.authority());
            client.write_all(request.as_bytes()).await.unwrap();
            // Its buffers fill up, as nothing is read from here on.
            timeout(PATIENCE, ended).await.unwrap().unwrap();
        }
    }
}

/// What TLS takes in is not what the client has taken: the answer ended for the server long before.
#[tokio::test]
async fn a_client_may_take_its_answer_slowly() {
    const LENGTH: usize = 512 << 10;
    let limits = Limits { header_time: Duration::from_millis(200), ..Limits::default() };
    let door = Door::lan(Router::new().route("/", get(async || vec![b'.'; LENGTH])), limits);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let socket = socket.connect(door.address).await.unwrap();
    let mut client = door.secure(socket, Some(NAME), b"http/1.1").await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", door.authority());
    client.write_all(request.as_bytes()).await.unwrap();

    // The pace is the test: all of it takes far longer than the next request may.
    let mut pace = interval(Duration::from_millis(10));
    let (mut buffer, mut taken) = (vec![0; 4 << 10], 0);
    while taken < LENGTH {
        let length = timeout(PATIENCE, client.read(&mut buffer)).await.unwrap().unwrap();
        assert_ne!(length, 0, "cut off after {taken} bytes");
        taken += length;
        pace.tick().await;
    }
}

/// CVE-2023-44487.
#[tokio::test]
async fn a_client_that_gives_up_what_it_asks_at_once_is_cut_off() {
    let door = Door::lan(Router::new().route("/", get(std::future::pending::<String>)), Limits::default());
    let client = door.h2_tls().await;
    for _ in 0..10_000 {
        let get = client.get("/").body(()).unwrap();
        let Ok(mut requests) = client.requests.clone().ready().await else { break };
        let Ok((response, mut stream)) = requests.send_request(get, true) else { break };
        stream.send_reset(h2::Reason::CANCEL);
        drop(response);
    }
    let error = timeout(PATIENCE, client.ended).await.unwrap().unwrap().unwrap_err();
    assert!(error.is_io() || error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM), "{error:?}");
}

#[tokio::test]
async fn headers_have_a_size_and_a_number_and_requests_too() {
    let door = Door::lan(app(), Limits { streams: 9, network_streams: 3, ..Limits::default() });
    let large = format!("X-Large: {}\r\n", "a".repeat(70 << 10));
    assert_eq!(door.ask_tls("GET /", &large, b"").await.status, 431);
    assert_eq!(door.ask_tls("GET /", &"X-Many: a\r\n".repeat(101), b"").await.status, 431);

    let mut client = door.h2_tls().await;
    let get = client.get("/").body(()).unwrap();
    client.ask(get, None).await;
    assert_eq!(client.requests.current_max_send_streams(), 3);
    // Each header of a bomb is small, once it is packed: one that was said is a byte.
    let bomb = (0..40).fold(client.get("/"), |request, _| request.header("x-bomb", "a".repeat(1000)));
    let (response, _) =
        client.requests.clone().ready().await.unwrap().send_request(bomb.body(()).unwrap(), true).unwrap();
    let refused = match timeout(PATIENCE, response).await.unwrap() {
        Ok(response) => response.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Err(_) => true,
    };
    assert!(refused);
}

#[tokio::test]
async fn plaintext_of_the_network_is_for_the_networks_that_were_named() {
    let door = Door::by(By::Plaintext, app(), Limits::default());
    let host = format!("Host: {}\r\n", door.authority());
    let ask = async |from: [u8; 4]| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let mut socket = socket.connect(door.address).await.unwrap();
        let head = format!("GET /who HTTP/1.1\r\nConnection: close\r\n{host}\r\n");
        let _refused = socket.write_all(head.as_bytes()).await;
        let mut answer = String::new();
        let _reset = timeout(PATIENCE, socket.read_to_string(&mut answer)).await.unwrap();
        answer
    };
    assert!(ask([127, 0, 0, 1]).await.ends_with("Plaintext Nobody"));
    assert_eq!(ask([127, 0, 0, 2]).await, "");
}
