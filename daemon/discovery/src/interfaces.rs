//! On which network interfaces a box is announced, and by which addresses. Decides only: what there is comes in, from whoever
//! asks the system.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// A network interface that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What the system calls it.
    pub name: String,
    /// Its addresses, without those that are soon others.
    pub addresses: Vec<IpAddr>,
    /// Other machines are behind it: it is no loopback, no bridge to containers and no tunnel.
    pub leads_outside: bool,
    /// The way to everywhere else begins there.
    pub has_default_route: bool,
    /// One packet can reach all who are there.
    pub multicast: bool,
}

/// Asks the system which there are by now. May block for a moment.
pub type Links = Arc<dyn Fn() -> Vec<Link> + Send + Sync>;

/// What the owner says about interfaces: names, or how they begin and `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// These and no others, whatever they look like; those that look like a network, if empty.
    pub only: Vec<String>,
    /// Not these, whatever else is said.
    pub skip: Vec<String>,
}

/// What one box announces, and what is believed of one.
pub(crate) const MOST_ADDRESSES: usize = 8;

impl Rules {
    /// Whether interfaces are named, and none of these is one of them.
    pub fn name_nothing_of(&self, links: &[Link]) -> bool {
        let named = |link: &Link| self.only.iter().any(|name| is(link, name));
        !self.only.is_empty() && !links.iter().any(named)
    }

    /// Those where the box is announced and others are looked for. Where one has a way to everywhere, one without is no network
    /// of people; where none has, the network is one on its own.
    pub(crate) fn chosen<'a>(&self, links: &'a [Link]) -> Vec<&'a Link> {
        let usable =
            links.iter().filter(|link| link.multicast && !self.skip.iter().any(|name| is(link, name)));
        if !self.only.is_empty() {
            return usable.filter(|link| self.only.iter().any(|name| is(link, name))).collect();
        }
        let outside: Vec<&Link> = usable.filter(|link| link.leads_outside).collect();
        let routed: Vec<&Link> = outside.iter().copied().filter(|link| link.has_default_route).collect();
        if routed.is_empty() { outside } else { routed }
    }
}

fn is(link: &Link, name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(beginning) => link.name.starts_with(beginning),
        None => link.name == name,
    }
}

/// The addresses of these interfaces at which a listener answers, those of IPv4 first.
pub(crate) fn served(links: &[&Link], listens: &[SocketAddr]) -> Vec<IpAddr> {
    let answers = |address: &IpAddr| {
        listens.iter().any(|listener| match listener.ip() {
            // Listens for IPv4 as well.
            IpAddr::V6(ip) if ip.is_unspecified() => true,
            IpAddr::V4(ip) if ip.is_unspecified() => address.is_ipv4(),
            ip => ip == *address,
        })
    };
    let all = links.iter().flat_map(|link| &link.addresses).copied();
    let mut addresses: Vec<IpAddr> = all.filter(|address| can_be_told(address) && answers(address)).collect();
    addresses.sort();
    addresses.dedup();
    addresses.truncate(MOST_ADDRESSES);
    addresses
}

/// Whether an address means the same to everybody on the network.
pub(crate) fn can_be_told(address: &IpAddr) -> bool {
    let everybody = match address {
        IpAddr::V4(v4) => v4.is_broadcast() || v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some(),
    };
    !(everybody || address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str, address: &str) -> Link {
        Link {
            name: name.into(),
            addresses: vec![address.parse().unwrap()],
            leads_outside: true,
            has_default_route: false,
            multicast: true,
        }
    }

    fn chosen(rules: &Rules, links: &[Link]) -> Vec<String> {
        rules.chosen(links).into_iter().map(|link| link.name.clone()).collect()
    }

    fn rules(only: &[&str], skip: &[&str]) -> Rules {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Rules { only: owned(only), skip: owned(skip) }
    }

    #[test]
    fn interfaces_that_are_named_and_are_not_there_are_told() {
        let links = [link("eth0", "192.168.1.5")];
        let named = |names: &[&str]| Rules {
            only: names.iter().map(ToString::to_string).collect(),
            ..Rules::default()
        };
        assert!(named(&["eth1", "wlan*"]).name_nothing_of(&links));
        assert!(!named(&["eth1", "eth*"]).name_nothing_of(&links));
        assert!(!named(&[]).name_nothing_of(&links));
    }

    #[test]
    fn a_network_leads_outside_and_has_the_way_to_everywhere_if_any_has() {
        let docker = Link { leads_outside: false, ..link("docker0", "172.17.0.1") };
        let storage = link("eth1", "10.99.0.1");
        let mut lan = link("eth0", "192.168.1.5");
        let mut links = vec![docker, storage, lan.clone()];
        assert_eq!(chosen(&Rules::default(), &links), ["eth1", "eth0"], "a network on its own");

        lan.has_default_route = true;
        links[2] = lan;
        assert_eq!(chosen(&Rules::default(), &links), ["eth0"]);
        links[2].multicast = false;
        assert_eq!(chosen(&Rules::default(), &links), ["eth1"]);
    }

    #[test]
    fn what_the_owner_says_about_interfaces_counts_and_what_is_skipped_above_all() {
        let docker = Link { leads_outside: false, ..link("docker0", "172.17.0.1") };
        let lan = Link { has_default_route: true, ..link("eth0", "192.168.1.5") };
        let links = [docker, lan, link("eth1", "10.99.0.1"), link("enp3s0", "10.98.0.1")];
        assert_eq!(chosen(&rules(&["docker0", "eth1"], &[]), &links), ["docker0", "eth1"]);
        assert_eq!(chosen(&rules(&["eth*"], &[]), &links), ["eth0", "eth1"]);
        assert_eq!(chosen(&rules(&["eth*"], &["eth0"]), &links), ["eth1"]);
        assert_eq!(chosen(&rules(&[], &["eth*"]), &links), ["enp3s0"]);
        assert_eq!(chosen(&rules(&["eth"], &[]), &links), [""; 0]);
        assert_eq!(chosen(&rules(&[], &["*"]), &links), [""; 0]);
    }

    #[test]
    fn only_addresses_where_a_listener_answers_are_announced() {
        let mut lan = link("eth0", "192.168.1.5");
        for other in ["fe80::1", "fd00::5", "127.0.0.2", "10.0.0.9"] {
            lan.addresses.push(other.parse().unwrap());
        }
        let served = |listens: &[&str]| {
            let listens: Vec<SocketAddr> = listens.iter().map(|at| at.parse().unwrap()).collect();
            served(&[&lan], &listens).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(served(&["[::]:1"]), ["10.0.0.9", "192.168.1.5", "fd00::5"]);
        assert_eq!(served(&["0.0.0.0:1"]), ["10.0.0.9", "192.168.1.5"]);
        assert_eq!(served(&["192.168.1.5:1", "172.17.0.1:1"]), ["192.168.1.5"]);
        assert_eq!(served(&["127.0.0.2:1"]), [""; 0]);
        assert_eq!(served(&[]), [""; 0]);
    }
}
