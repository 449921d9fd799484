//! The header: metadata and the table of tensors, read with caps and then checked as a whole.

use std::io::{self, Read};

use crate::{Tensor, TensorType};

/// Caps, far above what real models have (Llama 405B: 1,138 tensors; a vocabulary of 262,144 entries).
const MAX_TENSORS: u64 = 1 << 17;
const MAX_KEYS: u64 = 1 << 14;
const MAX_KEY_BYTES: u64 = 1 << 12;
const MAX_STRING_BYTES: u64 = 1 << 24;
/// Elements of all arrays together; each takes 32 bytes here, so a small file must not hold many.
const MAX_ELEMENTS: u64 = 1 << 21;
const MAX_DIMENSIONS: u32 = 4;
const MAX_ALIGNMENT: u64 = 1 << 16;
const MAX_BLOCKS: u64 = 512;

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

/// Why a file is no model that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The file does not begin with `GGUF`.
    #[error("supplied file was not in GGUF format")]
    NotGguf,
    /// A version that ggml does not read either.
    #[error("GGUF version {0} is not supported, 2 and 3 are")]
    Version(u32),
    /// The file ends within its header.
    #[error("the GGUF file ends within its header; it was cut short")]
    Truncated,
    /// A tensor reaches past the end of the file.
    #[error("the GGUF file is {file_bytes} bytes, but tensor {name} ends at {end}; it was cut short")]
    TensorOutside {
        /// The tensor.
        name: String,
        /// Where it ends.
        end: u128,
        /// Where the file does.
        file_bytes: u64,
    },
    /// A count or length past its cap, or a value that makes no sense.
    #[error("the GGUF header is malformed: {what} is {value}")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// The file could not be read.
    #[error("the GGUF file cannot be read")]
    Io(#[source] io::Error),
}

impl From<io::Error> for GgufError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Io(error),
        }
    }
}

