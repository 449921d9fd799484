//! Templates that requests bring. What takes a while to find out about one is kept, since it comes again.

use protocol::GenerateError;

use super::{Examples, Template, refused};
use crate::template::GoTemplate;

/// Templates of the last requests, the coldest first.
#[derive(Default)]
pub(super) struct Requested(Vec<(String, Template)>);

const KEPT: usize = 4;

impl Requested {
    /// To be given back.
    ///
    /// # Errors
    /// [`GenerateError::Template`] for one that does not parse.
    pub(super) fn take(&mut self, source: &str) -> Result<Template, GenerateError> {
        if let Some(at) = self.0.iter().position(|(known, _)| known == source) {
            return Ok(self.0.remove(at).1);
        }
        let template = GoTemplate::parse(source).map_err(|error| refused(error.to_string()))?;
        let examples = Examples::of(&template);
        Ok(Template::Go(Box::new(template), examples))
    }

    pub(super) fn give_back(&mut self, source: &str, template: Template) {
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push((source.to_owned(), template));
    }
}
