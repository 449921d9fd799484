//! What a worker tells of a prompt that is not gone on from.

use serde::{Deserialize, Serialize};

/// A prompt, as the model would read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// What the template made, or the text itself; tokens that come from elsewhere by their names. `[img-N]` stands for the
    /// file N of the request, from 0.
    pub text: String,
    /// All that takes a place in the context: the text's, the tokenizer's own at its edges, and -1 for each of those that
    /// an image or a recording takes.
    pub tokens: Vec<i32>,
    /// Images and recordings in it.
    pub media: u32,
}

/// Each place in the context that no token of the vocabulary takes.
pub const NO_TOKEN: i32 = -1;
