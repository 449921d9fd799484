//! The front door: listeners, Host and Origin, limits on bytes and time. Knows nothing of models and of what is asked.
#![forbid(unsafe_code)]

mod guard;
mod limits;
mod listen;
mod serve;

pub use limits::Limits;
pub use listen::{BindError, Listener, bind};
pub use serve::{Config, serve};
