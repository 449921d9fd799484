//! The box's certificates as other programs see them: OpenSSL, and Python's `cryptography`, which goes by the Web's rules.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use behaviour::lan::Lan;
use behaviour::{Hob, cache};
use serde_json::json;

use crate::settings::administer;

/// The certificates that the box shows under a name, its own first.
fn shown(hob: &Hob, lan: &Lan, name: &str) -> Vec<String> {
    let place = hob.lan_url.as_ref().unwrap().trim_start_matches("https://");
    let mut command = lan.command("openssl");
    command.args(["s_client", "-connect", place, "-servername", name, "-showcerts"]).stdin(Stdio::null());
    let text = succeeded(command.output().unwrap());
    let blocks = text.split_inclusive("-----END CERTIFICATE-----\n");
    blocks.filter_map(|part| part.find("-----BEGIN").map(|at| part[at..].to_owned())).collect()
}

#[expect(clippy::disallowed_methods, reason = "OpenSSL is what others go by")]
fn openssl(args: &[&str], input: &str) -> Output {
    let mut command = Command::new("openssl");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().expect("openssl is missing: run scripts/setup tests");
    running.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    running.wait_with_output().unwrap()
}

fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether OpenSSL takes the chain for a name or an address, strictly by the rules.
fn verified(chain: &[String], option: &str, name: &str) -> Output {
    let folder = tempfile::TempDir::new().unwrap();
    let paths = ["leaf", "signer", "root"].map(|name| folder.path().join(name));
    for (path, pem) in paths.iter().zip(chain) {
        fs::write(path, pem).unwrap();
    }
    let [leaf, signer, root] = paths.each_ref().map(|path| path.to_str().unwrap());
    let args = [
        "verify",
        "-x509_strict",
        "-purpose",
        "sslserver",
        "-CAfile",
        root,
        "-untrusted",
        signer,
        option,
        name,
        leaf,
    ];
    openssl(&args, "")
}

fn authority(hob: &Hob) -> PathBuf {
    hob.home.path().join(".local/share/hob/tls/authority.pem")
}

