//! The doors: where the daemon listens and by which names, to whom it is open, and what one client may take. Binding the
//! addresses is `front`'s.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use access::Network;
use anyhow::Context as _;
use front::{InvalidOrigin, OriginPattern};
use identity::pairing::USUAL_PORT;

use super::environment::{Environment, Variable};
use super::limits;
use super::raw::{self, Raw};
use super::values::{deadline, list};

/// Ollama's port.
const PORT: u16 = 11434;

/// Who comes in where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DoorSettings {
    /// Where the daemon listens in plaintext; loopback addresses only.
    pub(crate) listen: Vec<SocketAddr>,
    /// On the loopback, too, a key is wanted.
    pub(crate) require_key: bool,
    pub(crate) lan: Lan,
    /// Plaintext on the network, for programs that know no TLS.
    pub(crate) plaintext: Option<Plaintext>,
    /// Host names that are ours, besides the loopback's.
    pub(crate) hosts: Vec<String>,
    /// Origins of pages that may call us, besides the loopback's.
    pub(crate) origins: Vec<OriginPattern>,
    /// Origins that Ollama lets in and we do not, and why.
    pub(crate) origins_left_out: Vec<InvalidOrigin>,
    pub(crate) limits: front::Limits,
    /// How long running answers get to end when the daemon stops.
    pub(crate) drain: Duration,
}

/// TLS on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lan {
    Off,
    /// On every address of the machine: of both families, or of the one that it has.
    Everywhere,
    At(Vec<SocketAddr>),
}

impl Lan {
    /// Where to listen; of several lists, the first whose family the machine has.
    pub(crate) fn addresses(&self) -> Vec<Vec<SocketAddr>> {
        match self {
            Self::Off => Vec::new(),
            Self::Everywhere => vec![
                vec![(Ipv6Addr::UNSPECIFIED, USUAL_PORT).into()],
                vec![(Ipv4Addr::UNSPECIFIED, USUAL_PORT).into()],
            ],
            Self::At(addresses) => vec![addresses.clone()],
        }
    }
}

/// Plaintext on the network. A key is always wanted there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plaintext {
    pub(crate) listen: Vec<SocketAddr>,
    /// From where it may be used.
    pub(crate) allow: Vec<Network>,
}

impl DoorSettings {
    pub(super) fn check(raw: &Raw, environment: &Environment) -> anyhow::Result<Self> {
        let (origins, origins_left_out) = origins(raw.origins.as_deref(), environment)?;
        let listen = loopbacks(raw.listen.as_deref())?;
        Ok(Self {
            plaintext: plaintext(&raw.plaintext, &listen)?,
            listen,
            require_key: raw.loopback.require_key.unwrap_or(false),
            lan: lan(raw.lan.open.as_deref())?,
            hosts: list(raw.hosts.as_deref()),
            origins,
            origins_left_out,
            limits: limits::check(&raw.limits)?,
            drain: deadline("limits.drain", raw.limits.drain.as_deref(), Duration::from_secs(30))?,
        })
    }
}

/// The default is Ollama's port on both loopbacks.
fn loopbacks(text: Option<&str>) -> anyhow::Result<Vec<SocketAddr>> {
    let Some(text) = text else {
        return Ok(vec![(Ipv4Addr::LOCALHOST, PORT).into(), (Ipv6Addr::LOCALHOST, PORT).into()]);
    };
    list(Some(text)).iter().map(|part| loopback(part)).collect()
}

fn loopback(text: &str) -> anyhow::Result<SocketAddr> {
    let bare =
        text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/').replace("localhost", "127.0.0.1");
    let address = address("listen", &bare, PORT)?;
    anyhow::ensure!(
        address.ip().is_loopback(),
        "setting listen: {address} is open to the network, which hob serves by TLS; set lan to on, and listen to a loopback \
         address such as 127.0.0.1:{}",
        address.port()
    );
    Ok(address)
}

