//! A layer that keeps what is logged in memory as well, for the page. It says no more and no less than the log does: what is left
//! out there does not come here.

use std::fmt::{self, Write as _};

use access::audit::printable;
use api::{Log, LogLevel};
use state::Clock;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Fills a log.
pub(super) struct Recent {
    pub(super) log: Log,
    pub(super) clock: Clock,
}

/// Bytes of what a line says, and of who says it.
const MOST_MESSAGE: usize = 4 << 10;
const MOST_TARGET: usize = 128;

impl<S: Subscriber> Layer<S> for Recent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut told = Told::default();
        event.record(&mut told);
        let target = told.target.as_deref().unwrap_or_else(|| event.metadata().target());
        let message = told.message + &told.fields;
        let (target, message) =
            (printable(target, MOST_TARGET), printable(message.trim_start(), MOST_MESSAGE));
        self.log.push(self.clock.now(), level(*event.metadata().level()), target, message);
    }
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

/// What an event says: its message, and its fields behind that.
#[derive(Default)]
struct Told {
    message: String,
    fields: String,
    /// Of crates that know only the older way of logging.
    target: Option<String>,
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "log.target" => self.target = Some(value.to_owned()),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let causes = std::iter::successors(value.source(), |&cause| cause.source());
        let told = causes.fold(value.to_string(), |told, cause| format!("{told}: {cause}"));
        self.record_debug(field, &format_args!("{told}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Text takes what is written to it.
        let _written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// What is kept of what is logged meanwhile, where the log is told to leave out some.
    fn kept(filter: &str, logging: impl FnOnce()) -> Vec<String> {
        let log = Log::default();
        let recent = Recent { log: log.clone(), clock: Clock::of(|| 7) };
        let subscriber = tracing_subscriber::registry().with(EnvFilter::new(filter)).with(recent);
        tracing::subscriber::with_default(subscriber, logging);
        let lines = log.last(usize::MAX, |line| line.time == 7);
        lines.iter().map(|line| format!("{} {}: {}", line.level, line.target, line.message)).collect()
    }

    #[test]
    fn a_line_is_kept_as_it_is_logged_with_its_fields_behind_its_words() {
        let error = std::io::Error::other("the disk is gone");
        let lines = kept("info", || {
            tracing::info!(bytes = 3, name = "a b", "pulled {}", "it");
            tracing::warn!(target: "hob::other", %error, "failed");
            tracing::error!(error = &error as &dyn std::error::Error);
        });

        let here = module_path!();
        assert_eq!(
            lines,
            [
                format!("info {here}: pulled it bytes=3 name=\"a b\""),
                "warn hob::other: failed error=the disk is gone".into(),
                format!("error {here}: error=the disk is gone"),
            ]
        );
    }

    #[test]
    fn what_the_log_leaves_out_is_left_out() {
        let lines = kept("warn,hob::loud=trace", || {
            tracing::info!("quiet");
            tracing::trace!(target: "hob::loud", "loud");
        });
        assert_eq!(lines, ["trace hob::loud: loud"]);
    }

    #[test]
    fn nobody_writes_a_second_line_and_none_is_too_long() {
        let lines = kept("info", || {
            tracing::info!("a\nb\u{1b}[2J");
            tracing::info!("{}", "a".repeat(1 << 20));
        });
        assert!(lines[0].ends_with("a\\u{a}b\\u{1b}[2J"), "{}", lines[0]);
        assert!(lines[1].len() < 2 * MOST_MESSAGE, "{}", lines[1].len());
    }
}
