//! What is said of this box, when, and that it goes.

use std::time::Duration;

use mdns_sd::{DaemonEvent, HostnameResolutionEvent, RRType, ServiceInfo};
use tokio::time::{Instant, timeout};

use super::{Ended, Lost, Session};
use crate::announcement::{Announcement, HOB, KINDS};
use crate::interfaces::{Link, served};
use crate::label::Label;

/// How long being announced may take: it usually takes a second, for three questions and an answer.
const USUAL: Duration = Duration::from_secs(10);
/// How long mdns-sd may take for a goodbye.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// In which a goodbye is said once more, in case it was lost.
const ONCE_MORE: Duration = Duration::from_millis(150);

/// How far it is with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    /// Others are asked whether they have the name, since then.
    Asking(Instant),
    Everything,
    /// There is an interface that nothing was said to.
    NotEverywhere,
}

/// Whether others are asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Others,
    /// The name is ours.
    Nobody,
}

impl Session<'_> {
    /// Where the box is announced from now on.
    pub(super) fn say_at(&mut self, links: &[&Link], others: bool) -> Result<(), Lost> {
        let Some(own) = &self.config.announce else { return Ok(()) };
        let addresses = served(links, &own.told());
        if others || addresses != self.addresses || self.said == Said::NotEverywhere {
            tracing::debug!(?addresses, "the box is announced at these addresses");
            self.addresses = addresses;
            self.ours.extend(&self.addresses);
            return Ok(self.say(Ask::Others)?);
        }
        if matches!(self.said, Said::Asking(since) if since.elapsed() > USUAL) {
            self.outlets.trouble(Some(
                "the box is not announced on the network: another program may have UDP port 5353 to itself, or a firewall \
                 is in the way"
                    .into(),
            ));
        }
        Ok(())
    }

    /// The same with other words.
    pub(super) fn say_anew(&mut self) -> Result<(), Lost> {
        match self.said {
            Said::Nothing => Ok(()),
            // Who has just begun to ask, asks with other words.
            Said::Asking(_) => Ok(self.say(Ask::Others)?),
            Said::Everything | Said::NotEverywhere => Ok(self.say(Ask::Nobody)?),
        }
    }

    fn say(&mut self, ask: Ask) -> mdns_sd::Result<()> {
        let Some(own) = &self.config.announce else { return Ok(()) };
        let label = self.label.of(&own.id);
        if self.addresses.is_empty() {
            for kind in KINDS {
                // Nobody is left whom a goodbye could reach.
                let _status = self.mdns.unregister(&format!("{label}.{kind}"))?;
            }
            self.said = Said::Nothing;
            return Ok(());
        }
        let [hob, ai_gateway] = own.records(&label, &self.addresses, self.phase)?;
        self.register(hob, ask)?;
        match ask {
            // What is announced second goes without addresses, which were just told. Other boxes look for the first.
            Ask::Others => self.said = Said::Asking(Instant::now()),
            Ask::Nobody => self.register(ai_gateway, ask)?,
        }
        Ok(())
    }

    fn register(&self, mut record: ServiceInfo, ask: Ask) -> mdns_sd::Result<()> {
        record.set_requires_probe(ask == Ask::Others);
        self.mdns.register(record)
    }

    /// The first kind is announced: now the second.
    fn announced(&mut self) -> mdns_sd::Result<()> {
        let Some(own) = &self.config.announce else { return Ok(()) };
        if matches!(self.said, Said::Asking(_)) {
            let [_, ai_gateway] = own.records(&self.label.of(&own.id), &self.addresses, self.phase)?;
            self.register(ai_gateway, Ask::Others)?;
        }
        self.said = Said::Everything;
        self.outlets.trouble(self.label.trouble(&own.id));
        Ok(())
    }

    pub(super) fn learned(&mut self, news: DaemonEvent) -> Result<(), Ended> {
        match news {
            DaemonEvent::Announce(name, _) if name.ends_with(HOB) => self.announced().map_err(Lost::from)?,
            // It is told at the next look, when it is known by which addresses.
            DaemonEvent::IpAdd(_) if self.said == Said::Everything => self.said = Said::NotEverywhere,
            DaemonEvent::NameChange(change) if matches!(change.rr_type, RRType::A | RRType::AAAA) => {
                // There is no third name: mdns-sd goes on by one of its own.
                return if self.label == Label::Own { Err(Ended::Taken) } else { Ok(()) };
            }
            DaemonEvent::NameChange(change) => {
                tracing::info!(
                    "somebody is listed under this box's name, which is listed as {} now",
                    change.new_name
                );
            }
            _ => {}
        }
        Ok(())
    }

    /// Who answers to the name of this box with an address that it never had, has that name as well.
    pub(super) fn heard_namesake(&self, event: &HostnameResolutionEvent) -> Result<(), Ended> {
        match event {
            HostnameResolutionEvent::AddressesFound(_, found)
                if found.iter().any(|address| !self.ours.contains(&address.to_ip_addr())) =>
            {
                Err(Ended::Taken)
            }
            _ => Ok(()),
        }
    }

    /// That the box goes, or changes its name.
    pub(super) async fn say_goodbye(&self, ended: &Ended) {
        let announced = self.config.announce.as_ref().filter(|_| self.said != Said::Nothing);
        if let Some(own) = announced.filter(|_| !matches!(ended, Ended::Lost(_))) {
            self.unregister(own).await;
        }
        if let Ok(status) = self.mdns.shutdown() {
            let _closed = timeout(LAST_WORDS, status.recv_async()).await;
        }
    }

    async fn unregister(&self, own: &Announcement) {
        let label = self.label.of(&own.id);
        for kind in KINDS {
            if let Ok(status) = self.mdns.unregister(&format!("{label}.{kind}")) {
                let _said = timeout(LAST_WORDS, status.recv_async()).await;
            }
        }
        // It does not say when it has said it twice.
        let _again = timeout(ONCE_MORE, std::future::pending::<()>()).await;
    }
}
