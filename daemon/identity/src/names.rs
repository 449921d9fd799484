//! What the box may be called in a certificate: the names that are its own on any network, and addresses that mean something
//! only on the network where it stands. Pure.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What the box is called beside its own label.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The operating system's name for the machine.
    pub hostname: String,
    /// More, by the settings.
    pub extra: Vec<HostName>,
}

impl Names {
    /// All names of a box with this label.
    pub(crate) fn with_label(&self, label: &str) -> BTreeSet<String> {
        let extra = self.extra.iter().map(HostName::to_string);
        own_names(label, &self.hostname).into_iter().chain(extra).collect()
    }
}

/// What a box's authority may sign for, apart from addresses: names under which no other box is known, wherever it stands.
pub(crate) fn own_names(label: &str, hostname: &str) -> Vec<String> {
    let mut names = Vec::from(["localhost".to_owned()]);
    for first in [Some(label.to_owned()), first_label(hostname)].into_iter().flatten() {
        names.extend(LOCAL_DOMAINS.iter().map(|domain| format!("{first}.{domain}")));
        // To be allowed to sign for a name is to be allowed to sign for all below it: a machine called `cloud` would be
        // allowed a part of the Internet.
        if !is_top_level(&first) {
            names.push(first);
        }
    }
    names
}

/// The domains that networks at home give to what stands in them.
const LOCAL_DOMAINS: [&str; 4] = ["local", "lan", "internal", "home.arpa"];

