//! HTTP/2 with prior knowledge, and that it has every limit that HTTP/1.1 has.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use front::Limits;
use futures_util::{StreamExt, stream};
use http::{Request, StatusCode};
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use crate::harness::{Door, PATIENCE, app, endless, read};

#[tokio::test]
async fn one_port_speaks_both_protocols() {
    let door = Door::open(app());
    assert_eq!(door.ask("GET /", "", b"").await.body, "here");

    let mut client = door.h2().await;
    let get = client.get("/").body(()).unwrap();
    assert_eq!(client.ask(get, None).await, (StatusCode::OK, "here".into()));
    let post = Request::post(format!("http://{}/echo", door.address)).body(()).unwrap();
    assert_eq!(client.ask(post, Some(b"said")).await.1, "said");
}

#[tokio::test]
async fn an_answer_comes_as_it_grows() {
    let (grow, mut pieces) = mpsc::unbounded_channel::<Bytes>();
    let pieces = stream::poll_fn(move |context| pieces.poll_recv(context)).map(Ok::<_, std::io::Error>);
    let answer = Arc::new(Mutex::new(Some(Body::from_stream(pieces))));
    let answer = async move || answer.lock().unwrap().take().unwrap();
    let door = Door::open(Router::new().route("/", get(answer)));
    let client = door.h2().await;
    let get = client.get("/").body(()).unwrap();
    let (response, _) = client.requests.clone().ready().await.unwrap().send_request(get, true).unwrap();
    let mut body = timeout(PATIENCE, response).await.unwrap().unwrap().into_body();
    for piece in ["a", "b", "c"] {
        grow.send(piece.into()).unwrap();
        assert_eq!(timeout(PATIENCE, body.data()).await.unwrap().unwrap().unwrap(), piece);
    }
    drop(grow);
    // HTTP/2 may end with a frame of nothing.
    while let Some(rest) = timeout(PATIENCE, body.data()).await.unwrap() {
        assert_eq!(rest.unwrap(), "");
    }
}

