//! Refusals on their way to the audit log, which is on the disk, where no answer waits for it. How many of them are written there
//! is `access`'s to say.

use std::net::IpAddr;

use access::audit::{Action, Outcome};
use access::{Access, Caller, Way};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// Those that wait. More come only from somebody who floods us, and are a line of the log.
const QUEUE: usize = 1024;

/// One request that was refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) caller: Caller,
    pub(crate) address: Option<IpAddr>,
    /// Its method and path. A query may hold anything.
    pub(crate) target: String,
}

/// Where whom the application refuses is put on the record as what they tried to be.
const RECORDED: [&str; 3] = ["POST /claim", "POST /pair", "POST /admin/api/login"];

/// Whether what the application refused is in the audit log already. What comes in plaintext is not heard there.
pub(crate) fn is_recorded(target: &str, way: Way) -> bool {
    way != Way::Plaintext && RECORDED.contains(&target)
}

/// Where they are told. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Refusals(mpsc::Sender<Refusal>);

impl Refusals {
    /// With what has to be run to write them, until the last of those who tell them is gone.
    pub(crate) fn to(access: Access) -> (Self, impl Future<Output = ()> + Send) {
        let (told, waiting) = mpsc::channel(QUEUE);
        (Self(told), write(access, waiting))
    }

    pub(crate) fn note(&self, refusal: Refusal) {
        if let Err(error) = self.0.try_send(refusal) {
            tracing::warn!(%error, "a refusal is not in the audit log");
        }
    }
}

async fn write(access: Access, mut waiting: mpsc::Receiver<Refusal>) {
    while let Some(Refusal { caller, address, target }) = waiting.recv().await {
        let access = access.clone();
        let written = spawn_blocking(move || {
            access.record(&caller, address, Action::Request, &target, Outcome::Refused)
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a refusal is not in the audit log"),
            Err(error) => tracing::error!(%error, "a refusal is not in the audit log"),
        }
    }
}
