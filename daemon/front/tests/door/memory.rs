//! What the bodies of all requests may take together.

use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::routing::post;
use flate2::Compression;
use flate2::write::GzEncoder;
use front::Limits;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::harness::{Client, Door, PATIENCE, read};

const LENGTH: usize = 1 << 20;

fn gzip() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&[0; LENGTH]).unwrap();
    encoder.finish().unwrap()
}

/// Reads all that it is sent, and answers once it may.
fn app(answer: &Arc<Semaphore>, arrived: &Arc<Semaphore>) -> Router {
    let (answer, arrived) = (Arc::clone(answer), Arc::clone(arrived));
    let held = async move |body: Body| {
        let Ok(bytes) = to_bytes(body, usize::MAX).await else {
            return (StatusCode::BAD_REQUEST, "unexpected EOF".into());
        };
        arrived.add_permits(1);
        let _place = answer.acquire().await.unwrap();
        (StatusCode::OK, bytes.len().to_string())
    };
    let passed = async |mut body: Body| {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, Bytes::len);
        }
        length.to_string()
    };
    Router::new().route("/v1/messages", post(held)).route("/api/blobs/sha256:a", post(passed))
}

async fn send(client: &Client, path: &str, packing: &str, body: &[u8]) -> h2::client::ResponseFuture {
    let post =
        Request::post(format!("http://{}{path}", client.authority)).header("content-encoding", packing);
    let mut requests = client.requests.clone().ready().await.unwrap();
    let (response, mut sending) = requests.send_request(post.body(()).unwrap(), false).unwrap();
    sending.send_data(body.to_vec().into(), true).unwrap();
    response
}

#[tokio::test]
async fn bodies_that_are_held_have_a_limit_together_and_uploads_pass() {
    let (answer, arrived) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let limits = Limits { held_bytes: 3 * LENGTH, passing_bytes: 64 << 10, ..Limits::default() };
    let door = Door::within(app(&answer, &arrived), limits);
    let (client, body) = (door.h2().await, gzip());
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(send(&client, "/v1/messages", "gzip", &body).await);
        timeout(PATIENCE, arrived.acquire()).await.unwrap().unwrap().forget();
    }

    let plain = vec![b' '; LENGTH];
    for (packing, body) in [("gzip", &body), ("identity", &plain)] {
        let refused = send(&client, "/v1/messages", packing, body).await;
        let response = timeout(PATIENCE, refused).await.unwrap().unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "1");
        let told = response.into_body().data().await.unwrap().unwrap();
        assert!(told.starts_with(br#"{"type":"error","error":{"type":"overloaded_error""#), "{told:?}");
    }

    let upload = send(&client, "/api/blobs/sha256:a", "identity", &plain).await;
    assert_eq!(read(upload).await, (StatusCode::OK, LENGTH.to_string()));
    answer.add_permits(3);
    for held in held {
        assert_eq!(read(held).await, (StatusCode::OK, LENGTH.to_string()));
    }
    assert_eq!(read(send(&client, "/v1/messages", "gzip", &body).await).await.0, StatusCode::OK);
}

#[tokio::test]
#[expect(clippy::async_yields_async, reason = "the answers come when they are let")]
async fn what_strangers_send_takes_no_place_of_those_who_are_known_and_is_never_unpacked() {
    let (answer, arrived) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let limits = Limits { held_bytes: LENGTH, stranger_bytes: 64 << 10, ..Limits::default() };
    let door = Door::lan(app(&answer, &arrived), limits);
    let client = door.h2_tls().await;
    let post = async |key: Option<&str>, packing: Option<&str>, body: &[u8]| {
        let mut post = Request::post(format!("https://{}/v1/messages", client.authority));
        for (name, value) in [("x-api-key", key), ("content-encoding", packing)] {
            if let Some(value) = value {
                post = post.header(name, value);
            }
        }
        let mut requests = client.requests.clone().ready().await.unwrap();
        let (response, mut sending) = requests.send_request(post.body(()).unwrap(), false).unwrap();
        sending.send_data(body.to_vec().into(), true).unwrap();
        response
    };
    // All that strangers have together.
    let held = post(None, None, &[b' '; 60 << 10]).await;
    timeout(PATIENCE, arrived.acquire()).await.unwrap().unwrap().forget();

    let crowded = read(post(None, None, &[b' '; 8 << 10]).await).await;
    let packed = read(post(None, Some("gzip"), &gzip()).await).await;
    let known = post(Some(&door.key), None, &vec![b' '; LENGTH / 2]).await;
    timeout(PATIENCE, arrived.acquire()).await.unwrap().unwrap().forget();
    answer.add_permits(2);

    assert_eq!(crowded.0, StatusCode::SERVICE_UNAVAILABLE, "{}", crowded.1);
    assert_eq!(packed.0, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{}", packed.1);
    assert_eq!(read(held).await.0, StatusCode::OK);
    assert_eq!(read(known).await, (StatusCode::OK, (LENGTH / 2).to_string()));
}
