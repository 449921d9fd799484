//! Reading the header's parts, little-endian, each with its cap. Nothing is reserved for what the file cannot hold.

use std::io::Read;

use crate::check::Wire;
use crate::error::malformed;
use crate::{GgufError, Tensor, TensorType, Value, check};

/// Caps, far above what real models have (Llama 405B: 1,138 tensors; a vocabulary of 262,144 entries).
pub(crate) const MAX_TENSORS: u64 = 1 << 17;
pub(crate) const MAX_KEYS: u64 = 1 << 14;
/// Elements of all arrays together; each takes 32 bytes here, so a small file must not hold many.
pub(crate) const MAX_ELEMENTS: u64 = 1 << 21;
const MAX_KEY_BYTES: u64 = 1 << 12;
/// ggml's own, less its closing zero.
const MAX_NAME_BYTES: u64 = 63;
const MAX_STRING_BYTES: u64 = 1 << 24;
/// A length that llama.cpp counts in 32 bits, with sums of it (CVE-2025-49847).
const MAX_TOKEN_BYTES: u64 = 1 << 16;
const MAX_DIMENSIONS: u32 = 4;

/// The least that a key takes (a length, a letter, a type and a value), and an entry in the table of tensors.
pub(crate) const KEY_BYTES: u64 = 8 + 1 + 4 + 1;
pub(crate) const TENSOR_BYTES: u64 = 8 + 4 + 8 + 4 + 8;

/// The number of the type of arrays.
const ARRAY: u32 = 9;

/// Reads little-endian parts and counts what it read.
pub(crate) struct Source<'a, R> {
    file: &'a mut R,
    pub(crate) position: u64,
    file_bytes: u64,
    elements_left: u64,
}

impl<'a, R: Read> Source<'a, R> {
    pub(crate) fn new(file: &'a mut R, file_bytes: u64) -> Self {
        Self { file, position: 0, file_bytes, elements_left: MAX_ELEMENTS }
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) -> Result<(), GgufError> {
        self.file.read_exact(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count that is below its cap, and of things that still fit into the file if each has at least `bytes_each`.
    pub(crate) fn count(
        &mut self,
        what: &'static str,
        most: u64,
        bytes_each: u64,
    ) -> Result<usize, GgufError> {
        let count = self.u64()?;
        if count > most {
            return Err(malformed(what, count));
        }
        // A count past the end is a lie that must not be reserved for.
        if count * bytes_each > self.file_bytes.saturating_sub(self.position) {
            return Err(GgufError::Truncated);
        }
        usize::try_from(count).map_err(|_| malformed(what, count))
    }

    fn text(&mut self, what: &'static str, most: u64) -> Result<String, GgufError> {
        let mut bytes = vec![0; self.count(what, most, 1)?];
        self.fill(&mut bytes)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// A key and its value, which must have the type that llama.cpp takes it for.
    pub(crate) fn entry(&mut self) -> Result<(String, Value), GgufError> {
        let key = self.text("the length of a key", MAX_KEY_BYTES)?;
        let kind = self.u32()?;
        let value = if kind == ARRAY { self.list(&key)? } else { self.single(&key, kind)? };
        Ok((key, value))
    }

    fn single(&mut self, key: &str, kind: u32) -> Result<Value, GgufError> {
        check::wire_type(key, Wire::One(kind))?;
        self.scalar(kind, MAX_STRING_BYTES)
    }

    fn list(&mut self, key: &str) -> Result<Value, GgufError> {
        let element = self.u32()?;
        if element == ARRAY {
            return Err(malformed("an array's element type", "array"));
        }
        check::wire_type(key, Wire::List(element))?;
        let count = self.count("the number of array elements", self.elements_left, least_bytes(element)?)?;
        self.elements_left -= count as u64;
        let longest = if key == check::TOKENS { MAX_TOKEN_BYTES } else { MAX_STRING_BYTES };
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.scalar(element, longest)?);
        }
        Ok(Value::Array(items))
    }

    fn scalar(&mut self, kind: u32, longest_text: u64) -> Result<Value, GgufError> {
        Ok(match kind {
            0 => Value::Unsigned(u8::from_le_bytes(self.array()?).into()),
            1 => Value::Signed(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Unsigned(self.u32()?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Bool(self.array::<1>()? != [0]),
            8 => Value::Text(self.text("the length of a text", longest_text)?),
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.array()?)),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            _ => return Err(malformed("a value's type", kind)),
        })
    }

    pub(crate) fn tensor(&mut self, alignment: u64) -> Result<Tensor, GgufError> {
        let name = self.text("the length of a tensor's name", MAX_NAME_BYTES)?;
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

/// Bytes of a value of this type, in the file; of a text, those of its length.
fn least_bytes(kind: u32) -> Result<u64, GgufError> {
    match kind {
        0 | 1 | 7 => Ok(1),
        2 | 3 => Ok(2),
        4..=6 => Ok(4),
        8 | 10..=12 => Ok(8),
        _ => Err(malformed("a value's type", kind)),
    }
}
