//! Behaviour of the running executable: one module an area.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

mod answers;
mod anthropic;
mod attacks;
mod bad_input;
mod browsers;
mod bundles;
mod certificates;
mod claim_keys;
mod clients;
mod command_line;
mod conformance;
mod console;
mod discovery;
mod doors;
mod embeddings;
mod faults;
mod front_door;
mod http;
mod launch;
mod memory;
mod models;
mod neighbours_answer;
mod now;
mod pairing;
mod power_cut;
mod queue;
mod readme;
mod registries;
mod responses;
mod settings;
mod sharing;
mod slow_readers;
mod split;
mod street;
