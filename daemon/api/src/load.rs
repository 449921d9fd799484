//! How a model is loaded for a request: what its options say, else what the operator says.

use protocol::{CacheOptions, LoadOptions, OptionPatch, Purpose};
use scheduler::{Errand, KeepAlive, Load};
use store::{Model, ModelName};

use crate::{Api, Config, error::Error};

const BATCH_TOKENS: u32 = 512;

/// What a context that nobody asked for may be cut to where memory is short: room for a question and an answer.
const LEAST_CONTEXT: u32 = 512;

/// The load that `options` (Modelfile and request together) ask for.
pub(crate) fn load(model: &Model, options: &OptionPatch, api: &Api, keep_alive: Option<KeepAlive>) -> Load {
    let context_tokens = api.settings.in_force().context_tokens;
    Load {
        name: model.name.clone(),
        digest: model.digest,
        weights: model.weights.clone(),
        adapters: model.adapters.clone(),
        draft: model.draft.clone(),
        projector: model.projector.clone(),
        options: LoadOptions {
            template: model.template.clone(),
            ..load_options(options, &api.config, context_tokens)
        },
        least_context: options.num_ctx.unwrap_or(context_tokens.min(LEAST_CONTEXT)),
        keep_alive,
        // Whose it is, is the caller's part.
        errand: Errand::default(),
    }
}

impl Api {
    /// Brings these models into memory one after the other, to stay. One that cannot be had is told of in the log, and holds
    /// up nothing.
    pub async fn preload(&self, names: &[ModelName]) {
        for name in names {
            if let Err(error) = self.preload_one(name).await {
                tracing::warn!(model = %name, error = error.message(), "setting models.preload: the model is not loaded");
            }
        }
    }

    async fn preload_one(&self, name: &ModelName) -> Result<(), Error> {
        let model = self.resolve(&name.to_string()).await?;
        let load = load(&model, &model.parameters, self, Some(KeepAlive::Forever));
        self.bring(self.suited(&model, load).await?).await
    }
}

/// `context_tokens` are those where nobody says.
fn load_options(options: &OptionPatch, config: &Config, context_tokens: u32) -> LoadOptions {
    LoadOptions {
        purpose: Purpose::Generate,
        context_tokens: options.num_ctx.unwrap_or(context_tokens),
        batch_tokens: options.num_batch.unwrap_or(BATCH_TOKENS),
        sequences: config.sequences,
        max_step_ms: config.max_step_ms,
        speculation: config.speculation,
        cache_types: config.cache_types,
        cache: CacheOptions::default(),
        threads: options.num_thread.filter(|threads| *threads > 0).or(config.threads),
        gpu_blocks: options.num_gpu.and_then(|blocks| u32::try_from(blocks).ok()),
        mmap: options.use_mmap.unwrap_or(true),
        template: None,
        remote: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_win_over_the_operator_and_automatic_ones_do_not() {
        let config = Config {
            version: String::new(),
            sequences: 2,
            max_step_ms: 200,
            speculation: true,
            cache_types: protocol::CacheTypes::default(),
            threads: Some(3),
            lends: None,
        };
        let options =
            OptionPatch { num_ctx: Some(64), num_thread: Some(0), num_gpu: Some(-1), ..Default::default() };

        let load = load_options(&options, &config, 4096);

        assert_eq!(
            (load.context_tokens, load.threads, load.gpu_blocks, load.mmap),
            (64, Some(3), None, true)
        );
    }
}
