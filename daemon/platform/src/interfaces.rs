//! The network interfaces of this machine, and what is behind each. Which of them are of use is for others to say.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use nix::net::if_::InterfaceFlags;

use crate::network::{leads_outside, passing};

/// One that is up, and has an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// What the system calls it.
    pub name: String,
    /// Its addresses, without those of IPv6 that are soon replaced by others.
    pub addresses: Vec<IpAddr>,
    /// Other machines are behind it: it is no loopback, no bridge to containers, and no tunnel.
    pub leads_outside: bool,
    /// The way to everywhere else begins there.
    pub has_default_route: bool,
    /// One packet can reach all who are there.
    pub multicast: bool,
}

/// Those that lead to machines far away as if they were near, where nobody looks for a box.
const TUNNELS: [&str; 6] = ["tap", "wg", "tailscale", "zt", "utun", "ppp"];

/// All that are up and have an address, by name.
///
/// # Errors
/// If the system does not tell.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let passing = passing();
    let routed = default_routes();
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    for entry in nix::ifaddrs::getifaddrs()? {
        let flags = entry.flags;
        let address = entry.address.and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        });
        let Some(address) = address.filter(|address| !passing.contains(address)) else { continue };
        if !flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING) {
            continue;
        }
        // Second addresses of IPv4 may have a name of their own, as eth0:1.
        let name = entry.interface_name.split(':').next().unwrap_or_default().to_owned();
        let here = flags.intersects(InterfaceFlags::IFF_LOOPBACK | InterfaceFlags::IFF_POINTOPOINT);
        let tunnel = TUNNELS.iter().any(|tunnel| name.starts_with(tunnel));
        let interface = found.entry(name.clone()).or_insert_with(|| Interface {
            leads_outside: !here && !tunnel && leads_outside(&name),
            has_default_route: routed.contains(&name),
            multicast: flags.contains(InterfaceFlags::IFF_MULTICAST),
            addresses: Vec::new(),
            name,
        });
        interface.addresses.push(address);
    }
    Ok(found.into_values().collect())
}

/// The interfaces that default routes name. None where the system does not say.
fn default_routes() -> Vec<String> {
    let [v4, v6] = ["/proc/net/route", "/proc/net/ipv6_route"]
        .map(|path| std::fs::read_to_string(path).unwrap_or_default());
    v4.lines().filter_map(default_v4).chain(v6.lines().filter_map(default_v6)).collect()
}

/// Up, and leading somewhere: not one that refuses.
fn leads_somewhere(flags: &str) -> bool {
    const UP: u32 = 0x1;
    const REJECT: u32 = 0x200;
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & (UP | REJECT) == UP)
}

/// Lines of interface, destination, gateway, flags, three counters and mask, in hexadecimal.
fn default_v4(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let everywhere = *words.get(1)? == "00000000" && *words.get(7)? == "00000000";
    (everywhere && leads_somewhere(words.get(3)?)).then(|| words[0].to_owned())
}

/// Lines of destination and its length, source and its length, next hop, metric, two counters, flags and interface.
fn default_v6(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let nowhere = |word: &str| word.bytes().all(|digit| digit == b'0');
    let everywhere = nowhere(words.first()?) && nowhere(words.get(1)?);
    (everywhere && leads_somewhere(words.get(8)?)).then(|| words.get(9).map(|name| (*name).to_owned()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_everywhere_is_known_by_its_destination_and_one_that_refuses_is_none() {
        let eth0 = "eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0";
        let subnet = "eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0";
        let half = "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0";
        assert_eq!(default_v4(eth0).as_deref(), Some("eth0"));
        for other in ["Iface\tDestination\tGateway", subnet, half, ""] {
            assert_eq!(default_v4(other), None, "{other}");
        }
        let none = "00000000000000000000000000000000";
        let wlan0 = format!("{none} 00 {none} 00 fe80000000000000000000000000000a 400 1 0 00000003 wlan0");
        let refused = format!("{none} 00 {none} 00 {none} ffffffff 1 0 00200200 lo");
        assert_eq!(default_v6(&wlan0).as_deref(), Some("wlan0"));
        assert_eq!(default_v6(&refused), None);
    }

    #[test]
    fn the_loopback_leads_nobody_here() {
        for interface in interfaces().unwrap() {
            assert!(!interface.leads_outside || interface.name != "lo", "{interface:?}");
        }
    }
}
