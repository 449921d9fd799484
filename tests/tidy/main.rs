//! What the compiler cannot see.
