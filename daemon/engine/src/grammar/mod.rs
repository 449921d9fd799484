//! Answers that are bound to a form: which tokens may come next, and which ones must. The grammars are llguidance's; here is
//! the model's vocabulary as it wants to see it, and what keeps its work off the batch thread.

mod calls;
mod form;
mod lark;
mod schema;
mod trigger;
mod vocabulary;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use llguidance::api::ParserLimits;
use llguidance::toktrie::{InferenceCapabilities, SimpleVob};
use llguidance::{Matcher, ParserFactory};
use protocol::{Generate, Options};

pub(crate) use self::calls::{Contents, Part, of_arena, of_shape};
pub(crate) use self::form::{Form, Thinking};
pub(crate) use self::lark::Specials;
use self::trigger::Waiting;
use self::vocabulary::Vocabulary;
use crate::ggml::{Model, Token};

/// Forms that were compiled and are kept, with what their lexers learn as they are used.
const KEPT: usize = 16;

/// Some ten times the longest in use.
const MAX_FORMAT_BYTES: usize = 256 << 10;

/// What a form may cost. llguidance's own defaults, but for the states of a lexer, which take a kilobyte or two each.
fn limits() -> ParserLimits {
    ParserLimits { max_lexer_states: 50_000, verbose_errors: false, ..ParserLimits::default() }
}

/// Compiles forms for one model.
pub(crate) struct Grammars {
    model: Arc<Model>,
    /// Made for the first form: it takes a moment, and most answers are free.
    factory: Option<ParserFactory>,
    /// The coldest first.
    compiled: Vec<(Form, Matcher)>,
    specials: Arc<Specials>,
    masks: Sender<Arc<Mutex<State>>>,
    ends: Arc<[Token]>,
}

/// The form of one answer, and how much of it is said.
pub(crate) struct Bound {
    state: Arc<Mutex<State>>,
    masks: Sender<Arc<Mutex<State>>>,
    /// Of the tokens that were told before, those that were drawn; the others had to follow.
    pub(crate) drawn: usize,
    /// Tokens that every such answer begins with, unless it was begun before.
    pub(crate) opening: Vec<Token>,
}

struct State {
    matcher: Matcher,
    /// It is free as yet.
    waiting: Option<Waiting>,
    /// Tokens that must follow are left to be chosen, one by one.
    slow: bool,
    model: Arc<Model>,
    /// All tokens that end an answer; the matcher knows one.
    ends: Arc<[Token]>,
    /// What may come next, once that is known.
    mask: Option<SimpleVob>,
}

impl Grammars {
    pub(crate) fn new(model: Arc<Model>, specials: Arc<Specials>) -> Self {
        let (masks, wanted) = channel::<Arc<Mutex<State>>>();
        // While the model computes, nobody else needs to know what may come next.
        std::thread::spawn(move || {
            for state in wanted {
                // One that failed is found out by who asks for the mask.
                let _known = lock(&state).know_mask();
            }
        });
        let ends = model.ends().into();
        Self { model, factory: None, compiled: Vec::new(), specials, masks, ends }
    }

    /// The form of an answer to this request, of which `told` was said already. Where each token is to be told how likely it
    /// was, even those are chosen that must follow.
    ///
    /// # Errors
    /// What is wrong with the form, in words for who asked.
    pub(crate) fn bind(&mut self, form: &Form, work: &Generate, told: &[Token]) -> Result<Bound, String> {
        let mut state = self.state(form, work.top_logprobs.is_some())?;
        let opening = state.opening(&work.options)?;
        let (mut known, mut drawn) = (opening.len(), 0);
        while known < told.len() {
            known += 1 + state.accept(told[known])?.len();
            drawn += 1;
        }
        // What nothing can satisfy is refused before anything is said.
        state.know_mask()?;
        let opening = if told.is_empty() { opening } else { Vec::new() };
        Ok(Bound { state: Arc::new(Mutex::new(state)), masks: self.masks.clone(), drawn, opening })
    }

    fn state(&mut self, form: &Form, slow: bool) -> Result<State, String> {
        let mut matcher = self.matcher(form)?;
        let begun: Vec<u32> = form.begun.iter().map(|token| token.cast_unsigned()).collect();
        matcher.consume_tokens(&begun).map_err(|error| error.to_string())?;
        let thinking = form.thinking.as_ref().map(|thinking| (&thinking.marks, thinking.is_begun));
        let waiting = match form.triggers.is_empty() {
            true => None,
            false => Some(Waiting::new(&form.triggers, thinking)?),
        };
        let model = Arc::clone(&self.model);
        Ok(State { matcher, waiting, slow, model, ends: Arc::clone(&self.ends), mask: None })
    }

    fn matcher(&mut self, form: &Form) -> Result<Matcher, String> {
        let known = self.compiled.iter().position(|(known, _)| known == form);
        let entry = match known {
            Some(at) => self.compiled.remove(at),
            None => (form.clone(), self.compile(form)?),
        };
        if self.compiled.len() == KEPT {
            self.compiled.remove(0);
        }
        let matcher = entry.1.clone();
        self.compiled.push(entry);
        Ok(matcher)
    }

