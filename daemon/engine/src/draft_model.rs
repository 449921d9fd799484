//! A smaller model with the same vocabulary that guesses how texts go on. It reads what the model itself has read, a part of
//! it each step so that nobody waits for it, and guesses token by token while it is sure of them.

use protocol::{MemoryParts, Owner};

use crate::cache::common_prefix;
use crate::ggml::{Batch, Context, DecodeError, Output, Token};

/// Below this probability a token is not worth checking, and none after it.
const SURE: f32 = 0.5;

/// Tokens that it reads in one step of the model.
const MOST_READ: usize = 256;

pub(crate) struct DraftModel {
    context: Context,
    batch: Batch,
    /// Tokens of one sequence.
    context_tokens: usize,
    /// What its KV cache holds: for each sequence of the model, one.
    read: Vec<(Owner, Vec<Token>)>,
}

/// A text that it is asked about.
pub(crate) struct Question<'a> {
    /// The number of its sequence.
    pub(crate) at: usize,
    pub(crate) owner: Owner,
    pub(crate) tokens: &'a [Token],
    /// Tokens to guess at most; not 0.
    pub(crate) most: usize,
}

impl DraftModel {
    /// Its context was made for as many sequences as the model's.
    pub(crate) fn new(context: Context, context_tokens: u32) -> Self {
        Self {
            batch: context.batch(),
            context_tokens: context_tokens as usize,
            read: context.sequences().map(|_| (Owner::default(), Vec::new())).collect(),
            context,
        }
    }

    /// What it takes here, if ggml says so.
    pub(crate) fn memory(&self) -> Option<MemoryParts> {
        self.context.memory()
    }

    pub(crate) fn set_threads(&mut self, threads: u32) {
        self.context.set_threads(threads);
    }

    /// How each text may go on, empty where that is open; `None` where it has not read all of it.
    pub(crate) fn guess(&mut self, questions: &[Question<'_>]) -> Vec<Option<Vec<Token>>> {
        self.try_guess(questions).unwrap_or_else(|_| {
            // What is in its KV cache is unknown now, or it is full of texts that are over.
            (0..self.read.len()).for_each(|at| self.cut(at, 0));
            vec![None; questions.len()]
        })
    }

    fn try_guess(&mut self, questions: &[Question<'_>]) -> Result<Vec<Option<Vec<Token>>>, DecodeError> {
        let mut guesses = vec![None; questions.len()];
        let mut asked: Vec<(usize, usize)> = Vec::new();
        self.batch.clear();
        let mut left = MOST_READ.min(self.batch.room());
        for (number, question) in questions.iter().enumerate() {
            if question.tokens.len() + question.most > self.context_tokens {
                continue;
            }
            let unread = self.unread(question);
            let count = unread.min(left);
            left -= count;
            if let Some(index) = self.read_on(question, count, count == unread) {
                asked.push((number, index));
                guesses[number] = Some(Vec::new());
            }
        }
        self.context.decode(&mut self.batch)?;
        while !asked.is_empty() {
            let rows: Vec<_> =
                asked.iter().filter_map(|(number, index)| Some((*number, self.batch.row(*index)?))).collect();
            self.batch.clear();
            asked.clear();
            for (number, row) in rows {
                let (token, likely) = self.context.most_likely(row);
                if likely < SURE {
                    continue;
                }
                let question = &questions[number];
                let guess = guesses[number].get_or_insert_default();
                guess.push(token);
                if guess.len() < question.most
                    && let Some(index) = self.push(question.at, token, Output::Logits)
                {
                    asked.push((number, index));
                }
            }
            self.context.decode(&mut self.batch)?;
        }
        Ok(guesses)
    }

    /// Forgets what is not the beginning of this text; how many of its tokens are to be read.
    fn unread(&mut self, question: &Question<'_>) -> usize {
        let (owner, read) = &self.read[question.at];
        let most = question.tokens.len().saturating_sub(1);
        let known = if *owner == question.owner { common_prefix(read, question.tokens).min(most) } else { 0 };
        self.cut(question.at, known);
        self.read[question.at].0 = question.owner;
        question.tokens.len() - known
    }

    /// Puts the next tokens of a text into the batch; where the last one lies, if `all` of it is read then.
    fn read_on(&mut self, question: &Question<'_>, count: usize, all: bool) -> Option<usize> {
        let start = self.read[question.at].1.len();
        let mut last = None;
        for (number, token) in question.tokens[start..start + count].iter().enumerate() {
            let wanted = all && number + 1 == count;
            let output = if wanted { Output::Logits } else { Output::Nothing };
            let index = self.push(question.at, *token, output)?;
            last = wanted.then_some(index);
        }
        last
    }

    fn push(&mut self, at: usize, token: Token, output: Output) -> Option<usize> {
        let sequence = self.context.sequences().nth(at)?;
        let (_, read) = &mut self.read[at];
        let index = self.batch.push(sequence, read.len(), token, output).ok()?;
        read.push(token);
        Some(index)
    }

    fn cut(&mut self, at: usize, tokens: usize) {
        let (_, read) = &mut self.read[at];
        if read.len() > tokens
            && let Some(sequence) = self.context.sequences().nth(at)
        {
            read.truncate(tokens);
            self.context.forget(sequence, tokens);
        }
    }
}
