//! What differs by operating system, and nothing that does not.
#![deny(unsafe_op_in_unsafe_fn)]

pub mod boot;
pub mod cpu;
pub mod directories;
pub mod disk;
pub mod durable;
mod group;
pub mod interfaces;
pub mod memory;
pub mod network;
pub mod process;
pub mod sensors;
pub mod service;
pub mod users;
