//! Has one session follow the other. When one is lost, the box serves on, and another begins after a pause.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::discovery::Config;
use crate::label::Label;
use crate::neighbour::Phase;
use crate::session::{Ended, Outlets, Session};

/// After the first that is lost, and twice as long after each of the next.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What it begins sessions of.
pub(crate) struct Supervisor {
    pub(crate) config: Config,
    pub(crate) outlets: Outlets,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) stop: CancellationToken,
}

impl Supervisor {
    pub(crate) async fn run(mut self) {
        let mut label = Label::Own;
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            let ended = match Session::begin(&self.config, label, &self.outlets) {
                Ok(session) => session.run(&mut self.phase, &self.stop).await,
                Err(lost) => Ended::Lost(lost),
            };
            let lost = match ended {
                Ended::Stopped => return,
                Ended::Taken => {
                    label = Label::Longer;
                    continue;
                }
                Ended::Substituted => {
                    label = Label::Own;
                    continue;
                }
                Ended::Lost(lost) => lost,
            };
            // What was heard last may be long gone when it is heard again.
            self.outlets.neighbours([].into());
            let trouble = format!("neither is the box announced nor are others found: {lost}");
            tracing::warn!("{trouble}; another try in {} seconds", pause.as_secs());
            self.outlets.trouble(Some(trouble));
            if timeout(pause, self.stop.cancelled()).await.is_ok() {
                return;
            }
            // One that was of use for long was not lost for the same reason.
            pause =
                if began.elapsed() > LONGEST_PAUSE * 2 { FIRST_PAUSE } else { LONGEST_PAUSE.min(pause * 2) };
        }
    }
}
