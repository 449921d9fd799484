//! The hob executable.
fn main() {}
