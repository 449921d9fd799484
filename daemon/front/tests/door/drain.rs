//! The end: what runs may end, and nothing new begins.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use front::Limits;
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::harness::{Door, NAME, PATIENCE, read};

/// Says when it is asked, and answers once it may.
fn app(asked: &Arc<Semaphore>, answer: &Arc<Semaphore>) -> Router {
    let (asked, answer) = (Arc::clone(asked), Arc::clone(answer));
    let held = async move || {
        asked.add_permits(1);
        let _place = answer.acquire().await.unwrap();
        "done"
    };
    Router::new().route("/", get(held))
}

#[tokio::test]
async fn by_tls_what_runs_ends_and_idle_connections_are_closed() {
    let (asked, answer) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let mut door = Door::lan(app(&asked, &answer), Limits::default());
    let mut first = door.tls(Some(NAME), b"http/1.1").await;
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", door.authority());
    first.write_all(request.as_bytes()).await.unwrap();
    let second = door.h2_tls().await;
    let get = second.get("/").body(()).unwrap();
    let (response, _) = second.requests.clone().ready().await.unwrap().send_request(get, true).unwrap();
    timeout(PATIENCE, asked.acquire_many(2)).await.unwrap().unwrap().forget();
    let idle = door.h2_tls().await;
    let mut greeting = TcpStream::connect(door.address).await.unwrap();
    greeting.write_all(&[0x16]).await.unwrap();

    door.stop.cancel();

    // Told to go away, and in a handshake, that is at once.
    let _told = timeout(PATIENCE, idle.ended).await.unwrap();
    let _cut = timeout(PATIENCE, greeting.read_to_end(&mut Vec::new())).await.unwrap();
    assert!(!door.serving.is_finished());
    answer.add_permits(2);
    assert_eq!(read(response).await, (StatusCode::OK, "done".into()));
    let mut told = String::new();
    timeout(PATIENCE, first.read_to_string(&mut told)).await.unwrap().unwrap();
    assert!(told.to_lowercase().contains("connection: close") && told.ends_with("done"), "{told}");
    let _goaway = timeout(PATIENCE, second.ended).await.unwrap();
    timeout(PATIENCE, &mut door.serving).await.unwrap().unwrap();
}
