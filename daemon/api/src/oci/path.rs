//! What a path under `/v2/` names.

use access::Caller;
use store::{Digest, ModelName};

use crate::error::Error;

/// What is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Manifest(Repository, Reference),
    Blob(Holder, Digest),
    Tags(Repository),
}

/// All models that have the same name but for their tags, spelled as it was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repository {
    /// The one of them with the usual tag.
    model: ModelName,
    pub(super) asked: String,
}

/// Which one of a repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Tag(ModelName),
    Digest(Digest),
}

/// In what a blob is looked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Repository(Repository),
    /// Any model that the caller may use. No registry has this: another box knows a blob by its digest, and not by which of its
    /// names we know it.
    Any,
}

/// In place of a repository: no name is spelled like that.
const ANY: &str = "-";

impl Wanted {
    pub(super) fn parse(path: &str) -> Result<Self, Error> {
        if let Some(repository) = path.strip_suffix("/tags/list") {
            return Ok(Self::Tags(Repository::parse(repository)?));
        }
        let parts = path.rsplit_once('/').and_then(|(rest, last)| Some((rest.rsplit_once('/')?, last)));
        match parts {
            Some(((repository, "manifests"), reference)) => {
                let repository = Repository::parse(repository)?;
                let reference = Reference::parse(&repository, reference)?;
                Ok(Self::Manifest(repository, reference))
            }
            Some(((holder, "blobs"), text)) => Ok(Self::Blob(Holder::parse(holder)?, digest(text)?)),
            _ => Err(Error::UnknownRepository { asked: path.into() }),
        }
    }
}

impl Repository {
    fn parse(text: &str) -> Result<Self, Error> {
        // A tag is in another place here.
        let own = text.rsplit('/').next().unwrap_or_default();
        let model = text.parse::<ModelName>().ok().filter(|_| !own.contains(':'));
        Ok(Self { model: model.ok_or(Error::InvalidName)?, asked: text.into() })
    }

    /// Whether it has this model, and the caller may know.
    pub(super) fn shows(&self, name: &ModelName, caller: &Caller) -> bool {
        let same = |ours: &str, theirs: &str| ours.eq_ignore_ascii_case(theirs);
        same(self.model.host(), name.host())
            && same(self.model.namespace(), name.namespace())
            && same(self.model.model(), name.model())
            && caller.may_use(&name.fully_qualified())
    }
}

impl Reference {
    fn parse(repository: &Repository, text: &str) -> Result<Self, Error> {
        if text.contains(':') {
            return Ok(Self::Digest(digest(text)?));
        }
        let tagged = format!("{}:{text}", repository.asked);
        Ok(Self::Tag(tagged.parse().map_err(|_| Error::InvalidName)?))
    }
}

impl Holder {
    fn parse(text: &str) -> Result<Self, Error> {
        if text == ANY { Ok(Self::Any) } else { Ok(Self::Repository(Repository::parse(text)?)) }
    }

    /// Whether it has this model, and the caller may know.
    pub(super) fn shows(&self, name: &ModelName, caller: &Caller) -> bool {
        match self {
            Self::Repository(repository) => repository.shows(name, caller),
            Self::Any => caller.may_use(&name.fully_qualified()),
        }
    }
}

fn digest(text: &str) -> Result<Digest, Error> {
    text.parse().map_err(|_| Error::InvalidDigest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_manifest_a_blob_or_the_tags_of_a_repository() {
        let blob = Digest::of(b"a");
        let parsed = |path: String| Wanted::parse(&path).ok();
        let tag = |path: &str| match parsed(path.into()) {
            Some(Wanted::Manifest(_, Reference::Tag(name))) => name.fully_qualified(),
            other => format!("{other:?}"),
        };

        assert_eq!(tag("localhost:5000/me/mine/manifests/7b"), "localhost:5000/me/mine:7b");
        assert_eq!(tag("library/smollm2/manifests/135m"), "registry.ollama.ai/library/smollm2:135m");
        assert_eq!(tag("smollm2/manifests/latest"), "registry.ollama.ai/library/smollm2:latest");
        // Names of their own, which are also words of the protocol.
        assert_eq!(tag("me/blobs/manifests/list"), "registry.ollama.ai/me/blobs:list");
        let by_digest = parsed(format!("library/smollm2/manifests/{blob}"));
        assert!(matches!(by_digest, Some(Wanted::Manifest(_, Reference::Digest(found))) if found == blob));
        assert_eq!(parsed(format!("-/blobs/{blob}")), Some(Wanted::Blob(Holder::Any, blob)));
        assert!(matches!(parsed("a/b/tags/list".into()), Some(Wanted::Tags(_))));
    }

    #[test]
    fn what_is_no_path_of_the_protocol_or_no_name_is_refused() {
        let blob = Digest::of(b"a");
        for path in [
            "library/smollm2".to_owned(),
            "library/smollm2/manifests/".to_owned(),
            "library/smollm2:135m/manifests/latest".to_owned(),
            "../../x/manifests/latest".to_owned(),
            "-/manifests/latest".to_owned(),
            "-/tags/list".to_owned(),
            "library/smollm2/blobs/sha256:../../etc/passwd".to_owned(),
            "library/smollm2/manifests/sha256:x".to_owned(),
            format!("/blobs/{blob}"),
            format!("library/smollm2/blobs/uploads/{blob}"),
        ] {
            assert!(Wanted::parse(&path).is_err(), "{path}");
        }
    }
}
