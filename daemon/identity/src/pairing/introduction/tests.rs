//! A box is got to know without being told anything, and nobody else passes for it.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rcgen::{CertificateParams, KeyPair};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, Stream};
use rustls_pki_types::PrivateKeyDer;

use super::*;
use crate::authority::{Authority, DAY, Moment};
use crate::fixture::Place;
use crate::leaf::Leaf;
use crate::names::{Subjects, signable};
use crate::pairing::{BoxName, Boxes, Paired, Root};
use crate::serving::Serving;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a server saw of a connection.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// It ended before the client had anything to send by.
    Refused,
    /// This was sent.
    Sent(Vec<u8>),
}

/// A server on a socket of its own.
fn serve(config: Arc<ServerConfig>, on: Ipv4Addr) -> (Address, Receiver<Seen>) {
    let listener = TcpListener::bind((on, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut session) =
                (stream.unwrap(), ServerConnection::new(Arc::clone(&config)).unwrap());
            let mut sent = Vec::new();
            let _ends_as_it_likes = Stream::new(&mut session, &mut stream).read_to_end(&mut sent);
            if tell.send(if session.is_handshaking() { Seen::Refused } else { Seen::Sent(sent) }).is_err() {
                break;
            }
        }
    });
    (address, told)
}

/// One that serves a chain with a key, whatever they are.
fn impostor(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(key.serialized_der().to_vec().into());
    let key = serving::provider().key_provider.load_private_key(key).unwrap();
    Arc::new(serving::config(Serving::new(CertifiedKey::new(chain, key), None)).unwrap())
}

#[test]
fn a_box_shows_who_it_is_and_is_told_nothing() {
    let place = Place::new();
    let identity = place.open().unwrap();
    let (address, told) = serve(identity.server_config(), Ipv4Addr::LOCALHOST);

    let introduction = introduce(&address, &[], PATIENCE).unwrap();

    assert_eq!((introduction.id, &introduction.root), (*identity.id(), identity.root_der()));
    introduction.must_be(&identity.id().short().parse().unwrap()).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Seen::Refused);
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Seen::Sent(Vec::new()));
}

#[test]
fn another_box_than_the_one_that_is_meant_is_refused_and_both_ids_are_told() {
    let (meant, other) = (Place::new().open().unwrap(), Place::new().open().unwrap());
    let (address, _told) = serve(other.server_config(), Ipv4Addr::LOCALHOST);

    let introduction = introduce(&address, &[], PATIENCE).unwrap();
    let error = introduction.must_be(&(*meant.id()).into()).unwrap_err().to_string();

    assert!(error.contains(&meant.id().to_string()) && error.contains(&other.id().to_string()), "{error}");
}

