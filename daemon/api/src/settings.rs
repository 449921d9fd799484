//! What the owner has decided, as the page sees it: what can be asked of the settings, and what they say of themselves. Where they are
//! read and kept is `hob`'s to know.

use std::{collections::BTreeMap, io, sync::Arc};

/// The box's settings, while it runs. What blocks, blocks on the disk.
pub trait Settings: Send + Sync {
    /// What is in force now of what can change without a restart.
    fn in_force(&self) -> Arc<InForce>;

    /// All settings there are.
    fn all(&self) -> Vec<Setting>;

    /// Whether the box would start with these changes, and nothing is wrong with any of them. Blocks.
    ///
    /// # Errors
    /// [`SettingsError`], with the setting at fault.
    fn check(&self, changes: &Changes) -> Result<(), SettingsError>;

    /// Checks these changes and keeps them, whole or not at all; puts in force what can be. Blocks.
    ///
    /// # Errors
    /// [`SettingsError`]; nothing is changed then.
    fn keep(&self, changes: &Changes) -> Result<(), SettingsError>;

    /// Begins to end the daemon in order, to run anew as the same process. It returns at once.
    fn restart(&self);

    /// What may be seen of a setting that is set to this; of one that there is none of, nothing.
    fn shown(&self, name: &str, text: &str) -> Value;

    /// What people call the box.
    fn name(&self) -> String {
        self.in_force().name.clone()
    }
}

/// What can change while the box runs. A request goes by what was in force when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// What people call the box.
    pub name: String,
    /// The context of one request in tokens, where neither it nor its model says.
    pub context_tokens: u32,
    /// Whether other boxes may have this one's models.
    pub share: bool,
}

/// New values by the settings' names; `None` is whatever is beneath the page's.
pub type Changes = BTreeMap<String, Option<String>>;

/// A setting, and what it is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As in a file, with its section: `models.keep_alive`.
    pub name: &'static str,
    /// What may be written there.
    pub kind: Kind,
    /// What it decides, in a sentence.
    pub about: &'static str,
    /// Without anybody's word; `None` where that is nothing, or depends on the machine.
    pub default: Option<String>,
    /// What is in force.
    pub value: Value,
    /// Who said so.
    pub origin: Origin,
    /// What the page keeps, which may not be in force.
    pub kept: Value,
    /// Why the page cannot change it.
    pub locked: Option<String>,
    /// When a change counts.
    pub counts: Counts,
    /// Whose word a change needs.
    pub needs: Needs,
}

/// What may be written for a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any words.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// One of these words; of those of [`Kind::Open`] any other text as well.
    Choice(&'static [&'static str]),
    /// One of these words, or something else that the sentence says.
    Open(&'static [&'static str]),
    /// Bytes, as in `8GiB`.
    Size,
    /// As in `5m`.
    Time,
    /// With commas between.
    List,
    /// Of a file or folder of this machine.
    Path,
    /// Told to nobody.
    Secret,
}

/// What a setting is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    None,
    /// This.
    Text(String),
    /// Something that nobody is told.
    Hidden,
}

/// Who set a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Which layer.
    pub layer: Layer,
    /// Which file, or which variable.
    pub place: Option<String>,
}

/// What lies over what: each counts above those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Nobody.
    Default,
    /// A file of the machine's or the user's.
    File,
    /// What the page keeps.
    Page,
    /// A variable of the daemon's environment.
    Environment,
}

/// When a change of a setting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// From the next request on.
    AtOnce,
    /// From the next start on.
    AfterRestart,
}

/// Whose word a change of a setting needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Of whoever may administer the box.
    Admin,
    /// Of that, and their password once more: it says who comes in, or whom the box trusts.
    Password,
}

/// Why settings are not changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is none of this name.
    #[error("there is no setting {0}")]
    Unknown(String),
    /// The page cannot change it.
    #[error("{name} cannot be changed here: {why}")]
    Locked {
        /// Which.
        name: String,
        /// Why not.
        why: String,
    },
    /// The box would not start with them.
    #[error("{message}")]
    Invalid {
        /// Which is at fault, if it is one of them.
        name: Option<String>,
        /// What is wrong.
        message: String,
    },
    /// They cannot be written down.
    #[error("the settings cannot be kept: {0}")]
    Disk(#[from] io::Error),
}

impl Value {
    /// What may be seen of it.
    pub(crate) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::None | Self::Hidden => None,
        }
    }
}

impl SettingsError {
    /// The setting at fault.
    pub(crate) fn field(&self) -> Option<&str> {
        match self {
            Self::Unknown(name) | Self::Locked { name, .. } => Some(name),
            Self::Invalid { name, .. } => name.as_deref(),
            Self::Disk(_) => None,
        }
    }
}
