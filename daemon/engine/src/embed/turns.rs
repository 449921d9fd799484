//! Which inputs are computed next: those of all owners by turns, and of one owner in the order of arrival. Computes nothing.

use std::collections::VecDeque;

use protocol::{Embedded, GenerateError, Owner, RequestId};

use super::Outcome;
use crate::ggml::Token;

/// A request, as far as it has come.
pub(super) struct Request {
    request: RequestId,
    owner: Owner,
    inputs: Vec<Vec<Token>>,
    /// Of the first inputs; the others wait.
    vectors: Vec<Vec<f32>>,
    failed: Option<GenerateError>,
}

impl Request {
    pub(super) fn new(request: RequestId, owner: Owner, inputs: Vec<Vec<Token>>) -> Self {
        Self { request, owner, inputs, vectors: Vec::new(), failed: None }
    }

    fn has_ended(&self) -> bool {
        self.failed.is_some() || self.vectors.len() == self.inputs.len()
    }

    fn outcome(self) -> Outcome {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.vectors.iter().flatten().any(|number| !number.is_finite()) {
            return Err(GenerateError::NotFinite);
        }
        let prompt_tokens = self.inputs.iter().map(Vec::len).sum::<usize>();
        let prompt_tokens = u32::try_from(prompt_tokens).unwrap_or(u32::MAX);
        Ok(Embedded { vectors: self.vectors, prompt_tokens })
    }
}

/// Where an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    owner: usize,
    request: usize,
    input: usize,
}

/// Requests that wait, by their owners.
#[derive(Default)]
pub(super) struct Turns(VecDeque<(Owner, VecDeque<Request>)>);

impl Turns {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, request: Request) {
        match self.0.iter_mut().find(|(owner, _)| *owner == request.owner) {
            Some((_, requests)) => requests.push_back(request),
            None => self.0.push_back((request.owner, VecDeque::from([request]))),
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(RequestId) -> bool) {
        for (_, requests) in &mut self.0 {
            requests.retain(|request| keep(request.request));
        }
        self.0.retain(|(_, requests)| !requests.is_empty());
    }

    /// The inputs of the next step: one of each owner in turn, while there is room. The first is taken however long it is,
    /// and it is another owner's each time.
    pub(super) fn choose(&mut self, tokens: usize, most: usize) -> Vec<Place> {
        if !self.0.is_empty() {
            self.0.rotate_left(1);
        }
        let waiting = |owner: usize| {
            let requests = self.0[owner].1.iter().enumerate();
            requests.flat_map(move |(request, of)| {
                (of.vectors.len()..of.inputs.len()).map(move |input| Place { owner, request, input })
            })
        };
        let mut owners: Vec<_> = (0..self.0.len()).map(|owner| waiting(owner).peekable()).collect();
        let (mut chosen, mut room) = (Vec::new(), tokens);
        loop {
            let before = chosen.len();
            for inputs in &mut owners {
                let fits = |place: &Place| {
                    chosen.is_empty() || chosen.len() < most && self.tokens(*place).len() <= room
                };
                if let Some(place) = inputs.next_if(fits) {
                    room = room.saturating_sub(self.tokens(place).len());
                    chosen.push(place);
                }
            }
            if chosen.len() == before {
                return chosen;
            }
        }
    }

    pub(super) fn tokens(&self, place: Place) -> &[Token] {
        &self.0[place.owner].1[place.request].inputs[place.input]
    }

    pub(super) fn request(&self, place: Place) -> RequestId {
        self.0[place.owner].1[place.request].request
    }

    /// Takes in the vectors of a step, in the order in which their inputs were chosen.
    pub(super) fn keep(&mut self, chosen: Vec<Place>, vectors: Vec<Vec<f32>>) {
        for (place, vector) in chosen.into_iter().zip(vectors) {
            self.0[place.owner].1[place.request].vectors.push(vector);
        }
    }

    /// Fails all requests that took part in a step.
    pub(super) fn fail(&mut self, chosen: Vec<Place>, error: &GenerateError) {
        for place in chosen {
            self.0[place.owner].1[place.request].failed = Some(error.clone());
        }
    }

    /// Takes out what is complete, or has failed.
    pub(super) fn take_ended(&mut self) -> Vec<(RequestId, Outcome)> {
        let mut ended = Vec::new();
        for (_, requests) in &mut self.0 {
            for request in std::mem::take(requests) {
                match request.has_ended() {
                    true => ended.push((request.request, request.outcome())),
                    false => requests.push_back(request),
                }
            }
        }
        self.0.retain(|(_, requests)| !requests.is_empty());
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: u64, owner: u64, lengths: &[usize]) -> Request {
        let inputs = lengths.iter().map(|length| vec![7; *length]).collect();
        Request::new(RequestId(id), Owner(owner), inputs)
    }

    /// Requests of the next step, and the inputs of each that are in it.
    fn step(turns: &mut Turns, tokens: usize, most: usize) -> Vec<u64> {
        let chosen = turns.choose(tokens, most);
        let ids = chosen.iter().map(|place| turns.request(*place).0).collect();
        let vectors = vec![vec![1.0]; chosen.len()];
        turns.keep(chosen, vectors);
        turns.take_ended();
        ids
    }

    #[test]
    fn owners_take_turns_and_an_owners_requests_go_in_order() {
        let mut turns = Turns::default();
        turns.push(request(1, 1, &[2; 9]));
        turns.push(request(2, 1, &[2]));
        turns.push(request(3, 2, &[2; 3]));

        assert_eq!(step(&mut turns, 8, 64), [3, 1, 3, 1]);
        assert_eq!(step(&mut turns, 8, 3), [1, 3, 1]);
        assert_eq!(step(&mut turns, 100, 64), [1, 1, 1, 1, 1, 2]);
        assert!(turns.is_empty());
    }

    #[test]
    fn a_long_input_goes_alone_and_does_not_wait_for_ever() {
        let mut turns = Turns::default();
        turns.push(request(1, 1, &[100]));
        turns.push(request(2, 2, &[4; 20]));

        let steps: Vec<_> = (0..2).map(|_| step(&mut turns, 8, 64)).collect();

        assert_eq!(steps, [vec![2, 2], vec![1]]);
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        let mut turns = Turns::default();
        turns.push(request(1, 1, &[2]));
        turns.push(request(2, 1, &[2]));
        let chosen = turns.choose(8, 64);

        turns.keep(chosen, vec![vec![1.0, f32::NAN], vec![0.5]]);

        let ended = turns.take_ended();
        assert_eq!(ended[0], (RequestId(1), Err(GenerateError::NotFinite)));
        let embedded = Embedded { vectors: vec![vec![0.5]], prompt_tokens: 2 };
        assert_eq!(ended[1], (RequestId(2), Ok(embedded)));
    }
}
