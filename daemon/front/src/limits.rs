//! What one client may take of connections, header bytes and time: all in one table.

use std::time::Duration;

/// Limits of every listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; more wait to be accepted. The network gets no more than most of them, so that programs on this
    /// machine and its owner are let in.
    pub connections: usize,
    /// Of those, from one address of the network's.
    pub connections_per_address: usize,
    /// Of those, on which nobody was identified yet.
    pub unauthenticated_per_address: usize,
    /// For a client to agree on TLS.
    pub handshake_time: Duration,
    /// Requests at once on one connection of HTTP/2 from this machine, where one client may speak for many.
    pub streams: u32,
    /// The same from the network.
    pub network_streams: u32,
    /// For a request's headers to arrive, from the first byte or from the answer before; and for the first request of a
    /// connection.
    pub header_time: Duration,
    /// Bytes of a request's headers.
    pub header_bytes: usize,
    /// The same in HTTP/2, where many requests arrive at once and headers are packed.
    pub header_bytes_h2: u32,
    /// Headers of a request.
    pub headers: usize,
    /// Between two pieces of a request's body.
    pub body_idle: Duration,
    /// For all of a body that is held to arrive, and a second more for each [`Limits::BODY_BYTES_PER_SECOND`] of it.
    pub body_time: Duration,
    /// Bytes of a request's body that was sent packed, once it is unpacked. One that is not packed has its route's limit.
    pub unpacked_bytes: u64,
    /// Bytes of requests' bodies, of all connections, that are held until their answers have ended.
    pub held_bytes: usize,
    /// The same of those who may nothing, and of them alone: what strangers send takes nobody's place but a stranger's.
    pub stranger_bytes: usize,
    /// Bytes of uploads, of all connections, that are on their way to the disk.
    pub passing_bytes: usize,
    /// For a client to take what is written to it; a stalled reader must not hold a model.
    pub write_idle: Duration,
    /// For the next request on a connection of HTTP/2, where many take turns.
    pub idle: Duration,
    /// For a client to see that its connection is being closed.
    pub farewell: Duration,
    /// Streams that a client may open and give up at once before we have looked at them, and that may fail, until the
    /// connection ends: what is cheap to ask for must not be dear to refuse ("rapid reset").
    pub resets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_address: 64,
            unauthenticated_per_address: 16,
            handshake_time: Duration::from_secs(5),
            streams: 256,
            network_streams: 64,
            header_time: Duration::from_secs(10),
            header_bytes: 64 << 10,
            header_bytes_h2: 16 << 10,
            headers: 100,
            body_idle: Duration::from_secs(30),
            body_time: Duration::from_secs(30),
            unpacked_bytes: 64 << 20,
            held_bytes: 512 << 20,
            stranger_bytes: 4 << 20,
            passing_bytes: 32 << 20,
            write_idle: Duration::from_secs(60),
            idle: Duration::from_secs(120),
            farewell: Duration::from_secs(5),
            resets: 64,
        }
    }
}

impl Limits {
    /// Whose line is slower than that cannot send a long conversation; whose is faster is never cut off.
    pub const BODY_BYTES_PER_SECOND: u64 = 64 << 10;

    /// No more connections than files that may be open, but for what the store, the workers and pulls need.
    pub fn within_open_files(self, most: u64) -> Self {
        let connections = usize::try_from(most / 2).unwrap_or(usize::MAX).max(64).min(self.connections);
        Self { connections, ..self }
    }

    /// Those of all connections that the network may have.
    pub(crate) fn network_connections(&self) -> usize {
        self.connections - self.connections / 8
    }

    /// No more bytes of bodies than a quarter of what memory there is: what is made of a body takes about as much again.
    pub fn within_memory(self, available: u64) -> Self {
        let quarter = usize::try_from(available / 4).unwrap_or(usize::MAX);
        // The largest body that a route takes must still fit, with what unpacks it.
        Self { held_bytes: quarter.max(80 << 20).min(self.held_bytes), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_bodies_leave_files_and_memory_for_everything_else() {
        let connections = |files| Limits::default().within_open_files(files).connections;
        assert_eq!(connections(1 << 20), 4096);
        assert_eq!(connections(1024), 512);
        assert_eq!(connections(10), 64);
        let held = |available| Limits::default().within_memory(available).held_bytes >> 20;
        assert_eq!((held(8 << 30), held(1 << 30), held(0)), (512, 256, 80));
        let few = Limits { connections: 8, ..Limits::default() };
        assert_eq!(few.within_open_files(1024).connections, 8);
    }
}
