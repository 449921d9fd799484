//! Tensor types and the bytes that a tensor of each takes.

/// One tensor of a file: its shape, and where its bytes lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Innermost first.
    pub dimensions: Vec<u64>,
    /// How numbers are packed.
    pub kind: TensorType,
    /// From the beginning of the data part.
    pub offset: u64,
    /// Of packed numbers.
    pub bytes: u64,
}

impl Tensor {
    /// How many numbers it holds.
    pub fn elements(&self) -> u64 {
        self.dimensions.iter().product()
    }
}

/// How numbers are packed: a row of ggml's table of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorType {
    /// ggml's number of it.
    pub id: u32,
    /// ggml's name of it.
    pub name: &'static str,
    /// Numbers in a block.
    pub block_elements: u64,
    /// Bytes of a block.
    pub block_bytes: u64,
}

impl TensorType {
    /// The type by ggml's number; `None` for one that is unknown or was removed.
    pub fn of_id(id: u32) -> Option<Self> {
        let row = TYPES.iter().find(|row| row.0 == id)?;
        Some(Self { id, name: row.1, block_elements: row.2, block_bytes: row.3 })
    }
}

/// Number, name, elements and bytes of a block. From ggml's `type_traits` (ggml.c) and block structs (ggml-common.h).
const TYPES: &[(u32, &str, u64, u64)] = &[
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
];
