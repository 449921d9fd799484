//! How much memory a model takes, from its header and from how it is loaded. Pure. An upper bound by a little: what a
//! worker then reports takes its place.

use std::collections::HashMap;

use protocol::{CACHE_BLOCK, CacheType, CacheTypes, LoadOptions, Purpose};
use store::gguf::{Header, Pooling, Value};

use crate::spread::Logits;

/// What of a model decides how much memory it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of all tensors, those of adapters included.
    pub weights_bytes: u64,
    /// Tokens that it was trained to look back, to which a worker caps its context; 0 is unknown.
    pub trained_context: u32,
    /// Numbers of K for one token.
    pub k_numbers_per_token: u64,
    /// Numbers of V for one token.
    pub v_numbers_per_token: u64,
    /// Whether its heads divide into what is packed together.
    pub packs_cache: bool,
    /// Bytes of one sequence's state in recurrent blocks.
    pub state_bytes_per_sequence: u64,
    /// Numbers that one token's way through a block holds at once.
    pub numbers_per_token: u64,
    /// Masks of who may look at whom: one, and one more for a window that slides.
    pub masks: u64,
    /// Tokens of the vocabulary.
    pub vocabulary: u64,
    /// Tokens see those behind them as well, so that nothing is kept of them.
    pub looks_ahead: bool,
    /// A vector is that of the last token; else an input is computed as a whole.
    pub pools_last: bool,
    /// How many blocks it has, the bytes of all of them, and of the largest.
    pub blocks: u64,
    /// See above.
    pub blocks_bytes: u64,
    /// See above.
    pub largest_block_bytes: u64,
    /// Bytes of what makes the logits, and of these, those that are not read for anything else.
    pub output_bytes: u64,
    /// See above.
    pub own_output_bytes: u64,
    /// Of a smaller model beside it, which guesses what it will say.
    pub draft: Option<Box<Self>>,
}

/// Bytes that a worker takes, by what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The model, wherever it is: a mapped file counts as a whole.
    pub weights_bytes: u64,
    /// What was read and said, of all sequences.
    pub cache_bytes: u64,
    /// One step of the computation.
    pub compute_bytes: u64,
    /// Prefixes outside the KV cache.
    pub prefix_bytes: u64,
    /// The process itself, the vocabulary and the last logits.
    pub process_bytes: u64,
}

/// States of recurrent blocks, and all that is computed.
const NUMBER_BYTES: u64 = 4;
/// A mask is made in 32 bits and used in 16.
const MASK_BYTES: u64 = 4 + 2;
/// llama.cpp computes so many tokens at once, however long the batch.
const MICRO_BATCH: u32 = 512;
/// A context is as long as a multiple of this.
const CONTEXT_STEP: u64 = 256;
/// Sequences that a worker has beyond those that run, and tokens that are guessed and checked in one step.
const SPARE_SEQUENCES: u64 = 8;
const GUESSED_TOKENS: u64 = 32;
/// Texts of which a worker makes vectors in one step.
const INPUTS_AT_ONCE: u64 = 64;
/// Measured on both test models: a worker's program, libraries, stacks and graph, and a token's text and its place in
/// three indexes.
const PROCESS_BYTES: u64 = 28 << 20;
const TOKEN_BYTES: u64 = 200;

impl Shape {
    /// The shape of a model with these adapters laid over it. Keys that are missing count as zero.
    pub fn of(model: &Header, adapters: &[Header]) -> Self {
        let key = |name: &str| model.of_architecture(name).unwrap_or(0);
        let blocks = Blocks::of(model);
        let (k_numbers_per_token, v_numbers_per_token) = blocks.cache_numbers();
        let (blocks_bytes, largest_block_bytes) = blocks.weights();
        let (output_bytes, own_output_bytes) = output(model);
        let adapters_bytes: u64 = adapters.iter().map(Header::tensor_bytes).sum();
        Self {
            weights_bytes: model.tensor_bytes().saturating_add(adapters_bytes),
            trained_context: u32::try_from(key("context_length")).unwrap_or(u32::MAX),
            k_numbers_per_token,
            v_numbers_per_token,
            packs_cache: blocks.packs(),
            state_bytes_per_sequence: blocks.state_numbers() * NUMBER_BYTES,
            numbers_per_token: 4 * key("embedding_length") + 3 * feed_forward(model) + 3 * blocks.mixing(),
            masks: if key("attention.sliding_window") > 0 { 2 } else { 1 },
            vocabulary: vocabulary(model),
            looks_ahead: !model.is_causal(),
            pools_last: model.is_causal() && matches!(model.pooling(), Pooling::Last | Pooling::Rank),
            blocks: blocks.count,
            blocks_bytes,
            largest_block_bytes,
            output_bytes,
            own_output_bytes,
            draft: None,
        }
    }

