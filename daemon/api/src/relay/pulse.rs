//! Whether a box that says nothing while it is to answer is still there. An answer may be silent for long, and a daemon that hangs
//! does not say so: its system keeps the connection. So it is asked beside, and who does not answer that either, is gone.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Method;
use registry::Peer;
use tokio::time::{MissedTickBehavior, interval};

/// After so long without a byte it is asked, and then as often.
const ASKED_AFTER: Duration = Duration::from_secs(5);
/// For what takes no time.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// So often in a row nothing comes from one that is gone: once, it may just have been busy.
const MOST_MISSED: u32 = 2;

/// Comes when the box is gone. Once it came it is not to be asked again.
pub(super) struct Pulse {
    heard: Arc<AtomicBool>,
    gone: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Pulse {
    /// Of this box.
    pub(super) fn of(peer: &Peer) -> Self {
        let peer = peer.clone();
        Self::asking(move || {
            let peer = peer.clone();
            async move { answers(&peer).await }
        })
    }

    /// Of what is there whatever happens.
    #[cfg(test)]
    pub(super) fn ever() -> Self {
        Self { heard: Arc::default(), gone: Box::pin(std::future::pending()) }
    }

    fn asking<A: Future<Output = bool> + Send + 'static>(ask: impl Fn() -> A + Send + 'static) -> Self {
        let heard = Arc::new(AtomicBool::new(true));
        let noted = Arc::clone(&heard);
        let gone = async move {
            let mut ticks = interval(ASKED_AFTER);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut missed = 0;
            while missed < MOST_MISSED {
                // One that missed once is asked again at once.
                if missed == 0 {
                    ticks.tick().await;
                }
                let is_there = noted.swap(false, Ordering::Relaxed) || ask().await;
                missed = if is_there { 0 } else { missed + 1 };
            }
        };
        Self { heard, gone: Box::pin(gone) }
    }

    /// Notes that something came of it.
    pub(super) fn beat(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }
}

impl Future for Pulse {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.gone.as_mut().poll(context)
    }
}

/// Whatever it answers, it does. One that cannot be reached anew is no more there than one that is silent.
async fn answers(peer: &Peer) -> bool {
    let Ok(request) = peer.request(Method::GET, "/healthz") else { return true };
    let asked = request.timeout(ANSWERS_WITHIN).send().await;
    !asked.is_err_and(|error| error.is_timeout() || error.is_connect())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::{Instant, timeout};

    use super::*;

    /// Of a box that answers so, and then no more. Each question takes a second.
    fn of(answers: &[bool]) -> Pulse {
        let answers = Arc::new(Mutex::new(Vec::from(answers).into_iter()));
        Pulse::asking(move || {
            let answer = answers.lock().unwrap().next().unwrap_or(false);
            async move { timeout(Duration::from_secs(1), std::future::pending::<()>()).await.is_ok() || answer }
        })
    }

    async fn seconds(pulse: Pulse) -> u64 {
        let begun = Instant::now();
        pulse.await;
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_box_that_says_nothing_twice_is_gone_and_one_that_answers_is_not() {
        assert_eq!(seconds(of(&[])).await, 5 + 2);
        assert_eq!(seconds(of(&[false, true])).await, 10 + 2, "once is not twice in a row");
        assert_eq!(seconds(of(&[true; 100])).await, 101 * 5 + 2);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_asked_of_whom_something_comes() {
        let mut pulse = of(&[]);
        for _ in 0..50 {
            assert!(timeout(Duration::from_secs(3), &mut pulse).await.is_err());
            pulse.beat();
        }
        assert!(seconds(pulse).await <= 10 + 2);
    }
}
