//! Who speaks mDNS on a [`Machine`](crate::lan::Machine), beside hob: Python's zeroconf, as an independent reader, sockets, and
//! packets of all kinds.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::Value;

use crate::lan::Machine;
use crate::{PATIENCE, cache};

/// A program that says one JSON object a line. Ended when dropped.
pub struct Talk {
    program: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    /// All that it said so far, in order.
    pub heard: Vec<Value>,
}

impl Talk {
    /// Starts it.
    pub fn of(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = command.spawn().unwrap();
        let (said, lines) = channel();
        let stdout = BufReader::new(program.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                let _late = said.send(value);
            }
        });
        Self { input: program.stdin.take(), program, lines, heard: Vec::new() }
    }

    /// `tests/clients/mdns.py ARGS...` on a machine, once it is at it.
    pub fn python(machine: &Machine, args: &[&str]) -> Self {
        let python = cache().join("venv/bin/python");
        assert!(python.is_file(), "{} is missing: run scripts/setup tests", python.display());
        let mut command = machine.command(python.to_str().unwrap());
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/clients/mdns.py")).args(args);
        let mut talk = Self::of(command);
        talk.wait_for("to be ready", |said| said["ready"] == true);
        talk
    }

    /// The next thing it says that is this, which must come.
    pub fn wait_for(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(said) => {
                    self.heard.push(said.clone());
                    if is(&said) {
                        return said;
                    }
                }
                Err(error) => panic!("{what}: {error}; it said {:?}", self.heard),
            }
        }
    }

    /// What it has said by now.
    pub fn so_far(&mut self) -> &[Value] {
        self.heard.extend(self.lines.try_iter());
        &self.heard
    }

    /// Says something to it.
    pub fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Says no more to it.
    pub fn hang_up(&mut self) {
        self.input = None;
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _gone = self.program.kill();
        let _gone = self.program.wait();
    }
}

