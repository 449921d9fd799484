//! What stands on the wire of several of this family's routes.

use protocol::{Done, Think, ThinkLevel, ToolChoice};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::json::Harmless;

/// What clients of Ollama find here.
pub(super) const FINGERPRINT: &str = "fp_ollama";

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamOptions {
    /// Whether a last event tells what was used.
    pub(super) include_usage: Option<bool>,
    /// There is no padding to be left out.
    #[serde(default)]
    pub(super) include_obfuscation: Harmless,
}

/// Whether tools are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChoiceWord {
    None,
    Auto,
    Required,
}

impl From<ChoiceWord> for ToolChoice {
    fn from(word: ChoiceWord) -> Self {
        match word {
            ChoiceWord::None => Self::None,
            ChoiceWord::Auto => Self::Auto,
            ChoiceWord::Required => Self::Required,
        }
    }
}

/// How hard to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Ultra,
    Max,
}

impl From<Effort> for Think {
    fn from(effort: Effort) -> Self {
        Self::Level(match effort {
            Effort::None => return Self::Off,
            Effort::Minimal | Effort::Low => ThinkLevel::Low,
            Effort::Medium => ThinkLevel::Medium,
            Effort::High => ThinkLevel::High,
            Effort::Xhigh | Effort::Ultra | Effort::Max => ThinkLevel::Max,
        })
    }
}

/// How many tokens were read and said.
#[derive(Clone, Default, Serialize, ToSchema)]
pub(crate) struct Usage {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Clone, Default, Serialize, ToSchema)]
pub(crate) struct PromptDetails {
    /// Of the prompt's, those that had been computed before.
    cached_tokens: u32,
}

#[derive(Clone, Default, Serialize, ToSchema)]
pub(crate) struct CompletionDetails {
    /// Of what was said, those that were thought.
    reasoning_tokens: u32,
}

impl Usage {
    /// A prompt, which may have several answers.
    pub(super) fn add_prompt(&mut self, done: &Done) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(done.prompt_tokens);
        let cached = &mut self.prompt_tokens_details.cached_tokens;
        *cached = cached.saturating_add(done.cached_tokens);
        self.total_tokens = self.total_tokens.saturating_add(done.prompt_tokens);
    }

    /// One of its answers.
    pub(super) fn add_answer(&mut self, done: &Done) {
        self.completion_tokens = self.completion_tokens.saturating_add(done.generated_tokens);
        let thought = &mut self.completion_tokens_details.reasoning_tokens;
        *thought = thought.saturating_add(done.thinking_tokens);
        self.total_tokens = self.total_tokens.saturating_add(done.generated_tokens);
    }
}
