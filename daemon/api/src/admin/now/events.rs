//! `GET /admin/api/now/events`: what goes on, told once a second, and at once when something changes. Each who looks has a stream of
//! their own, and when nobody does, nothing is done.

use std::pin::Pin;
use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use scheduler::Scheduler;
use tokio::time::{Instant, sleep_until};

use super::{look, unkept};
use crate::{Api, cut::Cut, sse};

/// How often it is told, though nothing but figures has changed.
const EVERY: Duration = Duration::from_secs(1);

/// What changes sooner after one telling than this is told in one.
const QUIET: Duration = Duration::from_millis(250);

/// Somebody who looks.
struct Onlooker {
    api: Api,
    cut: Cut,
    /// When they were told, and what comes when something has changed since.
    told: Option<(Instant, Change)>,
}

type Change = Pin<Box<dyn Future<Output = ()> + Send>>;

/// `GET /admin/api/now/events`.
pub(in crate::admin) async fn events(api: Api) -> Response {
    let onlooker = Onlooker { cut: Cut::of_onlooker(&api), api, told: None };
    unkept(sse::response(stream::unfold(onlooker, Onlooker::next)))
}

impl Onlooker {
    /// What is told next; nothing, once there is nobody to tell it to.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        if let Some((last, changed)) = &mut self.told {
            let last = *last;
            let due = async {
                tokio::select! {
                    () = changed => sleep_until(last + QUIET).await,
                    () = sleep_until(last + EVERY) => {}
                }
            };
            tokio::select! {
                biased;
                _ = &mut self.cut => return None,
                () = due => {}
            }
        }
        let changed = change(self.api.scheduler.clone());
        let now = look::at(&self.api).await;
        self.told = Some((Instant::now(), changed));
        let mut event = Vec::new();
        sse::push_named(&mut event, "now", &now);
        Some((event.into(), self))
    }
}

/// Comes when something has changed since this was called.
fn change(scheduler: Scheduler) -> Change {
    let mut change: Change = Box::pin(async move { scheduler.changed().await });
    // It hears from when it is looked at on.
    match change.as_mut().now_or_never() {
        Some(()) => Box::pin(std::future::ready(())),
        None => change,
    }
}