#[test]
fn a_paired_box_that_is_another_now_is_refused_and_both_ids_are_told() {
    let before = Place::new();
    let (was, now) = (before.open().unwrap(), Place::new().open().unwrap());
    let (address, _told) = serve(was.server_config(), Ipv4Addr::LOCALHOST);
    let name: BoxName = "kitchen".parse().unwrap();
    let paired = Paired::new(name.clone(), &introduce(&address, &[], PATIENCE).unwrap());
    paired.confirm(PATIENCE).unwrap();
    let boxes = Boxes::within(before.folder.path().join("boxes"));
    boxes.save(&paired).unwrap();

    let (address, _told) = serve(now.server_config(), Ipv4Addr::LOCALHOST);
    let introduction = introduce(&address, &[], PATIENCE).unwrap();
    let moved = paired.at(address);

    for error in [moved.confirm(PATIENCE), boxes.save(&Paired::new(name, &introduction))] {
        let error = error.unwrap_err();
        assert!(matches!(error, PairingError::Changed { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains(&was.id().to_string()) && error.contains(&now.id().to_string()), "{error}");
    }
}

#[test]
fn who_only_shows_anothers_root_does_not_pass_for_it() {
    let place = Place::new();
    let victim = place.open().unwrap();
    let authority =
        Authority::born("nas", Moment { now: place.now(), build_date: place.build_date }).unwrap();
    let subjects = Subjects { addresses: signable(&[]), ..Subjects::default() };
    let key = KeyPair::generate().unwrap();
    let leaf = authority.sign(&subjects, &key, place.now()).unwrap();
    let [signer, own_root] = authority.chain();
    assert!(
        introduce(
            &serve(impostor(vec![leaf.clone(), signer.clone(), own_root], &key), Ipv4Addr::LOCALHOST).0,
            &[],
            PATIENCE
        )
        .is_ok()
    );

    let shown = vec![leaf, signer, victim.root_der().clone()];
    let (address, told) = serve(impostor(shown, &key), Ipv4Addr::LOCALHOST);
    let error = introduce(&address, &[], PATIENCE).unwrap_err();

    assert!(matches!(error, PairingError::Certificates { .. }), "{error:?}");
    assert_eq!(
        (told.recv_timeout(PATIENCE).unwrap(), told.recv_timeout(PATIENCE).unwrap()),
        (Seen::Refused, Seen::Refused)
    );
}

#[test]
fn who_shows_a_boxs_certificates_and_has_not_its_key_does_not_pass_for_it() {
    let place = Place::new();
    let victim = place.open().unwrap();
    let shown = place.asked_for(&victim, "nas.local").unwrap().chain;

    let (address, _told) = serve(impostor(shown, &KeyPair::generate().unwrap()), Ipv4Addr::LOCALHOST);
    let error = introduce(&address, &[], PATIENCE).unwrap_err();

    assert!(matches!(error, PairingError::Certificates { .. }), "{error:?}");
}

#[test]
fn certificates_that_are_for_another_name_are_refused() {
    let identity = Place::new().open().unwrap();
    let elsewhere = Ipv4Addr::new(127, 0, 0, 2);
    assert!(!signable(&[]).contains(&IpAddr::V4(elsewhere)));
    let (address, _told) = serve(identity.server_config(), elsewhere);

    let error = introduce(&address, &[], PATIENCE).unwrap_err();

    assert!(matches!(error, PairingError::Certificates { .. }), "{error:?}");
}

#[test]
fn expired_certificates_are_refused() {
    let mut place = Place::new();
    place.pass(-200 * DAY);
    place.build_date = place.now();
    let identity = place.open().unwrap();
    let (address, _told) = serve(identity.server_config(), Ipv4Addr::LOCALHOST);

    let error = introduce(&address, &[], PATIENCE).unwrap_err();

    assert!(matches!(error, PairingError::Certificates { .. }), "{error:?}");
}

#[test]
fn a_server_that_shows_no_root_is_no_hob() {
    let key = KeyPair::generate().unwrap();
    let alone = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let authority = Authority::born("nas", Moment { now: 0, build_date: 0 }).unwrap();
    let leaf = Leaf::issue(&authority, &Subjects::default(), 0, None).unwrap().certificate().clone();
    let [signer, _] = authority.chain();

    for chain in [vec![alone.der().clone()], vec![leaf, signer]] {
        let error =
            introduce(&serve(impostor(chain, &key), Ipv4Addr::LOCALHOST).0, &[], PATIENCE).unwrap_err();
        assert!(matches!(error, PairingError::NotHob { .. }), "{error:?}");
    }
}

#[test]
fn who_says_nothing_or_something_else_is_given_up() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address: Address = silent.local_addr().unwrap().to_string().parse().unwrap();

    let begun = Instant::now();
    let error = introduce(&address, &[], Duration::from_millis(200)).unwrap_err();

    assert!(matches!(error, PairingError::Tls { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));

    let plain = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address: Address = plain.local_addr().unwrap().to_string().parse().unwrap();
    thread::spawn(move || {
        for stream in plain.incoming() {
            let _gone = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let error = introduce(&address, &[], PATIENCE).unwrap_err();
    assert!(matches!(error, PairingError::Tls { .. }), "{error:?}");

    let nobody = { TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap() };
    let error = introduce(&nobody.to_string().parse().unwrap(), &[], PATIENCE).unwrap_err();
    assert!(matches!(error, PairingError::Unreachable { .. }), "{error:?}");
}

fn socket(address: &Address) -> SocketAddr {
    format!("{address}").parse().unwrap()
}

#[test]
fn a_box_proves_that_a_root_is_its_own_wherever_it_is_and_whoever_only_has_it_does_not() {
    let place = Place::new();
    let (the_box, other) = (place.open().unwrap(), Place::new().open().unwrap());
    let root: Root = the_box.root_pem().parse().unwrap();
    // Its certificates are not for that address.
    let elsewhere = Ipv4Addr::new(127, 0, 0, 2);
    let (address, told) = serve(the_box.server_config(), elsewhere);
    proven(root.der(), socket(&address), PATIENCE).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Seen::Sent(Vec::new()), "nothing is said");

    let (address, _told) = serve(other.server_config(), Ipv4Addr::LOCALHOST);
    let another = proven(root.der(), socket(&address), PATIENCE).unwrap_err();
    let shown = place.asked_for(&the_box, "nas.local").unwrap().chain;
    let (address, _told) = serve(impostor(shown, &KeyPair::generate().unwrap()), Ipv4Addr::LOCALHOST);
    let without_key = proven(root.der(), socket(&address), PATIENCE).unwrap_err();
    let nobody = { TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap() };
    let unreachable = proven(root.der(), nobody, PATIENCE).unwrap_err();

    assert!(matches!(another, PairingError::Certificates { .. }), "{another:?}");
    assert!(matches!(without_key, PairingError::Certificates { .. }), "{without_key:?}");
    assert!(matches!(unreachable, PairingError::Unreachable { .. }), "{unreachable:?}");
}

#[test]
fn somebody_else_where_a_box_may_be_is_passed_over() {
    let place = Place::new();
    let identity = place.open().unwrap();
    let (address, _told) = serve(identity.server_config(), Ipv4Addr::LOCALHOST);
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let right = address.to_string().parse().unwrap();

    let places = [nobody, silent.local_addr().unwrap(), right];
    let introduction = introduce(&address, &places, Duration::from_secs(3)).unwrap();

    assert_eq!((introduction.id, introduction.place), (*identity.id(), right));
}
