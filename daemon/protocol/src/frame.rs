//! The frames on the socket between daemon and worker: a little-endian `u32` length, then that many bytes of postcard.
//! Both ends are the same build, so there is no version to negotiate.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    CacheTypes, Done, Embed, Embedded, Generate, GenerateError, PromptProgress, Purpose, Quantization,
    Rendered, Said,
};

/// Longer frames are refused by both ends.
pub const MAX_FRAME_BYTES: usize = 16 << 20;

/// Bytes of a file in one frame.
pub const MEDIA_PART_BYTES: usize = 4 << 20;

/// A request's number on one worker's socket; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// What the daemon tells a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// First and once: load the model file that was inherited.
    Load(LoadOptions),
    /// In place of `Load`: pack the model file that was inherited into the other one, and end.
    Quantize(Quantization),
    /// In place of `Load`: compute for whoever is at the other end of the stream that was inherited, until it ends.
    Lend(Lending),
    /// A part of a file that belongs to the request that follows under this number; whether it is the file's last part.
    Media(RequestId, Vec<u8>, bool),
    /// Begin an answer.
    Generate(RequestId, Box<Generate>),
    /// Make vectors; all of them are one answer.
    Embed(RequestId, Box<Embed>),
    /// Tell what would be read for a generation, and do not begin it. What does not fit is cut if it is to be truncated; else,
    /// and with files, it is told however long it is. Of a worker that makes vectors: only texts and tokens as they are.
    Render(RequestId, Box<Generate>),
    /// Tell what these tokens stand for.
    Detokenize(RequestId, Vec<i32>),
    /// Say no more of an answer until [`ToWorker::Release`]; it keeps what was computed for it, and gives its place to whoever
    /// waits for one. Unknown and finished ones are ignored.
    Hold(RequestId),
    /// Go on with an answer that was held.
    Release(RequestId),
    /// Stop an answer; unknown and finished ones are ignored. Nothing is sent for it afterwards.
    Cancel(RequestId),
    /// A generation that another worker began: these tokens of its answer were told already, and are not told again.
    Resume(RequestId, Box<Generate>, Vec<i32>),
}

/// What a worker tells the daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// How much of the model is loaded, or packed, 0.0 to 1.0.
    Loading(f32),
    /// Ready for requests.
    Loaded(ModelFacts),
    /// All of it is packed; the worker ends.
    Quantized,
    /// Ready to compute for another box.
    Lending,
    /// The model cannot be loaded, or packed; the worker ends.
    LoadFailed {
        /// What ggml said.
        reason: String,
    },
    /// How much of a request's prompt is read by now, and how long it is. Told first when it gets its place: that much was in
    /// the prefix cache.
    Reading(RequestId, PromptProgress),
    /// Tokens of an answer, and what they add to it; perhaps nothing yet.
    Said(RequestId, Said, Vec<i32>),
    /// The last of an answer, and its end. In one frame: whoever has the text knows that nothing follows it.
    Done(RequestId, Said, Done),
    /// All vectors of a request, and its end.
    Embedded(RequestId, Embedded),
    /// A prompt, and its request's end.
    Rendered(RequestId, Rendered),
    /// The bytes of each token, which need not be whole characters, and its request's end. Control tokens have their names.
    Detokenized(RequestId, Vec<Vec<u8>>),
    /// The end of a request that failed.
    Failed(RequestId, GenerateError),
    /// It works, and has nothing else to say; told every second or so.
    Alive,
}

/// How a model is loaded. A change of any of these needs another load.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LoadOptions {
    /// What is wanted of it.
    pub purpose: Purpose,
    /// Context of one sequence in tokens; the worker caps it at the trained length.
    pub context_tokens: u32,
    /// Prompt tokens in one step at most.
    pub batch_tokens: u32,
    /// Requests that run at once.
    pub sequences: u32,
    /// Milliseconds that a step may take while somebody waits for their next token.
    pub max_step_ms: u32,
    /// Whether text that repeats itself is guessed ahead.
    pub speculation: bool,
    /// In what the KV cache is kept; a model that cannot have it packed has it as it is.
    pub cache_types: CacheTypes,
    /// Where prefixes go that leave the KV cache; the scheduler's to say.
    pub cache: CacheOptions,
    /// Compute threads; `None` is one for each core.
    pub threads: Option<u32>,
    /// Model blocks on GPUs; `None` is as many as there are.
    pub gpu_blocks: Option<u32>,
    /// Map the file instead of reading it.
    pub mmap: bool,
    /// The Modelfile's TEMPLATE as it was written; only the worker reads it.
    pub template: Option<String>,
    /// How many of the last layers are on other boxes, one number for each stream to one that the worker was born with, in
    /// their order. What makes the logits counts as the last layer.
    pub remote: Vec<u32>,
}