fn lan(text: Option<&str>) -> anyhow::Result<Lan> {
    match text.map(str::trim) {
        None | Some("" | "off" | "false") => Ok(Lan::Off),
        Some("on" | "true") => Ok(Lan::Everywhere),
        Some(text) => {
            let address = |part: &String| {
                address("lan", part, USUAL_PORT)
                    .context("lan is on, off, or a list of this machine's addresses, as in 192.168.1.5")
            };
            list(Some(text)).iter().map(address).collect::<Result<_, _>>().map(Lan::At)
        }
    }
}

fn plaintext(raw: &raw::Plaintext, loopbacks: &[SocketAddr]) -> anyhow::Result<Option<Plaintext>> {
    let listen = list(raw.listen.as_deref());
    let allow = list(raw.allow.as_deref());
    if listen.is_empty() && allow.is_empty() {
        return Ok(None);
    }
    anyhow::ensure!(!listen.is_empty(), "plaintext.allow says for whom, but plaintext.listen not where");
    anyhow::ensure!(
        !allow.is_empty(),
        "plaintext.listen is open to whoever reaches it, unless plaintext.allow says for whom, as in 192.168.1.20/32"
    );
    let address = |part: &String| {
        let address = address("plaintext.listen", part, PORT)?;
        anyhow::ensure!(
            !address.ip().is_loopback(),
            "setting plaintext.listen: {address} is on the loopback, which listen is for"
        );
        let collides = |other: &&SocketAddr| address.ip().is_unspecified() && other.port() == address.port();
        if let Some(other) = loopbacks.iter().find(collides) {
            anyhow::bail!(
                "setting plaintext.listen: {address} is every address of the machine, but {other} is taken by listen; name \
                 one address, or another port"
            );
        }
        Ok(address)
    };
    Ok(Some(Plaintext {
        listen: listen.iter().map(address).collect::<anyhow::Result<_>>()?,
        allow: allow.iter().map(|part| network("plaintext.allow", part)).collect::<anyhow::Result<_>>()?,
    }))
}

fn address(name: &str, text: &str, port: u16) -> anyhow::Result<SocketAddr> {
    let bare = text.trim_matches(['[', ']']);
    let parsed = text.parse().or_else(|_| bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port)));
    parsed.with_context(|| {
        format!("setting {name}: \"{text}\" is no address; write it like 127.0.0.1:{port} or [::1]:{port}")
    })
}

/// A network, or one address.
fn network(name: &str, text: &str) -> anyhow::Result<Network> {
    let network: Network = text.parse().with_context(|| format!("setting {name}"))?;
    anyhow::ensure!(
        !network.is_everybody(),
        "setting {name}: {network} is everybody, and a key would go past them all in clear; name a network"
    );
    Ok(network)
}

/// Those that are let in; and those that are not, where Ollama's variable names them, which was set for another program.
fn origins(
    text: Option<&str>,
    environment: &Environment,
) -> anyhow::Result<(Vec<OriginPattern>, Vec<InvalidOrigin>)> {
    let is_named = |variables: &[Variable]| variables.iter().any(|variable| variable.setting == "origins");
    let ollamas = is_named(&environment.aliases) && !is_named(&environment.own);
    let (mut origins, mut left_out) = (Vec::new(), Vec::new());
    for origin in list(text) {
        match origin.parse() {
            Ok(origin) => origins.push(origin),
            Err(error) if ollamas => left_out.push(error),
            Err(error) => return Err(error).context("setting origins"),
        }
    }
    Ok((origins, left_out))
}

#[cfg(test)]
mod tests {
    use super::super::layers::Layers;
    use super::*;