    /// What a worker with these options takes.
    pub fn estimate(&self, options: &LoadOptions) -> Estimate {
        match options.purpose {
            Purpose::Generate => self.of_generating(options),
            Purpose::Embed => self.of_embedding(options),
        }
    }

    /// Nothing is kept beyond a step, which has room for the longest input.
    fn of_embedding(&self, options: &LoadOptions) -> Estimate {
        let step_tokens = u64::from(self.capped(options.context_tokens).max(options.batch_tokens));
        let (cache_bytes, sequences) = match self.looks_ahead {
            true => (0, 0),
            false => (self.cache_bytes_per_token(CacheTypes::default()), u64::from(options.sequences)),
        };
        // An encoder has room for logits of all its tokens, though it computes none; what pools only the last has less.
        let (at_once, logits) = match (self.pools_last, self.looks_ahead) {
            (true, _) => (step_tokens.min(MICRO_BATCH.into()), 2 * INPUTS_AT_ONCE),
            (false, true) => (step_tokens, step_tokens),
            (false, false) => (step_tokens, 2 * step_tokens),
        };
        let masks = self.masks.saturating_mul(step_tokens).saturating_mul(at_once * MASK_BYTES);
        Estimate {
            weights_bytes: self.weights_bytes,
            cache_bytes: cache_bytes
                .saturating_mul(step_tokens.next_multiple_of(CONTEXT_STEP))
                .saturating_add(self.state_bytes_per_sequence.saturating_mul(sequences)),
            compute_bytes: masks
                .saturating_add(at_once * self.numbers_per_token * NUMBER_BYTES)
                .saturating_add(self.vocabulary * NUMBER_BYTES * logits),
            prefix_bytes: 0,
            process_bytes: PROCESS_BYTES + self.vocabulary * TOKEN_BYTES,
        }
    }

    fn of_generating(&self, options: &LoadOptions) -> Estimate {
        let sequences = u64::from(options.sequences);
        let context = u64::from(self.capped(options.context_tokens));
        let total_tokens = context.saturating_mul(sequences).next_multiple_of(CONTEXT_STEP);
        let step_tokens = u64::from(options.batch_tokens.min(MICRO_BATCH));
        let masks = self.masks.saturating_mul(total_tokens).saturating_mul(step_tokens * MASK_BYTES);
        let logits = self.vocabulary * NUMBER_BYTES;
        let own = Estimate {
            weights_bytes: self.weights_bytes.saturating_sub(self.weights_elsewhere(options)),
            cache_bytes: self.of_blocks_here(self.cache_bytes(options), options),
            compute_bytes: masks
                .saturating_add(step_tokens * self.numbers_per_token * NUMBER_BYTES)
                .saturating_add(logits * (GUESSED_TOKENS + sequences)),
            prefix_bytes: options.cache.bytes,
            process_bytes: PROCESS_BYTES
                + self.vocabulary * TOKEN_BYTES
                + logits * (SPARE_SEQUENCES + sequences),
        };
        // Its cache is not packed: it is small.
        let plain = || LoadOptions { cache_types: CacheTypes::default(), ..options.clone() };
        let draft = self.draft.as_ref().map(|draft| draft.estimate(&plain()));
        draft.map_or(own, |draft| own.with_draft(&draft))
    }

    /// Of all blocks and sequences.
    fn cache_bytes(&self, options: &LoadOptions) -> u64 {
        let sequences = u64::from(options.sequences);
        let context = u64::from(self.capped(options.context_tokens));
        let total_tokens = context.saturating_mul(sequences).next_multiple_of(CONTEXT_STEP);
        let states = self.state_bytes_per_sequence.saturating_mul(sequences);
        self.cache_bytes_per_token(options.cache_types).saturating_mul(total_tokens).saturating_add(states)
    }

    /// What other boxes have of the weights; what makes the logits is there as well.
    fn weights_elsewhere(&self, options: &LoadOptions) -> u64 {
        let blocks = self.blocks_elsewhere(options);
        let output = if blocks > 0 { self.own_output_bytes } else { 0 };
        // All alike, and so too much by a little or too little by one; what is measured then takes its place.
        (self.blocks_bytes / self.blocks.max(1)).saturating_mul(blocks).saturating_add(output)
    }

