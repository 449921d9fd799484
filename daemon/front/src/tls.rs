//! How a connection on the port of TLS begins: with a handshake that takes its time within a limit, or in plaintext, which
//! `plain` answers. What is agreed on is `identity`'s.

use std::io;
use std::pin::Pin;

use identity::Identity;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::server::TlsStream;

use crate::connection::Protocol;

/// How all that could be TLS begins.
const HANDSHAKE: u8 = 0x16;

/// How a client began.
pub(crate) enum Begun<S> {
    Tls(Secured<S>),
    Plain(TcpStream),
}

/// What was agreed on.
pub(crate) struct Secured<S> {
    pub(crate) stream: Pin<Box<TlsStream<S>>>,
    pub(crate) protocol: Protocol,
    /// Whom the client wants, if it said so.
    pub(crate) server_name: Option<Box<str>>,
}

/// Whose turn it is to agree. What is dear in it is done for one client at a time, in the order in which they came, so that a
/// crowd of them leaves the other threads to those who are in.
pub(crate) struct Handshakes(Semaphore);

impl Handshakes {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(1))
    }

    /// Begins a connection. Whoever calls it keeps the time.
    pub(crate) async fn begin<S>(
        &self,
        stream: TcpStream,
        below: impl FnOnce(TcpStream) -> S,
        identity: &Identity,
    ) -> io::Result<Begun<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut first = [0];
        match stream.peek(&mut first).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if first != [HANDSHAKE] => return Ok(Begun::Plain(stream)),
            _ => {}
        }
        let hello = LazyConfigAcceptor::new(Acceptor::default(), below(stream)).await?;
        let server_name = hello.client_hello().server_name().map(Box::from);
        let turn = self.0.acquire().await;
        // The keys are agreed on and signed for here; what follows is waiting.
        let rest = hello.into_stream(identity.server_config());
        drop(turn);
        let stream = Box::pin(rest.await?);
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Ok(Begun::Tls(Secured { stream, protocol, server_name }))
    }
}
