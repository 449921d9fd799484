//! Which doors there are: what systemd opened, else what the settings name. One that cannot be had is no reason to keep the others
//! shut, as long as anybody can come in. Opening them is `front`'s.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use anyhow::Context as _;
use front::{BindError, Kind, Listener};
use identity::Identity;

use crate::settings::Settings;

/// All doors, open, and what is wrong with those that are not.
pub(super) struct Doors {
    pub(super) listeners: Vec<Listener>,
    /// By what it is about.
    pub(super) shut: Vec<(&'static str, String)>,
}

/// What systemd opened, each by the name that its unit gives it.
pub(super) struct Handed(Vec<(String, OwnedFd)>);

/// The names.
const LOOPBACK: &str = "loopback";
const LAN: &str = "lan";
const PLAINTEXT: &str = "plaintext";
const ADMIN: &str = "admin";

impl Handed {
    /// To be called once.
    pub(super) fn over() -> anyhow::Result<Self> {
        let sockets = platform::service::sockets().context("cannot take over the sockets of systemd")?;
        if let Some((name, _)) =
            sockets.iter().find(|(name, _)| ![LOOPBACK, LAN, PLAINTEXT, ADMIN].contains(&name.as_str()))
        {
            anyhow::bail!(
                "systemd hands over a socket called \"{name}\"; the units call them {LOOPBACK}, {LAN}, {PLAINTEXT} or {ADMIN} \
                 (FileDescriptorName=)"
            );
        }
        Ok(Self(sockets))
    }

    /// The same sockets once more, for doors that may have to be opened twice.
    pub(super) fn again(&self) -> anyhow::Result<Self> {
        let copies = self.0.iter().map(|(name, socket)| Ok((name.clone(), socket.try_clone()?)));
        Ok(Self(copies.collect::<std::io::Result<_>>().context("cannot copy the sockets of systemd")?))
    }

    /// In the order in which they were handed over.
    pub(super) fn into_sockets(self) -> Vec<OwnedFd> {
        self.0.into_iter().map(|(_, socket)| socket).collect()
    }

    fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|(name, _)| name == wanted)
    }

    fn take(&mut self, wanted: &str) -> Vec<OwnedFd> {
        let (taken, left) = std::mem::take(&mut self.0).into_iter().partition(|(name, _)| name == wanted);
        self.0 = left;
        taken.into_iter().map(|(_, socket)| socket).collect()
    }
}

/// Whether anybody on the network is to be served.
pub(super) fn lead_outside(settings: &Settings, handed: &Handed) -> bool {
    let door = &settings.door;
    !door.lan.addresses().is_empty() || door.plaintext.is_some() || handed.has(LAN) || handed.has(PLAINTEXT)
}

impl Doors {
    /// Opens them.
    ///
    /// # Errors
    /// If there is none by which anybody could ask for anything, or one that the owner asked for cannot be had.
    pub(super) fn open(
        settings: &Settings,
        mut handed: Handed,
        identity: Option<&Identity>,
    ) -> anyhow::Result<Self> {
        let mut doors = Self { listeners: Vec::new(), shut: Vec::new() };
        if let Some(identity) = identity {
            doors.open_lan(settings, &mut handed, identity)?;
            doors.open_plaintext(settings, &mut handed, identity)?;
        }
        doors.open_loopback(settings, &mut handed)?;
        doors.open_admin(settings, &mut handed)?;
        Ok(doors)
    }

    /// Where somebody else has our port, the network is served all the same.
    fn open_loopback(&mut self, settings: &Settings, handed: &mut Handed) -> anyhow::Result<()> {
        let outside = self.listeners.len();
        if handed.has(LOOPBACK) {
            return self.adopt(handed, LOOPBACK, &Kind::Loopback);
        }
        let addresses = &settings.door.listen;
        let mut loopback = Vec::new();
        for address in addresses {
            match front::bind(Kind::Loopback, *address) {
                Ok(listener) => loopback.push(listener),
                Err(error) if error.is_unavailable() && addresses.len() > 1 => {
                    tracing::warn!(%error, "not listening there")
                }
                Err(BindError::InUse { address }) if outside > 0 => {
                    let holder = platform::network::listener_at(address);
                    let holder = holder.unwrap_or_else(|| "another program".into());
                    self.shut_out(
                        "loopback",
                        format!("{address} is in use by {holder}, which programs on this machine will ask in place of hob; stop that, and start hob again"),
                    );
                }
                Err(error) => return Err(named(error)),
            }
        }
        // So that the first that is told of is the one that programs on this machine use.
        self.listeners.splice(0..0, loopback);
        anyhow::ensure!(!self.listeners.is_empty(), "there is no address to listen on");
        Ok(())
    }