    /// What makes the logits counts as a layer, and is none of the blocks.
    fn blocks_elsewhere(&self, options: &LoadOptions) -> u64 {
        let layers: u64 = options.remote.iter().copied().map(u64::from).sum();
        layers.saturating_sub(1).min(self.blocks)
    }

    fn of_blocks_here(&self, bytes: u64, options: &LoadOptions) -> u64 {
        let elsewhere = self.blocks_elsewhere(options);
        bytes.saturating_sub(bytes / self.blocks.max(1) * elsewhere)
    }

    /// In what a worker keeps K and V that was asked for these.
    pub(crate) fn kept(&self, asked: CacheTypes) -> CacheTypes {
        if self.packs_cache { asked } else { CacheTypes::default() }
    }

    fn cache_bytes_per_token(&self, asked: CacheTypes) -> u64 {
        let types = self.kept(asked);
        let bytes = |numbers: u64, kind: CacheType| (numbers * kind.block_bytes()).div_ceil(CACHE_BLOCK);
        bytes(self.k_numbers_per_token, types.k) + bytes(self.v_numbers_per_token, types.v)
    }

    /// A context as the worker makes it.
    pub(crate) fn capped(&self, context_tokens: u32) -> u32 {
        match self.trained_context {
            0 => context_tokens,
            trained => context_tokens.min(trained),
        }
    }
}

impl Estimate {
    /// With a draft model in the same process, that keeps no prefixes.
    fn with_draft(self, draft: &Self) -> Self {
        Self {
            weights_bytes: self.weights_bytes.saturating_add(draft.weights_bytes),
            cache_bytes: self.cache_bytes.saturating_add(draft.cache_bytes),
            compute_bytes: self.compute_bytes.saturating_add(draft.compute_bytes),
            prefix_bytes: self.prefix_bytes,
            process_bytes: self
                .process_bytes
                .saturating_add(draft.process_bytes.saturating_sub(PROCESS_BYTES)),
        }
    }

    /// Bytes of all of it.
    pub fn total_bytes(&self) -> u64 {
        [self.weights_bytes, self.cache_bytes, self.compute_bytes, self.prefix_bytes, self.process_bytes]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// What so many layers of a model take on a box that lends itself for them, at the most.
pub(crate) fn of_part(shape: &Shape, options: &LoadOptions, layers: u32, logits: Logits) -> u64 {
    let whole = shape.estimate(&LoadOptions { remote: Vec::new(), ..options.clone() });
    let (blocks, output) = match logits {
        Logits::Made => (u64::from(layers).saturating_sub(1), shape.output_bytes),
        Logits::MadeElsewhere => (u64::from(layers), 0),
    };
    let cache = shape.cache_bytes(options).div_ceil(shape.blocks.max(1)).saturating_mul(blocks);
    let weights = shape.largest_block_bytes.saturating_mul(blocks).saturating_add(output);
    // A tensor that arrives is there twice, as a message and as itself.
    let arriving = output.max(shape.largest_block_bytes);
    [weights, cache, whole.compute_bytes, arriving, PROCESS_BYTES].into_iter().fold(0, u64::saturating_add)
}

/// Bytes of what makes the logits, and of those that are there for nothing else: a model may use its vocabulary for it.
fn output(model: &Header) -> (u64, u64) {
    let bytes = |name: &str| model.tensors.iter().find(|it| it.name == name).map(|tensor| tensor.bytes);
    match bytes("output.weight") {
        Some(own) => (own, own),
        None => (bytes("token_embd.weight").unwrap_or(0), 0),
    }
}

/// The blocks of a model: which look back by K and V, and which keep a state.
struct Blocks<'a> {
    model: &'a Header,
    count: u64,
    /// Numbers of one recurrent block's state.
    state: u64,
}

impl<'a> Blocks<'a> {
    fn of(model: &'a Header) -> Self {
        let count = model.of_architecture("block_count").unwrap_or(0);
        Self { model, count, state: state(model) }
    }

    /// Bytes of all, and of the largest.
    fn weights(&self) -> (u64, u64) {
        let mut blocks = HashMap::<&str, u64>::new();
        for tensor in &self.model.tensors {
            if let Some((number, _)) = tensor.name.strip_prefix("blk.").and_then(|rest| rest.split_once('.'))
            {
                let bytes = blocks.entry(number).or_default();
                *bytes = bytes.saturating_add(tensor.bytes);
            }
        }
        let total = blocks.values().copied().fold(0, u64::saturating_add);
        (total, blocks.values().copied().max().unwrap_or(0))
    }