    fn door(variables: &[(&str, &str)]) -> Result<DoorSettings, String> {
        let environment =
            Environment::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let layers = Layers::read(std::path::Path::new("/nowhere"), &environment, None);
        let raw = layers.and_then(|layers| layers.raw());
        raw.and_then(|raw| DoorSettings::check(&raw, &environment)).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_network_is_shut_until_the_owner_opens_it() {
        let lan = |text| door(&[("HOB_LAN", text)]).unwrap().lan;
        assert_eq!(door(&[]).unwrap().lan, Lan::Off);
        assert_eq!((lan("off"), lan("on"), lan("true")), (Lan::Off, Lan::Everywhere, Lan::Everywhere));
        assert_eq!(lan("on").addresses()[0], ["[::]:11443".parse().unwrap()]);
        let two = ["192.168.1.5:11443".parse().unwrap(), "[fd00::1]:8443".parse().unwrap()];
        assert_eq!(lan("192.168.1.5, [fd00::1]:8443"), Lan::At(two.to_vec()));

        let wrong = door(&[("HOB_LAN", "yes please")]).unwrap_err();
        assert!(wrong.contains("lan is on, off, or a list"), "{wrong}");
        let wrong = door(&[("HOB_LISTEN", "0.0.0.0:11434")]).unwrap_err();
        assert!(wrong.contains("set lan to on"), "{wrong}");
    }

    #[test]
    fn plaintext_on_the_network_is_for_somebody_in_particular() {
        let plaintext = |listen, allow| {
            let variables = [("HOB_PLAINTEXT__LISTEN", listen), ("HOB_PLAINTEXT__ALLOW", allow)];
            door(&variables).map(|door| door.plaintext.unwrap())
        };
        let given = plaintext("192.168.1.5", "192.168.1.20,10.0.0.0/8").unwrap();
        assert_eq!(given.listen, ["192.168.1.5:11434".parse().unwrap()]);
        assert_eq!(given.allow, ["192.168.1.20/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]);
        assert_eq!(door(&[]).unwrap().plaintext, None);

        for (listen, allow, told) in [
            ("192.168.1.5", "", "plaintext.allow says for whom"),
            ("", "10.0.0.0/8", "not where"),
            ("127.0.0.1", "10.0.0.0/8", "listen is for"),
            ("0.0.0.0:11434", "10.0.0.0/8", "name one address, or another port"),
            ("192.168.1.5", "0.0.0.0/0", "everybody"),
            ("192.168.1.5", "::/0", "everybody"),
            ("192.168.1.5", "::ffff:0.0.0.0/96", "everybody"),
            ("192.168.1.5", "the house", "192.168.1.0/24"),
        ] {
            let error = plaintext(listen, allow).unwrap_err();
            assert!(error.contains(told), "{listen} for {allow}: {error}");
        }
    }

    #[test]
    fn limits_are_fronts_unless_the_owner_says_otherwise_and_none_is_taken_away() {
        let usual = door(&[]).unwrap();
        assert_eq!((&usual.limits, usual.drain), (&front::Limits::default(), Duration::from_secs(30)));
        let given = door(&[
            ("HOB_LIMITS__CONNECTIONS", "100"),
            ("HOB_LIMITS__HEADER_TIME", "3s"),
            ("HOB_LIMITS__HEADER_BYTES", "16KiB"),
            ("HOB_LIMITS__DRAIN", "2m"),
        ])
        .unwrap();
        let expected = front::Limits {
            connections: 100,
            header_time: Duration::from_secs(3),
            header_bytes: 16 << 10,
            ..front::Limits::default()
        };
        assert_eq!((given.limits, given.drain), (expected, Duration::from_secs(120)));

        for (name, value, told) in [
            ("HOB_LIMITS__HEADER_TIME", "0", "limits.header_time is 0, it must be from 1s to 24h"),
            ("HOB_LIMITS__WRITE_IDLE", "-1", "limits.write_idle"),
            ("HOB_LIMITS__STREAMS", "0", "limits.streams is 0, it must be from 1"),
            ("HOB_LIMITS__HEADER_BYTES", "12", "at least 8192 bytes"),
            ("HOB_LIMITS__HEADER_TIMES", "12s", "header_times"),
        ] {
            let error = door(&[(name, value)]).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn of_ollamas_origins_what_cannot_be_had_is_left_out() {
        let given = door(&[("OLLAMA_ORIGINS", "*,https://home.example")]).unwrap();
        assert_eq!(given.origins, ["https://home.example".parse().unwrap()]);
        assert!(
            given.origins_left_out[0].to_string().contains("https://home.example or chrome-extension://*")
        );
        let ours = door(&[("OLLAMA_ORIGINS", "*"), ("HOB_ORIGINS", "app://obsidian.md")]).unwrap();
        assert!(ours.origins_left_out.is_empty());
    }
}
