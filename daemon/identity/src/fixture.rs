//! For tests: a box in a folder of its own, with a clock that is set by hand, and a handshake with it without a network.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use tempfile::TempDir;

use crate::authority::DAY;
use crate::{Config, Identity, IdentityError, Names, OwnCertificate, Refreshed, serving};

pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) names: Names,
    pub(crate) own: Option<OwnCertificate>,
    pub(crate) build_date: i64,
    clock: Arc<AtomicI64>,
}

impl Place {
    /// With a clock that is right, 100 days after the build.
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        Self {
            folder: TempDir::new().unwrap(),
            names: Names { hostname: "nas".into(), extra: Vec::new() },
            own: None,
            build_date: now - 100 * DAY,
            clock: Arc::new(AtomicI64::new(now)),
        }
    }

    pub(crate) fn open(&self) -> Result<Identity, IdentityError> {
        let clock = Arc::clone(&self.clock);
        let now = Arc::new(move || clock.load(Ordering::Relaxed));
        let config =
            Config { names: self.names.clone(), now, build_date: self.build_date, own: self.own.clone() };
        Identity::open(&self.tls(), config)
    }

    pub(crate) fn tls(&self) -> PathBuf {
        self.folder.path().join("state/tls")
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.load(Ordering::Relaxed)
    }

    pub(crate) fn set_clock(&self, to: i64) {
        self.clock.store(to, Ordering::Relaxed);
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    /// What a client gets that trusts the box and whose clock is as the box's.
    pub(crate) fn asked_for(&self, identity: &Identity, name: &'static str) -> Result<Met, rustls::Error> {
        let config = client(identity.root_der(), self.now(), &rustls::version::TLS13);
        meet(identity.server_config(), Arc::new(config), name)
    }
}

pub(crate) fn look(identity: &Identity, addresses: &[&str]) -> Refreshed {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect::<Vec<IpAddr>>();
    identity.refresh(&addresses).unwrap()
}

/// A client that trusts one root, and has a clock of its own.
pub(crate) fn client(
    root: &CertificateDer<'static>,
    now: i64,
    version: &'static SupportedProtocolVersion,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), serving::provider()).build().unwrap();
    let builder = ClientConfig::builder_with_details(serving::provider(), Arc::new(At(now)));
    let builder = builder.with_protocol_versions(&[version]).unwrap();
    let mut config = builder.with_webpki_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

#[derive(Debug)]
struct At(i64);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.try_into().unwrap())))
    }
}

/// How a handshake went.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) kind: rustls::HandshakeKind,
}

/// A whole handshake in memory, up to the tickets after it.
pub(crate) fn meet(
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    name: &'static str,
) -> Result<Met, rustls::Error> {
    let mut server = ServerConnection::new(server)?;
    let mut client = ClientConnection::new(client, name.try_into().unwrap())?;
    while server.wants_write() || client.wants_write() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        pour(&bytes, |rest| server.read_tls(rest));
        server.process_new_packets()?;
        bytes.clear();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        pour(&bytes, |rest| client.read_tls(rest));
        client.process_new_packets()?;
    }
    Ok(Met {
        chain: client.peer_certificates().unwrap().to_vec(),
        alpn: client.alpn_protocol().map(<[u8]>::to_vec),
        kind: client.handshake_kind().unwrap(),
    })
}

fn pour(mut bytes: &[u8], mut into: impl FnMut(&mut dyn std::io::Read) -> std::io::Result<usize>) {
    while !bytes.is_empty() {
        into(&mut bytes).unwrap();
    }
}
