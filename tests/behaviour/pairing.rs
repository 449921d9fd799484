//! Boxes that are paired with each other, and people with them, by invitations: each box on a machine of its own, and by the command
//! line.

use std::process::Output;
use std::time::Instant;

use behaviour::lan::Street;
use behaviour::mdns::{announced, answer, kind, name, record, send};
use behaviour::pairs::{Boxes, House, PASSWORD, USUAL};
use behaviour::{Hob, PATIENCE, executable, model_file};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a command said that had to fail.
fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The keys of other boxes that a box has.
fn keys(house: &House) -> Vec<(String, String)> {
    let keys: Value = serde_json::from_str(&house.say(&["key", "list", "--json"])).unwrap();
    let text = |key: &Value, field: &str| key[field].as_str().unwrap().to_owned();
    keys.as_array().unwrap().iter().map(|key| (text(key, "name"), text(key, "id"))).collect()
}

fn names_of_keys(house: &House) -> Vec<String> {
    keys(house).into_iter().map(|(name, _)| name).collect()
}

/// Somebody's laptop, where no daemon runs.
struct Laptop<'a> {
    street: &'a mut Street,
    home: TempDir,
}

impl Laptop<'_> {
    fn run(&mut self, lines: &[&[&str]]) -> Vec<Output> {
        let machine = self.street.machine();
        let run = |args: &&[&str]| {
            let mut command = machine.command(executable().to_str().unwrap());
            command.env_clear().env("HOME", self.home.path()).env("PATH", "/usr/bin:/bin").args(*args);
            command.output().unwrap()
        };
        lines.iter().map(run).collect()
    }
}

#[test]
fn two_boxes_that_are_paired_know_each_other_until_one_forgets() {
    let boxes = Boxes::claimed(2, &[]);
    let (host, guest) = (&boxes[0], &boxes[1]);
    host.create("smollm2", &model_file());
    let invited = host.cli(&["pair", "--invite"]);
    let code = String::from_utf8(invited.stdout.clone()).unwrap().trim_end().to_owned();
    let told = String::from_utf8_lossy(&invited.stderr).into_owned();
    let line = format!("hob pair {} --code {code}", host.address());
    assert!(told.contains(&line) && told.contains(&host.id()), "{told}");

    let redeemed = guest.redeem(host, &code);

    assert!(redeemed.status.success(), "{redeemed:?}");
    for (one, other) in [(host, guest), (guest, host)] {
        let listed = one.say(&["pair", "--list"]);
        assert!(listed.contains(&other.label()) && listed.contains("online"), "{listed}");
        assert!(names_of_keys(one).contains(&format!("box {}", other.label())), "{:?}", keys(one));
    }
    // By the name that it has on the network, where nobody is told it by the system.
    let by_name = guest.cli(&["pair", &host.label(), "--code", &host.invite(USUAL), "--id", &host.id()]);
    assert!(by_name.status.success(), "{by_name:?}");
    // The person got a key as well, which is kept for them.
    assert!(guest.say(&["--host", &host.label(), "list"]).contains("smollm2"));
    let again = refused(&guest.redeem(host, &code));
    assert!(again.contains("nobody is invited"), "{again}");

    host.say(&["pair", "--remove", &guest.label()]);

    assert!(!host.say(&["pair", "--list"]).contains(&guest.label()));
    assert!(!names_of_keys(host).contains(&format!("box {}", guest.label())));
    let listed = guest.say(&["pair", "--list"]);
    assert!(listed.contains("takes our key no longer"), "{listed}");
    guest.say(&["pair", "--remove", &host.label()]);
    assert!(!guest.say(&["pair", "--list"]).contains(&host.label()));
    for house in [host, guest] {
        let (shown, log) = (house.say(&["audit", "show"]), house.hob.log());
        assert!(shown.contains("peer.keep") && shown.contains("peer.forget"), "{shown}");
        assert!(!shown.contains(&code) && !log.contains(&code) && !log.contains("hob_"), "{shown}{log}");
    }
}

