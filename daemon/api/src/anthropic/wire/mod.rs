//! What stands on the wire of this family, without any check.

pub(crate) mod answer;
pub(crate) mod blocks;
pub(crate) mod request;