    fn open_lan(
        &mut self,
        settings: &Settings,
        handed: &mut Handed,
        identity: &Identity,
    ) -> anyhow::Result<()> {
        let kind = Kind::Lan(identity.clone());
        if handed.has(LAN) {
            return self.adopt(handed, LAN, &kind);
        }
        let mut lists = settings.door.lan.addresses().into_iter().peekable();
        while let Some(list) = lists.next() {
            let bound: Result<Vec<Listener>, BindError> =
                list.into_iter().map(|address| front::bind(kind.clone(), address)).collect();
            match bound {
                Ok(mut bound) => {
                    self.listeners.append(&mut bound);
                    break;
                }
                Err(error) if error.is_unavailable() && lists.peek().is_some() => {}
                // A network that is not there yet is no reason to serve nobody.
                Err(error) if error.is_unavailable() => {
                    self.shut_out(
                        "lan",
                        format!("{error}; the network is not served until hob is started again"),
                    );
                }
                Err(error) => return Err(named(error)),
            }
        }
        Ok(())
    }

    fn open_plaintext(
        &mut self,
        settings: &Settings,
        handed: &mut Handed,
        identity: &Identity,
    ) -> anyhow::Result<()> {
        let Some(plaintext) = &settings.door.plaintext else {
            anyhow::ensure!(
                !handed.has(PLAINTEXT),
                "systemd hands over a socket for plaintext, which plaintext.allow must say for whom it is"
            );
            return Ok(());
        };
        let kind = Kind::Plaintext { identity: identity.clone(), allowed: plaintext.allow.clone() };
        self.shut_out(
            "plaintext",
            "the network is served in plaintext as well, where keys and answers can be read on the way"
                .into(),
        );
        if handed.has(PLAINTEXT) {
            return self.adopt(handed, PLAINTEXT, &kind);
        }
        for address in &plaintext.listen {
            self.listeners.push(front::bind(kind.clone(), *address).map_err(named)?);
        }
        Ok(())
    }

    /// Without it models are served all the same, and nobody administers the box from here.
    fn open_admin(&mut self, settings: &Settings, handed: &mut Handed) -> anyhow::Result<()> {
        if handed.has(ADMIN) {
            for socket in handed.take(ADMIN) {
                self.listeners.push(front::adopt_admin(socket)?);
            }
            return Ok(());
        }
        let group = settings.admin.group.as_deref().map(group_number).transpose()?;
        match front::bind_admin(&settings.admin.socket, group) {
            Ok(listener) => self.listeners.push(listener),
            Err(error) => {
                self.shut_out("admin", format!("{error}; the box cannot be administered from here"))
            }
        }
        Ok(())
    }

    fn adopt(&mut self, handed: &mut Handed, name: &str, kind: &Kind) -> anyhow::Result<()> {
        for socket in handed.take(name) {
            self.listeners.push(front::adopt(kind.clone(), socket)?);
        }
        Ok(())
    }

    fn shut_out(&mut self, what: &'static str, reason: String) {
        tracing::warn!("{reason}");
        self.shut.push((what, reason));
    }

    /// Where others on the network are served by TLS.
    pub(super) fn served_by_tls(&self) -> Vec<SocketAddr> {
        let tls = self.listeners.iter().filter(|listener| listener.to_string().starts_with("https://"));
        tls.filter_map(Listener::address).collect()
    }

    /// Where clients are to ask, as a browser takes it: of a listener that has every address, at each that others reach.
    pub(super) fn addresses(&self) -> Vec<String> {
        let lan = platform::network::lan_addresses().unwrap_or_default();
        let of = |listener: &Listener| {
            let Some(address) = listener.address() else { return Vec::new() };
            let url = listener.to_string();
            match url.split_once("://") {
                Some((scheme, _)) if address.ip().is_unspecified() => lan
                    .iter()
                    .map(|ip| format!("{scheme}://{}", SocketAddr::new(*ip, address.port())))
                    .collect(),
                _ => vec![url],
            }
        };
        self.listeners.iter().flat_map(of).collect()
    }
}

fn group_number(name: &str) -> anyhow::Result<u32> {
    let number = platform::users::group(name)
        .with_context(|| format!("setting admin.group: cannot look up \"{name}\""))?;
    number.with_context(|| format!("setting admin.group: there is no group \"{name}\""))
}

/// Says whose port it is, where the system does.
fn named(error: BindError) -> anyhow::Error {
    let address: Option<SocketAddr> = match &error {
        BindError::InUse { address }
        | BindError::LanInUse { address }
        | BindError::PlaintextInUse { address } => Some(*address),
        _ => None,
    };
    match address.and_then(platform::network::listener_at) {
        Some(holder) => anyhow::anyhow!("{error}\nhint: it is {holder}"),
        None => error.into(),
    }
}