    fn key(&self, name: &str) -> u64 {
        self.model.of_architecture(name).unwrap_or(0)
    }

    /// Widths of one head's K and V; the embedding is divided among the heads where the file does not say.
    fn head(&self) -> (u64, u64) {
        let default = self.key("embedding_length").checked_div(self.key("attention.head_count")).unwrap_or(0);
        let width = |name| self.model.of_architecture(name).unwrap_or(default);
        (width("attention.key_length"), width("attention.value_length"))
    }

    /// Numbers of K and of V for one token.
    fn cache_numbers(&self) -> (u64, u64) {
        let (key, value) = self.head();
        // Where K and V are made of one latent vector, that one is kept.
        let latent = self.model.of_architecture("attention.key_length_mla").is_some();
        let value = if latent { 0 } else { value };
        let heads = |block| {
            let own = self.model.of_block("attention.head_count_kv", block);
            own.or_else(|| self.model.of_block("attention.head_count", block)).unwrap_or(0)
        };
        let heads: u64 = (0..self.count).filter(|block| self.looks_back(*block)).map(heads).sum();
        (heads * key, heads * value)
    }

    /// Whether K and V can be kept packed.
    fn packs(&self) -> bool {
        let (key, value) = self.head();
        [key, value].iter().all(|width| *width > 0 && width.is_multiple_of(CACHE_BLOCK))
    }

    fn state_numbers(&self) -> u64 {
        let recurrent = (0..self.count).filter(|block| self.is_recurrent(*block)).count();
        recurrent as u64 * self.state
    }

    /// Numbers that attention, or what stands in its place, holds for one token.
    fn mixing(&self) -> u64 {
        let (key, value) = self.head();
        (self.key("attention.head_count") * (key + value)).max(2 * self.key("ssm.inner_size"))
    }

    fn looks_back(&self, block: u64) -> bool {
        let shared = match self.model.architecture() {
            // llama.cpp knows the number by heart.
            "gemma3n" => self.count.saturating_sub(20),
            _ => self.key("attention.shared_kv_layers"),
        };
        let both = self.model.architecture() == "falcon-h1";
        block < self.count.saturating_sub(shared) && (both || !self.is_recurrent(block))
    }

