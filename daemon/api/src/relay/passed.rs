//! The body of an answer that another box gives: piece by piece as it comes, and counted. If that box is gone before its end, or
//! it is cut off here, it ends with an error in its family's shape.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::Frame;
use scheduler::Enrolled;

use super::family::last_words;
use super::hop;
use super::pulse::Pulse;
use super::route::Voice;
use crate::{cut::Cut, error::Error, quota::Tally};

/// More bytes than any piece has: what is read and not passed on is kept here.
const MOST_PARTIAL: usize = 16 << 20;

/// An answer's body.
pub(super) struct Passed {
    /// Until it has ended.
    body: Option<Body>,
    /// What was read of it already.
    first: Option<Bytes>,
    /// How its pieces are told apart; nothing, if it is one.
    voice: Option<Voice>,
    cut: Cut,
    /// Of the box that gives it.
    pulse: Pulse,
    tally: Tally,
    /// That it is under way.
    enrolled: Option<Enrolled>,
    /// The beginning of a piece of which the end is not in.
    partial: BytesMut,
    /// Pieces that were passed on.
    pieces: u64,
    /// Bytes that came.
    bytes: u64,
}

impl Passed {
    /// The answer's, of which `first` was read.
    pub(super) fn new(
        body: Body,
        first: Option<Bytes>,
        voice: Option<Voice>,
        cut: Cut,
        pulse: Pulse,
        (tally, enrolled): (Tally, Option<Enrolled>),
    ) -> Self {
        Self {
            body: Some(body),
            first,
            voice,
            cut,
            pulse,
            tally,
            enrolled,
            partial: BytesMut::new(),
            pieces: 0,
            bytes: 0,
        }
    }

    /// What of it can be sent: whole pieces, so that what is said last stands by itself. `None` if a piece has no end.
    fn take(&mut self, data: Bytes) -> Option<Bytes> {
        self.bytes += data.len() as u64;
        let Some(voice) = self.voice else { return Some(data) };
        // Before the last byte there is no end, or it would not be here any more.
        let looked_at = self.partial.len().saturating_sub(1);
        self.partial.extend_from_slice(&data);
        let end = voice.last_end(&self.partial[looked_at..]).map_or(0, |end| looked_at + end);
        let whole = self.partial.split_to(end).freeze();
        if self.partial.len() > MOST_PARTIAL {
            return None;
        }
        let pieces = voice.pieces(&whole);
        self.pieces += pieces;
        self.tally.pieces(pieces);
        if let Some(enrolled) = &self.enrolled {
            enrolled.said(pieces);
        }
        Some(whole)
    }

    /// What is sent in place of what does not come.
    fn fail(&mut self, error: Error) -> Option<Result<Frame<Bytes>, axum::Error>> {
        self.body = None;
        self.partial.clear();
        self.tally.failed();
        Some(match self.voice {
            Some(voice) => Ok(Frame::data(last_words(voice, error, self.pieces))),
            // Its head is sent, and what came of it may have been.
            None => Err(axum::Error::new(error)),
        })
    }
}

impl http_body::Body for Passed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        loop {
            if this.body.is_none() {
                return Poll::Ready(None);
            }
            if let Poll::Ready(why) = Pin::new(&mut this.cut).poll(context) {
                return Poll::Ready(this.fail(why.into()));
            }
            let frame = match (this.first.take(), &mut this.body) {
                (Some(first), _) => Some(Ok(Frame::data(first))),
                (None, Some(body)) => match Pin::new(body).poll_frame(context) {
                    Poll::Ready(frame) => frame,
                    Poll::Pending => match Pin::new(&mut this.pulse).poll(context) {
                        Poll::Ready(()) => Some(Err(axum::Error::new(Silent))),
                        Poll::Pending => return Poll::Pending,
                    },
                },
                (None, None) => return Poll::Ready(None),
            };
            this.pulse.beat();
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => match this.take(data) {
                    Some(whole) if whole.is_empty() => {}
                    Some(whole) => return Poll::Ready(Some(Ok(Frame::data(whole)))),
                    None => {
                        tracing::warn!("a box that answered for this one says something without an end");
                        return Poll::Ready(this.fail(Error::AnswererGone));
                    }
                },
                Some(Ok(Err(other))) => {
                    if let Some(usage) = other.into_trailers().ok().as_ref().and_then(hop::read) {
                        this.tally.told(usage, this.bytes);
                    }
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "a box that answered for this one is gone");
                    return Poll::Ready(this.fail(Error::AnswererGone));
                }
                None => {
                    this.body = None;
                    let rest = this.partial.split().freeze();
                    return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
                }
            }
        }
    }
}

/// Why a box is given up that has not ended its answer.
#[derive(Debug, thiserror::Error)]
#[error("it says nothing, and does not answer when it is asked")]
struct Silent;

