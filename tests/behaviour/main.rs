//! Behaviour of the running executable: one module an area.

mod answers;
mod bad_input;
mod browsers;
mod clients;
mod command_line;
mod faults;
mod readme;
