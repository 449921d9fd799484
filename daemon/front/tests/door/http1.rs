//! Limits of HTTP/1.1.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use front::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{interval, timeout};

use crate::harness::{Door, PATIENCE, app, endless};

#[tokio::test]
async fn a_client_that_stops_reading_loses_its_answer() {
    let (app, ended) = endless();
    let door = Door::within(app, Limits { write_idle: Duration::from_millis(50), ..Limits::default() });

    let mut client = TcpStream::connect(door.address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", door.address);
    client.write_all(request.as_bytes()).await.unwrap();

    // Its buffers fill up, as nothing is read from here on.
    timeout(PATIENCE, ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_may_take_its_answer_slowly() {
    const LENGTH: usize = 4 << 20;
    let limits = Limits { header_time: Duration::from_millis(200), ..Limits::default() };
    let door = Door::within(Router::new().route("/", get(async || vec![b'.'; LENGTH])), limits);
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(16 << 10).unwrap();
    let mut client = client.connect(door.address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", door.address);
    client.write_all(request.as_bytes()).await.unwrap();

    // The pace is the test: all of it takes far longer than the next request may.
    let mut pace = interval(Duration::from_millis(5));
    let (mut buffer, mut taken) = (vec![0; 64 << 10], 0);
    while taken < LENGTH {
        let length = timeout(PATIENCE, client.read(&mut buffer)).await.unwrap().unwrap();
        assert_ne!(length, 0, "cut off after {taken} bytes");
        taken += length;
        pace.tick().await;
    }
}

#[tokio::test]
async fn a_second_request_must_come_as_soon_as_the_first() {
    let limits = Limits { header_time: Duration::from_millis(100), ..Limits::default() };
    let door = Door::within(app(), limits);
    let mut client = TcpStream::connect(door.address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {0}\r\n\r\nGET / HTTP/1.1\r\nHost: ", door.address);
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // Cut off with what it began unread or not.
    let _closed = timeout(PATIENCE, client.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"here"));
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_is_closed() {
    let limits = Limits { header_time: Duration::from_millis(100), ..Limits::default() };
    let door = Door::within(app(), limits);
    // Nothing, the beginning of a request, and what could become either protocol.
    for said in ["", "GET / HTTP/1.1\r\nHost: ", "PRI * HTTP/2"] {
        let mut client = TcpStream::connect(door.address).await.unwrap();
        client.write_all(said.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let closed = timeout(PATIENCE, client.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "{said:?} keeps its place");
    }
}

#[tokio::test]
async fn headers_have_a_size_and_a_number() {
    let door = Door::open(app());
    let large = format!("X-Large: {}\r\n", "a".repeat(70 << 10));
    assert_eq!(door.ask("GET /", &large, b"").await.status, 431);
    assert_eq!(door.ask("GET /", &"X-Many: a\r\n".repeat(101), b"").await.status, 431);
    assert_eq!(door.ask("GET /", &"X-Many: a\r\n".repeat(50), b"").await.status, 200);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let door = Door::within(app(), Limits { connections: 1, ..Limits::default() });
    let first = TcpStream::connect(door.address).await.unwrap();
    let asking = door.ask("GET /", "", b"");
    let mut asking = std::pin::pin!(asking);
    assert!(timeout(Duration::from_millis(100), asking.as_mut()).await.is_err());

    drop(first);

    assert_eq!(timeout(PATIENCE, asking).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_told_so() {
    let door = Door::within(app(), Limits { body_idle: Duration::from_millis(50), ..Limits::default() });
    let mut client = TcpStream::connect(door.address).await.unwrap();
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: {}\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf",
        door.address
    );
    client.write_all(request.as_bytes()).await.unwrap();

    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer)).await.unwrap().unwrap();

    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains(r#"{"type":"error","error":{"type":"invalid_request_error","#), "{answer}");
}

#[tokio::test]
async fn a_body_that_trickles_in_is_told_so_however_steadily_it_comes() {
    let door = Door::within(app(), Limits { body_time: Duration::from_millis(200), ..Limits::default() });
    let client = TcpStream::connect(door.address).await.unwrap();
    let (mut answers, mut client) = client.into_split();
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: {}\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n",
        door.address
    );
    client.write_all(request.as_bytes()).await.unwrap();
    // The pace is the test: nothing is ever waited for as long as between two pieces one may.
    let trickle = async {
        let mut pace = interval(Duration::from_millis(5));
        while client.write_all(b"x").await.is_ok() {
            pace.tick().await;
        }
    };

    let mut answer = Vec::new();
    let read = timeout(PATIENCE, answers.read_to_end(&mut answer));
    let read = async {
        tokio::select! { read = read => drop(read.unwrap()), () = trickle => {} }
    };
    read.await;
    let _reset = timeout(PATIENCE, answers.read_to_end(&mut answer)).await.unwrap();

    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too long"), "{answer}");
}

#[tokio::test]
async fn a_long_body_has_the_time_that_its_length_needs() {
    let door = Door::within(app(), Limits { body_time: Duration::from_millis(500), ..Limits::default() });
    let mut client = TcpStream::connect(door.address).await.unwrap();
    let request = format!(
        "POST /length HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        door.address,
        12 * (32 << 10)
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let mut pace = interval(Duration::from_millis(100));
    for _ in 0..12 {
        pace.tick().await;
        client.write_all(&[b'x'; 32 << 10]).await.unwrap();
    }

    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer)).await.unwrap().unwrap();

    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("393216"), "{answer}");
}
