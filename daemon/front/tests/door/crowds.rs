//! Many connections of one address, and that they keep nobody else out.

use std::time::Duration;

use front::Limits;
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::harness::{By, Door, NAME, PATIENCE, app, exchange};

async fn connect(door: &Door, from: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(door.address).await.unwrap()
}

/// Whether the other side has closed it by now, or does so soon.
async fn is_closed(socket: &mut TcpStream, soon: Duration) -> bool {
    timeout(soon, socket.read(&mut [0])).await.is_ok()
}

/// Well before what has said nothing is hung up on for that.
const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_of_one_address_leave_room_for_others() {
    let door = Door::lan(app(), Limits::default());
    let mut held = Vec::new();
    let mut turned_away = 0;
    for _ in 0..10_000 {
        let mut socket = connect(&door, [127, 0, 0, 2]).await;
        // Turned away at once, or for as long as this takes not.
        let limit = if held.len() < 64 { Duration::from_millis(1) } else { AT_ONCE };
        match is_closed(&mut socket, limit).await {
            true => turned_away += 1,
            false => held.push(socket),
        }
        assert!(held.len() <= 64);
    }
    assert!(turned_away >= 10_000 - 64, "{turned_away}");

    let other = connect(&door, [127, 0, 0, 3]).await;
    let other = timeout(Duration::from_secs(4), door.secure(other, Some(NAME), b"http/1.1")).await;
    let host = format!("Host: {}\r\n", door.authority());
    assert_eq!(exchange(other.unwrap().unwrap(), "GET /", &host, b"").await.status, 200);
}

#[tokio::test]
async fn connections_on_which_nobody_was_identified_are_few() {
    let limits = Limits {
        connections_per_address: 4,
        unauthenticated_per_address: 1,
        handshake_time: Duration::from_millis(500),
        ..Limits::default()
    };
    let door = Door::lan(app(), limits);
    let mut first = door.h2_tls().await;
    let get = first.get("/who").body(()).unwrap();
    assert_eq!(first.ask(get, None).await, (StatusCode::OK, "Lan Nobody".into()));
    // Waits, in vain.
    let second = TcpStream::connect(door.address).await.unwrap();
    assert!(door.secure(second, Some(NAME), b"h2").await.is_err());

    let get = first.get("/who").header("authorization", format!("Bearer {}", door.key)).body(()).unwrap();
    assert_eq!(first.ask(get, None).await.0, StatusCode::OK);
    // And for as long as it knows who the others are, not at all.
    assert_eq!(door.ask_tls("GET /who", "", b"").await.status, 200);
}

#[tokio::test]
async fn programs_on_this_machine_are_not_counted_and_find_a_place() {
    let limits = Limits { connections_per_address: 1, unauthenticated_per_address: 1, ..Limits::default() };
    let door = Door::by(By::Loopback, app(), limits);
    let _held = [connect(&door, [127, 0, 0, 1]).await, connect(&door, [127, 0, 0, 1]).await];
    assert_eq!(door.ask("GET /", "", b"").await.status, 200);
}

#[tokio::test]
async fn a_full_network_leaves_room_for_this_machine() {
    let limits = Limits {
        connections: 16,
        connections_per_address: 100,
        unauthenticated_per_address: 100,
        handshake_time: PATIENCE * 2,
        ..Limits::default()
    };
    let door = Door::lan(app(), limits);
    let mut held = Vec::new();
    for _ in 0..40 {
        held.push(connect(&door, [127, 0, 0, 1]).await);
    }
    // The listener itself waits with a place for the next.
    let _idle = TcpStream::connect(door.near).await.unwrap();
    let socket = TcpStream::connect(door.near).await.unwrap();
    let host = format!("Host: {}\r\n", door.near);
    assert_eq!(exchange(socket, "GET /", &host, b"").await.status, 200);
}

#[tokio::test]
async fn an_address_gets_back_what_it_gives_up() {
    let door = Door::lan(app(), Limits { connections_per_address: 1, ..Limits::default() });
    for _ in 0..5 {
        let mut socket = door.tls(Some(NAME), b"http/1.1").await;
        assert!(is_closed(&mut connect(&door, [127, 0, 0, 1]).await, AT_ONCE).await);
        socket.shutdown().await.unwrap();
        let _ended = timeout(PATIENCE, socket.read_to_end(&mut Vec::new())).await.unwrap();
        let free = async {
            while is_closed(&mut connect(&door, [127, 0, 0, 1]).await, Duration::from_millis(50)).await {}
        };
        timeout(PATIENCE, free).await.unwrap();
    }
}