/// Sends packets from one machine to all, and to another's address, no faster than they can be read.
pub fn send(from: &Machine, to: &Machine, packets: &[Vec<u8>]) {
    let (source, target) = (from.address.to_string(), to.address.to_string());
    let longest = packets.iter().map(Vec::len).max().unwrap_or_default();
    let pause = (2 + longest / 300).to_string();
    let mut sender = Talk::python(from, &["send", &source, &target, &pause]);
    for packet in packets {
        sender.say(&packet.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }
    sender.hang_up();
    let sent = sender.wait_for("what was sent", |said| said.get("sent").is_some());
    assert_eq!(sent["sent"], packets.len());
}

/// A name of DNS.
pub fn name(dotted: &str) -> Vec<u8> {
    let labels = dotted.split('.').filter(|label| !label.is_empty());
    let mut bytes: Vec<u8> = labels
        .flat_map(|label| [u8::try_from(label.len()).unwrap()].into_iter().chain(label.bytes()))
        .collect();
    bytes.push(0);
    bytes
}

/// A record of this type, class IN, with its data.
pub fn record(name: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    record_of_length(name, kind, u16::try_from(data.len()).unwrap(), data)
}

/// The same, which lies about its length.
pub fn record_of_length(name: &[u8], kind: u16, length: u16, data: &[u8]) -> Vec<u8> {
    let ttl = 4500_u32.to_be_bytes();
    [name, &kind.to_be_bytes(), &[0, 1], &ttl, &length.to_be_bytes(), data].concat()
}

/// An answer that nobody asked for, with these records.
pub fn answer(records: &[Vec<u8>]) -> Vec<u8> {
    packet(0x8400, [0, u16::try_from(records.len()).unwrap(), 0, 0], &records.concat())
}

/// Any packet.
pub fn packet(flags: u16, counts: [u16; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = [0_u16.to_be_bytes(), flags.to_be_bytes()].concat();
    bytes.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    bytes.extend(body);
    bytes
}

/// Where a box is, in SRV.
pub fn place(port: u16, host: &str) -> Vec<u8> {
    [&[0, 0, 0, 0], &port.to_be_bytes()[..], &name(host)].concat()
}

/// TXT's strings.
pub fn texts(all: &[&[u8]]) -> Vec<u8> {
    all.iter().flat_map(|text| [&[u8::try_from(text.len()).unwrap()], *text].concat()).collect()
}

/// Their numbers.
pub mod kind {
    /// An address of IPv4.
    pub const A: u16 = 1;
    /// Who is of a kind.
    pub const PTR: u16 = 12;
    /// Of what a machine is.
    pub const HINFO: u16 = 13;
    /// What it says of itself.
    pub const TXT: u16 = 16;
    /// An address of IPv6.
    pub const AAAA: u16 = 28;
    /// Where it is.
    pub const SRV: u16 = 33;
    /// How it is spoken with.
    pub const OPT: u16 = 41;
    /// What there is not.
    pub const NSEC: u16 = 47;
}

/// A whole box: its four records.
pub fn announced(instance: &str, host: &str, port: u16, strings: &[&[u8]]) -> Vec<Vec<u8>> {
    let full = name(&format!("{instance}._hob._tcp.local"));
    vec![
        record(&name("_hob._tcp.local"), kind::PTR, &full),
        record(&full, kind::SRV, &place(port, host)),
        record(&full, kind::TXT, &texts(strings)),
        record(&name(host), kind::A, &[10, 129, 0, 99]),
    ]
}

/// Packets that are none, or claim what is not so: by hand, then one that is right, cut off at each of its bytes, and with each
/// of its first bytes changed.
pub fn malformed() -> Vec<Vec<u8>> {
    let box_name = name("evil._hob._tcp.local");
    let looped = [0xc0, 12];
    let mut odd = vec![
        Vec::new(),
        vec![0],
        vec![0; 11],
        packet(0x8400, [u16::MAX; 4], &[]),
        packet(0, [u16::MAX; 4], &name("_hob._tcp.local")),
        // Names that go round, to each other, beyond the end, and forward.
        packet(0, [1, 0, 0, 0], &[&looped[..], &[0, 12, 0, 1]].concat()),
        packet(0, [1, 0, 0, 0], &[0xc0, 14, 0xc0, 12, 0, 12, 0, 1]),
        packet(0, [1, 0, 0, 0], &[0xff, 0xff, 0, 12, 0, 1]),
        packet(0, [1, 0, 0, 0], &[1, b'a', 0xc0, 12, 0, 12, 0, 1]),
        // Labels of no length that there is, cut off, and too many.
        packet(0, [1, 0, 0, 0], &[63, b'a', b'b']),
        packet(0, [1, 0, 0, 0], &[&[0x40][..], &[b'a'; 64], &[0, 0, 12, 0, 1]].concat()),
        packet(0, [1, 0, 0, 0], &[&[0x80][..], &[b'a'; 128], &[0, 0, 12, 0, 1]].concat()),
        packet(0, [1, 0, 0, 0], &[name(&"abcdefgh.".repeat(200)), vec![0, 12, 0, 1]].concat()),
        packet(0, [1, 0, 0, 0], &[name(&"a.".repeat(2000)), vec![0, 255, 0, 1]].concat()),
        // A flag for every thing, and a kind of message that is none.
        packet(0x7fff, [1, 0, 0, 0], &[name("_hob._tcp.local"), vec![0, 12, 0, 1]].concat()),
        packet(0x8400, [0, 1, 0, 0], &record_of_length(&box_name, 65_000, u16::MAX, &[7; 40])),
        vec![0xa5; 8900],
    ];
    let lying = [
        record_of_length(&box_name, kind::TXT, 500, &[3, b'a']),
        record_of_length(&box_name, kind::SRV, 3, &[0, 0, 0]),
        record(&name("evil.local"), kind::A, &[1, 2, 3]),
        record(&name("evil.local"), kind::AAAA, &[1, 2, 3, 4]),
        record(&name("evil.local"), kind::HINFO, &[200, b'x']),
        record(&name("evil.local"), kind::HINFO, &[]),
        record(&name("evil.local"), kind::HINFO, &[1]),
        record(&name("evil.local"), kind::NSEC, &[]),
        record(&name("evil.local"), kind::NSEC, &[&name("evil.local")[..], &[0, 255, 1]].concat()),
        record(&name("evil.local"), kind::NSEC, &[&name("evil.local")[..], &[0, 0]].concat()),
        record(&box_name, kind::TXT, &[]),
        record(&box_name, kind::TXT, &[255, b'a', b'=']),
        record(&box_name, kind::TXT, &[0; 300]),
        record(&box_name, kind::SRV, &[0, 0, 0, 0, 0, 0]),
        record(&box_name, kind::SRV, &place(0, "evil.local")),
        record(&box_name, kind::SRV, &[0, 0, 0, 0, 0, 9, 60, b'x']),
        record(&name("_hob._tcp.local"), kind::PTR, &[]),
        record(&name("_hob._tcp.local"), kind::PTR, &looped),
        record(&name("_hob._tcp.local"), kind::PTR, &name("_hob._tcp.local")),
        record(&name("_hob._tcp.local"), kind::PTR, &[3, 0xff, 0xfe, 0xfd, 0]),
        record(&name("_hob._tcp.local"), kind::PTR, &[4, 0x1b, b'[', b'2', b'J', 0xc0, 12]),
        record(&[0], kind::OPT, &[0xff; 64]),
    ];
    odd.extend(lying.iter().map(|record| answer(std::slice::from_ref(record))));
    let right = answer(&announced("evil", "evil.local", 9, &[b"txtvers=1", b"tls=1", b"product=hob"]));
    odd.extend((0..right.len()).map(|length| right[..length].to_vec()));
    odd.extend((0..right.len().min(96)).map(|at| {
        let mut changed = right.clone();
        changed[at] ^= 0xff;
        changed
    }));
    odd
}