#[test]
fn a_box_that_is_paired_again_has_one_key_and_one_name() {
    let boxes = Boxes::claimed(2, &[]);
    boxes.pair(1, 0, USUAL);
    let first = keys(&boxes[0]);
    let itself = boxes[0].invite(&["models.read"]);
    let refused = refused(&boxes[0].redeem(&boxes[0], &itself));
    assert!(refused.contains("type it on the other one"), "{refused}");
    assert_eq!(keys(&boxes[0]), first, "the code was not used up by a person");

    boxes.pair(1, 0, &["models.read"]);
    boxes.pair(0, 1, USUAL);

    for (one, other) in [(&boxes[0], &boxes[1]), (&boxes[1], &boxes[0])] {
        let of_box = names_of_keys(one).into_iter().filter(|name| name.starts_with("box ")).count();
        assert_eq!(of_box, 1, "{:?}", keys(one));
        // Those of people stay, and are told apart.
        let mut names = names_of_keys(one);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), keys(one).len(), "{:?}", keys(one));
        let listed = one.say(&["pair", "--list"]);
        assert_eq!(listed.matches(&other.label()).count(), 1, "{listed}");
        assert!(listed.contains("online"), "{listed}");
    }
    assert!(
        keys(&boxes[0])
            .iter()
            .all(|(name, id)| !name.starts_with("box ") || first.iter().all(|(_, other)| other != id))
    );
}

#[test]
fn a_laptop_without_a_daemon_is_paired_by_a_code_and_keeps_its_key() {
    let mut boxes = Boxes::claimed(1, &[]);
    boxes[0].create("smollm2", &model_file());
    let (code, id, address) = (boxes[0].invite(USUAL), boxes[0].id(), boxes[0].address());
    let mut laptop = Laptop { street: &mut boxes.street, home: TempDir::new().unwrap() };

    let said = laptop.run(&[
        &["pair", &address, "--code", &code, "--id", &id, "--name", "attic"],
        &["--host", "attic", "list"],
        &["--host", "attic", "key", "list"],
        &["pair", "--list"],
    ]);

    assert!(
        said[0].status.success() && String::from_utf8_lossy(&said[0].stderr).contains("you may infer"),
        "{said:?}"
    );
    assert!(String::from_utf8_lossy(&said[1].stdout).contains("smollm2"), "{said:?}");
    assert!(refused(&said[2]).contains("admin"), "{said:?}");
    assert!(String::from_utf8_lossy(&said[3].stdout).contains("attic"), "{said:?}");
    let listed = boxes[0].say(&["key", "list"]);
    assert!(listed.contains('@') && !listed.contains("box "), "{listed}");
}

#[test]
fn five_wrong_codes_end_an_invitation_for_whoever_typed_them_and_for_nobody_else() {
    let boxes = Boxes::claimed(3, &[]);
    let code = boxes[0].invite(USUAL);
    let other = if code.starts_with('A') { 'B' } else { 'A' };
    let wrong = format!("{other}{}", &code[1..]);

    for _ in 0..5 {
        let said = refused(&boxes[1].redeem(&boxes[0], &wrong));
        assert!(said.contains("not the code"), "{said}");
    }
    let spent = refused(&boxes[1].redeem(&boxes[0], &code));
    let other = boxes[2].redeem(&boxes[0], &code);

    assert!(spent.contains("ask for another"), "{spent}");
    assert!(other.status.success(), "{other:?}");
    // Nothing is left of what failed.
    assert!(names_of_keys(&boxes[1]).is_empty());
    assert!(!boxes[1].say(&["pair", "--list"]).contains(&boxes[0].label()));
    let shown = boxes[0].say(&["audit", "show"]);
    assert!(shown.contains("wrong code"), "{shown}");
}

