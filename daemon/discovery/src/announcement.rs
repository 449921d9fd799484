//! What is said of this box, as records of DNS-SD. The order of its texts, and what they are called, is that of
//! draft-su-ai-gateway-discovery; `v` and `state` are Hob's own.

use std::net::{IpAddr, SocketAddr};

use identity::DeviceId;
use mdns_sd::ServiceInfo;

use crate::neighbour::Phase;

/// Hob's own kind of service, and the one of that draft, for whoever looks for anything that answers prompts.
pub(crate) const HOB: &str = "_hob._tcp.local.";
const AI_GATEWAY: &str = "_ai-gateway._tcp.local.";
pub(crate) const KINDS: [&str; 2] = [HOB, AI_GATEWAY];

/// What is said of this box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Who it is.
    pub id: DeviceId,
    /// Where it listens for TLS. Those at another port than the first are not told.
    pub listens: Vec<SocketAddr>,
    /// The version of Hob.
    pub version: String,
    /// What it can be asked for.
    pub phase: Phase,
}

impl Announcement {
    /// One for each of [`KINDS`], by this name and at these addresses. Nothing of it tells of models, people or the machine.
    pub(crate) fn records(
        &self,
        label: &str,
        addresses: &[IpAddr],
        phase: Phase,
    ) -> mdns_sd::Result<[ServiceInfo; 2]> {
        let texts = self.texts(phase);
        let host = format!("{label}.local.");
        let of = |kind| ServiceInfo::new(kind, label, &host, addresses, self.port(), &*texts);
        let [hob, ai_gateway] = KINDS;
        Ok([of(hob)?, of(ai_gateway)?])
    }

    pub(crate) fn port(&self) -> u16 {
        self.listens.first().map_or(0, SocketAddr::port)
    }

    /// The listeners at the port that is told.
    pub(crate) fn told(&self) -> Vec<SocketAddr> {
        self.listens.iter().filter(|listener| listener.port() == self.port()).copied().collect()
    }

    fn texts(&self, phase: Phase) -> Vec<(&'static str, String)> {
        let mut numbers = self.version.split('.');
        let version = [numbers.next(), numbers.next()].map(|number| number.unwrap_or("0")).join(".");
        vec![
            ("txtvers", "1".into()),
            ("path", "/".into()),
            ("tls", "1".into()),
            ("auth", "1".into()),
            ("protocols", "openai,ollama,anthropic".into()),
            ("product", "hob".into()),
            ("id", self.id.short()),
            ("v", version),
            ("state", phase.name().into()),
        ]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::neighbour::Phase;

    pub(crate) fn id(of: &str) -> DeviceId {
        DeviceId::of(&of.as_bytes().into())
    }

    pub(crate) fn announcement() -> Announcement {
        Announcement {
            id: id("a box"),
            listens: vec!["[::]:11443".parse().unwrap(), "[::]:1".parse().unwrap()],
            version: "12.34.56-beta".into(),
            phase: Phase::Setup,
        }
    }

    #[test]
    fn the_texts_are_in_the_drafts_order_and_within_its_lengths() {
        let texts: Vec<String> = announcement()
            .texts(Phase::Setup)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let id = format!("id={}", id("a box").short());
        let wanted = [
            "txtvers=1",
            "path=/",
            "tls=1",
            "auth=1",
            "protocols=openai,ollama,anthropic",
            "product=hob",
            &id,
            "v=12.34",
            "state=setup",
        ];
        assert_eq!(texts, wanted);
        assert!(texts.iter().all(|text| text.len() <= 255));
        assert!(texts.iter().map(|text| text.len() + 1).sum::<usize>() <= 400);
    }

    #[test]
    fn both_kinds_are_at_the_boxs_own_name_and_the_first_port() {
        let addresses = ["10.0.0.5".parse().unwrap()];
        let records = announcement().records("hob-abcd", &addresses, Phase::Ready).unwrap();
        let names: Vec<&str> = records.iter().map(ServiceInfo::get_fullname).collect();
        assert_eq!(names, ["hob-abcd._hob._tcp.local.", "hob-abcd._ai-gateway._tcp.local."]);
        for record in records {
            assert_eq!((record.get_hostname(), record.get_port()), ("hob-abcd.local.", 11443));
            assert_eq!(record.get_property_val_str("state"), Some("ready"));
        }
        assert_eq!(announcement().told().len(), 1);
    }
}