impl Header {
    /// Reads and checks the header of a file of `file_bytes` bytes.
    ///
    /// # Errors
    /// [`GgufError`] says what is wrong with the file.
    pub fn read(file: &mut impl Read, file_bytes: u64) -> Result<Self, GgufError> {
        let mut source = Source { file, position: 0, file_bytes, elements_left: MAX_ELEMENTS };
        let mut magic = [0; 4];
        if source.fill(&mut magic).is_err() || &magic != b"GGUF" {
            return Err(GgufError::NotGguf);
        }
        let version = source.u32()?;
        if !(2..=3).contains(&version) {
            return Err(GgufError::Version(version));
        }
        let tensor_count = source.count("the number of tensors", MAX_TENSORS)?;
        let key_count = source.count("the number of keys", MAX_KEYS)?;
        let metadata = (0..key_count).map(|_| source.entry()).collect::<Result<Vec<_>, _>>()?;
        let alignment = alignment(&metadata)?;
        let tensors = (0..tensor_count).map(|_| source.tensor(alignment)).collect::<Result<Vec<_>, _>>()?;
        let data = source.position.next_multiple_of(alignment);
        let header = Self { version, metadata, tensors, alignment };
        header.check(data, file_bytes)?;
        Ok(header)
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

    /// Tokens that the model was trained to look back.
    pub fn context_length(&self) -> Option<u64> {
        self.of_architecture("context_length")
    }

    /// Width of an embedding.
    pub fn embedding_length(&self) -> Option<u64> {
        self.of_architecture("embedding_length")
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

    fn check(&self, data: u64, file_bytes: u64) -> Result<(), GgufError> {
        for tensor in &self.tensors {
            let end = u128::from(data) + u128::from(tensor.offset) + u128::from(tensor.bytes);
            if end > u128::from(file_bytes) {
                return Err(GgufError::TensorOutside { name: tensor.name.clone(), end, file_bytes });
            }
        }
        // ggml asserts on these, and an assertion kills the process that loads.
        match self.of_architecture("block_count") {
            Some(blocks) if !(1..=MAX_BLOCKS).contains(&blocks) => {
                Err(malformed("the number of blocks", blocks))
            }
            _ => Ok(()),
        }
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Unsigned(number) => Some(*number),
        Value::Signed(number) => u64::try_from(*number).ok(),
        Value::Array(values) => values.iter().filter_map(number).max(),
        _ => None,
    }
}

fn alignment(metadata: &[(String, Value)]) -> Result<u64, GgufError> {
    let given = metadata.iter().find(|(key, _)| key == "general.alignment").map(|(_, value)| value);
    match given.map(number) {
        None => Ok(32),
        Some(Some(bytes)) if bytes.is_power_of_two() && bytes <= MAX_ALIGNMENT => Ok(bytes),
        Some(other) => Err(malformed("the alignment", other.unwrap_or(0))),
    }
}

fn malformed(what: &'static str, value: impl ToString) -> GgufError {
    GgufError::Malformed { what, value: value.to_string() }
}

/// Reads little-endian parts and counts what it read.
struct Source<'a, R> {
    file: &'a mut R,
    position: u64,
    file_bytes: u64,
    elements_left: u64,
}

impl<R: Read> Source<'_, R> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), GgufError> {
        self.file.read_exact(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn count(&mut self, what: &'static str, most: u64) -> Result<u64, GgufError> {
        let count = self.u64()?;
        if count > most { Err(malformed(what, count)) } else { Ok(count) }
    }

    fn text(&mut self, what: &'static str, most: u64) -> Result<String, GgufError> {
        let length = self.count(what, most)?;
        if length > self.file_bytes.saturating_sub(self.position) {
            return Err(GgufError::Truncated);
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.fill(&mut bytes)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    fn entry(&mut self) -> Result<(String, Value), GgufError> {
        let key = self.text("the length of a key", MAX_KEY_BYTES)?;
        let kind = self.u32()?;
        Ok((key, self.value(kind)?))
    }

    fn value(&mut self, kind: u32) -> Result<Value, GgufError> {
        if kind != 9 {
            return self.scalar(kind);
        }
        let element = self.u32()?;
        if element == 9 {
            return Err(malformed("an array's element type", "array"));
        }
        let count = self.count("the number of array elements", self.elements_left)?;
        self.elements_left -= count;
        // Each element takes a byte at least, so a count past the end is a lie that must not be reserved for.
        if count > self.file_bytes.saturating_sub(self.position) {
            return Err(GgufError::Truncated);
        }
        Ok(Value::Array((0..count).map(|_| self.scalar(element)).collect::<Result<_, _>>()?))
    }

    fn scalar(&mut self, kind: u32) -> Result<Value, GgufError> {
        Ok(match kind {
            0 => Value::Unsigned(u8::from_le_bytes(self.array()?).into()),
            1 => Value::Signed(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Unsigned(self.u32()?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Bool(self.array::<1>()? != [0]),
            8 => Value::Text(self.text("the length of a text", MAX_STRING_BYTES)?),
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.array()?)),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            _ => return Err(malformed("a value's type", kind)),
        })
    }

    fn tensor(&mut self, alignment: u64) -> Result<Tensor, GgufError> {
        let name = self.text("the length of a tensor's name", MAX_KEY_BYTES)?;
        let rank = self.u32()?;
        if !(1..=MAX_DIMENSIONS).contains(&rank) {
            return Err(malformed("a tensor's number of dimensions", rank));
        }
        let dimensions = (0..rank).map(|_| self.u64()).collect::<Result<Vec<_>, _>>()?;
        let id = self.u32()?;
        let kind = TensorType::of_id(id).ok_or_else(|| malformed("a tensor's type", id))?;
        let offset = self.u64()?;
        if offset % alignment != 0 {
            return Err(malformed("a tensor's offset", offset));
        }
        let elements = dimensions.iter().try_fold(1_u64, |product, size| product.checked_mul(*size));
        let whole_blocks = dimensions[0].is_multiple_of(kind.block_elements);
        let bytes = elements
            .filter(|count| *count > 0 && whole_blocks)
            .and_then(|count| (count / kind.block_elements).checked_mul(kind.block_bytes));
        let bytes = bytes.ok_or_else(|| malformed("a tensor's shape", format!("{dimensions:?}")))?;
        Ok(Tensor { name, dimensions, kind, offset, bytes })
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