#[test]
fn a_box_that_nobody_owns_invites_nobody_and_who_is_not_the_one_that_was_meant_is_told_nothing() {
    let mut street = Street::new();
    let (nobodys, host) = (House::unclaimed(&mut street, &[]), House::claimed(&mut street, &[]));
    let unclaimed = refused(&nobodys.cli(&["pair", "--invite"]));
    assert!(unclaimed.contains("not claimed yet") && unclaimed.contains("hob claim"), "{unclaimed}");
    let at_nobodys = refused(&host.redeem(&nobodys, "ABCD-EFGH"));
    assert!(at_nobodys.contains("not claimed yet"), "{at_nobodys}");
    let code = host.invite(USUAL);

    let another = refused(&nobodys.cli(&["pair", &host.address(), "--code", &code, "--id", &nobodys.id()]));
    let taken_back = host.say(&["pair", "--withdraw"]);
    let late = refused(&nobodys.redeem(&host, &code));

    assert!(another.contains("another box") && another.contains(&host.id()), "{another}");
    assert!(taken_back.contains("nobody is invited"), "{taken_back}");
    assert!(late.contains("nobody is invited"), "{late}");
}

/// A box with no settings at all: it serves its own machine.
fn indoors(street: &mut Street) -> House {
    let machine = street.machine();
    let mut command = machine.command(executable().to_str().unwrap());
    let home = TempDir::new().unwrap();
    command.env_clear().env("HOME", home.path()).env("PATH", "/usr/bin:/bin");
    House { hob: Hob::start_as(command, home, &[]), machine }
}

#[test]
fn a_box_that_is_paired_by_its_name_is_found_by_those_that_hear_nothing_of_it_later() {
    let mut boxes = Boxes::claimed(1, &[]);
    let guests = [indoors(&mut boxes.street), House::claimed(&mut boxes.street, &[])];
    let host = &boxes[0];
    host.create("smollm2", &model_file());
    let (label, id) = (host.label(), host.id());
    for guest in guests {
        guest.say(&["pair", &label, "--code", &host.invite(USUAL), "--id", &id]);

        let House { hob, machine } = guest;
        let hob = hob.restarted_at(&machine, &[("HOB_LAN__ANNOUNCE", "off")]);
        let guest = House { hob, machine };

        let listed = guest.say(&["pair", "--list"]);
        assert!(listed.contains("online") && listed.contains(&format!("{label}.local")), "{listed}");
        guest.say(&["pull", "smollm2", "--from", &label]);
    }
}

