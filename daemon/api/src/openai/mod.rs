//! OpenAI's API, under `/v1`, as far as its clients of a local server go. It only translates.

mod errors;
mod request;
mod response;
mod routes;
mod wire;

pub(crate) use routes::router;
