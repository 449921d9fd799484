//! Getting to know a box. The only place where certificates are looked at that nobody vouched for, and nothing is sent over
//! that connection: it ends in its handshake. What it showed is then held to the rules for everybody, over a second one.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{Address, PairingError};
use crate::certificate::parsed;
use crate::{DeviceId, ExpectedId, serving};

/// A box that has shown who it is: its certificates hold for the name that it was asked by, and it has their key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Where.
    pub address: Address,
    /// Where that led.
    pub place: SocketAddr,
    /// Who it is. A person, or what is known of it, has to say whether that is the right one.
    pub id: DeviceId,
    /// What it is trusted by, if it is.
    pub root: CertificateDer<'static>,
}

impl Introduction {
    /// Whether it is the box that is meant.
    ///
    /// # Errors
    /// [`PairingError::Another`] if it is not.
    pub fn must_be(&self, expected: &ExpectedId) -> Result<(), PairingError> {
        if expected.is(&self.id) {
            return Ok(());
        }
        Err(PairingError::Another {
            address: self.address.clone(),
            expected: expected.clone(),
            found: self.id,
        })
    }
}

/// Asks a box who it is: at the first of these places, where somebody else has found it, at which a box shows that; where the system
/// says that its name leads, if there are none. Blocks, `patience` long at most, apart from looking up its name.
///
/// # Errors
/// If it cannot be reached, is no Hob, or its certificates do not hold for this address.
pub fn introduce(
    address: &Address,
    places: &[SocketAddr],
    patience: Duration,
) -> Result<Introduction, PairingError> {
    let unreachable = |source| PairingError::Unreachable { address: address.clone(), source };
    let until = Instant::now() + patience;
    let places: Vec<SocketAddr> = match places {
        [] => (address.host().as_str(), address.port()).to_socket_addrs().map_err(unreachable)?.collect(),
        known => known.to_vec(),
    };
    let mut failed = unreachable(io::Error::new(io::ErrorKind::NotFound, "its name is not known"));
    let left = (1..=places.len()).rev().map(|left| u32::try_from(left).unwrap_or(u32::MAX));
    for (place, left) in places.iter().zip(left) {
        // One that says nothing leaves time for the others.
        let share = until.saturating_duration_since(Instant::now()) / left;
        match introduce_at(address, *place, Instant::now() + share) {
            Ok(introduction) => return Ok(introduction),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn introduce_at(address: &Address, place: SocketAddr, until: Instant) -> Result<Introduction, PairingError> {
    let there = There { address, place };
    let not_hob = || PairingError::NotHob { address: address.clone() };
    let root = shown(&there, until)?.pop().filter(is_root).ok_or_else(not_hob)?;
    let config = trusting(&root).map_err(|_| not_hob())?;
    handshake(&there, config, until)?;
    Ok(Introduction { address: address.clone(), place, id: DeviceId::of(&root), root })
}

/// Whether the box with this root, and nobody who merely has its certificate, answers at a socket. It is asked by the name that its
/// certificates always have, whatever its address. Blocks, `patience` long at most.
///
/// # Errors
/// If it cannot be reached, or is another box.
pub(super) fn proven(
    root: &CertificateDer<'static>,
    place: SocketAddr,
    patience: Duration,
) -> Result<(), PairingError> {
    let not_hob = || PairingError::NotHob { address: place.into() };
    let label = DeviceId::of(root).label();
    let address = Address::named(&format!("{label}.local"), place.port()).ok_or_else(not_hob)?;
    let config = trusting(root).map_err(|_| not_hob())?;
    handshake(&There { address: &address, place }, config, Instant::now() + patience)
}

/// A box as it is called, and where it is connected to.
struct There<'a> {
    address: &'a Address,
    place: SocketAddr,
}

/// What TLS is spoken by with a box whose root this is: by the rules for everybody, and no other root.
///
/// # Errors
/// If it is no root.
pub fn trusting(root: &CertificateDer<'static>) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), serving::provider());
    let verifier = verifier.build().map_err(|error| Error::General(error.to_string()))?;
    let builder =
        ClientConfig::builder_with_provider(serving::provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_webpki_verifier(verifier).with_no_client_auth())
}

/// Whether a certificate is its own issuer, and nothing of it was changed: a changed one would go by another ID.
pub(super) fn is_root(der: &CertificateDer<'static>) -> bool {
    parsed(der).is_some_and(|certificate| certificate.is_ca() && certificate.verify_signature(None).is_ok())
}

/// The certificates that a server shows, the box's own first.
fn shown(there: &There<'_>, until: Instant) -> Result<Vec<CertificateDer<'static>>, PairingError> {
    let address = there.address;
    let seen = Arc::new(Onlooker { seen: Mutex::default(), schemes: schemes() });
    let builder =
        ClientConfig::builder_with_provider(serving::provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|source| tls(address, source))?;
    let config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Onlooker>::clone(&seen))
        .with_no_client_auth();
    let ended = handshake(there, config, until);
    let seen = std::mem::take(&mut *seen.seen.lock().unwrap_or_else(PoisonError::into_inner));
    match ended {
        Err(error) if seen.is_empty() => Err(error),
        _ => Ok(seen),
    }
}

/// Looks at a server's certificates and refuses them, whatever they are, so that the connection ends there.
#[derive(Debug)]
struct Onlooker {
    seen: Mutex<Vec<CertificateDer<'static>>>,
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain =
            [end_entity].into_iter().chain(intermediates).map(|der| der.clone().into_owned()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Err(refused())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(refused())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(refused())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

fn refused() -> Error {
    CertificateError::ApplicationVerificationFailure.into()
}

fn schemes() -> Vec<SignatureScheme> {
    serving::provider().signature_verification_algorithms.supported_schemes()
}

/// Speaks TLS until there is nothing left to verify, and ends it.
fn handshake(there: &There<'_>, config: ClientConfig, until: Instant) -> Result<(), PairingError> {
    let address = there.address;
    let unreachable = |source| PairingError::Unreachable { address: address.clone(), source };
    let mut stream = connect(there.place, until).map_err(unreachable)?;
    let session = ClientConnection::new(Arc::new(config), address.name().clone());
    let mut session = session.map_err(|source| tls(address, source))?;
    while session.is_handshaking() {
        session.complete_io(&mut stream).map_err(|error| tls_failed(address, error))?;
    }
    session.send_close_notify();
    // It may be gone already; all is known.
    let _gone = session.complete_io(&mut stream);
    Ok(())
}

fn tls_failed(address: &Address, error: io::Error) -> PairingError {
    let address = address.clone();
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(source @ Error::InvalidCertificate(_)) => {
            PairingError::Certificates { address, source: source.clone() }
        }
        _ => PairingError::Tls { address, source: error },
    }
}

fn tls(address: &Address, source: Error) -> PairingError {
    PairingError::Tls { address: address.clone(), source: io::Error::other(source) }
}

fn connect(place: SocketAddr, until: Instant) -> io::Result<Limited> {
    let stream = TcpStream::connect_timeout(&place, left(until)?)?;
    Ok(Limited { stream, until })
}

/// A connection that ends at a time, however slowly the other side goes on.
struct Limited {
    stream: TcpStream,
    until: Instant,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.until)?))?;
        self.stream.read(buffer).map_err(late)
    }
}

impl Write for Limited {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.until)?))?;
        self.stream.write(buffer).map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(late(io::ErrorKind::WouldBlock.into())) } else { Ok(left) }
}

/// Systems say it differently.
fn late(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            io::Error::new(io::ErrorKind::TimedOut, "it took too long to answer")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests;
