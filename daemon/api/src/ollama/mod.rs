//! Ollama's native API, under `/api`. What it means lives below; this family only translates.

mod blobs;
mod capabilities;
mod cloud;
mod create;
mod embed;
mod errors;

mod models;
mod request;
mod response;
mod routes;
mod schema;
mod transfers;
mod wire;

pub(crate) use self::{capabilities::Known, errors::Refusal, routes::router};
