//! What one client may take of connections, header bytes and time: all in one table.

use std::time::Duration;

/// Limits of every listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// For a request's headers to arrive, from the first byte or from the answer before.
    pub header_time: Duration,
    /// Bytes of a request's headers.
    pub header_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// Between two pieces of a request's body.
    pub body_idle: Duration,
    /// For a client to take what is written to it; a stalled reader must not hold a model.
    pub write_idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            header_time: Duration::from_secs(10),
            header_bytes: 64 << 10,
            headers: 100,
            body_idle: Duration::from_secs(30),
            write_idle: Duration::from_secs(60),
        }
    }
}
