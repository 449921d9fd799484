//! What a key may, and how much: what its owner decided when it was made. Held against requests by `caller` and `quota`.

use std::fmt;
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use protocol::Priority;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Scope, Scopes};

/// What a key may, and how much. It does not change; another key is made instead.
///
/// In the state as JSON. What a later version may know besides is refused rather than left out: it may be a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What it is for.
    #[serde(serialize_with = "write_scopes", deserialize_with = "read_scopes")]
    pub scopes: Scopes,
    /// The models that it may use; all, if it names none.
    #[serde(default)]
    pub models: Vec<ModelPattern>,
    /// How much at most.
    #[serde(default)]
    pub limits: Limits,
    /// Tokens of context that it may ask a model to be loaded with.
    #[serde(default)]
    pub most_context: Option<NonZeroU32>,
    /// Tokens of one answer.
    #[serde(default)]
    pub most_output: Option<NonZeroU32>,
    /// How urgent what it asks for is.
    #[serde(default)]
    pub priority: Priority,
    /// Where it is taken from; anywhere, if it names none.
    #[serde(default)]
    pub networks: Vec<Network>,
    /// The whole ID of the paired box that it was made for, which has proven who it is. Such a key may only some things, whatever
    /// its scopes say, and asks on behalf of people of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
}

/// What a box may at another at most: neither its models nor who may do what are its to change.
const OF_PEERS: [Scope; 4] = [Scope::Infer, Scope::Embed, Scope::ModelsRead, Scope::Split];

impl Policy {
    /// For these scopes, and without limits.
    pub fn new(scopes: Scopes) -> Self {
        Self { scopes, ..Self::default() }
    }

    /// What it may.
    pub(crate) fn granted(&self) -> Scopes {
        if self.peer.is_some() { self.scopes.within(Scopes::of_peers()) } else { self.scopes }
    }

    /// Whether it may use a model, by its fully qualified name.
    pub(crate) fn allows_model(&self, name: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether it may come from there. From a socket without an address it comes from this machine, which is in no network.
    pub(crate) fn allows_address(&self, address: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || address.is_some_and(|address| self.networks.iter().any(|network| network.contains(address)))
    }
}

impl Scopes {
    /// What a paired box may have of another at most.
    pub fn of_peers() -> Self {
        OF_PEERS.into_iter().collect()
    }
}

/// How much a key may use. What is not said is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests in sixty seconds, whichever.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Requests that are being answered.
    pub concurrent: Option<NonZeroU32>,
    /// Tokens, read and answered, in a calendar day by UTC.
    pub tokens_per_day: Option<NonZeroU64>,
    /// The same in a calendar month by UTC.
    pub tokens_per_month: Option<NonZeroU64>,
}

/// Names of models: one, fully qualified, or all that begin alike, with a `*` at the end. Letters' case makes no difference,
/// as in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelPattern(String);

impl ModelPattern {
    fn matches(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => name
                .as_bytes()
                .get(..beginning.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(beginning.as_bytes())),
            None => name.eq_ignore_ascii_case(&self.0),
        }
    }
}

/// A text names no models.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" names no models: it must be a full name, as registry.ollama.ai/library/smollm2:135m, or the beginning of some \
     and a * after it"
)]
pub struct InvalidPattern(pub String);

impl FromStr for ModelPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let (name, is_whole) = text.strip_suffix('*').map_or((text, true), |beginning| (beginning, false));
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte);
        // Host, namespace, model and tag: with less than that it would match nothing.
        let is_full = || {
            name.rsplit_once(':')
                .is_some_and(|(path, tag)| path.split('/').count() == 3 && !tag.contains('/'))
        };
        match name.len() <= 600 && name.bytes().all(known) && (!is_whole || is_full()) {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidPattern(text.chars().take(100).collect())),
        }
    }
}

/// Addresses that begin alike: `192.168.1.0/24`, or a single one. An IPv4 address in IPv6's clothes is an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl Network {
    /// Whether it is every address of IPv4, or of IPv6.
    pub fn is_everybody(&self) -> bool {
        self.0.prefix_len() == 0
    }

    /// Whether it is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// A text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no network: it must be an address, or one with the length of its prefix, as 192.168.1.0/24"
)]
pub struct InvalidNetwork(pub String);

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let network: IpNet = text
            .parse()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map_err(|_| InvalidNetwork(text.chars().take(100).collect()))?;
        Ok(Self(canonical(network).trunc()))
    }
}

fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let inner = mapped.addr().to_ipv4_mapped().zip(mapped.prefix_len().checked_sub(96));
    inner.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Network {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, InvalidNetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl TryFrom<String> for ModelPattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        text.parse()
    }
}

