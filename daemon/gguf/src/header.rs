//! The header: metadata and the table of tensors, read with caps and then checked as a whole.

use std::io::Read;
use std::ops::Range;

use crate::source::{KEY_BYTES, MAX_KEYS, MAX_TENSORS, Source, TENSOR_BYTES};
use crate::{GgufError, Split, Tensor, check};

/// A header that was checked: every tensor lies inside the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// Of the format: 2 or 3.
    pub version: u32,
    /// Keys and values, in the file's order.
    pub metadata: Vec<(String, Value)>,
    /// In the file's order.
    pub tensors: Vec<Tensor>,
    /// Bytes that each tensor's offset is a multiple of.
    pub alignment: u64,
    /// Where each key and its value lie in the file.
    pub(crate) spans: Vec<Range<u64>>,
    /// Where the data part begins.
    pub(crate) data: u64,
}

/// A metadata value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Any unsigned integer.
    Unsigned(u64),
    /// Any signed integer.
    Signed(i64),
    /// Any float.
    Float(f64),
    /// A truth.
    Bool(bool),
    /// Text; bytes that are no UTF-8 become U+FFFD.
    Text(String),
    /// Values of one type.
    Array(Vec<Self>),
}

impl Header {
    /// Reads and checks the header of a file of `file_bytes` bytes.
    ///
    /// # Errors
    /// [`GgufError`] says what is wrong with the file.
    pub fn read(file: &mut impl Read, file_bytes: u64) -> Result<Self, GgufError> {
        let mut source = Source::new(file, file_bytes);
        let mut magic = [0; 4];
        if source.fill(&mut magic).is_err() || &magic != b"GGUF" {
            return Err(GgufError::NotGguf);
        }
        let version = source.u32()?;
        if !(2..=3).contains(&version) {
            return Err(GgufError::Version(version));
        }
        let tensor_count = source.count("the number of tensors", MAX_TENSORS, TENSOR_BYTES)?;
        let key_count = source.count("the number of keys", MAX_KEYS, KEY_BYTES)?;
        let (mut metadata, mut spans) = (Vec::with_capacity(key_count), Vec::with_capacity(key_count));
        for _ in 0..key_count {
            let start = source.position;
            metadata.push(source.entry()?);
            spans.push(start..source.position);
        }
        let alignment = check::alignment(&metadata)?;
        let mut tensors = Vec::with_capacity(tensor_count);
        for _ in 0..tensor_count {
            tensors.push(source.tensor(alignment)?);
        }
        let data = source.position.next_multiple_of(alignment);
        let header = Self { version, metadata, tensors, alignment, spans, data };
        check::header(&header, file_bytes)?;
        Ok(header)
    }

    /// What tells what the model is: without tensors, and with lists of more than so many values empty.
    pub fn without_lists(mut self, longest: usize) -> Self {
        (self.tensors, self.spans) = (Vec::new(), Vec::new());
        for (_, value) in &mut self.metadata {
            if matches!(value, Value::Array(values) if values.len() > longest) {
                *value = Value::Array(Vec::new());
            }
        }
        self
    }

    /// A metadata value by its key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Text by its key.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number that is not negative, by its key; of an array, the greatest.
    pub fn number(&self, key: &str) -> Option<u64> {
        number(self.get(key)?)
    }

    /// Such as `llama`; names the keys of [`Header::of_architecture`].
    pub fn architecture(&self) -> &str {
        self.text("general.architecture").unwrap_or("unknown")
    }

    /// A number under the architecture's name, such as `block_count`.
    pub fn of_architecture(&self, key: &str) -> Option<u64> {
        self.number(&format!("{}.{key}", self.architecture()))
    }

    /// The same of one block, where it may be given for each; blocks past the end of a list have the default of none.
    pub fn of_block(&self, key: &str, block: u64) -> Option<u64> {
        match self.get(&format!("{}.{key}", self.architecture()))? {
            Value::Array(values) => number(values.get(usize::try_from(block).ok()?)?),
            one => number(one),
        }
    }

    /// Bytes of all tensors.
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.bytes).fold(0, u64::saturating_add)
    }

    /// Whether it is a LoRA adapter, to be laid over a model.
    pub fn is_adapter(&self) -> bool {
        self.text("general.type") == Some("adapter")
    }

    /// Tokens that the model was trained to look back.
    pub fn context_length(&self) -> Option<u64> {
        self.of_architecture("context_length")
    }

    /// Width of an embedding.
    pub fn embedding_length(&self) -> Option<u64> {
        self.of_architecture("embedding_length")
    }

    /// It turns images or recordings into what another model reads.
    pub fn is_projector(&self) -> bool {
        self.architecture() == "clip"
    }

    /// Of a projector: whether it takes images, and whether it takes recordings.
    pub fn projects(&self) -> (bool, bool) {
        let has = |key| self.get(key) == Some(&Value::Bool(true));
        (has("clip.has_vision_encoder"), has("clip.has_audio_encoder"))
    }

    /// The model's own Jinja template.
    pub fn chat_template(&self) -> Option<&str> {
        self.text("tokenizer.chat_template")
    }

    /// Numbers in all tensors.
    pub fn parameter_count(&self) -> u64 {
        self.tensors.iter().map(Tensor::elements).fold(0, u64::saturating_add)
    }

    /// Such as `Q4_K_M`, by llama.cpp's number of file types; the commonest tensor type where the file does not say.
    pub fn quantization(&self) -> &'static str {
        let named = self.number("general.file_type").and_then(|id| FILE_TYPES.iter().find(|row| row.0 == id));
        if let Some((_, name)) = named {
            return name;
        }
        let biggest = self.tensors.iter().max_by_key(|tensor| tensor.bytes);
        biggest.map_or("unknown", |tensor| tensor.kind.name)
    }

    /// Which part of a model it is, if that lies in more than one file.
    pub fn split(&self) -> Option<Split> {
        Split::of(self)
    }
}