impl Voice {
    /// Where the last piece ends of which all is in.
    fn last_end(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Lines => bytes.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1),
            Self::Events | Self::Responses | Self::Messages => {
                bytes.windows(2).rposition(|pair| pair == b"\n\n").map(|at| at + 2)
            }
        }
    }

    /// How many there are, of those that say something.
    fn pieces(self, bytes: &[u8]) -> u64 {
        let count = match self {
            Self::Lines => bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(),
            Self::Events | Self::Responses | Self::Messages => {
                let lines = bytes.split(|byte| *byte == b'\n');
                lines.filter(|line| line.starts_with(b"data:")).count()
            }
        };
        count as u64
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::tests::Rig;

    async fn passed(
        voice: Option<Voice>,
        pieces: &[&'static str],
        gone: bool,
    ) -> Result<Vec<String>, axum::Error> {
        let rig = Rig::new();
        let sent = pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect::<Vec<_>>();
        let end = gone.then(|| Err(std::io::Error::other("gone")));
        let body = Body::from_stream(stream::iter(sent.into_iter().chain(end)));
        let mut passed =
            Passed::new(body, None, voice, Cut::never(), Pulse::ever(), (Tally::of(&rig.api), None));
        let mut told = Vec::new();
        while let Some(frame) = passed.frame().await {
            told.push(String::from_utf8(frame?.into_data().unwrap().to_vec()).unwrap());
        }
        Ok(told)
    }

    #[tokio::test]
    async fn pieces_come_as_they_are_and_whole() {
        let told =
            passed(Some(Voice::Lines), &["{\"a\":1}\n", "{\"b\"", ":2}\n{\"c\":3}\n"], false).await.unwrap();
        assert_eq!(told, ["{\"a\":1}\n", "{\"b\":2}\n{\"c\":3}\n"]);

        let told = passed(Some(Voice::Events), &["data: 1\n\ndata: ", "2\n\n"], false).await.unwrap();
        assert_eq!(told, ["data: 1\n\n", "data: 2\n\n"]);

        assert_eq!(passed(None, &["{\"a\"", ":1}"], false).await.unwrap(), ["{\"a\"", ":1}"]);
    }

    #[tokio::test]
    async fn an_answer_whose_box_is_gone_ends_with_an_error_that_stands_by_itself() {
        let last = async |voice, pieces: &[&'static str]| passed(Some(voice), pieces, true).await.unwrap();

        let lines = last(Voice::Lines, &["{\"a\":1}\n{\"b"]).await;
        assert_eq!(lines[0], "{\"a\":1}\n");
        assert!(
            lines[1].starts_with("{\"error\":\"the box that was answering") && lines[1].ends_with("}\n"),
            "{lines:?}"
        );

        let events = last(Voice::Events, &["data: 1\n\nda"]).await;
        assert!(
            events[1].starts_with("data: {\"error\":{\"message\":") && events[1].ends_with("}\n\n"),
            "{events:?}"
        );

        let responses = last(Voice::Responses, &["event: a\ndata: 1\n\n", "event: b\ndata: 2\n\n"]).await;
        assert!(
            responses[2].starts_with("event: error\ndata: {\"type\":\"error\"")
                && responses[2].contains("\"sequence_number\":2"),
            "{responses:?}"
        );

        let messages = last(Voice::Messages, &["event: ping\ndata: {}\n\n"]).await;
        assert!(
            messages[1]
                .starts_with("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\""),
            "{messages:?}"
        );

        assert!(passed(None, &["{\"a\""], true).await.is_err(), "half an object is no answer");
    }

    #[tokio::test]
    async fn a_piece_without_an_end_is_given_up() {
        let million: &'static str = "a".repeat(1 << 20).leak();
        for voice in [Voice::Lines, Voice::Events] {
            let told = passed(Some(voice), &[million; 20], false).await.unwrap();
            assert!(told.len() == 1 && told[0].contains("is gone"), "{} pieces", told.len());
        }
        // What has ends is of any length.
        let lines: &'static str = format!("{million}\n").leak();
        assert_eq!(passed(Some(Voice::Lines), &[lines; 20], false).await.unwrap().len(), 20);
        let split =
            passed(Some(Voice::Events), &["data: 1\n", "\n", "data: 2\n", "\nda", "ta: 3\n\n"], false);
        assert_eq!(split.await.unwrap().concat(), "data: 1\n\ndata: 2\n\ndata: 3\n\n");
    }

    #[tokio::test]
    async fn one_that_the_owner_ends_is_counted_so_far_and_ends_with_word_of_it() {
        let rig = Rig::new();
        let errand = rig.api.errand(scheduler::Kind::Chat);
        let enrolled = rig.api.scheduler.pass_on(errand, "m".parse().unwrap(), "kitchen");
        let cut = Cut::never().or(enrolled.stop(), protocol::GenerateError::Ended);
        let pieces = stream::iter([Ok::<_, Infallible>("data: 1\n\ndata: 2\n\n")]);
        let body = Body::from_stream(futures_util::StreamExt::chain(pieces, stream::pending()));
        let tally = (Tally::of(&rig.api), Some(enrolled));
        let mut passed = Passed::new(body, None, Some(Voice::Events), cut, Pulse::ever(), tally);
        passed.frame().await.unwrap().unwrap();
        let request = rig.api.scheduler.requests().remove(0);
        assert_eq!((request.tokens, &*request.errand.who), (2, "operator"));

        assert!(rig.api.scheduler.stop_request(request.id));

        let last = passed.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(last.starts_with(b"data: {\"error\":"), "{last:?}");
        assert!(String::from_utf8_lossy(&last).contains("the owner of this box stopped"), "{last:?}");
        assert!(passed.frame().await.is_none());
    }

    #[tokio::test]
    async fn what_was_not_read_yet_comes_first() {
        let rig = Rig::new();
        let body = Body::from_stream(stream::iter([Ok::<_, Infallible>("b\n")]));
        let passed = Passed::new(
            body,
            Some(Bytes::from_static(b"a\n")),
            Some(Voice::Lines),
            Cut::never(),
            Pulse::ever(),
            (Tally::of(&rig.api), None),
        );
        assert_eq!(passed.collect().await.unwrap().to_bytes(), "a\nb\n");
    }
}
