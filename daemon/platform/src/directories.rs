//! Where a user's files lie. The only place that knows the folders' names.

use std::path::{Path, PathBuf};

/// The folders of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directories {
    /// Settings: `~/.config/hob`.
    pub config: PathBuf,
    /// Models, state, logs: `~/.local/share/hob`.
    pub state: PathBuf,
}

impl Directories {
    /// The folders under a home. None is made.
    pub fn of_user(home: &Path) -> Self {
        Self { config: home.join(".config/hob"), state: home.join(".local/share/hob") }
    }
}