/// What the box answers whoever may open its admin socket, within so many seconds.
fn administered(house: &House, args: &[&str]) -> Option<Value> {
    let socket = house.hob.home.path().join(".local/share/hob/run/admin.sock");
    let mut command = house.machine.command("curl");
    command.args(["-sS", "--unix-socket", socket.to_str().unwrap()]).args(args);
    let output = command.output().unwrap();
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

fn peers(house: &House) -> Value {
    administered(house, &["http://localhost/admin/api/peers"]).unwrap()
}

fn await_peers(house: &House, what: &str, is: impl Fn(&Value) -> bool) {
    let until = Instant::now() + PATIENCE;
    loop {
        let peers = peers(house);
        if is(&peers) {
            return;
        }
        assert!(Instant::now() < until, "{what}: {peers}");
    }
}

#[test]
fn whoever_says_that_it_is_a_paired_box_keeps_nobody_from_it() {
    let boxes = Boxes::each(&[&[("HOB_LAN", "[::]:11443")], &[], &[("HOB_LAN__ANNOUNCE", "off")]]);
    boxes.pair(1, 0, USUAL);
    let (host, guest, liar) = (&boxes[0], &boxes[1], &boxes[2]);
    let (label, id) = (host.label(), format!("id={}", short(host)));
    let said: [&[u8]; 6] = [b"txtvers=1", b"tls=1", b"product=hob", id.as_bytes(), b"v=0.1", b"state=ready"];
    // Where somebody answers, by TLS, who is not the one.
    let place = liar.machine.address.octets();
    let mut records = announced("liar", &format!("{label}.local"), 11443, &said);
    records.pop();
    records.push(record(&name(&format!("{label}.local")), kind::A, &place));
    send(&liar.machine, &guest.machine, &[answer(&records)]);
    let heard = |peers: &Value| peers["neighbours"].to_string().contains(&liar.address());
    await_peers(guest, "the liar is not heard", heard);

    await_peers(guest, "where it was", |peers| peers["peers"][0]["online"] == true);
    host.machine.ip(&["addr", "del", &format!("{}/24", host.address()), "dev", "lan0"]);
    host.machine.ip(&["addr", "add", "10.129.0.50/24", "dev", "lan0"]);
    await_peers(guest, "the box is not heard where it is now", |peers| {
        peers["neighbours"].to_string().contains("10.129.0.50") && heard(peers)
    });

    await_peers(guest, "where it is now", |peers| peers["peers"][0]["online"] == true);
}

/// As much of its ID as is announced.
fn short(house: &House) -> String {
    house.status()["device"]["short"].as_str().unwrap().to_owned()
}

#[test]
fn two_boxes_agree_on_whether_they_are_paired_whenever_whoever_asked_goes_away() {
    let boxes = Boxes::claimed(2, &[]);
    let (host, guest) = (&boxes[0], &boxes[1]);
    let (id, label) = (host.id(), guest.label());
    let knows = |house: &House| peers(house)["peers"].as_array().unwrap().len() == 1;
    for cut in ["0.01", "0.02", "0.03", "0.04", "0.06", "0.08", "0.12", "0.2"] {
        let body = json!({"address": host.address(), "id": id, "code": host.invite(USUAL)}).to_string();
        let url = "http://localhost/admin/api/peers";
        let asked =
            administered(guest, &["-m", cut, "-H", "content-type: application/json", "-d", &body, url]);

        let until = Instant::now() + PATIENCE;
        let agree = || {
            let key = names_of_keys(host).contains(&format!("box {label}"));
            [knows(host), knows(guest), key].iter().all(|known| *known == key)
        };
        while !agree() {
            assert!(Instant::now() < until, "after {cut} s: {} {}", peers(host), peers(guest));
        }
        if asked.is_some() {
            break;
        }
        if knows(guest) {
            guest.say(&["pair", "--remove", &host.label()]);
            host.say(&["pair", "--remove", &label]);
        }
    }
}

#[test]
fn a_box_that_does_not_serve_the_network_asks_and_is_not_asked() {
    let mut boxes = Boxes::claimed(1, &[]);
    let (code, id, address) = (boxes[0].invite(USUAL), boxes[0].id(), boxes[0].address());
    let guest = indoors(&mut boxes.street);

    let redeemed = guest.cli(&["pair", &address, "--code", &code, "--id", &id]);

    let said = String::from_utf8_lossy(&redeemed.stderr).into_owned();
    assert!(
        redeemed.status.success() && said.contains("does not ask this one") && said.contains("lan"),
        "{redeemed:?}"
    );
    assert!(guest.say(&["pair", "--list"]).contains("online"));
    assert!(!boxes[0].say(&["pair", "--list"]).contains("hob"), "it knows nobody");
    // By the name that its owner knows it by: it has none on the network.
    let names = names_of_keys(&boxes[0]);
    let unnamed = ["box hob, unproven", "box laptop, unproven"];
    assert!(names.iter().any(|name| name.ends_with(", unproven")), "{names:?}");
    assert!(!names.iter().any(|name| unnamed.contains(&name.as_str())), "{names:?}");
    let alone = refused(&guest.cli(&["pair", "--invite"]));
    assert!(alone.contains("not claimed") || alone.contains("lan"), "{alone}");
}

#[test]
fn a_box_that_was_begun_anew_does_not_pass_for_the_one_that_was_paired() {
    let mut street = Street::new();
    let (host, guest) = (House::claimed(&mut street, &[]), House::claimed(&mut street, &[]));
    let (before, machine) = (host.id(), host.machine.clone());
    let attic = |host: &House| {
        let code = host.invite(USUAL);
        guest.cli(&["pair", &host.address(), "--name", "attic", "--code", &code, "--id", &host.id()])
    };
    let first = attic(&host);
    assert!(first.status.success(), "{first:?}");
    drop(host);
    let hob = Hob::start_at(&machine, &[]);
    let host = House { hob, machine };
    host.hob.there_saying(&host.machine, &["claim", "--name", "ada", "--password-file", "-"], PASSWORD);

    let by_the_user = refused(&attic(&host));
    std::fs::remove_file(guest.hob.home.path().join(".config/hob/boxes/attic.json")).unwrap();
    let by_the_box = refused(&attic(&host));

    for said in [by_the_user, by_the_box] {
        assert!(said.contains(&before) && said.contains(&host.id()), "{said}");
    }
    // It was told nothing.
    assert!(names_of_keys(&host).is_empty());
    assert!(!host.say(&["pair", "--list"]).contains(&guest.label()));
}

#[test]
fn whoever_leads_a_connection_to_a_paired_box_does_not_pass_for_it() {
    let mut boxes = Boxes::paired(2, &[]);
    let (code, host, victim) = (boxes[0].invite(USUAL), boxes[0].address(), boxes[1].address());
    let made = boxes[1].say(&["key", "create", "spare", "--scope", "infer"]);
    let key = made.split_whitespace().find(|word| word.starts_with("hob_")).unwrap().to_owned();
    let of_victim = |boxes: &Boxes| {
        let name = format!("box {}", boxes[1].label());
        keys(&boxes[0]).into_iter().filter(|(of, _)| *of == name).collect::<Vec<_>>()
    };
    let before = of_victim(&boxes);
    let machine = boxes.street.machine();

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/false_peer.py");
    let posed = machine.command("python3").args([script, &host, &victim, &code, &key]).output().unwrap();

    assert!(posed.status.success(), "{posed:?}");
    let posed: Value = serde_json::from_slice(&posed.stdout).unwrap();
    assert_eq!(posed["status"], 200, "{posed}");
    let reason = posed["told"]["one_way"].as_str().unwrap();
    assert!(reason.contains("has not asked for it"), "{reason}");
    assert_eq!((before.len(), of_victim(&boxes)), (1, before), "the key of the one whose root it is");
    let listed = boxes[0].say(&["pair", "--list"]);
    assert!(listed.contains(&format!("{victim}:11443")), "{listed}");
    assert!(listed.contains("online") && !listed.contains(&machine.address.to_string()), "{listed}");
    assert!(boxes[1].say(&["pair", "--list"]).contains("online"));
}

#[test]
fn a_guest_gives_what_its_owner_names_and_else_no_more_than_is_usual() {
    let boxes = Boxes::each(&[&[], &[], &[("HOB_LAN__SPLIT", "experimental")]]);
    let (host, guest, lender) = (&boxes[0], &boxes[1], &boxes[2]);
    let said = |output: &Output| {
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr.clone()).unwrap()
    };

    let lent = said(&guest.redeem(host, &host.invite(&["split"])));
    assert!(lent.contains("does not ask this one") && lent.contains("lan.split"), "{lent}");
    assert!(!lent.contains("hob pull"), "{lent}");
    assert!(names_of_keys(guest).is_empty());
    assert!(!host.say(&["pair", "--list"]).contains(&guest.label()), "nothing is left of what is not given");

    let code = host.invite(USUAL);
    let idle = refused(&guest.redeem_for(host, &code, "split"));
    assert!(idle.contains("lan.split"), "{idle}");
    let both = said(&guest.redeem_for(host, &code, "embed"));
    let (host_name, of_host) = (host.label(), format!("box {}", host.label()));
    assert!(both.contains(&format!("may infer, embed, models.read at '{host_name}'")), "{both}");
    assert!(both.contains(&format!("'{host_name}' may embed here")), "{both}");
    assert_eq!(names_of_keys(guest), [of_host.as_str()]);

    let unasked = said(&lender.redeem(host, &host.invite(&["infer", "split"])));
    assert!(unasked.contains(&format!("'{host_name}' may infer here")), "{unasked}");
    let named = said(&lender.redeem_for(host, &host.invite(&["infer"]), "split"));
    assert!(named.contains(&format!("'{host_name}' may split here")), "{named}");
}
