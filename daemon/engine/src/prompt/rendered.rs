//! Prompts that are told and not gone on from.

use protocol::{Generate, GenerateError, Overflow, Rendered};

use super::{Prompt, PromptBuilder};
use crate::ggml::Token;

impl PromptBuilder {
    /// The request's prompt, cut if that is wanted, but never refused for its length; and what is told of it, but for its
    /// tokens if it has files.
    pub(crate) fn render(&mut self, request: &Generate) -> Result<(Prompt, Rendered), GenerateError> {
        let mut prompt = self.uncut(request)?;
        if request.overflow == Overflow::Truncate && prompt.tokens.len() >= self.context_tokens {
            prompt = self.without_middle(prompt, request);
        }
        let text = match &prompt.text {
            Some(text) => self.with_names_of_files(text),
            None => String::from_utf8_lossy(&self.model.pieces(&prompt.tokens)?.concat()).into_owned(),
        };
        let media = u32::try_from(request.media.0.len()).unwrap_or(u32::MAX);
        let tokens = prompt.tokens.clone();
        Ok((prompt, Rendered { text, tokens, media }))
    }

    /// What tokens stand for.
    pub(crate) fn pieces(&self, tokens: &[Token]) -> Result<Vec<Vec<u8>>, GenerateError> {
        self.model.pieces(tokens)
    }

    /// The mark that stands for a file is a secret.
    fn with_names_of_files(&self, text: &str) -> String {
        let Some(marker) = &self.marker else { return text.to_owned() };
        let mut parts = text.split(marker.as_str());
        let mut named = parts.next().unwrap_or_default().to_owned();
        for (at, part) in parts.enumerate() {
            named += &format!("[img-{at}]");
            named += part;
        }
        named
    }
}
