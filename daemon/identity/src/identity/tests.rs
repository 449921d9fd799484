//! What the box serves follows its clock, its addresses, its files and its owner, and who it is stays.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rcgen::{CertificateParams, KeyPair};
use rustls::version::{TLS12, TLS13};

use super::*;
use crate::authority::LEAF_LIFE;
use crate::certificate::parsed;
use crate::fixture::{Place, client, look, meet};

const LAN: &[&str] = &["192.168.1.5"];

fn leaf(identity: &Identity) -> CertificateDer<'static> {
    identity.held().leaf.certificate().clone()
}

fn not_before(identity: &Identity) -> i64 {
    identity.held().leaf.facts().not_before
}

#[test]
fn a_box_is_the_same_after_each_start_and_its_keys_are_nobody_elses() {
    let place = Place::new();

    let first = place.open().unwrap();
    let again = place.open().unwrap();

    assert_eq!(first.id(), again.id());
    assert_eq!(leaf(&first), leaf(&again));
    assert_eq!(first.label(), format!("hob-{}", first.id().to_string()[..4].to_lowercase()));
    assert_ne!(first.id(), Place::new().open().unwrap().id());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&place.tls()), 0o700);
        let files = fs::read_dir(place.tls()).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
        let keys = files.iter().filter(|path| path.extension().is_some()).collect::<Vec<_>>();
        assert_eq!(keys.len(), 2, "{files:?}");
        assert!(keys.iter().all(|path| mode(path) == 0o600), "{files:?}");
    }
}

#[test]
fn a_box_that_is_started_many_times_at_once_is_one() {
    let place = Place::new();

    let ids = std::thread::scope(|scope| {
        let starts = (0..8).map(|_| scope.spawn(|| *place.open().unwrap().id())).collect::<Vec<_>>();
        starts.into_iter().map(|start| start.join().unwrap()).collect::<Vec<_>>()
    });

    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(*place.open().unwrap().id(), ids[0]);
}

#[test]
fn a_power_cut_at_birth_leaves_a_whole_box_or_none() {
    let place = Place::new();
    fs::create_dir_all(place.tls()).unwrap();
    fs::write(place.tls().join(".staged-1-0"), "half an authority").unwrap();

    let born = place.open().unwrap();
    assert!(!place.tls().join(".staged-1-0").exists());
    fs::remove_file(place.tls().join("server.pem")).unwrap();
    let again = place.open().unwrap();

    assert_eq!(born.id(), again.id());
    place.asked_for(&again, "nas.local").unwrap();
}

