//! Behaviour tests against the running executable.