impl From<ModelPattern> for String {
    fn from(pattern: ModelPattern) -> Self {
        pattern.0
    }
}

fn write_scopes<S: Serializer>(scopes: &Scopes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(scopes.iter().map(Scope::name))
}

fn read_scopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scopes, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().map(|name| name.parse::<Scope>().map_err(de::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "registry.ollama.ai/library/smollm2:135m";

    #[test]
    fn models_are_named_one_by_one_or_by_how_they_begin() {
        let matches = |pattern: &str| pattern.parse::<ModelPattern>().unwrap().matches(SMALL);

        assert!(matches(SMALL) && matches("registry.ollama.ai/library/SmolLM2:135M"));
        assert!(
            matches("*") && matches("registry.ollama.ai/library/smollm2*") && matches(&format!("{SMALL}*"))
        );
        assert!(!matches("registry.ollama.ai/library/smollm2:135") && !matches(&format!("{SMALL}0*")));
        assert!(!matches("registry.ollama.ai/me/*"));
        for text in [
            "",
            "smollm2",
            "smollm2:135m",
            "a/b/c",
            "a/b/c/d:e",
            "*smollm2",
            "a/*/c:d",
            "a b*",
            "ä*",
            "a/b:c/d",
        ] {
            assert!(text.parse::<ModelPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_ipv4_address_is_one_in_whichever_clothes() {
        let network: Network = "192.168.1.7/24".parse().unwrap();
        let contains = |network: Network, address: &str| network.contains(address.parse().unwrap());

        assert_eq!(network.to_string(), "192.168.1.0/24");
        assert!(contains(network, "192.168.1.255") && contains(network, "::ffff:192.168.1.9"));
        assert!(!contains(network, "192.168.2.1") && !contains(network, "::ffff:10.0.0.1"));
        assert!(!contains(network, "::1") && !contains(network, "::c0a8:101"));
        assert_eq!("::ffff:192.168.1.7/120".parse(), Ok(network));
        // Nobody is let in by a network of IPv6 that holds all of IPv4 by its looks.
        assert!(!contains("::/0".parse().unwrap(), "::ffff:192.168.1.9"));
        for (text, everybody) in
            [("0.0.0.0/0", true), ("::/0", true), ("::ffff:0.0.0.0/96", true), ("10.0.0.0/8", false)]
        {
            assert_eq!(text.parse::<Network>().unwrap().is_everybody(), everybody, "{text}");
        }
        assert!(contains("fd00::/8".parse().unwrap(), "fd12::1"));
        assert_eq!("10.0.0.1".parse::<Network>().unwrap().to_string(), "10.0.0.1/32");
        for text in ["", "192.168.1.0/33", "192.168.1", "localhost", "fd00::/129", "10.0.0.0/8 "] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_of_no_network_is_taken_from_anywhere_and_one_of_some_from_no_other() {
        let anywhere = Policy::new(Scopes::all());
        let somewhere = Policy { networks: vec!["10.0.0.0/8".parse().unwrap()], ..anywhere.clone() };
        let address = |text: &str| Some(text.parse().unwrap());

        assert!(anywhere.allows_address(None) && anywhere.allows_address(address("8.8.8.8")));
        assert!(somewhere.allows_address(address("10.1.2.3")));
        assert!(!somewhere.allows_address(None) && !somewhere.allows_address(address("8.8.8.8")));
    }

    #[test]
    fn a_policy_comes_back_as_it_was_written_and_an_unknown_limit_is_not_left_out() {
        let policy = Policy {
            scopes: [Scope::Infer, Scope::ModelsRead].into_iter().collect(),
            models: vec![SMALL.parse().unwrap(), "hf.co/*".parse().unwrap()],
            limits: Limits {
                requests_per_minute: NonZeroU32::new(5),
                tokens_per_month: NonZeroU64::new(1 << 40),
                ..Limits::default()
            },
            most_context: NonZeroU32::new(4096),
            most_output: None,
            priority: Priority::High,
            networks: vec!["fd00::/8".parse().unwrap()],
            peer: Some("AAAAAAA".into()),
        };

        let text = serde_json::to_string(&policy).unwrap();

        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy, "{text}");
        for text in [
            r#"{"scopes":["infer"],"most_images":1}"#,
            r#"{"scopes":["infer"],"limits":{"watts":1}}"#,
            r#"{"scopes":["root"]}"#,
            "{}",
        ] {
            assert!(serde_json::from_str::<Policy>(text).is_err(), "{text}");
        }
        assert_eq!(
            serde_json::from_str::<Policy>(r#"{"scopes":["infer"]}"#).unwrap(),
            Policy::new([Scope::Infer].into_iter().collect())
        );
    }
}
