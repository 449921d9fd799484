//! Vectors and scores, for all families: what a model must have been made for, and how its vectors are finished.

use std::time::{Duration, Instant};

use access::Usage;
use protocol::{Embed, Inputs, OptionPatch, Overflow};
use scheduler::{KeepAlive, Load};
use store::{Model, gguf::ModelKind};

use crate::{
    Api,
    cut::Cut,
    error::{Error, Invalid},
    load::load,
    quota::Counter,
};

/// What a request wants a model to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    Generate,
    Chat,
    Embed,
    Rerank,
}

impl Ability {
    fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Chat => "chat",
            Self::Embed => "embed",
            Self::Rerank => "rerank",
        }
    }

    fn is_of(self, kind: ModelKind) -> bool {
        match self {
            Self::Generate | Self::Chat => kind == ModelKind::Generator,
            Self::Embed => kind != ModelKind::Reranker,
            Self::Rerank => kind == ModelKind::Reranker,
        }
    }
}

/// What is to be made of which inputs, in any family's words.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The model, as the client wrote it.
    pub(crate) asked: String,
    pub(crate) ability: Ability,
    pub(crate) inputs: Inputs,
    pub(crate) overflow: Overflow,
    pub(crate) options: OptionPatch,
    pub(crate) keep_alive: Option<KeepAlive>,
}

/// What was made.
pub(crate) struct Made {
    /// One for each input, as the model gave it.
    pub(crate) vectors: Vec<Vec<f32>>,
    pub(crate) prompt_tokens: u32,
    pub(crate) load_time: Duration,
    pub(crate) total_time: Duration,
}

/// All their vectors are kept until the last is made.
const MOST_INPUTS: usize = 16 << 10;

impl Api {
    /// Refuses what a model was not made for.
    pub(crate) async fn demand(&self, asked: &str, model: &Model, ability: Ability) -> Result<(), Error> {
        match ability.is_of(self.kind(model).await?) {
            true => Ok(()),
            false => Err(Error::Unable { asked: asked.into(), ability: ability.name() }),
        }
    }

    /// The same load, for what the model was made for.
    pub(crate) async fn suited(&self, model: &Model, load: Load) -> Result<Load, Error> {
        Ok(match self.kind(model).await? {
            ModelKind::Generator => load,
            ModelKind::Embedder | ModelKind::Reranker => load.for_vectors(),
        })
    }

    async fn kind(&self, model: &Model) -> Result<ModelKind, Error> {
        let weights = model.weights_digest;
        self.on_store(move |store| store.kind(&weights)).await
    }

    /// Makes the vectors; without inputs, the model is loaded all the same.
    pub(crate) async fn embed(&self, wanted: Wanted) -> Result<Made, Error> {
        let started = Instant::now();
        if wanted.inputs.len() > MOST_INPUTS {
            let field = if wanted.ability == Ability::Rerank { "documents" } else { "input" };
            let many = wanted.inputs.len();
            return Err(Invalid::of(
                field,
                format!("{field} has {many} entries, {MOST_INPUTS} at most are read at once"),
            )
            .into());
        }
        let model = self.resolve(&wanted.asked).await?;
        self.demand(&wanted.asked, &model, wanted.ability).await?;
        let options = model.parameters.clone().overlaid(wanted.options);
        let load = load(&model, &options, self, wanted.keep_alive).for_vectors();
        let work = Embed { owner: self.caller.owner(), inputs: wanted.inputs, overflow: wanted.overflow };
        let embedding = self.make_vectors(load, work).await?;
        let load_time = embedding.load_time;
        let embedded = tokio::select! {
            why = Cut::of(self) => return Err(why.into()),
            embedded = embedding.finish() => embedded?,
        };
        Counter::of(self).count(Usage { prompt_tokens: embedded.prompt_tokens.into(), completion_tokens: 0 });
        Ok(Made {
            vectors: embedded.vectors,
            prompt_tokens: embedded.prompt_tokens,
            load_time,
            total_time: started.elapsed(),
        })
    }
}

/// As many dimensions as are asked for, of length 1; a vector of nothing stays as it is.
pub(crate) fn unit(mut vector: Vec<f32>, dimensions: Option<usize>) -> Vec<f32> {
    vector.truncate(dimensions.unwrap_or(usize::MAX));
    let squares: f64 = vector.iter().map(|number| f64::from(*number).powi(2)).sum();
    if squares > 0.0 {
        let length = squares.sqrt();
        vector.iter_mut().for_each(|number| *number = (f64::from(*number) / length) as f32);
    }
    vector
}

/// How many dimensions are asked for.
pub(crate) fn dimensions(asked: Option<i64>, least: usize) -> Result<Option<usize>, Invalid> {
    let number = |asked: i64| usize::try_from(asked).ok().filter(|asked| *asked >= least);
    let refused = || Invalid::of("dimensions", format!("dimensions must be at least {least}"));
    asked.map(|asked| number(asked).ok_or_else(refused)).transpose()
}

/// How well a document answers its query, from 0 to 1, by what the classifier says: one number without bounds, or one for
/// each of its classes, of which the first is that it does.
pub(crate) fn relevance(scores: &[f32]) -> f64 {
    match scores {
        [score] => 1.0 / (1.0 + (-f64::from(*score)).exp()),
        [first, ..] => f64::from(*first),
        [] => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_cut_and_of_length_one() {
        assert_eq!(unit(vec![3.0, 4.0], None), [0.6, 0.8]);
        assert_eq!(unit(vec![3.0, 4.0, 12.0], Some(2)), [0.6, 0.8]);
        assert_eq!(unit(vec![3.0, 4.0], Some(9)), [0.6, 0.8]);
        assert_eq!(unit(vec![0.0, 0.0], None), [0.0, 0.0]);
    }

    #[test]
    fn relevance_is_between_0_and_1_and_tells_apart_what_is_nearly_certain() {
        assert_eq!(relevance(&[0.0]), 0.5);
        assert!(relevance(&[20.0]) < relevance(&[21.0]) && relevance(&[21.0]) < 1.0);
        assert_eq!(relevance(&[0.75, 0.25]), 0.75);
    }
}