#[tokio::test]
async fn what_is_called_authority_must_be_our_name() {
    let door = Door::open(app());
    let mut client = door.h2().await;
    let foreign = Request::get("http://evil.example:11434/v1/models").body(()).unwrap();
    let (status, text) = client.ask(foreign, None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(text.contains(r#""type":"permission_error""#), "{text}");
    let two_names = client.get("/").header("host", "evil.example").body(()).unwrap();
    assert_eq!(client.ask(two_names, None).await.0, StatusCode::BAD_REQUEST);
    let page = client.get("/").header("origin", "https://evil.example").body(()).unwrap();
    assert_eq!(client.ask(page, None).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn headers_have_a_size_and_a_number() {
    let door = Door::open(app());
    let client = door.h2().await;
    let large = client.get("/").header("x-large", "a".repeat(70 << 10)).body(()).unwrap();
    // The client knows the limit from the server's settings, and may not even send it.
    let (response, _) = client.requests.clone().ready().await.unwrap().send_request(large, true).unwrap();
    let refused = match timeout(PATIENCE, response).await.unwrap() {
        Ok(response) => response.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Err(_) => true,
    };
    assert!(refused);

    let mut client = door.h2().await;
    let many = (0..101).fold(client.get("/"), |request, n| request.header(format!("x-{n}"), "a"));
    let (status, _) = client.ask(many.body(()).unwrap(), None).await;
    assert_eq!(status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn requests_at_once_are_limited() {
    let door = Door::within(app(), Limits { streams: 3, ..Limits::default() });
    let mut client = door.h2().await;
    let get = client.get("/").body(()).unwrap();
    // The settings are there once something was answered.
    client.ask(get, None).await;
    assert_eq!(client.requests.current_max_send_streams(), 3);
}

#[tokio::test]
async fn a_client_that_stops_reading_loses_its_answer_and_no_other() {
    let (app, ended) = endless();
    let app = app.route("/other", get(async || "still here"));
    let door = Door::within(app, Limits { write_idle: Duration::from_millis(50), ..Limits::default() });
    let mut client = door.h2().await;
    let get = client.get("/").body(()).unwrap();
    let (response, _) = client.requests.clone().ready().await.unwrap().send_request(get, true).unwrap();
    // Held, and no more room is given than it began with.
    let stalled = timeout(PATIENCE, response).await.unwrap().unwrap();

    timeout(PATIENCE, ended).await.unwrap().unwrap();

    // It holds all of the connection's room as well, which is its client's to give.
    drop(stalled);
    let other = client.get("/other").body(()).unwrap();
    assert_eq!(client.ask(other, None).await.1, "still here");
}

#[tokio::test]
async fn an_answer_that_nobody_takes_does_not_hold_the_connection() {
    let short = Duration::from_millis(50);
    let limits = Limits { write_idle: short, idle: short, farewell: short, ..Limits::default() };
    let large = Router::new().route("/", get(async || vec![b'.'; 1 << 20]));
    for app in [endless().0, large] {
        let door = Door::within(app, limits.clone());
        let client = door.h2().await;
        let get = client.get("/").body(()).unwrap();
        let (response, _) = client.requests.clone().ready().await.unwrap().send_request(get, true).unwrap();
        let stalled = timeout(PATIENCE, response).await.unwrap().unwrap();

        // Its side answers pings, and keeps the stream.
        assert!(timeout(PATIENCE, client.ended).await.is_ok());

        drop(stalled);
    }
}

#[tokio::test]
async fn a_client_may_take_its_answer_slowly() {
    let short = Duration::from_millis(200);
    let limits = Limits { idle: short, farewell: short, ..Limits::default() };
    let door = Door::within(Router::new().route("/", get(async || vec![b'.'; 1 << 19])), limits);
    let client = door.h2().await;
    let get = client.get("/").body(()).unwrap();
    let (response, _) = client.requests.clone().ready().await.unwrap().send_request(get, true).unwrap();
    let mut body = timeout(PATIENCE, response).await.unwrap().unwrap().into_body();
    let (mut pace, mut taken) = (interval(Duration::from_millis(25)), 0);
    while let Some(data) = body.data().await {
        taken += data.as_ref().unwrap().len();
        // The pace is the test: all of it takes far longer than a connection may be idle.
        pace.tick().await;
        body.flow_control().release_capacity(data.unwrap().len()).unwrap();
    }
    assert_eq!(taken, 1 << 19);
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_told_so() {
    let door = Door::within(app(), Limits { body_idle: Duration::from_millis(50), ..Limits::default() });
    let client = door.h2().await;
    let post = Request::post(format!("http://{}/echo", door.address)).body(()).unwrap();
    let (response, mut sending) =
        client.requests.clone().ready().await.unwrap().send_request(post, false).unwrap();
    sending.send_data("half".into(), false).unwrap();
    // What is empty is no progress.
    let ticking = tokio::spawn(async move {
        let mut pace = interval(Duration::from_millis(10));
        while sending.send_data(Bytes::new(), false).is_ok() {
            pace.tick().await;
        }
    });
    assert_eq!(read(response).await.0, StatusCode::REQUEST_TIMEOUT);
    ticking.abort();
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed() {
    let door = Door::within(app(), Limits { idle: Duration::from_millis(100), ..Limits::default() });
    let mut client = door.h2().await;
    let get = client.get("/").body(()).unwrap();
    client.ask(get, None).await;
    timeout(PATIENCE, &mut client.ended).await.unwrap().unwrap().unwrap();

    let limits = Limits { header_time: Duration::from_millis(100), ..Limits::default() };
    let never_asked = Door::within(app(), limits);
    let client = never_asked.h2().await;
    assert!(timeout(PATIENCE, client.ended).await.is_ok());
}

/// CVE-2023-44487.
#[tokio::test]
async fn a_client_that_gives_up_what_it_asks_at_once_is_cut_off() {
    let door = Door::open(Router::new().route("/", get(std::future::pending::<String>)));
    let client = door.h2().await;
    for _ in 0..10_000 {
        let get = client.get("/").body(()).unwrap();
        let Ok(mut requests) = client.requests.clone().ready().await else { break };
        let Ok((response, mut stream)) = requests.send_request(get, true) else { break };
        stream.send_reset(h2::Reason::CANCEL);
        drop(response);
    }
    let error = timeout(PATIENCE, client.ended).await.unwrap().unwrap().unwrap_err();
    // Its word may not get through before the socket is shut.
    assert!(error.is_io() || error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM), "{error:?}");
}