/// How a worker lends this box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lending {
    /// Compute threads; `None` is one for each core.
    pub threads: Option<u32>,
    /// Bytes that it may take for it.
    pub bytes: u64,
}

/// Where prefixes go that leave the KV cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CacheOptions {
    /// Bytes of memory for them; 0 keeps none.
    pub bytes: u64,
    /// Bytes of the file for them that the worker was born with, if it was.
    pub file_bytes: u64,
    /// For that file's seals.
    pub secret: Secret,
}

/// Bytes that are not to be seen, in a log least of all.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Secret(pub Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What a worker found out about its model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Context of one sequence in tokens, as loaded.
    pub context_tokens: u32,
    /// Bytes that the worker takes once it has loaded: weights, KV cache and all else but the compute buffers, which are
    /// touched by the first steps.
    pub resident_bytes: u64,
    /// Of these, on GPUs.
    pub gpu_bytes: u64,
    /// What ggml has for what, if it says so.
    pub parts: Option<MemoryParts>,
    /// The model brings a chat template, or its Modelfile does.
    pub has_chat_template: bool,
}

/// Bytes that ggml has for a model, by what for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryParts {
    /// The weights, those that are mapped included.
    pub weights_bytes: u64,
    /// The KV cache, and states of recurrent blocks.
    pub cache_bytes: u64,
    /// The buffers of a step, which are touched by the first ones.
    pub compute_bytes: u64,
}

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The peer announced more than [`MAX_FRAME_BYTES`], or we were about to.
    #[error("frame of {0} bytes, at most {MAX_FRAME_BYTES} are allowed")]
    TooLong(usize),
    /// The bytes are no frame of this build.
    #[error("frame is malformed")]
    Malformed(#[from] postcard::Error),
    /// The socket failed.
    #[error("worker socket failed")]
    Io(#[from] io::Error),
}

/// Length and body of one frame.
///
/// # Errors
/// [`FrameError::TooLong`] past [`MAX_FRAME_BYTES`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut bytes = postcard::to_extend(message, vec![0; 4])?;
    let length = body_length(bytes.len() - 4)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// A frame's body, without its length.
///
/// # Errors
/// [`FrameError::Malformed`] unless the bytes are exactly one message.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    Ok(postcard::from_bytes(body)?)
}

/// The length in a frame's first four bytes.
///
/// # Errors
/// [`FrameError::TooLong`] past [`MAX_FRAME_BYTES`].
pub fn decode_length(prefix: [u8; 4]) -> Result<usize, FrameError> {
    let length = u32::from_le_bytes(prefix) as usize;
    body_length(length)?;
    Ok(length)
}

/// Writes one frame and blocks until the socket took it.
///
/// # Errors
/// [`FrameError::TooLong`] or [`FrameError::Io`]; after either, the socket is of no more use.
pub fn write<T: Serialize>(mut socket: impl Write, message: &T) -> Result<(), FrameError> {
    socket.write_all(&encode(message)?)?;
    Ok(())
}

/// Blocks for one frame; `None` once the peer hung up between two frames.
///
/// # Errors
/// Any [`FrameError`]; after it, the socket is of no more use.
pub fn read<T: DeserializeOwned>(mut socket: impl Read) -> Result<Option<T>, FrameError> {
    let mut prefix = [0; 4];
    match socket.read_exact(&mut prefix) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut body = vec![0; decode_length(prefix)?];
    socket.read_exact(&mut body)?;
    decode(&body).map(Some)
}

fn body_length(length: usize) -> Result<u32, FrameError> {
    match u32::try_from(length) {
        Ok(fits) if length <= MAX_FRAME_BYTES => Ok(fits),
        _ => Err(FrameError::TooLong(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_as_it_was_sent() {
        let sent = FromWorker::Said(RequestId(7), "blue — ☁".into(), vec![1, -1]);
        let mut wire = Vec::new();
        write(&mut wire, &sent).unwrap();

        let mut socket = &wire[..];
        assert_eq!(read::<FromWorker>(&mut socket).unwrap(), Some(sent));
        assert!(read::<FromWorker>(&mut socket).unwrap().is_none());
    }

    #[test]
    fn a_frame_that_announces_too_much_is_refused_before_it_is_read() {
        let wire = u32::MAX.to_le_bytes();
        assert!(matches!(read::<ToWorker>(&wire[..]), Err(FrameError::TooLong(_))));
    }

    #[test]
    fn a_frame_cut_short_is_an_error_and_not_an_end() {
        let wire = encode(&ToWorker::Cancel(RequestId(1))).unwrap();
        assert!(matches!(read::<ToWorker>(&wire[..wire.len() - 1]), Err(FrameError::Io(_))));
    }
}
