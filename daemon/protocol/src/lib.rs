//! The vocabulary of requests and answers, and the frames that carry it between daemon and worker.
//! Never sent to a client, never written to disk, never read from another build: it may change daily.
#![forbid(unsafe_code)]

pub mod cache_type;
pub mod conversation;
pub mod embed;
pub mod error;
pub mod event;
pub mod frame;
pub mod options;
pub mod priority;
pub mod quantization;
pub mod render;
pub mod request;

pub use cache_type::{CACHE_BLOCK, CacheType, CacheTypes, InvalidCacheType};
pub use conversation::{Message, Role, Think, ThinkLevel, Tool, ToolCall, ToolChoice, Tools};
pub use embed::{Embed, Embedded, Inputs, Purpose, WIDEST_VECTOR};
pub use error::{Ability, GenerateError};
pub use event::{
    CallName, CallPart, Done, Event, FinishReason, Logprob, PromptProgress, PromptRead, Said, TokenLogprob,
};
pub use frame::{
    CacheOptions, FrameError, FromWorker, Lending, LoadOptions, MemoryParts, ModelFacts, RequestId, Secret,
    ToWorker,
};
pub use options::{InvalidOption, OptionPatch, Options};
pub use priority::{Priority, UnknownPriority};
pub use quantization::{InvalidQuantization, Quantization};
pub use render::{NO_TOKEN, Rendered};
pub use request::{AdapterScale, Format, Generate, Input, Media, Overflow, Owner};
