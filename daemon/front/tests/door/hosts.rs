//! DNS rebinding: by which names each kind of listener is asked for, and that none of the others is answered to.

use front::Limits;
use http::{Request, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};

use crate::harness::{Answer, By, Door, NAME, OTHER_NAME, app, exchange};

/// Asks for `/` with these lines, whatever the listener.
async fn ask(door: &Door, by: By, lines: &str) -> Answer {
    match by {
        By::Loopback | By::Plaintext => {
            exchange(TcpStream::connect(door.address).await.unwrap(), "GET /", lines, b"").await
        }
        By::AdminSocket => {
            exchange(UnixStream::connect(door.admin_socket()).await.unwrap(), "GET /", lines, b"").await
        }
        By::Lan => exchange(door.tls(None, b"http/1.1").await, "GET /", lines, b"").await,
    }
}

#[tokio::test]
async fn no_listener_answers_to_a_name_that_is_not_its_own() {
    for by in [By::Loopback, By::Lan, By::Plaintext, By::AdminSocket] {
        let door = Door::by(by, app(), Limits::default());
        let port = door.address.port();
        let ours = match by {
            By::Loopback | By::AdminSocket => "localhost",
            By::Lan | By::Plaintext => NAME,
        };
        let status = async |host: String| ask(&door, by, &format!("Host: {host}\r\n")).await.status;
        assert_eq!(status(format!("{ours}:{port}")).await, 200, "{by:?}");
        assert_eq!(ask(&door, by, "").await.status, 400, "{by:?}");
        assert_eq!(status(String::new()).await, 400, "{by:?}");
        assert_eq!(status(format!("{ours}:{port}\r\nHost: evil.example:{port}")).await, 400, "{by:?}");
        for foreign in
            ["evil.example", "192.0.2.1", "0.0.0.0", "[::]", "localhost.evil.example", "box.lan.", ""]
        {
            let foreign = format!("{foreign}:{port}");
            assert_eq!(status(foreign.clone()).await, 403, "{by:?} {foreign}");
        }
        if by != By::AdminSocket {
            for other in [port ^ 1, 80, 443] {
                assert_eq!(status(format!("{ours}:{other}")).await, 403, "{by:?}");
            }
            assert_eq!(status(ours.into()).await, 403, "{by:?}");
        }
    }
}

#[tokio::test]
async fn the_network_does_not_reach_the_loopbacks_names() {
    let door = Door::lan(app(), Limits::default());
    for local in ["host.docker.internal", "host.containers.internal"] {
        let host = format!("Host: {local}:{}\r\n", door.address.port());
        assert_eq!(ask(&door, By::Lan, &host).await.status, 403, "{local}");
    }
}

#[tokio::test]
async fn whom_a_client_wants_in_tls_is_whom_it_asks() {
    let door = Door::lan(app(), Limits::default());
    let port = door.address.port();
    let ask = async |name, host: &str| {
        let socket = door.tls(name, b"http/1.1").await;
        exchange(socket, "GET /v1/models", &format!("Host: {host}:{port}\r\n"), b"").await
    };
    assert_eq!(ask(Some(OTHER_NAME), "Box.Home.Arpa").await.status, 404);
    assert_eq!(ask(None, NAME).await.status, 404);
    let misdirected = ask(Some(NAME), OTHER_NAME).await;
    assert_eq!(misdirected.status, 421);
    assert!(misdirected.body.contains("invalid_request_error"), "{misdirected:?}");

    let mut client = door.h2_tls().await;
    for (host, status) in [
        (NAME, StatusCode::OK),
        (OTHER_NAME, StatusCode::MISDIRECTED_REQUEST),
        ("evil.example", StatusCode::FORBIDDEN),
        ("0.0.0.0", StatusCode::FORBIDDEN),
    ] {
        let get = Request::get(format!("https://{host}:{port}/")).body(()).unwrap();
        assert_eq!(client.ask(get, None).await.0, status, "{host}");
    }
    let twofold = client.get("/").header("host", "evil.example").body(()).unwrap();
    assert_eq!(client.ask(twofold, None).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_whole_url_in_the_request_is_no_way_round() {
    let door = Door::open(app());
    let mut socket = TcpStream::connect(door.address).await.unwrap();
    let lines = format!("Host: {}\r\n", door.address);
    socket.flush().await.unwrap();
    let answer = exchange(socket, "GET http://evil.example/", &lines, b"").await;
    assert_eq!(answer.status, 400);
}