#[test]
fn a_damaged_or_lost_authority_is_an_error_and_not_another_box() {
    let place = Place::new();
    place.open().unwrap();
    let path = place.tls().join("authority.pem");
    let whole = fs::read(&path).unwrap();

    for damaged in [&whole[..whole.len() / 2], b"", b"\0\0\0\0"] {
        fs::write(&path, damaged).unwrap();
        let error = place.open().err().unwrap();
        assert!(matches!(error, IdentityError::Damaged { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), damaged);
    }
    fs::remove_file(&path).unwrap();
    let error = place.open().err().unwrap();
    assert!(matches!(error, IdentityError::Lost { .. }), "{error}");
    assert!(error.to_string().contains("backup"), "{error}");
}

#[test]
fn a_damaged_certificate_is_made_anew() {
    let place = Place::new();
    let before = place.open().unwrap();
    let path = place.tls().join("server.pem");
    // Another box's is none for this one either.
    let other = Place::new();
    other.open().unwrap();
    for damaged in [b"-----BEGIN".to_vec(), fs::read(other.tls().join("server.pem")).unwrap()] {
        fs::write(&path, &damaged).unwrap();

        let after = place.open().unwrap();

        assert_eq!(before.id(), after.id());
        place.asked_for(&after, "nas.local").unwrap();
        assert_ne!(fs::read(&path).unwrap(), damaged);
    }
}

#[test]
fn born_in_1970_a_box_has_certificates_of_the_date_of_its_build_until_its_clock_is_set() {
    let place = Place::new();
    let now = place.now();
    place.set_clock(60);

    let identity = place.open().unwrap();
    assert_eq!(not_before(&identity), place.build_date - DAY);
    assert!(identity.status().warnings.contains(&Warning::ClockNotSet));
    assert_eq!(look(&identity, LAN), Refreshed::Issued);
    assert_eq!(look(&identity, LAN), Refreshed::Unchanged);
    assert_eq!(not_before(&identity), place.build_date - DAY);
    let first = *identity.id();

    // 100 days on, there are 79 left.
    place.set_clock(now);
    assert_eq!(look(&identity, LAN), Refreshed::Unchanged);
    assert_eq!(identity.status().warnings, []);
    place.asked_for(&identity, "192.168.1.5").unwrap();
    place.set_clock(now + 20 * DAY);
    assert_eq!(look(&identity, LAN), Refreshed::Issued);
    assert_eq!(not_before(&identity), now + 19 * DAY);
    assert_eq!(*identity.id(), first);
    place.asked_for(&identity, "192.168.1.5").unwrap();
}

#[test]
fn a_clock_that_is_not_set_yet_gives_no_reason_for_another_certificate() {
    let place = Place::new();
    let before = leaf(&place.open().unwrap());
    let now = place.now();
    place.set_clock(0);

    let identity = place.open().unwrap();
    assert_eq!(leaf(&identity), before);
    // For a new address there has to be one; time does not go back for it.
    assert_eq!(look(&identity, LAN), Refreshed::Issued);

    assert_eq!(not_before(&identity), now - DAY);
}

#[test]
fn an_earlier_version_makes_no_certificate_for_a_time_before_the_boxs_birth() {
    let mut place = Place::new();
    let (now, born) = (place.now(), place.build_date);
    place.open().unwrap();
    fs::remove_file(place.tls().join("server.pem")).unwrap();
    place.build_date -= 300 * DAY;
    place.set_clock(0);

    let identity = place.open().unwrap();

    assert_eq!(not_before(&identity), born - DAY);
    place.set_clock(now);
    place.asked_for(&identity, "nas.local").unwrap();
}

#[test]
fn a_clock_that_says_nonsense_stops_nothing() {
    for nonsense in [i64::MAX, i64::MIN] {
        let place = Place::new();
        let now = place.now();
        place.set_clock(nonsense);
        let identity = place.open().unwrap();
        look(&identity, LAN);
        identity.status();

        place.set_clock(now);
        look(&identity, LAN);
        place.asked_for(&identity, "192.168.1.5").unwrap();
    }
}

#[test]
fn a_box_whose_clock_was_ahead_is_trusted_once_it_is_set() {
    let place = Place::new();
    let now = place.now();
    place.set_clock(now + 30 * 365 * DAY);
    let identity = place.open().unwrap();
    look(&identity, LAN);

    place.set_clock(now);
    assert!(place.asked_for(&identity, "192.168.1.5").is_err());
    assert_eq!(look(&identity, LAN), Refreshed::Issued);

    place.asked_for(&identity, "192.168.1.5").unwrap();
}

#[test]
fn a_certificate_is_renewed_when_60_days_are_left_or_when_it_has_expired_meanwhile() {
    let place = Place::new();
    let identity = place.open().unwrap();
    look(&identity, LAN);
    let (id, first) = (*identity.id(), leaf(&identity));

    place.pass(LEAF_LIFE - DAY - 61 * DAY);
    assert_eq!(look(&identity, LAN), Refreshed::Unchanged);
    place.pass(DAY);
    assert_eq!(look(&identity, LAN), Refreshed::Issued);
    assert_eq!(look(&identity, LAN), Refreshed::Unchanged);
    let second = leaf(&identity);
    place.pass(300 * DAY);
    assert!(place.asked_for(&identity, "nas.local").is_err());
    let started = place.open().unwrap();

    place.asked_for(&started, "nas.local").unwrap();
    assert_eq!(*started.id(), id);
    let keys = [first, second, leaf(&started)].map(|leaf| parsed(&leaf).unwrap().public_key().raw.to_vec());
    assert!(keys[0] == keys[1] && keys[1] == keys[2], "the key stays");
}

#[test]
fn when_the_authority_itself_ends_that_is_said_and_certificates_are_not_made_over_and_over() {
    let place = Place::new();
    let identity = place.open().unwrap();
    place.pass(3652 * DAY - 40 * DAY);

    assert_eq!(look(&identity, LAN), Refreshed::Issued);
    assert_eq!(look(&identity, LAN), Refreshed::Unchanged);

    assert!(matches!(identity.status().warnings[..], [Warning::AuthorityEnds { .. }]));
}

#[test]
fn a_new_address_gets_into_the_certificate_once_it_has_stayed_for_half_a_minute() {
    let place = Place::new();
    let identity = place.open().unwrap();
    assert_eq!(look(&identity, LAN), Refreshed::Issued, "the first look waits for nothing");
    place.asked_for(&identity, "192.168.1.5").unwrap();

    let more = ["192.168.1.5", "192.168.1.6"];
    assert_eq!(look(&identity, &more), Refreshed::Unchanged);
    place.pass(29);
    assert_eq!(look(&identity, &more), Refreshed::Unchanged);
    // Another one comes: it begins again.
    assert_eq!(look(&identity, &["192.168.1.7"]), Refreshed::Unchanged);
    place.pass(29);
    assert_eq!(look(&identity, &["192.168.1.7"]), Refreshed::Unchanged);
    place.pass(1);
    assert_eq!(look(&identity, &["192.168.1.7"]), Refreshed::Issued);
    place.asked_for(&identity, "192.168.1.7").unwrap();

    // One that went, one of a link, and one on the Internet are no reason.
    place.pass(60);
    for addresses in [&[][..], &["192.168.1.7", "fe80::1", "8.8.8.8", "2001:db8::1"]] {
        assert_eq!(look(&identity, addresses), Refreshed::Unchanged);
        place.pass(60);
        assert_eq!(look(&identity, addresses), Refreshed::Unchanged);
    }
}

#[test]
fn a_clock_that_goes_back_does_not_keep_a_new_address_waiting() {
    let place = Place::new();
    let identity = place.open().unwrap();
    look(&identity, &[]);
    look(&identity, LAN);

    place.pass(-3600);
    look(&identity, LAN);
    place.pass(30);

    assert_eq!(look(&identity, LAN), Refreshed::Issued);
}

#[test]
fn what_is_served_changes_under_a_running_listener_and_its_pin_stays() {
    let place = Place::new();
    let identity = place.open().unwrap();
    let tls = identity.server_config();
    let trusting = Arc::new(client(identity.root_der(), place.now(), &TLS13));

    let before = meet(Arc::clone(&tls), Arc::clone(&trusting), "nas.local").unwrap();
    look(&identity, LAN);
    let after = meet(tls, trusting, "192.168.1.5").unwrap();

    assert_eq!(before.chain.len(), 3);
    assert_ne!(before.chain[0], after.chain[0]);
    assert_eq!(before.chain[1..], after.chain[1..]);
    assert_eq!(DeviceId::of(&after.chain[2]), *identity.id());
}

#[test]
fn tls_is_1_3_or_1_2_for_http_2_and_sessions_are_resumed_without_early_data() {
    let place = Place::new();
    let identity = place.open().unwrap();
    for version in [&TLS13, &TLS12] {
        let trusting = Arc::new(client(identity.root_der(), place.now(), version));
        let first = meet(identity.server_config(), Arc::clone(&trusting), "nas.local").unwrap();
        let second = meet(identity.server_config(), trusting, "nas.local").unwrap();

        assert_eq!(first.alpn.as_deref(), Some(&b"h2"[..]));
        assert_eq!(first.kind, rustls::HandshakeKind::Full);
        assert_eq!(second.kind, rustls::HandshakeKind::Resumed);
    }
    assert_eq!(identity.server_config().max_early_data_size, 0);
}

#[test]
fn a_name_that_the_box_may_not_sign_for_spoils_nothing_and_is_told() {
    let mut place = Place::new();
    place.names.extra = ["chat.nas.local", "chat.example.org"].map(|name| name.parse().unwrap()).into();

    let identity = place.open().unwrap();

    place.asked_for(&identity, "chat.nas.local").unwrap();
    assert!(place.asked_for(&identity, "chat.example.org").is_err());
    assert!(identity.is_ours("chat.example.org"));
    assert_eq!(identity.status().warnings, [Warning::NotInCertificate(vec!["chat.example.org".into()])]);
}

#[test]
fn a_machine_that_is_called_otherwise_is_still_the_box_that_it_was() {
    let mut place = Place::new();
    let before = *place.open().unwrap().id();
    place.names.hostname = "attic".into();

    let identity = place.open().unwrap();

    assert_eq!(*identity.id(), before);
    let label: &'static str = format!("{}.local", identity.label()).leak();
    place.asked_for(&identity, label).unwrap();
    let names = ["attic", "attic.home.arpa", "attic.internal", "attic.lan", "attic.local"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(identity.status().warnings, [Warning::NotInCertificate(names)]);
}

#[test]
fn a_certificate_that_cannot_be_kept_is_served_all_the_same() {
    let place = Place::new();
    let identity = place.open().unwrap();
    let path = place.tls().join("server.pem");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();

    assert_eq!(look(&identity, LAN), Refreshed::Issued);

    place.asked_for(&identity, "192.168.1.5").unwrap();
    assert!(matches!(identity.status().warnings[..], [Warning::Unsaved(_)]));
}

#[test]
fn only_the_boxs_own_names_and_present_addresses_are_its_own() {
    let place = Place::new();
    let identity = place.open().unwrap();
    look(&identity, &["192.168.1.5", "fd00::5"]);

    let label = identity.label().to_owned();
    for own in [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "NAS.local",
        "nas",
        "192.168.1.5",
        "[fd00::5]",
        "[FD00:0::5]",
        &label,
    ] {
        assert!(identity.is_ours(own), "{own}");
    }
    let foreign = [
        "",
        "0.0.0.0",
        "[::]",
        "evil.example",
        "other.local",
        "chat.nas.local",
        "192.168.1.6",
        "fd00::5",
        "[192.168.1.5]",
        "192.168.1.5.",
        "nas.",
        "nas.local:11443",
        "127.1",
        "[nas]",
        "2130706433",
        "127.0.0.2",
    ];
    for foreign in foreign {
        assert!(!identity.is_ours(foreign), "{foreign}");
    }
    look(&identity, &["192.168.1.6", "203.0.113.7"]);
    assert!(identity.is_ours("192.168.1.6") && !identity.is_ours("192.168.1.5"));
    assert!(
        identity.is_ours("203.0.113.7"),
        "the owner may have a certificate for what the box may not sign for"
    );
    assert!(!identity.status().names.contains(&"203.0.113.7".to_owned()));
}

/// The owner's files, and how they come to be.
struct Owners(OwnCertificate);

impl Owners {
    fn beside(place: &mut Place) -> Self {
        let (cert, key) =
            (place.folder.path().join("fullchain.pem"), place.folder.path().join("privkey.pem"));
        let own = OwnCertificate { cert, key };
        place.own = Some(own.clone());
        Self(own)
    }

    /// A certificate for a name until some day, and its key; self-signed, so that a client can trust it.
    fn make(name: &str, not_after: i64) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = time::OffsetDateTime::from_unix_timestamp(not_after).unwrap();
        (params.self_signed(&key).unwrap(), key)
    }

    /// As certbot does it: written aside, and renamed.
    fn put(&self, (cert, key): &(rcgen::Certificate, KeyPair)) {
        for (path, text) in [(&self.0.cert, cert.pem()), (&self.0.key, key.serialize_pem())] {
            platform::durable::write_private(path, text.as_bytes()).unwrap();
        }
    }
}

#[test]
fn the_owners_certificate_is_served_for_its_names_and_the_boxs_own_for_the_others() {
    let mut place = Place::new();
    let owners = Owners::beside(&mut place);
    let made = Owners::make("hob.example.org", place.now() + 90 * DAY);
    owners.put(&made);

    let identity = place.open().unwrap();

    let status = identity.status();
    assert_eq!((status.source, status.warnings.as_slice()), (Source::Own, &[][..]));
    assert_eq!(
        (status.names, status.not_after),
        (vec!["hob.example.org".to_owned()], place.now() + 90 * DAY)
    );
    let trusting = Arc::new(client(made.0.der(), place.now(), &TLS13));
    assert_eq!(
        meet(identity.server_config(), trusting, "hob.example.org").unwrap().chain,
        [made.0.der().clone()]
    );
    assert!(identity.is_ours("Hob.example.org") && !identity.is_ours("other.example.org"));
    // Who paired with the box comes by those.
    place.asked_for(&identity, "nas.local").unwrap();
    place.asked_for(&identity, "127.0.0.1").unwrap();
}

#[test]
fn renewed_files_are_served_and_bad_ones_leave_the_old_in_place() {
    let mut place = Place::new();
    let owners = Owners::beside(&mut place);
    let (ends, now) = (place.now() + 90 * DAY, place.now());
    let served = |identity: &Identity| identity.0.serving.own().map(|own| own.certified().cert[0].clone());
    let problem = |identity: &Identity| match identity.status().warnings[..] {
        [Warning::OwnCertificate(ref problem)] => problem.clone(),
        ref other => panic!("{other:?}"),
    };

    // There are none at the start.
    let identity = place.open().unwrap();
    assert!(matches!(problem(&identity), OwnCertificateError::Unreadable { .. }));
    assert_eq!(identity.status().source, Source::Local);
    place.asked_for(&identity, "nas.local").unwrap();

    let first = Owners::make("hob.example.org", ends);
    owners.put(&first);
    assert_eq!(look(&identity, &[]), Refreshed::Loaded);
    look(&identity, &[]);
    assert_eq!(look(&identity, &[]), Refreshed::Unchanged);
    assert_eq!(served(&identity).as_ref(), Some(first.0.der()));

    // The certificate is there, its key is not yet.
    let second = Owners::make("hob.example.org", ends);
    platform::durable::write(&owners.0.cert, second.0.pem().as_bytes()).unwrap();
    assert_eq!(look(&identity, &[]), Refreshed::Unchanged);
    assert!(matches!(problem(&identity), OwnCertificateError::Mismatch { .. }));
    assert_eq!(served(&identity).as_ref(), Some(first.0.der()));
    owners.put(&second);
    assert_eq!(look(&identity, &[]), Refreshed::Loaded);
    assert_eq!(served(&identity).as_ref(), Some(second.0.der()));
    assert_eq!(identity.status().warnings, []);

    for (bad, expected) in [
        ("expired", OwnCertificateError::Expired { place: crate::Place::File(owners.0.cert.clone()) }),
        ("empty", OwnCertificateError::NoCertificate { place: crate::Place::File(owners.0.cert.clone()) }),
        ("no key", OwnCertificateError::NoKey { place: crate::Place::File(owners.0.key.clone()) }),
    ] {
        owners.put(&Owners::make("hob.example.org", if bad == "expired" { now - 1 } else { ends }));
        match bad {
            "empty" => fs::write(&owners.0.cert, "").unwrap(),
            "no key" => {
                fs::write(&owners.0.key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
                    .unwrap()
            }
            _ => {}
        }
        assert_eq!(look(&identity, &[]), Refreshed::Unchanged, "{bad}");
        assert_eq!(problem(&identity), expected);
        assert_eq!(served(&identity).as_ref(), Some(second.0.der()), "{bad}");
    }
    place.pass(91 * DAY);
    assert!(identity.status().warnings.contains(&Warning::OwnExpired { not_after: ends }));
}

#[test]
fn a_certificate_that_is_brought_is_served_at_once_and_after_a_restart_until_it_is_given_up() {
    let place = Place::new();
    let identity = place.open().unwrap();
    let (certificate, key) = Owners::make("hob.example.org", place.now() + 90 * DAY);
    let served = |identity: &Identity| {
        // A client that was here before would go on with what it agreed on then.
        let trusting = Arc::new(client(certificate.der(), place.now(), &TLS13));
        meet(identity.server_config(), trusting, "hob.example.org").is_ok()
    };
    assert!(!served(&identity));

    let brought = identity.check_own(certificate.pem(), key.serialize_pem()).unwrap();
    assert_eq!(brought.names(), ["hob.example.org"]);
    assert!(!served(&identity), "it is checked, and not kept");
    identity.keep_own(brought).unwrap();

    assert!(served(&identity) && identity.is_ours("hob.example.org"));
    look(&identity, &[]);
    assert_eq!(look(&identity, &[]), Refreshed::Unchanged);
    let status = identity.status();
    assert_eq!((status.source, status.warnings.as_slice()), (Source::Own, &[][..]));
    let kept = place.tls().join("owner.pem");
    assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    drop(identity);
    let again = place.open().unwrap();
    assert!(served(&again));
    place.asked_for(&again, "nas.local").unwrap();

    again.forget_own().unwrap();

    assert!(!served(&again) && !kept.exists() && !again.is_ours("hob.example.org"));
    assert_eq!((again.status().source, again.status().warnings.as_slice()), (Source::Local, &[][..]));
    again.forget_own().unwrap();
}

#[test]
fn a_certificate_that_is_brought_is_checked_as_one_in_a_file_and_files_count_above_it() {
    let mut place = Place::new();
    let (certificate, key) = Owners::make("hob.example.org", place.now() + 90 * DAY);
    let (expired, expireds) = Owners::make("hob.example.org", place.now() - 1);
    let identity = place.open().unwrap();
    let refused =
        |certificate: String, key: String| identity.check_own(certificate, key).unwrap_err().to_string();

    assert!(refused(expired.pem(), expireds.serialize_pem()).contains("what was sent has expired"));
    assert!(refused(certificate.pem(), expireds.serialize_pem()).contains("does not belong"));
    assert!(refused(key.serialize_pem(), key.serialize_pem()).contains("no certificate in what was sent"));
    assert!(refused(certificate.pem(), String::new()).contains("no key in what was sent"));
    // A power cut leaves no part of it.
    assert!(!place.tls().join("owner.pem").exists());

    let brought = identity.check_own(certificate.pem(), key.serialize_pem()).unwrap();
    assert!(!format!("{brought:?}").contains("PRIVATE"));
    identity.keep_own(brought).unwrap();
    drop(identity);
    let owners = Owners::beside(&mut place);
    owners.put(&Owners::make("other.example.org", place.now() + 90 * DAY));
    assert_eq!(place.open().unwrap().status().names, ["other.example.org"]);
}

#[test]
fn the_root_is_offered_as_each_device_wants_it() {
    let place = Place::new();
    let identity = place.open().unwrap();

    assert_eq!(identity.root_pem().matches("-----").count(), 4);
    use rustls_pki_types::pem::PemObject as _;
    assert_eq!(CertificateDer::from_pem_slice(identity.root_pem().as_bytes()).unwrap(), *identity.root_der());
    let profile = identity.mobileconfig();
    let (_, data) = profile.split_once("<data>\n").unwrap();
    let data = data.split_once("</data>").unwrap().0.split_whitespace().collect::<String>();
    use base64::Engine as _;
    assert_eq!(base64::engine::general_purpose::STANDARD.decode(data).unwrap(), identity.root_der().as_ref());
    assert!(profile.contains(&identity.id().to_string()));
    assert_eq!(profile, identity.mobileconfig());
}