/// The networks whose addresses its authority may sign for. Wide, because boxes move.
pub(crate) const LOCAL_NETWORKS: [(IpAddr, u8); 8] = [
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
    (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
];

/// The machine's name without its domain, where that may be in a certificate and says something.
pub(crate) fn first_label(hostname: &str) -> Option<String> {
    let name: HostName = hostname.parse().ok()?;
    let first = name.0.split('.').next()?.to_owned();
    let telling = first != "localhost" && !first.bytes().all(|byte| byte.is_ascii_digit());
    telling.then_some(first)
}

/// A name of a machine that certificates can hold, in small letters: letters, digits and hyphens between dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

/// A text is no name of a machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no host name; write it like box.home.arpa")]
pub struct InvalidHostName(pub String);

impl FromStr for HostName {
    type Err = InvalidHostName;

    fn from_str(text: &str) -> Result<Self, InvalidHostName> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        // What ends in a number is read as an address, by browsers too.
        let numeric =
            text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        match text.len() <= 253 && !numeric && text.split('.').all(label) {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err(InvalidHostName(text.chars().take(100).collect())),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a name is the end of others on the Internet, or may become one.
fn is_top_level(name: &str) -> bool {
    // All countries' have two letters.
    name.len() <= 2 || TOP_LEVEL.split_ascii_whitespace().chain(SPECIAL).any(|top| top == name)
}

/// Those with more than two letters, in April 2025.
const TOP_LEVEL: &str = include_str!("top_level.txt");
/// Those that networks use among themselves.
const SPECIAL: [&str; 9] =
    ["local", "lan", "internal", "home", "corp", "mail", "localdomain", "intranet", "private"];

/// What a certificate is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subjects {
    pub(crate) names: BTreeSet<String>,
    pub(crate) addresses: BTreeSet<IpAddr>,
}

impl Subjects {
    /// Whether nothing of the other is missing.
    pub(crate) fn cover(&self, other: &Self) -> bool {
        self.names.is_superset(&other.names) && self.addresses.is_superset(&other.addresses)
    }

    /// Whether it is for this name. One asterisk stands for one label.
    pub(crate) fn cover_name(&self, name: &str) -> bool {
        let wild = name.split_once('.').map(|(_, domain)| format!("*.{domain}"));
        self.names.contains(name) || wild.is_some_and(|wild| self.names.contains(&wild))
    }

    /// As they are written for people.
    pub(crate) fn written(&self) -> Vec<String> {
        self.names.iter().cloned().chain(self.addresses.iter().map(IpAddr::to_string)).collect()
    }
}

/// Those of the box's addresses that its certificate holds, and the loopback's. An address that is good for one link, or one on
/// the Internet, is not among them.
pub(crate) fn signable(addresses: &[IpAddr]) -> BTreeSet<IpAddr> {
    let lasting = addresses.iter().map(IpAddr::to_canonical).filter(|address| match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    });
    lasting.chain([IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]).collect()
}

/// Whether who may sign for `permitted` may sign for this.
pub(crate) fn is_within(name: &str, permitted: &[String]) -> bool {
    permitted
        .iter()
        .any(|base| name == base || name.strip_suffix(base.as_str()).is_some_and(|rest| rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_known_by_its_label_and_by_the_machines_name_on_any_network() {
        let names =
            Names { hostname: "NAS.example.org".into(), extra: vec!["Chat.example.org".parse().unwrap()] };

        let all = names.with_label("hob-abcd");

        let expected = [
            "chat.example.org",
            "hob-abcd",
            "hob-abcd.home.arpa",
            "hob-abcd.internal",
            "hob-abcd.lan",
            "hob-abcd.local",
            "localhost",
            "nas",
            "nas.home.arpa",
            "nas.internal",
            "nas.lan",
            "nas.local",
        ];
        assert_eq!(all.iter().map(String::as_str).collect::<Vec<_>>(), expected);
        for useless in ["localhost", "", "my_box", "-", "192.168.1.5", "17", "a..b"] {
            assert_eq!(own_names("hob-abcd", useless).len(), 6, "{useless}");
        }
    }

    #[test]
    fn a_name_is_letters_digits_and_hyphens_between_dots_and_no_address() {
        assert_eq!("Box-2.Home.ARPA".parse::<HostName>().unwrap().to_string(), "box-2.home.arpa");
        let long = format!("{}.arpa", "a".repeat(64));
        for text in [
            "",
            "192.168.1.5",
            "box.17",
            "::1",
            "*.lan",
            "-a",
            "a-",
            "a..b",
            "a.",
            "my_box",
            "https://a",
            "b\u{fc}ro",
            &long,
        ] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_machine_that_is_called_like_a_part_of_the_internet_gets_no_certificate_for_that() {
        for hostname in ["cloud", "box", "ai", "com", "local", "home"] {
            let names = own_names("hob-abcd", hostname);
            assert!(!names.iter().any(|name| name == hostname), "{hostname}");
            assert!(names.contains(&format!("{hostname}.local")), "{hostname}");
        }
    }

    #[test]
    fn addresses_on_the_internet_and_of_one_link_are_in_no_certificate() {
        let addresses =
            ["192.168.1.5", "::ffff:10.0.0.1", "fd00::5", "fe80::1", "169.254.3.4", "8.8.8.8", "2001:db8::1"];
        let addresses = addresses.map(|address| address.parse().unwrap());

        let written = signable(&addresses).iter().map(IpAddr::to_string).collect::<Vec<_>>();

        assert_eq!(written, ["10.0.0.1", "127.0.0.1", "192.168.1.5", "::1", "fd00::5"]);
    }

    #[test]
    fn who_may_sign_for_a_name_may_sign_for_those_below_and_for_no_other() {
        let permitted = ["nas.local".to_owned()];
        assert!(is_within("nas.local", &permitted) && is_within("chat.nas.local", &permitted));
        assert!(!is_within("xnas.local", &permitted) && !is_within("local", &permitted));
    }

    #[test]
    fn an_asterisk_stands_for_one_label() {
        let subjects = Subjects { names: ["*.example.org".to_owned()].into(), ..Subjects::default() };
        assert!(subjects.cover_name("hob.example.org"));
        assert!(!subjects.cover_name("example.org") && !subjects.cover_name("a.hob.example.org"));
    }
}
