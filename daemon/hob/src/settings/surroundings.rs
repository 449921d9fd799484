//! What is to be known of other programs on this machine: where programs lie, and where they were told to keep their
//! settings. What those settings are is `hob launch`'s.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The variables by which programs are told where to keep their settings.
pub(super) const FOLDERS: &[&str] =
    &["CLAUDE_CONFIG_DIR", "CODEX_HOME", "CONTINUE_GLOBAL_DIR", "QWEN_HOME", "XDG_CONFIG_HOME"];

/// Other programs' places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    /// The user's.
    pub(super) home: Option<PathBuf>,
    /// Where the shell looks for programs.
    pub(super) programs: Vec<PathBuf>,
    /// By the name of the variable.
    pub(super) folders: BTreeMap<String, PathBuf>,
}

impl Surroundings {
    /// The user's home folder.
    ///
    /// # Errors
    /// If they have none.
    pub(crate) fn home(&self) -> anyhow::Result<&Path> {
        self.home.as_deref().context("this user has no home folder")
    }

    /// Whether the shell would find a program of this name.
    pub(crate) fn has_program(&self, name: &str) -> bool {
        self.programs.iter().any(|folder| {
            let metadata = folder.join(name).metadata();
            metadata.is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
        })
    }

    /// Where a variable says that settings are kept. A relative path says nothing, as it would mean another place in each
    /// folder.
    pub(crate) fn folder(&self, variable: &str) -> Option<&Path> {
        self.folders.get(variable).map(PathBuf::as_path).filter(|folder| folder.is_absolute())
    }
}
