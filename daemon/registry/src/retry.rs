//! When to try again, and when to give up.

use std::time::Duration;

use rand::RngExt;

use crate::RegistryError;

/// Tries in a row that brought nothing.
#[derive(Debug, Default)]
pub(crate) struct Tries(u32);

const MOST_TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// A registry that wants us to wait longer is told no.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

impl Tries {
    /// Something arrived, so the next failure is a first one.
    pub(crate) fn succeeded(&mut self) {
        self.0 = 0;
    }

    /// Whether there was one.
    pub(crate) fn any(&self) -> bool {
        self.0 > 0
    }

    /// Waits for so long until somebody else can be asked.
    ///
    /// # Errors
    /// The error itself, if it was tried often enough.
    pub(crate) async fn rest(&mut self, error: RegistryError, rest: Duration) -> Result<(), RegistryError> {
        self.0 += 1;
        if self.0 >= MOST_TRIES {
            return Err(error);
        }
        tracing::debug!(%error, ?rest, "a transfer waits for somebody else");
        tokio::time::sleep_until(tokio::time::Instant::now() + rest).await;
        Ok(())
    }

    /// Waits as long as it is worth it.
    ///
    /// # Errors
    /// The error itself, if trying again will not help or was tried often enough.
    pub(crate) async fn pause(&mut self, error: RegistryError) -> Result<(), RegistryError> {
        self.0 += 1;
        if !error.is_transient() || self.0 >= MOST_TRIES {
            return Err(error);
        }
        let asked = match &error {
            RegistryError::Refused { retry_after, .. } => *retry_after,
            _ => None,
        };
        let pause = match asked {
            Some(asked) if asked > LONGEST_PAUSE => return Err(error),
            Some(asked) => asked,
            // Spread out, so that many boxes that were cut off together do not come back together.
            None => FIRST_PAUSE.mul_f64(f64::from(1 << (self.0 - 1)) * rand::rng().random_range(0.5..1.0)),
        };
        tracing::debug!(%error, ?pause, "a transfer is tried again");
        tokio::time::sleep_until(tokio::time::Instant::now() + pause).await;
        Ok(())
    }
}
