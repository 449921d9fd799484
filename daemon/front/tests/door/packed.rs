//! Bodies that are sent packed.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::harness::{Door, app};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

#[tokio::test]
async fn a_packed_body_is_read_as_if_it_were_not() {
    let door = Door::open(app());
    let text = "{\"model\": \"smollm2\", \"messages\": []} ".repeat(1000);
    let text = text.as_bytes();
    for (name, packed) in [("gzip", gzip(text)), ("deflate", deflate(text)), ("zstd", zstd(text))] {
        let answer = door.ask("POST /echo", &format!("Content-Encoding: {name}\r\n"), &packed).await;
        assert_eq!((answer.status, answer.body.as_bytes() == text), (200, true), "{name}");
    }
    let plain = door.ask("POST /echo", "Content-Encoding: identity\r\n", b"plain").await;
    assert_eq!(plain.body, "plain");
}

#[tokio::test]
async fn a_bomb_is_refused() {
    let door = Door::open(app());
    let zeros = vec![0; (64 << 20) + 1];
    for (name, packed) in [("gzip", gzip(&zeros)), ("zstd", zstd(&zeros))] {
        let headers = format!("Content-Encoding: {name}\r\n");
        let answer = door.ask("POST /v1/messages", &headers, &packed).await;
        assert_eq!(answer.status, 413, "{answer:?}");
        assert!(answer.body.contains(r#""type":"request_too_large""#), "{answer:?}");
    }
    // As large as may be.
    let answer = door.ask("POST /length", "Content-Encoding: gzip\r\n", &gzip(&zeros[1..])).await;
    assert_eq!(answer.body, (64 << 20).to_string());
}

#[tokio::test]
async fn what_cannot_be_unpacked_is_named() {
    let door = Door::open(app());
    let answer = door.ask("POST /v1/chat/completions", "Content-Encoding: br\r\n", b"x").await;
    assert_eq!(answer.status, 415);
    assert_eq!(answer.header("accept-encoding").unwrap(), "gzip, deflate, zstd");
    assert!(answer.body.contains(r#"\"br\""#) && answer.body.contains("invalid_request_error"), "{answer:?}");
    for name in ["gzip", "zstd", "deflate"] {
        let answer =
            door.ask("POST /echo", &format!("Content-Encoding: {name}\r\n"), b"{\"plain\": 1}").await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains("Content-Encoding"), "{answer:?}");
    }
}
