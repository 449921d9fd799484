//! How this family's answers are sent, whole or as events.

use super::wire::StreamOptions;
use crate::{error::Invalid, json::Harmless};

/// How the answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// One object at the end.
    Whole,
    /// An event for each piece.
    Events(UsageEvent),
}

/// Whether a stream ends with the tokens used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsageEvent {
    Sent,
    LeftOut,
}

impl Framing {
    /// `stream` and `stream_options`, of which the second needs the first.
    pub(super) fn of(stream: Option<bool>, options: Option<StreamOptions>) -> Result<Self, Invalid> {
        if options.is_some() && stream != Some(true) {
            return Err(Invalid::of("stream_options", "stream_options needs stream to be true"));
        }
        let usage = match options {
            Some(StreamOptions { include_usage: Some(true), include_obfuscation: Harmless }) => {
                UsageEvent::Sent
            }
            _ => UsageEvent::LeftOut,
        };
        match stream {
            Some(true) => Ok(Self::Events(usage)),
            _ => Ok(Self::Whole),
        }
    }
}
