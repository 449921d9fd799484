//! A network of two: the box at one end, and a machine of somebody else's at the other, in a network namespace of its own.

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
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // As many for each process as there are tests, and more.
        let number = std::process::id() % (1 << 13) * 256 + NEXT.fetch_add(1, Ordering::Relaxed) % 256;
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

#[expect(clippy::disallowed_methods, reason = "the system's tool for networks")]
fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output().expect("ip is missing: run scripts/setup tests");
    assert!(
        output.status.success(),
        "ip {args:?}, which only root may do: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
