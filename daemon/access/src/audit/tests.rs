//! The log over its files.