    /// As the architectures of llama.cpp tell it: by a list, by every so manieth block that looks back, or by blocks
    /// that have no heads for it; else all are alike.
    fn is_recurrent(&self, block: u64) -> bool {
        if self.state == 0 {
            return false;
        }
        let architecture = self.model.architecture();
        let at = |values: &[Value]| usize::try_from(block).ok().and_then(|block| values.get(block).cloned());
        if let Some(Value::Array(listed)) =
            self.model.get(&format!("{architecture}.attention.recurrent_layers"))
        {
            return at(listed) == Some(Value::Bool(true));
        }
        let usual =
            (architecture.starts_with("qwen3next") || architecture.starts_with("qwen35")).then_some(4);
        if let Some(interval) = self.model.of_architecture("full_attention_interval").or(usual) {
            return interval == 0 || !(block + 1).is_multiple_of(interval);
        }
        match self.model.get(&format!("{architecture}.attention.head_count_kv")) {
            Some(Value::Array(_)) => self.model.of_block("attention.head_count_kv", block) == Some(0),
            _ => true,
        }
    }
}

/// Numbers of a recurrent block's state: `n_embd_r` and `n_embd_s` of llama.cpp.
fn state(model: &Header) -> u64 {
    let key = |name: &str| model.of_architecture(name).unwrap_or(0);
    let (embedding, heads) = (key("embedding_length"), key("attention.head_count"));
    if let Some(width) = model.of_architecture("wkv.head_size") {
        let shifts = model.of_architecture("token_shift_count").unwrap_or(2);
        return embedding * (shifts + width);
    }
    if let Some(length) = model.of_architecture("shortconv.l_cache") {
        return embedding * length.saturating_sub(1);
    }
    let kernel = key("ssm.conv_kernel").saturating_sub(1);
    if let Some(width) = model.of_architecture("kda.head_dim") {
        return heads * width * (3 * kernel.max(3) + width);
    }
    let (inner, size) = (key("ssm.inner_size"), key("ssm.state_size"));
    kernel * (inner + 2 * key("ssm.group_count") * size) + size * inner
}

/// Width of the feed-forward part, or of the experts that are used at once.
fn feed_forward(model: &Header) -> u64 {
    let key = |name: &str| model.of_architecture(name).unwrap_or(0);
    let experts = key("expert_used_count") * key("expert_feed_forward_length").max(key("embedding_length"));
    let experts = if key("expert_count") > 0 { experts } else { 0 };
    key("feed_forward_length").max(experts + key("expert_shared_feed_forward_length"))
}

fn vocabulary(model: &Header) -> u64 {
    match model.get("tokenizer.ggml.tokens") {
        Some(Value::Array(tokens)) => tokens.len() as u64,
        _ => model.of_architecture("vocab_size").unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::BufReader;
    use std::path::PathBuf;

    use super::*;

    const OPTIONS: LoadOptions = LoadOptions {
        purpose: Purpose::Generate,
        context_tokens: 4096,
        batch_tokens: 512,
        sequences: 4,
        max_step_ms: 200,
        speculation: true,
        cache_types: CacheTypes { k: CacheType::F16, v: CacheType::F16 },
        cache: protocol::CacheOptions { bytes: 0, file_bytes: 0, secret: protocol::Secret(Vec::new()) },
        threads: None,
        gpu_blocks: None,
        mmap: true,
        template: None,
        remote: Vec::new(),
    };

    #[expect(clippy::disallowed_methods, reason = "tests find the model cache as the scripts do")]
    fn shape(file: &str) -> Shape {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache"))).unwrap();
        let file = File::open(cache.join("hob/models").join(file));
        let file = file.expect("the test model is missing: run scripts/fetch-models");
        let bytes = file.metadata().unwrap().len();
        Shape::of(&Header::read(&mut BufReader::new(file), bytes).unwrap(), &[])
    }

    /// The shape of a model of this architecture without tensors; a key with several values is a list.
    fn shape_of(architecture: &str, keys: &[(&str, &[u32])]) -> Shape {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        let text = |bytes: &mut Vec<u8>, text: &str| {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        };
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend((keys.len() as u64 + 1).to_le_bytes());
        text(&mut bytes, "general.architecture");
        bytes.extend(8_u32.to_le_bytes());
        text(&mut bytes, architecture);
        for (key, values) in keys {
            text(&mut bytes, &format!("{architecture}.{key}"));
            if values.len() > 1 {
                bytes.extend(9_u32.to_le_bytes());
            }
            bytes.extend(4_u32.to_le_bytes());
            if values.len() > 1 {
                bytes.extend((values.len() as u64).to_le_bytes());
            }
            values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        }
        Shape::of(&Header::read(&mut &bytes[..], bytes.len() as u64).unwrap(), &[])
    }

    /// MiB that workers took after a prompt that filled one context, by context and sequences: `VmRSS`, with all of the
    /// weights in RAM.
    #[test]
    fn the_estimate_is_a_little_above_what_real_models_take() {
        let (smollm2, gemma) = ("SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m-q4_k_m.gguf");
        for (model, context_tokens, sequences, taken_mib) in
            [(smollm2, 512, 1, 152), (smollm2, 4096, 4, 510), (gemma, 512, 1, 344), (gemma, 4096, 4, 652)]
        {
            let estimate = shape(model).estimate(&LoadOptions { context_tokens, sequences, ..OPTIONS });

            let ratio = estimate.total_bytes() as f64 / f64::from(taken_mib << 20);
            assert!((1.0..1.2).contains(&ratio), "{model}, {sequences} x {context_tokens}: {ratio:.2}");
        }
    }

    /// The same of workers that make vectors, after a step of the longest input and steps of many short ones.
    #[test]
    fn the_estimate_is_a_little_above_what_vectors_take() {
        let (smollm2, gemma) = ("SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m-q4_k_m.gguf");
        for (model, context_tokens, taken_mib) in [
            ("all-MiniLM-L6-v2.F16.gguf", 4096, 137),
            (smollm2, 512, 171),
            (smollm2, 4096, 254),
            (gemma, 512, 456),
            (gemma, 4096, 525),
        ] {
            let options = LoadOptions { context_tokens, purpose: Purpose::Embed, ..OPTIONS };
            let estimate = shape(model).estimate(&options);

            let ratio = estimate.total_bytes() as f64 / f64::from(taken_mib << 20);
            assert!((1.0..1.2).contains(&ratio), "{model}, {context_tokens}: {ratio:.2}");
        }
        let minilm = shape("all-MiniLM-L6-v2.F16.gguf");
        let options = LoadOptions { purpose: Purpose::Embed, ..OPTIONS };
        assert_eq!(minilm.estimate(&options).cache_bytes, 0, "nothing of a text is kept for the next");
    }

    #[test]
    fn the_cache_is_as_llama_cpp_makes_it() {
        // "CPU KV buffer size = 360.00 MiB", and for Gemma 288.
        assert_eq!(shape("SmolLM2-135M-Instruct.Q4_1.gguf").estimate(&OPTIONS).cache_bytes, 360 << 20);
        assert_eq!(shape("gemma-3-270m-q4_k_m.gguf").estimate(&OPTIONS).cache_bytes, 288 << 20);
    }

    #[test]
    fn a_packed_cache_takes_less_where_the_model_can_have_it() {
        let packed = CacheTypes { k: CacheType::Q8_0, v: CacheType::Q4_0 };
        let cache_bytes =
            |shape: Shape| shape.estimate(&LoadOptions { cache_types: packed, ..OPTIONS }).cache_bytes;
        // "K (q8_0): 95.62 MiB, V (q4_0): 50.62 MiB"
        assert_eq!(
            cache_bytes(shape("SmolLM2-135M-Instruct.Q4_1.gguf")) >> 10,
            (95_625 + 50_625) * 1024 / 1000
        );
        let odd = || {
            shape_of(
                "llama",
                &[("block_count", &[2]), ("embedding_length", &[96]), ("attention.head_count", &[4])],
            )
        };
        assert_eq!(cache_bytes(odd()), odd().estimate(&OPTIONS).cache_bytes, "24 is no multiple of 32");
    }

    #[test]
    fn a_context_past_the_trained_one_takes_no_more_than_that() {
        let shape = shape("SmolLM2-135M-Instruct.Q4_1.gguf");
        let with = |context_tokens| shape.estimate(&LoadOptions { context_tokens, ..OPTIONS });
        assert_eq!(with(1 << 24), with(shape.trained_context));
    }

    #[test]
    fn blocks_may_differ_in_their_heads_and_share_what_others_keep() {
        let keys: &[(&str, &[u32])] = &[
            ("block_count", &[3]),
            ("embedding_length", &[64]),
            ("attention.head_count", &[4]),
            ("attention.head_count_kv", &[4, 2, 1]),
        ];
        let numbers = |shape: Shape| (shape.k_numbers_per_token, shape.v_numbers_per_token);
        assert_eq!(numbers(shape_of("llama", keys)), ((4 + 2 + 1) * 16, (4 + 2 + 1) * 16));

        let shared = [keys, &[("attention.shared_kv_layers", &[1])]].concat();
        assert_eq!(numbers(shape_of("gemma4", &shared)), ((4 + 2) * 16, (4 + 2) * 16));

        let latent = [keys, &[("attention.key_length", &[20]), ("attention.key_length_mla", &[24])]].concat();
        assert_eq!(numbers(shape_of("deepseek3", &latent)), ((4 + 2 + 1) * 20, 0));
    }

    #[test]
    fn recurrent_blocks_keep_a_state_for_each_sequence_and_nothing_for_a_token() {
        let ssm: &[(&str, &[u32])] = &[
            ("block_count", &[4]),
            ("embedding_length", &[64]),
            ("attention.head_count", &[4]),
            ("ssm.conv_kernel", &[4]),
            ("ssm.inner_size", &[128]),
            ("ssm.state_size", &[16]),
            ("ssm.time_step_rank", &[4]),
        ];
        let state = 3 * 128 + 16 * 128;
        let figures = |shape: Shape| {
            (shape.cache_bytes_per_token(CacheTypes::default()), shape.state_bytes_per_sequence)
        };

        let jamba = [ssm, &[("attention.head_count_kv", &[0, 2, 0, 0])]].concat();
        assert_eq!(figures(shape_of("jamba", &jamba)), (2 * 32 * 2, 3 * state * 4));
        let every_fourth = [ssm, &[("attention.head_count_kv", &[2])]].concat();
        assert_eq!(figures(shape_of("qwen3next", &every_fourth)), (2 * 32 * 2, 3 * state * 4));
        assert_eq!(figures(shape_of("falcon-h1", &every_fourth)), (4 * 2 * 32 * 2, 4 * state * 4));
        assert_eq!(figures(shape_of("mamba", ssm)).0, 0);
    }
}
