//! The front door: listeners, Host and Origin, limits on bytes and time. Knows nothing of models and of what is asked.
#![forbid(unsafe_code)]

mod connection;
mod conversation;
mod cors;
mod guard;
mod limits;
mod listen;
mod memory;
mod origin;
mod refusal;
mod request_body;
mod request_id;
mod serve;
mod unpack;
mod wire;

pub use limits::Limits;
pub use listen::{BindError, Listener, bind};
pub use origin::{InvalidOrigin, OriginPattern};
pub use serve::{Config, serve};
pub use tower_http::request_id::RequestId;
