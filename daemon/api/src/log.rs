//! The last lines of the log, in memory, for whoever looks after the box. What writes them is whoever logs (`hob`); how they are
//! told is `admin`'s.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Lines that are kept at most, and bytes of them.
const MOST_LINES: usize = 4096;
const MOST_BYTES: usize = 1 << 20;
/// What a line takes besides its text.
const LINE_BYTES: usize = 64;

/// How much a line matters, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What goes on.
    Info,
    /// What helps to find out why.
    Debug,
    /// All there is.
    Trace,
}

/// A word that is no level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a level is error, warn, info, debug or trace")]
pub struct UnknownLevel;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its number: one more than that of the line before, from 1 since the daemon began.
    pub number: u64,
    /// When, in seconds since 1970.
    pub time: i64,
    /// How much it matters.
    pub level: LogLevel,
    /// What part of the daemon said it.
    pub target: String,
    /// What it says, on one line.
    pub message: String,
}

/// The last lines. A clone is cheap, and is of the same.
#[derive(Clone, Debug)]
pub struct Log(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ring: Mutex<Ring>,
    /// The number of the last line.
    last: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
    last: u64,
}

impl Default for Log {
    fn default() -> Self {
        Self(Arc::new(Shared { ring: Mutex::default(), last: watch::Sender::new(0) }))
    }
}

impl Log {
    /// Adds a line, and lets go of the oldest where there are too many. Its text is what is logged, in print and of a bounded length.
    pub fn push(&self, time: i64, level: LogLevel, target: String, message: String) {
        let number = {
            let mut ring = self.ring();
            ring.last += 1;
            let number = ring.last;
            ring.push(LogLine { number, time, level, target, message });
            number
        };
        self.0.last.send_replace(number);
    }

    /// Those after a line, the oldest first; so many of them at most.
    pub(crate) fn after(&self, number: u64, most: usize) -> Vec<Arc<LogLine>> {
        let ring = self.ring();
        let first = ring.lines.partition_point(|line| line.number <= number);
        ring.lines.range(first..).take(most).cloned().collect()
    }

    /// The last of those that are wanted, the oldest first.
    pub fn last(&self, most: usize, wanted: impl Fn(&LogLine) -> bool) -> Vec<Arc<LogLine>> {
        let lines: Vec<_> = self.ring().lines.iter().cloned().collect();
        let mut last: Vec<_> = lines.into_iter().rev().filter(|line| wanted(line)).take(most).collect();
        last.reverse();
        last
    }

    /// Follows the number of the last line.
    pub(crate) fn follow(&self) -> watch::Receiver<u64> {
        self.0.last.subscribe()
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, line: LogLine) {
        self.bytes += line.bytes();
        self.lines.push_back(Arc::new(line));
        while self.lines.len() > MOST_LINES || self.bytes > MOST_BYTES {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= oldest.bytes();
        }
    }
}

impl LogLine {
    fn bytes(&self) -> usize {
        self.target.len() + self.message.len() + LINE_BYTES
    }
}

impl LogLevel {
    const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Its word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LogLevel {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Self::ALL.into_iter().find(|level| level.name() == text).ok_or(UnknownLevel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(log: &Log, level: LogLevel, message: &str) {
        log.push(0, level, "test".into(), message.into());
    }

    fn numbers(lines: &[Arc<LogLine>]) -> Vec<u64> {
        lines.iter().map(|line| line.number).collect()
    }

    #[test]
    fn the_oldest_lines_go_when_there_are_too_many_and_when_they_are_too_long() {
        let log = Log::default();
        for _ in 0..MOST_LINES + 3 {
            push(&log, LogLevel::Info, "a");
        }
        assert_eq!(numbers(&log.after(0, 2)), [4, 5]);
        assert_eq!(log.after(0, usize::MAX).len(), MOST_LINES);

        let long = "a".repeat(MOST_BYTES / 4);
        for _ in 0..8 {
            push(&log, LogLevel::Info, &long);
        }
        assert_eq!(log.after(0, usize::MAX).len(), 3);
        assert!(log.ring().bytes <= MOST_BYTES);
    }

    #[test]
    fn lines_are_found_by_their_number_and_by_what_they_are() {
        let log = Log::default();
        for level in LogLevel::ALL {
            push(&log, level, level.name());
        }

        assert_eq!(numbers(&log.after(2, 2)), [3, 4]);
        assert!(log.after(5, 2).is_empty());
        assert_eq!(numbers(&log.last(2, |line| line.level <= LogLevel::Info)), [2, 3]);
        assert_eq!("warn".parse(), Ok(LogLevel::Warn));
        assert_eq!("loud".parse::<LogLevel>(), Err(UnknownLevel));
    }

    #[tokio::test]
    async fn whoever_follows_is_told_of_the_next_line() {
        let log = Log::default();
        let mut last = log.follow();
        push(&log, LogLevel::Info, "a");
        last.changed().await.unwrap();
        assert_eq!(*last.borrow_and_update(), 1);
    }
}
