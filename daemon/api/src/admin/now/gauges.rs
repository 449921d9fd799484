//! What takes a moment to read, of the machine and of its disk: read when somebody looks, and then for all who do at once.

use std::sync::Arc;
use std::time::Duration;

use scheduler::Machine;
use store::{DiskRoom, Store};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::Api;

/// What was read last. A clone is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauges(Arc<Mutex<Read>>);

#[derive(Debug, Default)]
struct Read {
    last: Option<(Instant, Readings)>,
    /// It changes slowly, and takes longest.
    models: Option<(Instant, u64)>,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Readings {
    pub(super) machine: Machine,
    pub(super) disk: Option<DiskRoom>,
    /// Bytes of the disk that models take.
    pub(super) models_bytes: Option<u64>,
}

/// So old it is as good as new.
const FRESH: Duration = Duration::from_millis(900);
const MODELS_FRESH: Duration = Duration::from_secs(15);

impl Gauges {
    /// As things are, or were a moment ago.
    pub(super) async fn read(&self, api: &Api) -> Readings {
        // Whoever comes second has what the first reads.
        let mut read = self.0.lock().await;
        let now = Instant::now();
        if let Some((at, readings)) = read.last
            && now - at < FRESH
        {
            return readings;
        }
        let known = read.models.filter(|(at, _)| now - *at < MODELS_FRESH).map(|(_, bytes)| bytes);
        let (scheduler, store) = (api.scheduler.clone(), api.store.clone());
        let reading = tokio::task::spawn_blocking(move || Readings {
            machine: scheduler.machine(),
            disk: logged(store.disk_room()),
            models_bytes: known.or_else(|| taken(&store)),
        });
        let readings = reading.await.unwrap_or_default();
        if let (None, Some(bytes)) = (known, readings.models_bytes) {
            read.models = Some((now, bytes));
        }
        read.last = Some((now, readings));
        readings
    }
}

fn taken(store: &Store) -> Option<u64> {
    logged(store.taken_bytes())
}

fn logged<T>(read: Result<T, store::StoreError>) -> Option<T> {
    read.inspect_err(|error| tracing::debug!(%error, "the disk's room is not known")).ok()
}
