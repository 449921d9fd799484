//! What is taken for a box, and what is not, whatever is announced.

use mdns_sd::{ServiceInfo, TxtProperty};
use proptest::prelude::*;

use super::*;
use crate::announcement::HOB;
use crate::announcement::tests::{announcement, id as id_of};
use crate::neighbour::Phase;

/// As it was said, with one text replaced.
fn with(name: &str, value: &[u8]) -> Option<Neighbour> {
    let said = announcement().records("hob-abcd", &["10.0.0.5".parse().unwrap()], Phase::Ready).unwrap();
    let mut texts: Vec<TxtProperty> = said[0].get_properties().iter().cloned().collect();
    texts.retain(|text| text.key() != name);
    texts.push(TxtProperty::from((name, value)));
    service("hob-abcd.local.", &["10.0.0.5"], 11443, texts)
}

fn service(host: &str, addresses: &[&str], port: u16, texts: Vec<TxtProperty>) -> Option<Neighbour> {
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let info = ServiceInfo::new(HOB, "any", host, &addresses[..], port, texts).unwrap();
    neighbour(&info.as_resolved_service())
}

fn texts() -> Vec<TxtProperty> {
    let said = announcement().records("hob-abcd", &[], Phase::Ready).unwrap();
    said[0].get_properties().iter().cloned().collect()
}

#[test]
fn what_a_hob_says_of_itself_is_understood_as_it_was_meant() {
    let addresses = ["fd00::5", "10.0.0.5", "fe80::1", "127.0.0.1", "224.0.0.1", "0.0.0.0"];
    let heard = service("HOB-abcd.local.", &addresses, 11443, texts()).unwrap();
    let expected = Neighbour {
        label: "hob-abcd".into(),
        id: id_of("a box").short(),
        port: 11443,
        addresses: vec!["10.0.0.5".parse().unwrap(), "fd00::5".parse().unwrap()],
        version: "12.34".into(),
        phase: Phase::Ready,
    };
    assert_eq!(heard, expected);
    assert!(heard.claims_to_be(&id_of("a box")) && !heard.claims_to_be(&id_of("another")));
}

#[test]
fn what_no_hob_would_say_is_no_neighbour() {
    let short = id_of("a box").short();
    let mistyped =
        if short.starts_with('A') { short.replacen('A', "B", 1) } else { format!("A{}", &short[1..]) };
    let whole = id_of("a box").to_string();
    for (name, wrong) in [
        ("txtvers", "2"),
        ("tls", "0"),
        ("product", "hub"),
        ("id", &mistyped),
        ("id", &whole),
        ("id", &short.to_lowercase()),
        ("id", ""),
        ("v", "1"),
        ("v", "1.2.3"),
        ("v", "1.\u{1b}[31m"),
        ("v", "123456.1"),
        ("state", "READY"),
        ("state", ""),
    ] {
        assert_eq!(with(name, wrong.as_bytes()), None, "{name}={wrong:?}");
    }
    assert_eq!(with("v", b"\xff.\xfe"), None);
    assert!(with("v", b"0.1").is_some());
    let long = format!("{}.local.", "a".repeat(64));
    for host in [
        "a.b.local.",
        "-a.local.",
        "a_b.local.",
        "a b.local.",
        "h\u{1b}[2J.local.",
        "hob-\u{e9}.local.",
        &long,
    ] {
        assert_eq!(service(host, &["10.0.0.5"], 11443, texts()), None, "{host:?}");
    }
    assert_eq!(service("hob-abcd.local.", &["10.0.0.5"], 0, texts()), None, "port 0");
    assert_eq!(service("hob-abcd.local.", &["127.0.0.1", "fe80::1"], 1, texts()), None, "nowhere");
    assert_eq!(service("hob-abcd.local.", &["10.0.0.5"], 1, Vec::new()), None, "no texts");
}

#[test]
fn of_many_addresses_some_are_believed() {
    let many: Vec<String> = (1..=200).map(|last| format!("10.0.0.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(service("hob-abcd.local.", &many, 1, texts()).unwrap().addresses.len(), MOST_ADDRESSES);
}

proptest! {
    #[test]
    fn whatever_is_announced_what_comes_of_it_is_short_and_can_be_shown(
        names in proptest::collection::vec((
            prop_oneof![Just("txtvers"), Just("tls"), Just("product"), Just("id"), Just("v"), Just("state"), Just("x")],
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                "[0-9]{1,3}\\.[0-9]{1,3}".prop_map(String::into_bytes),
                Just(b"1".to_vec()), Just(b"hob".to_vec()), Just(b"ready".to_vec()),
                Just(id_of("a box").short().into_bytes()),
            ],
        ), 0..24),
        host in prop_oneof![".{0,80}\\.local\\.", "[a-z0-9-]{1,70}\\.local\\."],
        port in any::<u16>(),
        keep in any::<bool>(),
    ) {
        let mut all = if keep { texts() } else { Vec::new() };
        for (name, value) in names {
            all.retain(|text| text.key() != name);
            all.push(TxtProperty::from((name, value)));
        }
        if let Some(heard) = service(&host, &["10.0.0.5"], port, all) {
            prop_assert_ne!(heard.port, 0);
            for (text, longest) in [(&heard.label, 63), (&heard.id, 17), (&heard.version, 11)] {
                prop_assert!(!text.is_empty() && text.len() <= longest);
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
