//! Clients that do not read what they asked for.

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;

use behaviour::Hob;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, connect, setsockopt, socket,
    sockopt::{RcvBuf, TcpMaxSeg},
};
use serde_json::{Value, json};

/// A connection with room for little, as to a device far away: all that it does not read, waits in the daemon.
fn narrow(hob: &Hob) -> TcpStream {
    let address: SocketAddrV4 = hob.url.trim_start_matches("http://").parse().unwrap();
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).unwrap();
    setsockopt(&socket, RcvBuf, &4096).unwrap();
    setsockopt(&socket, TcpMaxSeg, &536).unwrap();
    connect(socket.as_raw_fd(), &SockaddrIn::from(address)).unwrap();
    TcpStream::from(socket)
}

/// The answers that the model holds for their readers.
fn held(hob: &Hob) -> u64 {
    let told = hob.get("/admin/api/models").json();
    told["models"].as_array().unwrap().iter().filter_map(|model| model["held"].as_u64()).sum()
}

#[test]
fn a_client_that_stops_reading_makes_the_model_stop_and_gets_all_of_it_later() {
    let hob = Hob::start();
    let options = json!({"temperature": 0, "num_predict": 400});
    let body = json!({"model": "smollm2", "prompt": "Count to a thousand: 1, 2, 3,", "raw": true, "options": options,
        "logprobs": true, "top_logprobs": 20});
    let (body, mut client) = (body.to_string(), narrow(&hob));
    write!(
        client,
        "POST /api/generate HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        hob.url.trim_start_matches("http://"),
        body.len()
    )
    .unwrap();

    let begun = std::time::Instant::now();
    while held(&hob) == 0 {
        assert!(begun.elapsed().as_secs() < 60, "the model goes on");
    }
    let other = hob.ask("Why is the sky blue?", 8);
    assert_eq!(other["eval_count"], 8, "it has time for others");
    assert_eq!(held(&hob), 1);

    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    let last = answer.lines().rfind(|line| line.starts_with('{')).unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!((&last["eval_count"], &last["done"]), (&json!(400), &json!(true)));
    assert_eq!(answer.lines().filter(|line| line.starts_with('{')).count(), 401);
    assert_eq!(held(&hob), 0);
}
