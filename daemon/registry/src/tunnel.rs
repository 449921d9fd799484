//! A stream between this box and a paired one that carries ggml's RPC: asked for over HTTP, then bytes both ways within the TLS
//! of that connection. What they mean is the engines' to know, which must be of the same build.

use std::io;
use std::os::unix::net::UnixStream as Socket;
use std::time::{Duration, Instant};

use reqwest::header::{CONNECTION, HeaderValue, UPGRADE};
use reqwest::{Method, RequestBuilder, StatusCode, Upgraded};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::session::limited;
use crate::{Peer, RegistryError};

/// Where a box says what it would lend, and lends it.
pub const SPLIT: &str = "/peer/split";
/// What the connection becomes.
pub const PROTOCOL: &str = "hob-split";
/// The header with the engine of whoever borrows.
pub const ENGINE: &str = "hob-engine";
/// The header with the bytes that are wanted.
pub const BYTES: &str = "hob-bytes";

/// What a box would lend.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Lendable {
    /// Its engine.
    pub engine: String,
    /// Of its memory; none if it has a part of a model already.
    pub bytes: u64,
}

/// Who says nothing for so long is not asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a box may take to start a worker.
const START: Duration = Duration::from_secs(60);

/// Answers of a box that explain themselves are no longer.
const LONGEST_ANSWER: usize = 4096;

impl Peer {
    /// What it would lend.
    ///
    /// # Errors
    /// If it does not say.
    pub async fn lendable(&self) -> Result<Lendable, RegistryError> {
        let asked = self.request(Method::GET, SPLIT)?;
        let (status, said) = self.answer(asked, LONGEST_ANSWER, PATIENCE).await?;
        match status {
            StatusCode::OK => serde_json::from_slice(&said).map_err(|_| RegistryError::Malformed("answer")),
            status => Err(refused(status, &said)),
        }
    }

    /// How far it is, there and back: the shortest of a few connections, which its system answers without its daemon.
    ///
    /// # Errors
    /// If it is not reached.
    pub async fn distance(&self) -> io::Result<Duration> {
        let address = self.whereabouts().await?;
        let mut shortest = Duration::MAX;
        for _ in 0..5 {
            let begun = Instant::now();
            let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
            let _stream = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            shortest = shortest.min(begun.elapsed());
        }
        Ok(shortest)
    }

    /// Borrows so many bytes of it for an engine.
    ///
    /// # Errors
    /// What it says.
    pub async fn borrow(&self, engine: &str, bytes: u64) -> Result<Upgraded, RegistryError> {
        let asked = self
            .request_alone(Method::POST, SPLIT)?
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, PROTOCOL)
            .header(ENGINE, HeaderValue::from_str(engine).map_err(|_| RegistryError::Malformed("engine"))?)
            .header(BYTES, bytes);
        tokio::time::timeout(START, upgraded(asked))
            .await
            .unwrap_or_else(|_| Err(RegistryError::Lender("it does not answer".into())))
    }
}

async fn upgraded(asked: RequestBuilder) -> Result<Upgraded, RegistryError> {
    let answer = asked.send().await?;
    match answer.status() {
        StatusCode::SWITCHING_PROTOCOLS => Ok(answer.upgrade().await?),
        status => {
            let said = limited(answer, LONGEST_ANSWER).await?;
            Err(refused(status, &said.unwrap_or_default()))
        }
    }
}

fn refused(status: StatusCode, said: &[u8]) -> RegistryError {
    let told = serde_json::from_slice::<Told>(said).map(|told| told.error);
    RegistryError::Lender(told.unwrap_or_else(|_| format!("it answered {status}")))
}

#[derive(Deserialize)]
struct Told {
    error: String,
}

/// Which end of a tunnel ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// This box's worker.
    Ours,
    /// The other box, or the way to it.
    Theirs,
}

/// What is under way in one direction.
const BUFFER_BYTES: usize = 256 << 10;

/// Carries bytes both ways until either end ends.
pub async fn carry(ours: Socket, theirs: impl AsyncRead + AsyncWrite) -> End {
    let adopted = ours.set_nonblocking(true).and_then(|()| UnixStream::from_std(ours));
    let Ok(mut ours) = adopted else { return End::Ours };
    let (mut from_us, mut to_us) = ours.split();
    let (mut from_them, mut to_them) = tokio::io::split(theirs);
    tokio::select! {
        broken = pump(&mut from_us, &mut to_them) => match broken {
            Broken::Source => End::Ours,
            Broken::Sink => End::Theirs,
        },
        broken = pump(&mut from_them, &mut to_us) => match broken {
            Broken::Source => End::Theirs,
            Broken::Sink => End::Ours,
        },
    }
}

/// Which side of a direction.
enum Broken {
    Source,
    Sink,
}

async fn pump(source: &mut (impl AsyncRead + Unpin), sink: &mut (impl AsyncWrite + Unpin)) -> Broken {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = match source.read(&mut buffer).await {
            Ok(read @ 1..) => read,
            Ok(_) | Err(_) => return Broken::Source,
        };
        // TLS keeps what is not flushed.
        if sink.write_all(&buffer[..read]).await.is_err() || sink.flush().await.is_err() {
            return Broken::Sink;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_go_both_ways_until_an_end_ends_which_is_told() {
        for ends in [End::Ours, End::Theirs] {
            let (worker, ours) = Socket::pair().unwrap();
            let (mut other, theirs) = tokio::io::duplex(64);
            let carried = tokio::spawn(carry(ours, theirs));
            worker.set_nonblocking(true).unwrap();
            let mut worker = UnixStream::from_std(worker).unwrap();

            worker.write_all(b"weights").await.unwrap();
            other.write_all(b"logits").await.unwrap();

            let mut heard = [0; 7];
            other.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"weights");
            worker.read_exact(&mut heard[..6]).await.unwrap();
            assert_eq!(&heard[..6], b"logits");
            match ends {
                End::Ours => drop(worker),
                End::Theirs => drop(other),
            }
            assert_eq!(carried.await.unwrap(), ends);
        }
    }
}
