//! The front door on a real socket, before an application of a few lines: one module an area.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

mod admin;
mod callers;
mod crowds;
mod drain;
mod harness;
mod hosts;
mod http1;
mod http2;
mod idle;
mod memory;
mod packed;
mod pages;
mod refusals;
mod tls;