    fn compile(&mut self, form: &Form) -> Result<Matcher, String> {
        if form.bytes() > MAX_FORMAT_BYTES {
            return Err(format!("it has {} bytes, {MAX_FORMAT_BYTES} at most are read", form.bytes()));
        }
        let grammar = form.grammar(&self.specials)?;
        let factory = match self.factory.take() {
            Some(factory) => factory,
            None => self.make_factory()?,
        };
        let factory = self.factory.insert(factory);
        let mut matcher = Matcher::new(factory.create_parser(grammar));
        match matcher.get_error() {
            Some(error) => Err(error),
            None => match matcher.grammar_warnings().into_iter().next() {
                Some(warning) => Err(warning),
                None => Ok(matcher),
            },
        }
    }

    fn make_factory(&self) -> Result<ParserFactory, String> {
        let vocabulary = Vocabulary::of(Arc::clone(&self.model)).into_env();
        let abilities = InferenceCapabilities { ff_tokens: true, ..Default::default() };
        let slices = llguidance::earley::SlicedBiasComputer::general_slices();
        let mut factory =
            ParserFactory::new(&vocabulary, abilities, &slices).map_err(|error| error.to_string())?;
        *factory.limits_mut() = limits();
        factory.quiet();
        Ok(factory)
    }
}

impl Bound {
    /// Which tokens may come next, a bit each; `None` if any may.
    pub(crate) fn mask(&self) -> Result<Option<SimpleVob>, String> {
        let mut state = lock(&self.state);
        state.know_mask()?;
        Ok(state.mask.take())
    }

    /// Takes a token in; those that must follow it. What may follow these is found out elsewhere.
    pub(crate) fn accept(&self, token: Token) -> Result<Vec<Token>, String> {
        let mut state = lock(&self.state);
        let forced = state.accept(token)?;
        if state.waiting.is_none() {
            // Without the thread, whoever asks for the mask computes it.
            let _gone = self.masks.send(Arc::clone(&self.state));
        }
        Ok(forced)
    }

    /// Any token may come next, and perhaps many more.
    pub(crate) fn is_free(&self) -> bool {
        lock(&self.state).waiting.is_some()
    }

    /// Nothing can follow.
    pub(crate) fn is_over(&self) -> bool {
        let state = lock(&self.state);
        state.waiting.is_none() && state.matcher.is_stopped()
    }
}

impl State {
    fn accept(&mut self, token: Token) -> Result<Vec<Token>, String> {
        self.mask = None;
        if self.waiting.is_some() {
            return self.wait(token);
        }
        self.matcher.consume_token(token.cast_unsigned()).map_err(|error| error.to_string())?;
        self.forced()
    }

    /// Takes in what every answer begins with, if that is not to be looked at token by token.
    fn opening(&mut self, options: &Options) -> Result<Vec<Token>, String> {
        if self.slow || self.waiting.is_some() || !options.stop.is_empty() {
            return Ok(Vec::new());
        }
        let most = options.num_predict.map_or(usize::MAX, |most| most as usize);
        match self.matcher.compute_ff_tokens().len() < most {
            true => self.forced(),
            false => Ok(Vec::new()),
        }
    }

    /// Takes in a token of an answer that is free as yet.
    fn wait(&mut self, token: Token) -> Result<Vec<Token>, String> {
        let mut piece = Vec::new();
        self.model.append_special_piece(token, &mut piece);
        let Some(begun) = self.waiting.as_mut().and_then(|waiting| waiting.take(token, &piece)) else {
            return Ok(Vec::new());
        };
        let tokens = [self.model.tokenize_plain(&begun.cut), begun.tokens].concat();
        let tokens: Vec<u32> = tokens.into_iter().map(Token::cast_unsigned).collect();
        let mut bound = self.matcher.clone();
        if bound.consume_tokens(&tokens).is_err() {
            // It looks like the beginning of a call, and is not; it may go on as it likes.
            return Ok(Vec::new());
        }
        (self.matcher, self.waiting) = (bound, None);
        self.forced()
    }

    fn forced(&mut self) -> Result<Vec<Token>, String> {
        let forced = if self.slow { Vec::new() } else { self.matcher.consume_ff_tokens() };
        match self.matcher.get_error() {
            Some(error) => Err(error),
            None => Ok(forced.into_iter().map(u32::cast_signed).collect()),
        }
    }

    fn know_mask(&mut self) -> Result<(), String> {
        if self.mask.is_none() && self.waiting.is_none() {
            let mut mask = self.matcher.compute_mask_or_eos().map_err(|error| error.to_string())?;
            if self.ends.iter().any(|token| mask.is_allowed(token.cast_unsigned())) {
                self.ends.iter().for_each(|token| mask.allow_token(token.cast_unsigned()));
            }
            self.mask = Some(mask);
        }
        Ok(())
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
