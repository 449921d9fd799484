//! Which model is in memory, for whom, when.
