//! The front door: listeners, TLS, Host and Origin, who asks, limits on bytes and time. Knows nothing of models and of what is
//! asked.
#![forbid(unsafe_code)]

mod admin_socket;
mod connection;
mod conversation;
mod cors;
mod credential;
mod door;
mod guard;
mod limits;
mod listen;
mod memory;
mod origin;
mod plain;
mod refusal;
mod refused;
mod request;
mod request_body;
mod request_id;
mod seats;
mod serve;
mod tls;
mod unpack;
mod unread;
mod wire;

pub use limits::Limits;
pub use listen::{BindError, Kind, Listener, adopt, adopt_admin, bind, bind_admin};
pub use origin::{InvalidOrigin, OriginPattern};
pub use serve::{Config, Loopback, serve};
pub use tower_http::request_id::RequestId;
