//! As much of HTTP/1.1 as timing needs: a request that is ready to be sent, and an answer of which only the end matters.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is used again.
pub(crate) struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
}

/// A request, ready to be sent.
pub(crate) fn request(method: &str, path: &str, port: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         anthropic-version: 2023-06-01\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

impl Connection {
    pub(crate) async fn open(port: u16) -> io::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port)).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: Vec::with_capacity(16 << 10) })
    }

    /// Sends a request, and hands on the answer piece by piece as it arrives, its head among it; returns its status.
    pub(crate) async fn ask(&mut self, request: &[u8], mut see: impl FnMut(&[u8])) -> io::Result<u16> {
        self.socket.write_all(request).await?;
        self.buffer.clear();
        let mut end = End::Unknown;
        loop {
            let seen = self.buffer.len();
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            see(&self.buffer[seen..]);
            if end == End::Unknown {
                end = End::of(&self.buffer);
            }
            let over = match end {
                End::Unknown => false,
                End::At(length) => self.buffer.len() >= length,
                End::Chunk => self.buffer.ends_with(b"0\r\n\r\n"),
            };
            if over {
                return status(&self.buffer).ok_or_else(|| io::ErrorKind::InvalidData.into());
            }
            // Of a long answer only the status and the end are needed.
            if self.buffer.len() > 1 << 20 {
                self.buffer.drain(64..self.buffer.len() - 64);
            }
        }
    }
}

/// Where an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Its head is not there yet.
    Unknown,
    /// After so many bytes, those of the head counted.
    At(usize),
    /// With an empty chunk.
    Chunk,
}

impl End {
    fn of(begun: &[u8]) -> Self {
        let Some(head) = begun.windows(4).position(|four| four == b"\r\n\r\n") else { return Self::Unknown };
        let text = String::from_utf8_lossy(&begun[..head]).to_lowercase();
        let length =
            text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
        length.map_or(Self::Chunk, |length| Self::At(head + 4 + length))
    }
}

fn status(answer: &[u8]) -> Option<u16> {
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}