pub(crate) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Unsigned(number) => Some(*number),
        Value::Signed(number) => u64::try_from(*number).ok(),
        Value::Array(values) => values.iter().filter_map(number).max(),
        _ => None,
    }
}

/// llama.cpp's `llama_ftype`, in Ollama's spelling.
const FILE_TYPES: &[(u64, &str)] = &[
    (0, "F32"),
    (1, "F16"),
    (2, "Q4_0"),
    (3, "Q4_1"),
    (7, "Q8_0"),
    (8, "Q5_0"),
    (9, "Q5_1"),
    (10, "Q2_K"),
    (11, "Q3_K_S"),
    (12, "Q3_K_M"),
    (13, "Q3_K_L"),
    (14, "Q4_K_S"),
    (15, "Q4_K_M"),
    (16, "Q5_K_S"),
    (17, "Q5_K_M"),
    (18, "Q6_K"),
    (19, "IQ2_XXS"),
    (20, "IQ2_XS"),
    (21, "Q2_K_S"),
    (22, "IQ3_XS"),
    (23, "IQ3_XXS"),
    (24, "IQ1_S"),
    (25, "IQ4_NL"),
    (26, "IQ3_S"),
    (27, "IQ3_M"),
    (28, "IQ2_S"),
    (29, "IQ2_M"),
    (30, "IQ4_XS"),
    (31, "IQ1_M"),
    (32, "BF16"),
    (36, "TQ1_0"),
    (37, "TQ2_0"),
    (38, "MXFP4"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MAX_ELEMENTS;

    /// A file with one F32 tensor of `width` numbers, all of them there.
    fn file(blocks: u32, width: u64) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        let text = |bytes: &mut Vec<u8>, text: &str| {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        };
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(2_u64.to_le_bytes());
        text(&mut bytes, "general.architecture");
        bytes.extend(8_u32.to_le_bytes());
        text(&mut bytes, "llama");
        text(&mut bytes, "llama.block_count");
        bytes.extend(4_u32.to_le_bytes());
        bytes.extend(blocks.to_le_bytes());
        text(&mut bytes, "output.weight");
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(width.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.resize(bytes.len() + 4 * width.min(1 << 16) as usize, 0);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Header, GgufError> {
        Header::read(&mut &bytes[..], bytes.len() as u64)
    }

    #[test]
    fn a_header_says_what_the_model_is() {
        let header = read(&file(2, 8)).unwrap();
        assert_eq!((header.architecture(), header.parameter_count()), ("llama", 8));
        assert_eq!(header.quantization(), "F32");
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let whole = file(2, 8);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_header_with_any_byte_changed_never_panics() {
        let whole = file(2, 8);
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let _whatever = read(&changed);
            }
        }
    }

    #[test]
    fn sizes_that_overflow_and_counts_that_ggml_asserts_on_are_refused() {
        assert!(matches!(read(&file(2, u64::MAX)), Err(GgufError::Malformed { .. })));
        assert!(matches!(read(&file(2, 1 << 40)), Err(GgufError::TensorOutside { .. })));
        assert!(matches!(read(&file(0, 8)), Err(GgufError::Malformed { what: "the number of blocks", .. })));
        assert!(matches!(read(&file(100_000, 8)), Err(GgufError::Malformed { .. })));
    }

    #[test]
    fn many_small_arrays_are_refused_before_they_fill_the_memory() {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend(3_u64.to_le_bytes());
        for key in ["a", "b", "c"] {
            bytes.extend(1_u64.to_le_bytes());
            bytes.extend(key.as_bytes());
            bytes.extend(9_u32.to_le_bytes());
            bytes.extend(0_u32.to_le_bytes());
            bytes.extend((MAX_ELEMENTS / 2).to_le_bytes());
            bytes.resize(bytes.len() + MAX_ELEMENTS as usize / 2, 0);
        }
        assert!(matches!(
            read(&bytes),
            Err(GgufError::Malformed { what: "the number of array elements", .. })
        ));
    }

    #[test]
    fn what_is_no_gguf_is_called_that() {
        assert_eq!(
            read(b"PK\x03\x04 and so on").unwrap_err().to_string(),
            "supplied file was not in GGUF format"
        );
    }
}
