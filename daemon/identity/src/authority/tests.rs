//! The chain has the profile that it is to have, and cannot be used for what it is not for.

use std::net::IpAddr;

use super::*;
use crate::leaf::Leaf;

const BUILT: i64 = 1_790_000_000;
const NOW: i64 = BUILT + 30 * DAY;

fn authority() -> Authority {
    Authority::born("nas", Moment { now: NOW, build_date: BUILT }).unwrap()
}

fn subjects(names: &[&str], addresses: &[&str]) -> Subjects {
    Subjects {
        names: names.iter().map(ToString::to_string).collect(),
        addresses: addresses.iter().map(|address| address.parse::<IpAddr>().unwrap()).collect(),
    }
}

#[test]
fn the_root_can_be_followed_by_one_signer_and_that_by_none() {
    let authority = authority();
    let root = parsed(authority.root()).unwrap();
    let [signer_der, _] = authority.chain();
    let signer = parsed(&signer_der).unwrap();

    for (certificate, after) in [(&root, 1), (&signer, 0)] {
        let basic = certificate.basic_constraints().unwrap().unwrap();
        assert!(basic.critical && basic.value.ca);
        assert_eq!(basic.value.path_len_constraint, Some(after));
        let usage = certificate.key_usage().unwrap().unwrap();
        assert!(usage.critical);
        assert_eq!(usage.value.flags, 1 << 5 | 1 << 6, "keyCertSign and cRLSign alone");
        assert_eq!(certificate.validity().not_before.timestamp(), BUILT - DAY);
        // prime256v1
        let curve = certificate.public_key().algorithm.parameters.as_ref().unwrap().as_oid().unwrap();
        assert_eq!(curve.to_id_string(), "1.2.840.10045.3.1.7");
    }
    assert_eq!(root.validity().not_after.timestamp(), NOW + TEN_YEARS);
    assert_eq!(signer.validity().not_after.timestamp(), NOW + TEN_YEARS - DAY);
    assert!(root.name_constraints().unwrap().is_none() && root.extended_key_usage().unwrap().is_none());
    let extended = signer.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && !extended.client_auth && !extended.any && extended.other.is_empty());
}

#[test]
fn the_signer_is_bound_to_the_boxs_names_and_to_local_networks() {
    let authority = authority();
    let [signer, _] = authority.chain();
    let signer = parsed(&signer).unwrap();

    let constraints = signer.name_constraints().unwrap().unwrap();

    assert!(constraints.critical && constraints.value.excluded_subtrees.is_none());
    let label = label(&authority.id());
    let mut written = Vec::new();
    for subtree in constraints.value.permitted_subtrees.as_ref().unwrap() {
        match &subtree.base {
            GeneralName::DNSName(name) => written.push((*name).to_owned()),
            GeneralName::IPAddress(octets) => {
                let ones = octets[octets.len() / 2..].iter().map(|byte| byte.count_ones()).sum::<u32>();
                let start = match octets.len() {
                    8 => IpAddr::from(<[u8; 4]>::try_from(&octets[..4]).unwrap()),
                    _ => IpAddr::from(<[u8; 16]>::try_from(&octets[..16]).unwrap()),
                };
                written.push(format!("{start}/{ones}"));
            }
            other => panic!("{other:?}"),
        }
    }
    let mut expected = vec!["localhost".to_owned()];
    for name in [&label, "nas"] {
        expected.extend(["local", "lan", "internal", "home.arpa"].map(|domain| format!("{name}.{domain}")));
        expected.push(name.to_owned());
    }
    let networks = [
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "::1/128",
        "fe80::/10",
        "fc00::/7",
    ];
    expected.extend(networks.map(str::to_owned));
    assert_eq!(written, expected);
}

#[test]
fn what_is_served_is_for_servers_alone_and_has_a_number_of_its_own() {
    let authority = authority();
    let subjects = subjects(&["nas.local", "localhost"], &["127.0.0.1", "fd00::5"]);

    let first = Leaf::issue(&authority, &subjects, NOW, None).unwrap();
    let second = Leaf::issue(&authority, &subjects, NOW, Some(&first)).unwrap();

    let (first, second) = (parsed(first.certificate()).unwrap(), parsed(second.certificate()).unwrap());
    let facts = Facts::of(&CertificateDer::from(first.as_raw())).unwrap();
    assert_eq!(facts.subjects, subjects);
    assert_eq!((facts.not_before, facts.not_after), (NOW - DAY, NOW - DAY + LEAF_LIFE));
    let extended = first.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && !extended.client_auth && !extended.any);
    assert!(!first.basic_constraints().unwrap().unwrap().value.ca);
    assert_eq!(first.key_usage().unwrap().unwrap().value.flags, 1, "digitalSignature alone");
    assert_eq!(first.public_key().raw, second.public_key().raw);
    assert_ne!(first.serial, second.serial);
}

#[test]
fn a_certificate_for_anybody_elses_name_is_refused() {
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let label = label(&authority.id());
    let vouched = |names: &[&str], addresses: &[&str]| {
        authority.vouches_for(&authority.sign(&subjects(names, addresses), &key, NOW).unwrap())
    };

    for own in
        [format!("{label}.local"), label, "nas.lan".into(), "chat.nas.local".into(), "localhost".into()]
    {
        assert!(vouched(&[&own], &[]), "{own}");
    }
    for own in ["127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.178.20", "::1", "fd12::1", "fe80::1"] {
        assert!(vouched(&[], &[own]), "{own}");
    }
    for foreign in ["evil.example", "other.local", "local", "nas.example", "xnas.local", "home.arpa"] {
        assert!(!vouched(&[foreign], &[]), "{foreign}");
        assert!(!vouched(&["nas.local", foreign], &[]), "{foreign} beside one of its own");
    }
    for foreign in ["8.8.8.8", "172.32.0.1", "192.169.0.1", "2001:db8::1", "::2"] {
        assert!(!vouched(&[], &[foreign]), "{foreign}");
    }
}

#[test]
fn what_was_written_is_read_again_and_a_single_changed_bit_is_seen() {
    let authority = authority();
    let text = authority.to_pem();

    let read = Authority::read(text.as_bytes()).unwrap();
    assert_eq!(
        (read.id(), read.permitted(), read.not_after()),
        (authority.id(), authority.permitted(), authority.not_after())
    );
    assert_eq!(text.matches("PRIVATE KEY").count(), 2, "one key, of the signer");

    for at in 0..text.len() {
        let mut changed = text.as_bytes().to_vec();
        changed[at] ^= 1;
        // Some changes mean nothing, such as one in the unused bits of the last letter.
        if let Ok(read) = Authority::read(&changed) {
            assert_eq!(*read.to_pem(), *text, "byte {at}");
        }
        if let Ok(read) = Authority::read(&text.as_bytes()[..at]) {
            assert_eq!(*read.to_pem(), *text, "cut at {at}");
        }
    }
}

#[test]
fn the_parts_of_two_authorities_make_none() {
    let (one, other) = (authority(), authority());
    let [one_signer, one_root] = one.chain();
    let [other_signer, other_root] = other.chain();
    let mixed = |key: &KeyPair, signer: &CertificateDer<'_>, root: &CertificateDer<'_>| {
        Authority::read(pem::key_and_certificates(key.serialized_der(), &[signer, root]).as_bytes())
    };

    assert!(mixed(&one.key, &one_signer, &one_root).is_ok());
    assert!(mixed(&other.key, &one_signer, &one_root).is_err());
    assert!(mixed(&one.key, &one_signer, &other_root).is_err());
    assert!(mixed(&other.key, &other_signer, &one_root).is_err());
}
