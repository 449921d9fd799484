//! Which addresses others reach this machine by, and who listens on one. Names and certificates for them are `identity`'s.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Interfaces that lead to containers, virtual machines and tunnels of this machine: nobody else reaches it by them.
const INWARD: [&str; 14] = [
    "docker",
    "br-",
    "veth",
    "cni",
    "virbr",
    "vmnet",
    "vEthernet",
    "vboxnet",
    "podman",
    "lxc",
    "lxdbr",
    "flannel",
    "cali",
    "tun",
];

/// The addresses by which others reach this machine, and will tomorrow: of interfaces that are up and lead outside, those that
/// are not temporary. Which of them a certificate is made for is up to `identity`.
///
/// # Errors
/// If the system does not tell.
pub fn lan_addresses() -> io::Result<Vec<IpAddr>> {
    let passing = passing();
    let mut addresses: Vec<IpAddr> = nix::ifaddrs::getifaddrs()?
        .filter(|interface| leads_outside(&interface.interface_name))
        .filter(|interface| interface.flags.contains(nix::net::if_::InterfaceFlags::IFF_UP))
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        })
        .filter(|address| !address.is_loopback() && !passing.contains(address))
        .collect();
    addresses.sort();
    addresses.dedup();
    Ok(addresses)
}

/// What the system calls this machine; empty where it has no name.
pub fn hostname() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

pub(crate) fn leads_outside(interface: &str) -> bool {
    !INWARD.iter().any(|inward| interface.starts_with(inward))
}

/// Addresses of IPv6 that are soon replaced by others, for privacy, or are not to be used any more. None where the system does not
/// say.
pub(crate) fn passing() -> Vec<IpAddr> {
    parse_passing(&std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default())
}

/// Temporary, deprecated, tentative.
const PASSING: u32 = 0x01 | 0x20 | 0x40;

/// Lines of address, index, length of prefix, scope, flags and name, in hexadecimal.
fn parse_passing(table: &str) -> Vec<IpAddr> {
    let passing = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let address = u128::from_str_radix(words.next()?, 16).ok()?;
        let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
        (flags & PASSING != 0).then(|| IpAddr::V6(Ipv6Addr::from_bits(address)))
    };
    table.lines().filter_map(passing).collect()
}

/// The program that listens on this address, as in `ollama (process 812)`; `None` where it is somebody else's, whom the system
/// does not name.
pub fn listener_at(address: SocketAddr) -> Option<String> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let inodes: Vec<&str> = tables.iter().flat_map(|table| listening(table, address)).collect();
    let links: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let mut processes = std::fs::read_dir("/proc").ok()?.flatten();
    processes.find_map(|process| {
        let number = process.file_name().to_str()?.parse::<u32>().ok()?;
        let mut files = std::fs::read_dir(process.path().join("fd")).ok()?.flatten();
        let holds = files.any(|file| {
            let link = std::fs::read_link(file.path()).unwrap_or_default();
            links.iter().any(|ours| link.as_os_str() == ours.as_str())
        });
        let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        holds.then(|| format!("{} (process {number})", name.trim()))
    })
}

/// The inodes of sockets that listen there, or at the same port of every address. Columns of the table are numbered, local
/// address, remote address, state, and the tenth is the inode.
fn listening(table: &str, address: SocketAddr) -> Vec<&str> {
    let listening = table.lines().filter(|line| listens(line, address).unwrap_or(false));
    listening.filter_map(|line| line.split_ascii_whitespace().nth(9)).collect()
}

fn listens(line: &str, address: SocketAddr) -> Option<bool> {
    const LISTEN: &str = "0A";
    let mut words = line.split_ascii_whitespace().skip(1);
    let (at, port) = words.next()?.rsplit_once(':')?;
    let at = parse_address(at)?;
    let same = at == address.ip() || at.is_unspecified();
    Some(same && u16::from_str_radix(port, 16).ok()? == address.port() && words.nth(1)? == LISTEN)
}

/// The kernel writes addresses as words in the machine's own order of bytes.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            let bytes: [u8; 16] = words.try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bridges_and_tunnels_lead_nobody_here_and_the_loopback_is_no_address_of_others() {
        for inward in ["docker0", "br-4f2a", "veth12", "virbr0", "tun0"] {
            assert!(!leads_outside(inward), "{inward}");
        }
        for outward in ["eth0", "enp3s0", "wlan0", "bridge0", "en0"] {
            assert!(leads_outside(outward), "{outward}");
        }
        assert!(!lan_addresses().unwrap().iter().any(IpAddr::is_loopback));
    }

    #[test]
    fn addresses_that_will_be_others_tomorrow_are_known_by_their_flags() {
        let table = "fd000000000000000000000000000002 02 40 00 80     eth0\n\
                     fd00000000000000abcd000000000003 02 40 00 01     eth0\n";
        assert_eq!(parse_passing(table), ["fd00::abcd:0:0:3".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn who_listens_is_told_by_name() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let holder = listener_at(address).unwrap();
        assert!(holder.ends_with(&format!("(process {})", std::process::id())), "{holder}");
        drop(socket);
        assert_eq!(listener_at(address), None);
    }
}
