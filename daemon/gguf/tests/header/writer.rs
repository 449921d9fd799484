//! A GGUF file put together by hand, so that each part of it can be wrong.

use gguf::{GgufError, Header};

/// A value as it is written: its type's number, and its bytes.
#[derive(Clone)]
pub(crate) struct Written(pub(crate) u32, pub(crate) Vec<u8>);

pub(crate) fn text(text: &str) -> Written {
    Written(8, [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat())
}

pub(crate) fn u32(number: u32) -> Written {
    Written(4, number.to_le_bytes().to_vec())
}

pub(crate) fn u16(number: u16) -> Written {
    Written(2, number.to_le_bytes().to_vec())
}

pub(crate) fn i32(number: i32) -> Written {
    Written(5, number.to_le_bytes().to_vec())
}

pub(crate) fn truth(is_so: bool) -> Written {
    Written(7, vec![is_so.into()])
}

pub(crate) fn f32(number: f32) -> Written {
    Written(6, number.to_le_bytes().to_vec())
}

pub(crate) fn list(items: &[Written]) -> Written {
    let mut bytes = items.first().map_or(0, |item| item.0).to_le_bytes().to_vec();
    bytes.extend((items.len() as u64).to_le_bytes());
    items.iter().for_each(|item| bytes.extend(&item.1));
    Written(9, bytes)
}

/// A file in the making.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) keys: Vec<(String, Written)>,
    /// Name, dimensions, type, offset.
    pub(crate) tensors: Vec<(String, Vec<u64>, u32, u64)>,
    pub(crate) data_bytes: usize,
}

impl File {
    /// A small model with all that a real one has.
    pub(crate) fn model() -> Self {
        let tokens: Vec<Written> = ["<s>", "</s>", "a", "b"].map(text).to_vec();
        let keys = [
            ("general.architecture", text("llama")),
            ("general.type", text("model")),
            ("general.alignment", u32(32)),
            ("general.file_type", u32(0)),
            ("general.quantized", truth(true)),
            ("general.languages", list(&[text("en"), text("de")])),
            ("llama.block_count", u32(2)),
            ("llama.context_length", Written(10, 2048_u64.to_le_bytes().to_vec())),
            ("llama.embedding_length", u32(64)),
            ("llama.attention.head_count", list(&[u32(4), u32(4)])),
            ("llama.attention.head_count_kv", u32(2)),
            ("llama.feed_forward_length", list(&[i32(128), i32(0)])),
            ("llama.rope.dimension_count", u32(16)),
            ("llama.rope.freq_base", Written(12, 10_000_f64.to_le_bytes().to_vec())),
            ("llama.rope.scaling.type", text("yarn")),
            ("llama.expert_count", Written(0, vec![8])),
            ("llama.expert_used_count", Written(1, vec![2])),
            ("llama.expert_shared_count", u16(1)),
            ("llama.attention.sliding_window", Written(3, 512_i16.to_le_bytes().to_vec())),
            ("llama.attention.layer_norm_rms_epsilon", f32(1e-5)),
            ("tokenizer.ggml.model", text("gpt2")),
            ("tokenizer.ggml.tokens", list(&tokens)),
            ("tokenizer.ggml.scores", list(&[f32(0.0), f32(0.0), f32(-1.0), f32(-2.0)])),
            ("tokenizer.ggml.token_type", list(&vec![i32(1); 4])),
            ("tokenizer.ggml.merges", list(&[text("a b")])),
            ("tokenizer.ggml.bos_token_id", u32(0)),
            ("tokenizer.ggml.eos_token_id", Written(11, 1_i64.to_le_bytes().to_vec())),
            ("tokenizer.ggml.padding_token_id", u32(u32::MAX)),
            ("tokenizer.ggml.add_bos_token", truth(true)),
            ("tokenizer.chat_template", text("{{ messages }}")),
        ];
        let tensors = vec![
            ("token_embd.weight".to_owned(), vec![64, 4], 0, 0),
            ("blk.0.attn_q.weight".to_owned(), vec![64, 64], 2, 1024),
            ("output_norm.weight".to_owned(), vec![64], 0, 1024 + 2304),
        ];
        let keys = keys.map(|(key, value)| (key.to_owned(), value)).to_vec();
        Self { keys, tensors, data_bytes: 1024 + 2304 + 256 }
    }

    pub(crate) fn with(mut self, key: &str, value: Written) -> Self {
        self.keys.retain(|(known, _)| known != key);
        self.keys.push((key.to_owned(), value));
        self
    }

    pub(crate) fn without(mut self, key: &str) -> Self {
        self.keys.retain(|(known, _)| known != key);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            bytes.extend(text(key).1);
            bytes.extend(value.0.to_le_bytes());
            bytes.extend(&value.1);
        }
        for (name, dimensions, kind, offset) in &self.tensors {
            bytes.extend(text(name).1);
            bytes.extend((dimensions.len() as u32).to_le_bytes());
            dimensions.iter().for_each(|size| bytes.extend(size.to_le_bytes()));
            bytes.extend(kind.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(32) + self.data_bytes, 0);
        bytes
    }

    pub(crate) fn read(&self) -> Result<Header, GgufError> {
        read(&self.bytes())
    }
}

pub(crate) fn read(bytes: &[u8]) -> Result<Header, GgufError> {
    Header::read(&mut &bytes[..], bytes.len() as u64)
}

#[track_caller]
pub(crate) fn assert_malformed(file: &File, says: &str) {
    let error = file.read().unwrap_err();
    assert!(matches!(error, GgufError::Malformed { .. }) && error.to_string().contains(says), "{error}");
}
