//! Names of calls, which clients of Anthropic's know by how they begin, while models may have a way of their own.

/// What clients look for.
const MARK: &str = "toolu_";

/// A call's, as clients are told.
pub(super) fn ours(id: &str) -> String {
    format!("{MARK}{id}")
}

/// The same, as the model had it.
pub(super) fn theirs(id: &str) -> &str {
    id.strip_prefix(MARK).unwrap_or(id)
}
