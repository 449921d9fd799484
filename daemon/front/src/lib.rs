//! The front door: listeners, Host and Origin, limits on bytes and time.
