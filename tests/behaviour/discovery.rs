//! Boxes that say on their network that they are there, and find each other: as other programs hear them, and beside others that
//! do the same, lie, or say what makes no sense.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use behaviour::lan::{Machine, Street};
use behaviour::mdns::{Talk, announced, answer, kind, malformed, name, record, send};
use behaviour::{Hob, PATIENCE, executable};
use serde_json::Value;
use tempfile::TempDir;

const PASSWORD: &str = "correct horse battery staple\n";

/// The command line on a machine, as somebody else's than the box's owner.
fn elsewhere(machine: &Machine, home: &TempDir) -> Command {
    let mut command = machine.command(executable().to_str().unwrap());
    command.env_clear().env("HOME", home.path()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

fn listed(machine: &Machine) -> Vec<Value> {
    let home = TempDir::new().unwrap();
    let output = elsewhere(machine, &home).args(["discover", "--json", "--for", "1500ms"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What `hob discover` lists on a machine, once it is that.
fn listed_until(machine: &Machine, what: &str, is: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let found = listed(machine);
        if is(&found) {
            return found;
        }
        assert!(Instant::now() < until, "{what} is not found: {found:?}");
    }
}

fn one_box(machine: &Machine) -> Value {
    listed_until(machine, "a box", |found| found.len() == 1).remove(0)
}

/// `hob discover --watch --json` on a machine.
fn watching(machine: &Machine, home: &TempDir) -> Talk {
    let mut command = elsewhere(machine, home);
    command.args(["discover", "--watch", "--json"]);
    Talk::of(command)
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn claim(hob: &Hob, machine: &Machine) {
    printed(&hob.there_saying(
        machine,
        &["claim", "--name", "plantedperson", "--password-file", "-"],
        PASSWORD,
    ));
}

/// A street with a box on its first machine.
fn street() -> (Street, Machine, Machine, Hob) {
    street_with(&[])
}

fn street_with(environment: &[(&str, &str)]) -> (Street, Machine, Machine, Hob) {
    let mut street = Street::new();
    let (here, there) = (street.machine(), street.machine());
    let hob = Hob::start_at(&here, environment);
    (street, here, there, hob)
}

/// Everywhere, by whatever address the machine has.
const EVERYWHERE: [(&str, &str); 1] = [("HOB_LAN", "[::]:11443")];

#[test]
fn a_box_is_found_by_who_looks_for_one_and_is_gone_once_it_stops() {
    let (_street, here, there, mut hob) = street();
    let home = TempDir::new().unwrap();
    let mut watch = watching(&there, &home);

    let found = watch.wait_for("the box", |said| said["event"] == "found");
    assert_eq!(found["addresses"], serde_json::json!([here.address.to_string()]));
    let (label, id) = (found["label"].as_str().unwrap(), found["id"].as_str().unwrap());
    assert_eq!(label, format!("hob-{}", id[..4].to_lowercase()));
    assert_eq!(found["url"], format!("https://{label}.local:11443"));
    assert_eq!((&found["state"], &found["paired"]), (&"setup".into(), &Value::Null));
    assert!(hob.log().contains(&format!("known as {label}")), "{}", hob.log());

    let stopping = Instant::now();
    hob.terminate();

    let gone = watch.wait_for("its goodbye", |said| said["event"] == "gone");
    // Without one it would be forgotten all the same, two minutes after its address was told.
    assert!(stopping.elapsed() < Duration::from_secs(60), "{:?}", stopping.elapsed());
    assert_eq!(gone["label"], label);
    assert_eq!(listed(&there), [] as [Value; 0]);
}

#[test]
fn others_read_of_a_box_what_the_draft_says_in_its_order() {
    let (_street, here, there, mut hob) = street();
    let mut zeroconf = Talk::python(&there, &["browse", &there.address.to_string()]);
    for wanted in ["_hob._tcp.local.", "_ai-gateway._tcp.local."] {
        // Each is told once, in any order.
        let is = |said: &Value| said["event"] == "added" && said["kind"] == wanted;
        let heard = zeroconf.so_far().iter().find(|said| is(said)).cloned();
        let told = heard.unwrap_or_else(|| zeroconf.wait_for(wanted, is));
        let texts: Vec<&str> =
            told["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        let names: Vec<&str> = texts.iter().map(|text| text.split_once('=').unwrap().0).collect();
        assert_eq!(names, ["txtvers", "path", "tls", "auth", "protocols", "product", "id", "v", "state"]);
        assert_eq!(texts[..4], ["txtvers=1", "path=/", "tls=1", "auth=1"]);
        assert_eq!(texts[8], "state=setup");
        assert_eq!(told["addresses"], serde_json::json!([here.address.to_string()]));
        assert_eq!(told["port"], 11443);
        assert!(told["host"].as_str().unwrap().starts_with("hob-"), "{told}");
    }

    claim(&hob, &here);
    zeroconf.wait_for("that it is somebody's", |said| {
        said["event"] == "updated" && said["kind"] == "_hob._tcp.local." && said["texts"][8] == "state=ready"
    });
    assert_eq!(one_box(&there)["state"], "ready");

    hob.terminate();
    for _ in 0..2 {
        zeroconf.wait_for("a goodbye", |said| said["event"] == "removed");
    }
}

#[test]
fn whoever_watches_is_told_of_the_claim() {
    let (_street, here, there, hob) = street();
    let home = TempDir::new().unwrap();
    let mut watch = watching(&there, &home);
    watch.wait_for("the box", |said| said["state"] == "setup");

    claim(&hob, &here);

    let changed = watch.wait_for("the claim", |said| said["state"] == "ready");
    assert_eq!(changed["event"], "changed");
}

#[test]
fn two_boxes_find_each_other_and_a_third_that_comes_later() {
    let (mut street, _here, there, _hob) = street();
    let _other = Hob::start_at(&there, &[]);
    listed_until(&there, "both", |found| found.len() == 2);
    let third = street.machine();
    let _third = Hob::start_at(&third, &[]);
    listed_until(&third, "all three", |found| found.len() == 3);
}

#[test]
fn nothing_is_said_where_containers_are_and_their_bridge_is_told_to_nobody() {
    let mut street = Street::new();
    let (here, there) = (street.machine(), street.machine());
    for line in [
        "link add docker0 type bridge",
        "addr add 172.17.0.1/16 dev docker0",
        "link add veth-in type veth peer name eth-in",
        "link set veth-in master docker0 up",
        "link set eth-in up",
        "link set docker0 up",
    ] {
        here.ip(&line.split(' ').collect::<Vec<_>>());
    }
    let mut inside = Talk::python(&here, &["sniff", "docker0"]);
    let mut outside = Talk::python(&here, &["sniff", "lan0"]);

    let _hob = Hob::start_at(&here, &EVERYWHERE);

    assert_eq!(one_box(&there)["addresses"], serde_json::json!([here.address.to_string()]));
    let told = outside.so_far();
    assert!(told.len() > 1);
    let bridge = "ac110001";
    assert!(
        !told.iter().any(|said| said["payload"].as_str().is_some_and(|hex| hex.contains(bridge))),
        "{told:?}"
    );
    assert_eq!(inside.so_far().len(), 1, "{:?}", inside.heard);
}

#[test]
fn the_owner_says_on_which_interfaces() {
    let mut street = Street::new();
    let (here, there) = (street.machine(), street.machine());
    let mut wire = Talk::python(&there, &["sniff", "lan0"]);
    let hob = Hob::start_at(&here, &[EVERYWHERE[0], ("HOB_LAN__SKIP", "eth*,lan0")]);
    hob.assert_serves(&here);

    listed(&there);

    let source = here.address.to_string();
    assert!(!wire.so_far().iter().any(|said| said["source"] == source.as_str()), "{:?}", wire.heard);
}

#[test]
fn a_box_is_found_again_once_its_cable_is_back() {
    let (_street, here, there, _hob) = street_with(&EVERYWHERE);
    let label = one_box(&there)["label"].clone();

    here.unplug();
    listed_until(&there, "nobody", <[Value]>::is_empty);
    here.plug();

    let found = listed_until(&there, "the box", |found| found.len() == 1);
    assert_eq!(found[0]["label"], label);
}

#[test]
fn who_watches_with_its_own_cable_out_knows_nobody_until_it_is_back() {
    let (_street, _here, there, _hob) = street();
    let home = TempDir::new().unwrap();
    let mut watch = watching(&there, &home);
    watch.wait_for("the box", |said| said["event"] == "found");

    there.unplug();
    watch.wait_for("nobody", |said| said["event"] == "gone");
    there.plug();

    watch.wait_for("the box again", |said| said["event"] == "found");
}

#[test]
fn a_box_that_gets_another_address_is_found_there() {
    let (_street, here, there, _hob) = street_with(&EVERYWHERE);
    one_box(&there);

    here.ip(&["addr", "del", &format!("{}/24", here.address), "dev", "lan0"]);
    here.ip(&["addr", "add", "10.129.0.77/24", "dev", "lan0"]);

    let moved = serde_json::json!(["10.129.0.77"]);
    listed_until(&there, "the box at its new address", |found| {
        found.len() == 1 && found[0]["addresses"] == moved
    });
}

#[test]
fn two_cables_to_one_switch_are_no_reason_to_be_called_otherwise() {
    let mut street = Street::new();
    let (here, there) = (street.machine(), street.machine());
    street.second_link(&here, "lan1", "10.129.0.201/24");
    let hob = Hob::start_at(&here, &EVERYWHERE);

    let found = one_box(&there);

    assert!(found["addresses"].as_array().unwrap().len() == 2, "{found}");
    assert!(hob.log().contains(&format!("known as {}", found["label"].as_str().unwrap())), "{found}");
    assert!(!printed(&hob.there(&here, &["status"])).contains("another machine"));
}

/// avahi on a machine, with a bus and a folder of its own.
struct Avahi {
    bus: TempDir,
    _bus: Talk,
    avahi: Talk,
}

impl Avahi {
    fn start(machine: &Machine) -> Self {
        let folder = TempDir::new().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let address = format!("unix:path={}/bus", folder.path().display());
        let bus = file(
            "bus.conf",
            &format!(
                "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
                 \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\"><busconfig><type>system</type>\
                 <listen>{address}</listen><auth>EXTERNAL</auth><policy context=\"default\"><allow send_destination=\"*\" \
                 eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/><allow user=\"*\"/></policy></busconfig>"
            ),
        );
        let settings = file(
            "avahi.conf",
            "[server]\nhost-name=plainmachine\nuse-ipv4=yes\nuse-ipv6=no\nallow-interfaces=lan0\n[rlimits]\n",
        );
        let mut command = machine.command("dbus-daemon");
        command.args(["--nofork", "--print-address=1", &format!("--config-file={bus}")]);
        let mut bus = Talk::of(command);
        bus.wait_for("the bus's address", Value::is_string);
        // What it keeps of itself lies in /run, where another's may be.
        let script = "mount -t tmpfs tmpfs /run && mkdir /run/avahi-daemon && \
                      exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f \"$0\" 2>&1";
        let mut command = machine.command("unshare");
        command.args(["--mount", "sh", "-c", script, &settings]).env("DBUS_SYSTEM_BUS_ADDRESS", &address);
        let mut avahi = Talk::of(command);
        avahi.wait_for("avahi to be up", |said| {
            said.as_str().is_some_and(|line| line.contains("startup complete"))
        });
        Self { bus: folder, _bus: bus, avahi }
    }

    fn browse(&self, machine: &Machine) -> String {
        let mut command = machine.command("avahi-browse");
        let address = format!("unix:path={}/bus", self.bus.path().display());
        command.args(["-rpt", "_hob._tcp"]).env("DBUS_SYSTEM_BUS_ADDRESS", address);
        printed(&command.output().expect("avahi-browse is missing: run scripts/setup tests"))
    }
}

#[test]
fn a_box_and_avahi_live_on_one_machine_and_each_keeps_its_name() {
    let mut street = Street::new();
    let (here, there) = (street.machine(), street.machine());
    let mut beside = Avahi::start(&here);
    let far = Avahi::start(&there);

    let hob = Hob::start_at(&here, &[]);

    let label = one_box(&there)["label"].as_str().unwrap().to_owned();
    assert!(hob.log().contains(&format!("known as {label}")), "{}", hob.log());
    for (avahi, machine) in [(&beside, &here), (&far, &there)] {
        let until = Instant::now() + PATIENCE;
        let resolved = format!("=;lan0;IPv4;{label};_hob._tcp;local;{label}.local;{};11443;", here.address);
        loop {
            let found = avahi.browse(machine);
            if found.contains(&resolved) {
                break;
            }
            assert!(Instant::now() < until, "{resolved} is not in {found}");
        }
    }
    let said = beside.avahi.so_far();
    let renamed = said.iter().any(|line| line.as_str().is_some_and(|line| line.contains("conflict")));
    assert!(!renamed, "{said:?}");
}

#[test]
fn a_box_whose_name_somebody_has_goes_by_a_longer_one_and_says_so() {
    let mut street = Street::new();
    let (here, there) = (street.machine(), street.machine());
    let mut first = Hob::start_at(&here, &[]);
    let known = one_box(&there);
    let label = known["label"].as_str().unwrap();
    first.terminate();
    let home = std::mem::replace(&mut first.home, TempDir::new().unwrap());
    drop(first);
    let _owner = Talk::python(&there, &["own", &there.address.to_string(), label, label]);

    let mut command = here.command(executable().to_str().unwrap());
    command.env_clear().env("HOME", home.path()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let lan = format!("{}:11443", here.address);
    let hob = Hob::start_as(command, home, &[("HOB_LAN", &lan)]);

    let found = one_box(&there);
    assert_eq!(found["id"], known["id"]);
    let longer = found["label"].as_str().unwrap();
    assert!(longer.starts_with(label) && longer.len() == label.len() + 4, "{found}");
    let until = Instant::now() + PATIENCE;
    while !printed(&hob.there(&here, &["status"])).contains(&format!("answers to {label}.local")) {
        assert!(Instant::now() < until, "its owner is not told: {}", hob.log());
    }
}

#[test]
fn a_box_is_still_found_after_packets_that_make_no_sense() {
    let (_street, here, there, hob) = street();
    one_box(&there);

    send(&there, &here, &malformed());

    let found = listed(&there);
    assert_eq!(found.len(), 1, "{found:?} {}", hob.log());
    assert!(!hob.log().contains("neither is the box announced"), "{}", hob.log());
    hob.assert_serves(&here);
}

#[test]
fn what_cannot_be_shown_or_is_no_box_is_not_listed() {
    let (_street, here, there, _hob) = street();
    let home = TempDir::new().unwrap();
    let mut watch = watching(&there, &home);
    let id = format!("id={}", one_box(&there)["id"].as_str().unwrap());
    let right: [&[u8]; 6] = [b"txtvers=1", b"tls=1", b"product=hob", id.as_bytes(), b"v=0.1", b"state=ready"];
    let with = |at: usize, other: &'static [u8]| {
        let mut texts = right;
        texts[at] = other;
        texts
    };
    let packets = [
        announced("red", "hob-red.local", 9, &with(4, b"v=\x1b[31m0.1")),
        announced("bad-id", "hob-badid.local", 9, &with(3, b"id=PXJU-6WI7-U7QC-PA")),
        announced("no-port", "hob-noport.local", 0, &right),
        announced("host", "hob-\u{1b}[2J.local", 9, &right),
        announced("other", "hob-other.local", 9, &with(2, b"product=other")),
        announced("liar", "hob-liar.local", 9, &right),
    ];
    send(&here, &there, &packets.map(|records| answer(&records)));

    // The last of them is one that could be.
    watch.wait_for("the liar", |said| said["label"] == "hob-liar");
    let labels: Vec<&Value> = watch.heard.iter().map(|said| &said["label"]).collect();
    assert_eq!(labels.len(), 2, "{labels:?}");
}

#[test]
fn a_box_begins_anew_when_the_network_tells_more_than_it_can_keep() {
    let (_street, here, there, hob) = street();
    one_box(&there);
    let kind_name = name("_hob._tcp.local");
    let flood: Vec<Vec<u8>> = (0..150)
        .map(|packet| {
            let records = (0..100).map(|number| {
                record(&kind_name, kind::PTR, &name(&format!("n{packet}x{number}._hob._tcp.local")))
            });
            answer(&records.collect::<Vec<_>>())
        })
        .collect();

    send(&there, &here, &flood);

    hob.await_log("more is announced on the network than it may keep", 1);
    listed_until(&there, "the box", |found| found.len() == 1);
    hob.assert_serves(&here);
}

/// Whether these bytes are anywhere in what was heard, in any case.
fn holds(heard: &[Value], text: &str) -> bool {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let wanted = [hex(text), hex(&text.to_uppercase()), hex(&text.to_lowercase())];
    heard.iter().any(|said| {
        said["payload"].as_str().is_some_and(|payload| wanted.iter().any(|wanted| payload.contains(wanted)))
    })
}

#[test]
fn neither_people_nor_models_nor_the_machines_own_name_are_on_the_wire() {
    let mut street = Street::new();
    let (here, there) = (street.machine(), street.machine());
    let mut wire = Talk::python(&there, &["sniff", "lan0"]);
    let home = TempDir::new().unwrap();
    let mut command = here.command("unshare");
    let script = "hostname plantedmachine && exec \"$@\"";
    command.args(["--uts", "sh", "-c", script, "sh", executable().to_str().unwrap()]);
    command.env_clear().env("HOME", home.path()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let lan = format!("{}:11443", here.address);
    let mut hob = Hob::start_as(command, home, &[("HOB_LAN", &lan)]);
    let modelfile = hob.home.path().join("Modelfile");
    std::fs::write(&modelfile, format!("FROM {}\n", behaviour::model_file().display())).unwrap();
    printed(&hob.there(&here, &["create", "plantedmodel", "-f", modelfile.to_str().unwrap()]));
    claim(&hob, &here);
    listed_until(&there, "the box", |found| found.len() == 1 && found[0]["state"] == "ready");
    hob.terminate();

    let heard = wire.so_far();
    assert!(holds(heard, "product=hob") && holds(heard, "state=ready"), "{heard:?}");
    for planted in ["planted", "smollm"] {
        assert!(!holds(heard, planted), "{planted}: {heard:?}");
    }
}

#[test]
fn a_box_that_is_not_to_be_announced_is_not_and_asks_only_where_somebody_else_announces_it() {
    for way in ["off", "avahi-file"] {
        let mut street = Street::new();
        let (here, there) = (street.machine(), street.machine());
        let mut wire = Talk::python(&there, &["sniff", "lan0"]);
        let hob = Hob::start_at(&here, &[("HOB_LAN__ANNOUNCE", way)]);
        hob.assert_serves(&here);
        claim(&hob, &here);

        // Asks, so that it could answer, and is seen to ask.
        assert_eq!(listed(&there), [] as [Value; 0]);

        let (here, there) = (here.address.to_string(), there.address.to_string());
        let heard = wire.so_far();
        assert!(heard.iter().any(|said| said["source"] == there.as_str()), "{heard:?}");
        // Who asks is not one that answers: the first bit after a packet's number.
        let answers = |said: &Value| said["payload"].as_str().unwrap().as_bytes()[4] >= b'8';
        let own = |said: &&Value| said["source"] == here.as_str();
        assert!(!heard.iter().filter(own).any(answers), "{way}: {heard:?}");
        assert_eq!(heard.iter().any(|said| own(&said)), way == "avahi-file", "{way}: {heard:?}");
    }
}

#[test]
fn a_box_is_paired_and_asked_by_its_name_where_the_system_knows_no_such_names() {
    let (_street, _here, there, _hob) = street();
    let found = one_box(&there);
    let (label, id) = (found["label"].as_str().unwrap(), found["id"].as_str().unwrap());
    let home = TempDir::new().unwrap();
    let hob = |args: &[&str]| elsewhere(&there, &home).args(args).output().unwrap();

    let unpaired = hob(&["run", "--on", label, "smollm2", "hello"]);
    let told = String::from_utf8_lossy(&unpaired.stderr).into_owned();
    assert!(!unpaired.status.success() && told.contains(&format!("hob pair {label}")), "{told}");

    printed(&hob(&["pair", label, "--id", id, "--name", "attic"]));

    for host in ["attic", label, &format!("{label}.local"), &format!("https://{label}.local:11443")] {
        // It is reached, and it is the right one; what it lets nobody do is its own affair.
        let refused = String::from_utf8(hob(&["--host", host, "list"]).stderr).unwrap();
        assert!(refused.contains("key") && !refused.contains("connect"), "{host}: {refused}");
    }
    let listed = printed(&hob(&["discover"]));
    let row = listed.lines().find(|line| line.starts_with(label)).unwrap();
    assert!(row.trim_end().ends_with("attic"), "{listed}");
    assert_eq!(listed.lines().next().unwrap().split_whitespace().count(), 6, "{listed}");
}

#[test]
fn where_nobody_is_found_it_is_said_what_may_be_in_the_way() {
    let mut street = Street::new();
    let machine = street.machine();
    let home = TempDir::new().unwrap();
    let output = elsewhere(&machine, &home).args(["discover", "--for", "200ms"]).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("UDP port 5353"), "{output:?}");
}
