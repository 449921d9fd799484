//! One connection: HTTP/1.1 or HTTP/2, told apart by its first bytes where TLS below has not said which; and how it ends. hyper's own limits are set here; those that it lacks are kept by `Conversation`.

use std::time::{Duration, Instant};

use http::Version;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;

use crate::Limits;
use crate::conversation::Conversation;

/// Whether a client that says nothing is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a request's body that a client of HTTP/2 may send ahead of its reader.
const WINDOW_BYTES: u32 = 1 << 20;
/// Bytes of one answer that wait for their client.
const SEND_BYTES: usize = 64 << 10;

/// hyper takes no smaller limit; that of the headers alone is `request`'s as well.
const HYPER_LEAST_BYTES: usize = 8 << 10;

/// Which protocol a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
    /// Its first bytes say which.
    Either,
}

/// The protocols, within their limits.
pub(crate) struct Protocols {
    http1: auto::Builder<TokioExecutor>,
    upgrading: http1::Builder,
    http2: auto::Builder<TokioExecutor>,
    either: auto::Builder<TokioExecutor>,
}

impl Protocols {
    /// With so many requests at once on one connection.
    pub(crate) fn within(limits: &Limits, streams: u32) -> Self {
        let either = builder(limits, streams);
        let upgrading = upgrading(limits);
        Self { http1: either.clone().http1_only(), upgrading, http2: either.clone().http2_only(), either }
    }

    /// HTTP/1.1, whose connection is somebody else's once it was upgraded.
    pub(crate) fn upgrading(&self) -> &http1::Builder {
        &self.upgrading
    }

    pub(crate) fn speak(&self, protocol: Protocol) -> &auto::Builder<TokioExecutor> {
        match protocol {
            Protocol::Http1 => &self.http1,
            Protocol::Http2 => &self.http2,
            Protocol::Either => &self.either,
        }
    }
}

fn builder(limits: &Limits, streams: u32) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Runs from when hyper has taken the answer before, not from when its client has: `Watch` keeps it instead.
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes.max(HYPER_LEAST_BYTES))
        .max_headers(limits.headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(streams)
        .max_header_list_size(limits.header_bytes_h2)
        .max_pending_accept_reset_streams(limits.resets)
        .max_local_error_reset_streams(limits.resets)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_send_buf_size(SEND_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// HTTP/1.1 that may become something else, which hyper-util has only together with HTTP/2.
fn upgrading(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes.max(HYPER_LEAST_BYTES))
        .max_headers(limits.headers);
    builder
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may stay; to be looked at again then.
    Stay(Instant),
    /// What runs may end, and nothing new begins.
    Close,
    /// It goes at once.
    Drop,
}

/// Looks after one connection.
pub(crate) struct Watch {
    opened: Instant,
    closing_since: Option<Instant>,
}

impl Watch {
    pub(crate) fn begin() -> Self {
        Self { opened: Instant::now(), closing_since: None }
    }

    /// When it is to be looked at first.
    pub(crate) fn first_look(&self, limits: &Limits) -> Instant {
        self.opened + limits.header_time.min(rhythm(limits))
    }

    /// Gives up answers that nobody reads, and says whether the connection holds its place for something.
    pub(crate) fn look(&mut self, conversation: &Conversation, limits: &Limits) -> Verdict {
        conversation.give_up_stalled(limits.write_idle);
        let now = Instant::now();
        // hyper-util tells the protocols apart without a limit of time: what never comes to a request ends here.
        let Some(version) = conversation.version() else {
            let longest = self.opened + limits.header_time;
            return if now >= longest { Verdict::Drop } else { Verdict::Stay(longest) };
        };
        let quiet = conversation.quiet();
        if version < Version::HTTP_2 && quiet.is_some_and(|quiet| quiet >= limits.header_time) {
            return Verdict::Drop;
        }
        match self.closing_since {
            Some(since) if quiet.is_some() && now >= since + limits.farewell => Verdict::Drop,
            None if quiet.is_some_and(|quiet| quiet >= limits.idle) => {
                self.closing_since = Some(now);
                Verdict::Close
            }
            Some(_) => Verdict::Stay(now + rhythm(limits).min(limits.farewell)),
            None => Verdict::Stay(now + rhythm(limits)),
        }
    }
}

/// How long things may go on longer than they should.
fn rhythm(limits: &Limits) -> Duration {
    limits.write_idle.min(limits.idle).min(limits.header_time)
}
