//! What a request asks a model to go on with, in no family's words, and what the model's Modelfile adds to it.

use std::sync::Arc;

use protocol::{
    AdapterScale, Format, Generate, GenerateError, Input, Media, OptionPatch, Options, Overflow, Rendered,
    Think, Tools, frame::MAX_FRAME_BYTES,
};
use scheduler::{KeepAlive, Load};
use store::Model;

use crate::{
    Api,
    answer::Running,
    conversation::{Layers, conversation},
    embed::Ability,
    error::Error,
    load::load,
};

/// What is to be gone on with, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    /// The model, as the client wrote it.
    pub(crate) model: String,
    /// Without what the Modelfile puts before it.
    pub(crate) input: Input,
    /// Of all messages, in their order.
    pub(crate) media: Vec<Vec<u8>>,
    pub(crate) options: OptionPatch,
    pub(crate) logit_bias: Vec<(i32, f32)>,
    /// What to do with a prompt that does not fit.
    pub(crate) overflow: Overflow,
    /// Whether an answer goes on when the context is full.
    pub(crate) shift: bool,
    pub(crate) format: Option<Format>,
    pub(crate) tools: Tools,
    pub(crate) think: Think,
    pub(crate) top_logprobs: Option<u32>,
    pub(crate) prompt_logprobs: Option<u32>,
    pub(crate) adapters: Option<Vec<AdapterScale>>,
    pub(crate) keep_alive: Option<KeepAlive>,
}

/// What a worker is to do, and which one.
pub(crate) struct Prepared {
    asked: String,
    model: Model,
    load: Load,
    generate: Generate,
}

impl Asked {
    /// As the model and its Modelfile would have it.
    pub(crate) fn new(model: String, input: Input) -> Self {
        Self {
            model,
            input,
            media: Vec::new(),
            options: OptionPatch::default(),
            logit_bias: Vec::new(),
            overflow: Overflow::Truncate,
            shift: true,
            format: None,
            tools: Tools::default(),
            think: Think::default(),
            top_logprobs: None,
            prompt_logprobs: None,
            adapters: None,
            keep_alive: None,
        }
    }
}

impl Api {
    /// Finds the model, which must be one that says something, and lays what the request says over what its Modelfile does.
    pub(crate) async fn prepare(&self, asked: Asked) -> Result<Prepared, Error> {
        let model = self.resolve(&asked.model).await?;
        let ability = if matches!(asked.input, Input::Chat(_)) { Ability::Chat } else { Ability::Generate };
        self.demand(&asked.model, &model, ability).await?;
        self.laid_over(model, asked)
    }

    /// The same of a model that may be made for anything, to be asked about texts and tokens.
    pub(crate) async fn prepare_any(&self, asked: Asked) -> Result<Prepared, Error> {
        let model = self.resolve(&asked.model).await?;
        let prepared = self.laid_over(model, asked)?;
        Ok(Prepared { load: self.suited(&prepared.model, prepared.load).await?, ..prepared })
    }

    fn laid_over(&self, model: Model, asked: Asked) -> Result<Prepared, Error> {
        let options = model.parameters.clone().overlaid(asked.options);
        let load = load(&model, &options, self, asked.keep_alive);
        let input = match asked.input {
            Input::Chat(messages) => {
                let layers = Layers { system: model.system.clone(), history: &model.messages };
                Input::Chat(conversation(layers, messages))
            }
            plain => plain,
        };
        let generate = Generate {
            format: asked.format,
            tools: asked.tools,
            think: asked.think,
            top_logprobs: asked.top_logprobs,
            prompt_logprobs: asked.prompt_logprobs,
            adapters: asked.adapters,
            media: Media(Arc::new(asked.media)),
            overflow: asked.overflow,
            ..Generate::new(
                input,
                Options { logit_bias: asked.logit_bias, shift: asked.shift, ..options.options() },
            )
        };
        // No worker takes it, so it is not copied for one.
        fits(generate.bytes(), MAX_FRAME_BYTES)?;
        Ok(Prepared { asked: asked.model, model, load, generate })
    }
}

impl Prepared {
    /// One answer, of which the first event is in, or being waited for.
    pub(crate) async fn begin(self, api: &Api) -> Result<Running, Error> {
        let running = Running::begin_soon(api, self.load, self.generate).await;
        running.map_err(|error| error.about(&self.model, &self.asked))
    }

    /// What the model would read, without going on from there.
    pub(crate) async fn render(&self, api: &Api) -> Result<Rendered, Error> {
        let rendered = api.render(self.load.clone(), self.generate.clone()).await;
        rendered.map_err(|error| error.about(&self.model, &self.asked))
    }

    /// The bytes of each of these tokens.
    pub(crate) async fn detokenize(&self, api: &Api, tokens: Vec<i32>) -> Result<Vec<Vec<u8>>, Error> {
        api.detokenize(self.load.clone(), tokens).await
    }

    /// Several answers to one prompt, each with a seed of its own, of which the first event of one is in, or being waited for.
    /// The prompt is read once: whoever comes second waits for it.
    pub(crate) async fn begin_several(&self, api: &Api, answers: u32) -> Result<Vec<Running>, Error> {
        fits(self.generate.bytes().saturating_mul(answers as usize), MOST_COPIED_BYTES)?;
        let each = (0..answers).map(|index| {
            let mut generate = self.generate.clone();
            generate.options.seed = generate.options.seed.map(|seed| seed.wrapping_add(index));
            generate
        });
        let running = Running::begin_several(api, &self.load, each).await;
        running.map_err(|error| error.about(&self.model, &self.asked))
    }
}

/// What all answers to one prompt may take together: each has a copy of its own, to go on from if its worker dies.
const MOST_COPIED_BYTES: usize = 8 * MAX_FRAME_BYTES;

fn fits(bytes: usize, most_bytes: usize) -> Result<(), GenerateError> {
    match bytes <= most_bytes {
        true => Ok(()),
        false => Err(GenerateError::TooLarge { bytes: bytes as u64 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_worker_would_take_is_too_large() {
        assert!(fits(MAX_FRAME_BYTES, MAX_FRAME_BYTES).is_ok());
        let bytes = MAX_FRAME_BYTES + 1;
        assert_eq!(fits(bytes, MAX_FRAME_BYTES), Err(GenerateError::TooLarge { bytes: bytes as u64 }));
    }
}
