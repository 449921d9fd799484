//! The API families: each translates its JSON to the vocabulary and back.
