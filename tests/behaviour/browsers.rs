//! What a browser may be tricked into: DNS rebinding and requests of foreign pages.

use std::io::{Read, Write};
use std::net::TcpStream;

use behaviour::Hob;

/// The status of a request with these header lines and nothing else.
fn status(hob: &Hob, request: &str) -> u16 {
    let mut socket = TcpStream::connect(hob.url.strip_prefix("http://").unwrap()).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer.split_whitespace().nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}")).parse().unwrap()
}

#[test]
fn a_host_that_is_not_ours_is_not_answered() {
    let hob = Hob::start_empty(&[]);
    let port = hob.url.rsplit(':').next().unwrap();
    let get =
        |host: &str| status(&hob, &format!("GET /api/tags HTTP/1.1\r\n{host}Connection: close\r\n\r\n"));

    assert_eq!(get(&format!("Host: localhost:{port}\r\n")), 200);
    assert_eq!(get(&format!("Host: evil.example:{port}\r\n")), 403);
    assert_eq!(get(&format!("Host: 0.0.0.0:{port}\r\n")), 403);
    assert_eq!(get("Host: localhost\r\n"), 403);
    assert_eq!(get("Host:\r\n"), 400);
    assert_eq!(get(""), 400);
}

#[test]
fn a_foreign_page_cannot_remove_a_model() {
    let hob = Hob::start_empty(&[]);
    let host = hob.url.strip_prefix("http://").unwrap();
    let delete = |header: &str| {
        let body = "{\"model\":\"x\"}";
        let head = format!("Host: {host}\r\n{header}Connection: close\r\nContent-Length: {}\r\n", body.len());
        status(&hob, &format!("DELETE /api/delete HTTP/1.1\r\n{head}\r\n{body}"))
    };

    assert_eq!(delete("Origin: https://evil.example\r\n"), 403);
    assert_eq!(delete("Origin: null\r\n"), 403);
    assert_eq!(delete("Sec-Fetch-Site: cross-site\r\n"), 403);
    assert_eq!(delete("Origin: http://localhost:3000\r\n"), 404);
    assert_eq!(delete(""), 404);
}
