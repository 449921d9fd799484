//! OpenAI's API, under `/v1`, as far as its clients of a local server go. It only translates.

mod embed;
mod errors;
mod request;
mod rerank;
mod response;
mod routes;
mod wire;

pub(crate) use routes::router;