#[test]
fn the_chain_has_the_profile_that_it_is_to_have() {
    let lan = Lan::new();
    let hob = Hob::start_on(&lan, &[]);

    let chain = shown(&hob, &lan, "localhost");

    let described = chain.iter().map(|pem| {
        let text = succeeded(openssl(&["x509", "-noout", "-text"], pem));
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    let [leaf, signer, root] = <[String; 3]>::try_from(described.collect::<Vec<_>>()).unwrap();
    for text in [&leaf, &signer, &root] {
        assert!(
            text.contains("ASN1 OID: prime256v1") && text.contains("Signature Algorithm: ecdsa-with-SHA256"),
            "{text}"
        );
    }
    for words in ["CA:TRUE, pathlen:1", "Key Usage: critical Certificate Sign, CRL Sign"] {
        assert!(root.contains(words), "{words}: {root}");
    }
    for words in [
        "CA:TRUE, pathlen:0",
        "Key Usage: critical Certificate Sign, CRL Sign",
        "Extended Key Usage: TLS Web Server Authentication",
        "Name Constraints: critical Permitted: DNS:localhost",
        "IP:192.168.0.0/255.255.0.0",
    ] {
        assert!(signer.contains(words), "{words}: {signer}");
    }
    for words in [
        "CA:FALSE",
        "Key Usage: critical Digital Signature",
        "Extended Key Usage: TLS Web Server Authentication",
        "DNS:localhost",
        "IP Address:127.0.0.1",
        &format!("IP Address:{}", lan.address),
    ] {
        assert!(leaf.contains(words), "{words}: {leaf}");
    }
    succeeded(verified(&chain, "-verify_ip", &lan.address.to_string()));
    let days = |days: u32| openssl(&["x509", "-noout", "-checkend", &(days * 86_400).to_string()], &chain[0]);
    assert!(days(178).status.success() && !days(180).status.success());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the verifier is Python's")]
fn who_takes_the_disk_can_sign_for_the_boxs_own_names_and_for_nobody_elses() {
    let lan = Lan::new();
    let hob = Hob::start_on(&lan, &[]);
    let python = cache().join("venv/bin/python");
    assert!(python.exists(), "{} is missing: run scripts/setup tests", python.display());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/stolen_authority.py");

    let output = Command::new(python).arg(script).arg(authority(&hob)).output().unwrap();

    succeeded(output);
}

#[test]
fn an_address_that_comes_later_gets_into_the_certificate_and_the_root_stays() {
    let lan = Lan::new();
    let hob = Hob::start_on(&lan, &[]);
    let before = shown(&hob, &lan, "localhost");
    let [.., third, fourth] = lan.address.octets();
    let later = &format!("172.31.{third}.{fourth}");
    assert!(!verified(&before, "-verify_ip", later).status.success());

    lan.add_address(later.parse().unwrap());
    // As it stands in the list of what the new certificate is for.
    hob.await_log(&format!("127.0.0.1, {later}"), 1);

    let after = shown(&hob, &lan, "localhost");
    succeeded(verified(&after, "-verify_ip", later));
    assert_eq!(before[1..], after[1..]);
}

#[test]
fn a_box_that_wakes_in_1970_shows_certificates_that_hold_today() {
    let lan = Lan::new();
    let preload = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
        .map(|folder| format!("{folder}/faketime/libfaketime.so.1"));
    let preload = preload
        .iter()
        .find(|path| Path::new(path).exists())
        .expect("libfaketime is missing: run scripts/setup tests");
    let clock = [
        ("LD_PRELOAD", preload.as_str()),
        ("FAKETIME", "@1970-01-01 00:01:00"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];

    let hob = Hob::start_on(&lan, &clock);

    let chain = shown(&hob, &lan, "localhost");
    succeeded(verified(&chain, "-verify_hostname", "localhost"));
}

/// The files of a certificate for hob.example.org, and of its key.
fn made_by_an_owner(folder: &Path) -> (PathBuf, PathBuf) {
    let (cert, key) = (folder.join("new.pem"), folder.join("new.key"));
    let paths = [&cert, &key].map(|path| path.to_str().unwrap());
    let subject = ["-subj", "/CN=hob.example.org", "-addext", "subjectAltName=DNS:hob.example.org"];
    let fixed = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "30",
    ];
    succeeded(openssl(&[&fixed[..], &subject, &["-out", paths[0], "-keyout", paths[1]]].concat(), ""));
    (cert, key)
}

#[test]
fn a_certificate_that_is_brought_to_the_page_is_served_at_once_and_given_up_at_once() {
    let (lan, files) = (Lan::new(), tempfile::TempDir::new().unwrap());
    let hob = Hob::start_on(&lan, &[]);
    let (cert, key) = made_by_an_owner(files.path());
    let (cert, key) = (fs::read_to_string(cert).unwrap(), fs::read_to_string(key).unwrap());

    let body = json!({"certificate": cert, "key": key});
    assert_eq!(administer(&hob, "PUT", "certificate", Some(&body)).0, "204");

    assert_eq!(shown(&hob, &lan, "hob.example.org"), [cert]);
    assert_eq!(shown(&hob, &lan, "localhost").len(), 3);
    assert_eq!(administer(&hob, "DELETE", "certificate", None).0, "204");
    assert_eq!(shown(&hob, &lan, "hob.example.org").len(), 3);
}

#[test]
fn an_owners_certificate_is_served_anew_when_its_files_are_replaced_and_not_when_they_are_bad() {
    let (lan, files) = (Lan::new(), tempfile::TempDir::new().unwrap());
    let (cert, key) = (files.path().join("fullchain.pem"), files.path().join("privkey.pem"));
    let make = || made_by_an_owner(files.path());
    let put = |(new_cert, new_key): (PathBuf, PathBuf)| {
        #[expect(clippy::disallowed_methods, reason = "as certbot does it")]
        let rename = |from: &Path, to: &Path| fs::rename(from, to).unwrap();
        rename(&new_cert, &cert);
        rename(&new_key, &key);
        fs::read_to_string(&cert).unwrap()
    };
    let first = put(make());
    let paths = [&cert, &key].map(|path| path.to_str().unwrap());
    let hob = Hob::start_on(&lan, &[("HOB_TLS__CERT", paths[0]), ("HOB_TLS__KEY", paths[1])]);
    assert_eq!(shown(&hob, &lan, "hob.example.org"), std::slice::from_ref(&first));
    assert_eq!(shown(&hob, &lan, "localhost").len(), 3);

    fs::write(&key, "no key").unwrap();
    hob.await_log("the owner's certificate is not taken", 1);
    assert_eq!(shown(&hob, &lan, "hob.example.org"), [first]);
    let served = "the owner's certificate is served";
    let times = hob.log().matches(served).count();
    let second = put(make());
    hob.await_log(served, times + 1);

    assert_eq!(shown(&hob, &lan, "hob.example.org"), [second]);
}
