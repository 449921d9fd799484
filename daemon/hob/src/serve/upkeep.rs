//! What is looked after for as long as the daemon serves: certificates that follow the box's addresses and the owner's files, and
//! figures that are written down now and then.

use std::sync::Arc;
use std::time::Duration;

use access::Access;
use access::audit::{Action, Outcome};
use anyhow::Context as _;
use api::Health;
use discovery::Discovery;
use identity::{Identity, Refreshed};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(5);

/// What is looked after.
pub(super) struct Upkeep {
    pub(super) access: Access,
    pub(super) identity: Option<Identity>,
    pub(super) discovery: Option<Discovery>,
    pub(super) health: Health,
}

impl Upkeep {
    /// Looks after it until `stop`, and once more then. At SIGHUP it looks at once.
    pub(super) async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut reload = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
        let mut ticks = tokio::time::interval(EVERY);
        let upkeep = Arc::new(self);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = reload.recv() => tracing::info!("looking at the certificates again, as SIGHUP asks for"),
                () = stop.cancelled() => break,
            }
            upkeep.clone().look_aside().await?;
        }
        // What was used meanwhile is written down, also if it was looked when that was not all.
        upkeep.clone().look_aside().await?;
        upkeep.record(Action::Stop);
        Ok(())
    }

    /// Puts it on the record that the daemon begins or ends. Blocks on the disk.
    pub(super) fn record(&self, action: Action) {
        if let Err(error) = self.access.record_own(action, env!("CARGO_PKG_VERSION"), Outcome::Done) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the audit log cannot be written");
        }
    }

    async fn look_aside(self: Arc<Self>) -> anyhow::Result<()> {
        Ok(tokio::task::spawn_blocking(move || self.look()).await?)
    }

    /// Blocks on the disk.
    pub(super) fn look(&self) {
        self.report("state", self.access.flush().map_err(|error| error.to_string()));
        if let Some(identity) = &self.identity {
            self.report("certificate", self.refresh(identity));
        }
        if let Some(discovery) = &self.discovery {
            self.report("discovery", discovery.trouble().map_or(Ok(()), Err));
        }
    }

    fn refresh(&self, identity: &Identity) -> Result<(), String> {
        let addresses = platform::network::lan_addresses()
            .map_err(|error| format!("cannot tell the addresses: {error}"))?;
        match identity.refresh(&addresses) {
            Ok(Refreshed::Unchanged) => {}
            Ok(refreshed) => {
                let names = identity.status().names.join(" ");
                tracing::info!(?refreshed, names, "another certificate is served");
                let recorded = self.access.record_own(Action::Certificate, &names, Outcome::Done);
                recorded.map_err(|error| error.to_string())?;
            }
            Err(error) => return Err(error.to_string()),
        }
        let warnings = identity.status().warnings;
        match warnings.is_empty() {
            true => Ok(()),
            false => Err(warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        }
    }

    /// Once in the log, and for as long as it lasts where the box says how it is.
    fn report(&self, what: &'static str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.health.mend(what),
            Err(reason) => {
                if self.health.degrade(what, reason.clone()) {
                    tracing::warn!("{reason}");
                }
            }
        }
    }
}
