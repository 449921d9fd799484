//! Networks for tests, of network namespaces. [`Lan`] is one of two: the box at one end, and a machine of somebody else's at the
//! other. [`Street`] is one of as many machines as a test wants, each in a namespace of its own, and nothing else: no way leads
//! from there to anywhere.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Gone when dropped, with everything in it.
pub struct Lan {
    namespace: String,
    /// The box's end.
    link: String,
    /// Where the box is reached.
    pub address: Ipv4Addr,
    /// Where it is asked from.
    pub client: Ipv4Addr,
}

/// Prefix of each network: a link of two addresses.
const PREFIX: u32 = 30;

impl Lan {
    /// A new one. Only root may make one.
    pub fn new() -> Self {
        let number = number();
        let name = format!("hob{number}");
        // If somebody else has that, nothing of theirs is to be removed.
        ip(&["netns", "add", &name]);
        // From 10.128.0.0 on, where no home begins.
        let network = u32::from(Ipv4Addr::new(10, 128, 0, 0)) + number * 4;
        let lan = Self {
            namespace: name.clone(),
            link: name,
            address: Ipv4Addr::from(network + 1),
            client: Ipv4Addr::from(network + 2),
        };
        let (namespace, link) = (lan.namespace.as_str(), lan.link.as_str());
        ip(&["link", "add", link, "type", "veth", "peer", "name", "lan0", "netns", namespace]);
        lan.add_address(lan.address.into());
        ip(&["link", "set", link, "up"]);
        let client = format!("{}/{PREFIX}", lan.client);
        for end in [
            // An address of the link's own would come a second later, and browsers begin anew when their network changes.
            vec!["link", "set", "lan0", "addrgenmode", "none"],
            vec!["addr", "add", &client, "dev", "lan0"],
            vec!["link", "set", "lan0", "up"],
            vec!["link", "set", "lo", "up"],
        ] {
            ip(&[vec!["-n", namespace], end].concat());
        }
        lan
    }

    /// The box has this address as well.
    pub fn add_address(&self, address: IpAddr) {
        ip(&["addr", "add", &format!("{address}/{PREFIX}"), "dev", &self.link]);
    }

    /// A program on the other machine.
    #[expect(clippy::disallowed_methods, reason = "tests start the programs of a user")]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]);
        command
    }
}

impl Default for Lan {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        // Its end of the link, and so the link, goes with it.
        ip(&["netns", "del", &self.namespace]);
    }
}

/// Machines beside each other on one switch. Gone when dropped.
pub struct Street {
    /// Where the switch is.
    namespace: String,
    number: u32,
    machines: u8,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Machine {
    namespace: String,
    switch: String,
    port: String,
    /// Its address on the street.
    pub address: Ipv4Addr,
}

impl Street {
    /// A switch with nobody at it. Only root may make one.
    pub fn new() -> Self {
        let number = number();
        let street = Self { namespace: format!("hobs{number}"), number, machines: 0 };
        ip(&["netns", "add", &street.namespace]);
        ip(&["-n", &street.namespace, "link", "add", "switch", "type", "bridge", "mcast_snooping", "0"]);
        ip(&["-n", &street.namespace, "link", "set", "switch", "up"]);
        street
    }

    /// One more machine, whose only link, `lan0`, leads to the switch.
    pub fn machine(&mut self) -> Machine {
        self.machines += 1;
        let count = self.machines;
        let machine = Machine {
            namespace: format!("hobs{}m{count}", self.number),
            switch: self.namespace.clone(),
            port: format!("port{count}"),
            // The same on each street: they do not know of each other.
            address: Ipv4Addr::new(10, 129, 0, count),
        };
        let (namespace, switch, port) =
            (machine.namespace.as_str(), machine.switch.as_str(), machine.port.as_str());
        ip(&["netns", "add", namespace]);
        ip(&["-n", switch, "link", "add", port, "type", "veth", "peer", "name", "lan0", "netns", namespace]);
        ip(&["-n", switch, "link", "set", port, "master", "switch", "up"]);
        ip(&["-n", namespace, "addr", "add", &format!("{}/24", machine.address), "dev", "lan0"]);
        ip(&["-n", namespace, "link", "set", "lo", "up"]);
        machine.plug();
        machine
    }
}

impl Street {
    /// One more cable from a machine to the switch.
    pub fn second_link(&self, machine: &Machine, link: &str, address: &str) {
        let port = format!("{}b", machine.port);
        let (switch, namespace) = (self.namespace.as_str(), machine.namespace());
        ip(&["-n", switch, "link", "add", &port, "type", "veth", "peer", "name", link, "netns", namespace]);
        ip(&["-n", switch, "link", "set", &port, "master", "switch", "up"]);
        machine.ip(&["addr", "add", address, "dev", link]);
        machine.ip(&["link", "set", link, "up"]);
    }
}

impl Machine {
    /// A program on it.
    #[expect(clippy::disallowed_methods, reason = "tests start the programs of a user")]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]);
        command
    }

    /// `ip ARGS...` on it.
    pub fn ip(&self, args: &[&str]) {
        ip(&[&["-n", &self.namespace], args].concat());
    }

    /// Its cable is pulled out.
    pub fn unplug(&self) {
        self.ip(&["link", "set", "lan0", "down"]);
    }

    /// Its cable is put in, as it is at first.
    pub fn plug(&self) {
        self.ip(&["link", "set", "lan0", "up"]);
    }

    /// Sends no faster than this, as in `1gbit`.
    pub fn limit(&self, rate: &str) {
        let shaped = self
            .command("tc")
            .args([
                "qdisc", "replace", "dev", "lan0", "root", "tbf", "rate", rate, "burst", "1mbit", "latency",
                "50ms",
            ])
            .output()
            .expect("tc is missing: run scripts/setup tests");
        assert!(shaped.status.success(), "{}", String::from_utf8_lossy(&shaped.stderr));
    }

    /// What it is called among the system's namespaces.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

impl Default for Street {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Street {
    fn drop(&mut self) {
        for machine in 1..=self.machines {
            ip(&["netns", "del", &format!("hobs{}m{machine}", self.number)]);
        }
        ip(&["netns", "del", &self.namespace]);
    }
}

/// One that nobody else on this machine has. As many for each process as there are tests, and more.
fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    std::process::id() % (1 << 13) * 256 + NEXT.fetch_add(1, Ordering::Relaxed) % 256
}

#[expect(clippy::disallowed_methods, reason = "the system's tool for networks")]
fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output().expect("ip is missing: run scripts/setup tests");
    assert!(
        output.status.success(),
        "ip {args:?}, which only root may do: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
