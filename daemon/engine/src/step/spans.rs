//! How the loop reads images and recordings: a piece between two steps, so that those who answer go on.

use protocol::GenerateError;

use super::{HungUp, Loop};
use crate::ggml::DecodeError;
use crate::projection::Span;
use crate::queue::Waiting;

impl Loop {
    /// Reads a piece of the image or recording whose request has waited for longest, if there is one.
    pub(super) fn read_span(&mut self) -> Result<(), HungUp> {
        let held = |at: usize| self.sequences[at].running.as_ref().is_some_and(|running| running.held);
        let reads = |at: &usize| self.sequences[*at].span().is_some() && !held(*at);
        let waiting = (0..self.sequences.len()).filter(reads);
        let since = |at: &usize| self.sequences[*at].running.as_ref().map(|running| running.since);
        let Some(at) = waiting.min_by_key(since) else { return Ok(()) };
        match self.read_piece(at) {
            Ok(()) => Ok(()),
            Err(error) => self.fail(at, &error),
        }
    }

    fn read_piece(&mut self, at: usize) -> Result<(), DecodeError> {
        let sequence = &self.sequences[at];
        let (Some(span), Some(running)) = (sequence.span(), &sequence.running) else { return Ok(()) };
        if running.scales != self.scales {
            self.scales = running.scales.clone();
            self.context.lay_over(self.scales.as_slice());
        }
        let (span, request, position) = (span.clone(), running.request, sequence.cached.len());
        let count = match span.is_non_causal {
            true => span.tokens,
            false => (span.end() - position).min(self.context.piece_tokens()),
        };
        let width = span.embeddings.len() / span.tokens;
        let from = (position - span.start) * width;
        let piece = &span.embeddings[from..from + count * width];
        self.cancellations.begin_step(vec![request]);
        let id = sequence.id;
        let result = loop {
            match self.context.decode_embeddings(id, position, piece, span.is_non_causal) {
                Err(DecodeError::NoRoom) if self.evict() => {}
                other => break other,
            }
        };
        self.cancellations.end_step();
        result?;
        let sequence = &mut self.sequences[at];
        if let Some(running) = &sequence.running {
            sequence.cached.extend_from_slice(&running.tokens[position..position + count]);
        }
        Ok(())
    }

    /// One request cannot go on; what of it is in the KV cache is unknown. One that was aborted is cancelled, and goes
    /// silently.
    fn fail(&mut self, at: usize, error: &DecodeError) -> Result<(), HungUp> {
        let running = self.sequences[at].running.take();
        self.clear(at);
        match running {
            Some(running) if *error != DecodeError::Aborted => {
                let reason = error.to_string();
                self.outbox.failed(running.request, GenerateError::Engine { reason })?;
                self.outbox.flush()
            }
            _ => Ok(()),
        }
    }

    /// What is read in one piece is kept as a whole or not at all: how much of a prompt's beginning may be kept.
    pub(super) fn without_piece(&mut self, at: usize, kept: usize, waiting: &Waiting) -> usize {
        let spans = match waiting {
            Waiting::New(admission) => &admission.prompt.spans,
            Waiting::Paused(running) => &running.spans,
        };
        let cuts = |span: &&Span| span.is_non_causal && span.start < kept && kept < span.end();
        let Some(start) = spans.iter().find(cuts).map(|span| span.start) else { return kept };
        let sequence = &mut self.sequences[at];
        sequence.cached.truncate(start);
        if self.context.forget(sequence.id, start) {
            start
        } else {
            sequence.cached.clear();
            0
        }
    }
}
