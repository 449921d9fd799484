//! `bundle.json`: what a bundle says of itself. Checked when it is read, whoever wrote it.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use store::{Digest, Manifest, ModelName};

use super::{BundleError, Part};

/// The only format that there is.
const VERSION: u64 = 1;

/// Names and digests of some ten thousand blobs; more is an attack.
const MAX_BYTES: u64 = 4 << 20;

/// All manifests are in memory at once.
const MAX_MANIFEST_BYTES: u64 = 64 << 20;

/// Larger than any disk, and small enough for sums.
const MAX_BLOB_BYTES: u64 = 1 << 50;

/// What is in a bundle, as its own file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    models: Vec<ModelEntry>,
    manifests: Vec<BlobEntry>,
    blobs: Vec<BlobEntry>,
    bytes: Vec<u8>,
}

/// A model of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// Its name.
    pub name: ModelName,
    /// Its manifest.
    pub manifest: Digest,
}

/// A file of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobEntry {
    /// Its name.
    pub digest: Digest,
    /// Its length.
    pub bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u64,
    #[serde(default)]
    written: String,
    #[serde(default)]
    by: String,
    models: Vec<ModelText>,
    blobs: Vec<BlobEntry>,
}

#[derive(Serialize, Deserialize)]
struct ModelText {
    name: String,
    manifest: Digest,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

impl Contents {
    /// How long the file may be.
    pub const MAX_BYTES: u64 = MAX_BYTES;

    /// What a bundle of these models says of itself: `written`, a date, by which program. Each blob is in it once.
    pub fn of(models: &[(ModelName, Manifest)], written: &str, by: &str) -> Self {
        let mut seen = HashSet::new();
        let manifests = models.iter().map(|(_, manifest)| BlobEntry {
            digest: manifest.digest(),
            bytes: manifest.bytes().len() as u64,
        });
        let manifests: Vec<BlobEntry> = manifests.filter(|entry| seen.insert(entry.digest)).collect();
        let blobs = models.iter().flat_map(|(_, manifest)| manifest.blobs());
        let blobs = blobs.map(|blob| BlobEntry { digest: blob.digest, bytes: blob.size });
        let blobs: Vec<BlobEntry> = blobs.filter(|entry| seen.insert(entry.digest)).collect();
        let models: Vec<ModelEntry> = models
            .iter()
            .map(|(name, manifest)| ModelEntry { name: name.clone(), manifest: manifest.digest() })
            .collect();
        let document = Document {
            version: VERSION,
            written: written.to_owned(),
            by: by.to_owned(),
            models: models
                .iter()
                .map(|model| ModelText { name: model.name.fully_qualified(), manifest: model.manifest })
                .collect(),
            blobs: manifests.iter().chain(&blobs).copied().collect(),
        };
        let mut bytes =
            serde_json::to_vec_pretty(&document).expect("texts and numbers cannot fail to serialize");
        bytes.push(b'\n');
        Self { models, manifests, blobs, bytes }
    }

    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`BundleError::Newer`], or [`BundleError::Malformed`] with what is wrong with it.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, BundleError> {
        if bytes.len() as u64 > MAX_BYTES {
            let (part, bytes) = (Part::Contents, bytes.len() as u64);
            return Err(BundleError::TooLong { part, bytes, most: MAX_BYTES });
        }
        let malformed = |error: serde_json::Error| BundleError::Malformed(shown(&error.to_string()));
        // First of all: what a later version has in it may be anything.
        let Version { version } = serde_json::from_slice(&bytes).map_err(malformed)?;
        match version {
            VERSION => {}
            0 => return Err(BundleError::Malformed("its version is 0".into())),
            later => return Err(BundleError::Newer(later)),
        }
        let document: Document = serde_json::from_slice(&bytes).map_err(malformed)?;
        let mut models = Vec::new();
        let mut names = HashSet::new();
        for ModelText { name: text, manifest } in document.models {
            let name: ModelName = text
                .parse()
                .ok()
                .filter(|name: &ModelName| name.fully_qualified() == text)
                .ok_or_else(|| BundleError::Malformed(format!("`{}` is no full name", shown(&text))))?;
            if !names.insert(text.to_ascii_lowercase()) {
                return Err(BundleError::Malformed(format!("it names '{name}' twice")));
            }
            models.push(ModelEntry { name, manifest });
        }
        if models.is_empty() {
            return Err(BundleError::Malformed("it names no model".into()));
        }
        let (manifests, blobs) = sorted(&models, document.blobs)?;
        Ok(Self { models, manifests, blobs, bytes })
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The models.
    pub fn models(&self) -> &[ModelEntry] {
        &self.models
    }

    /// The manifests, in the order of the bundle.
    pub fn manifests(&self) -> &[BlobEntry] {
        &self.manifests
    }

    /// Everything else, in the order of the bundle, after the manifests.
    pub fn blobs(&self) -> &[BlobEntry] {
        &self.blobs
    }

    /// Bytes of all blobs and manifests.
    pub fn total_bytes(&self) -> u64 {
        self.manifests.iter().chain(&self.blobs).map(|entry| entry.bytes).sum()
    }
}

/// The manifests, in their models' order, and the rest.
fn sorted(
    models: &[ModelEntry],
    files: Vec<BlobEntry>,
) -> Result<(Vec<BlobEntry>, Vec<BlobEntry>), BundleError> {
    let mut lengths = HashMap::new();
    for BlobEntry { digest, bytes } in &files {
        if *bytes > MAX_BLOB_BYTES {
            let part = Part::Blob(*digest);
            return Err(BundleError::TooLong { part, bytes: *bytes, most: MAX_BLOB_BYTES });
        }
        if lengths.insert(*digest, *bytes).is_some() {
            return Err(BundleError::Malformed(format!("it names blob {digest} twice")));
        }
    }
    let (mut manifests, mut are_manifests, mut total) = (Vec::new(), HashSet::new(), 0);
    for ModelEntry { name, manifest: digest } in models {
        let bytes = *lengths.get(digest).ok_or_else(|| {
            BundleError::Malformed(format!("the manifest of '{name}' is not among its blobs"))
        })?;
        if !are_manifests.insert(*digest) {
            continue;
        }
        total += bytes;
        let most = Manifest::MAX_BYTES.min((MAX_MANIFEST_BYTES + bytes).saturating_sub(total));
        if bytes > most {
            return Err(BundleError::TooLong { part: Part::Blob(*digest), bytes, most });
        }
        manifests.push(BlobEntry { digest: *digest, bytes });
    }
    let blobs = files.into_iter().filter(|file| !are_manifests.contains(&file.digest)).collect();
    Ok((manifests, blobs))
}

/// A stranger's text in a message: short, and without what a terminal would take for its own.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 120;
    let escaped = text.escape_debug().to_string();
    match escaped.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &escaped[..end]),
        None => escaped,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn document() -> Value {
        json!({
            "version": 1,
            "models": [{"name": "registry.ollama.ai/library/a:latest", "manifest": digest("manifest")}],
            "blobs": [{"digest": digest("manifest"), "bytes": 8}, {"digest": digest("blob"), "bytes": 4}],
        })
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut Value), words: &str) {
        let mut document = document();
        change(&mut document);
        let error = Contents::parse(document.to_string().into_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let read = Contents::parse(document().to_string().into_bytes()).unwrap();
        assert_eq!(read.models()[0].name.to_string(), "a:latest");
        assert_eq!(read.manifests(), [BlobEntry { digest: digest("manifest"), bytes: 8 }]);
        assert_eq!(read.blobs(), [BlobEntry { digest: digest("blob"), bytes: 4 }]);
        assert_eq!(read.total_bytes(), 12);

        let blob = json!({"mediaType": "x", "digest": digest("blob"), "size": 4});
        let manifest = json!({"schemaVersion": 2, "config": blob, "layers": [blob, blob]}).to_string();
        let manifest = Manifest::parse(manifest.into_bytes()).unwrap();
        let models = ["a", "b"].map(|name| (name.parse().unwrap(), manifest.clone()));
        let written = Contents::of(&models, "2026-11-26T04:00:00Z", "hob 1");
        assert_eq!(Contents::parse(written.bytes().to_vec()).unwrap(), written);
        assert_eq!((written.models().len(), written.manifests().len(), written.blobs().len()), (2, 1, 1));
    }

    #[test]
    fn a_bundle_that_says_nonsense_of_itself_is_refused() {
        refused(|it| it["version"] = json!(2), "a later hob can import it");
        refused(|it| it["version"] = json!(0), "its version is 0");
        refused(|it| it["version"] = json!("1"), "makes no sense");
        refused(|it| it["models"] = json!([]), "names no model");
        refused(|it| it["models"][0]["name"] = json!("a"), "`a` is no full name");
        refused(|it| it["models"][0]["name"] = json!("a/b/../../c\u{1b}[2J:d"), "\\u{1b}");
        refused(
            |it| {
                let mut other = it["models"][0].clone();
                other["name"] = json!("registry.ollama.ai/library/A:latest");
                it["models"].as_array_mut().unwrap().push(other);
            },
            "'A:latest' twice",
        );
        refused(|it| it["models"][0]["manifest"] = json!("sha256:../../x"), "invalid digest");
        refused(|it| it["models"][0]["manifest"] = json!(digest("else")), "not among its blobs");
        refused(|it| it["blobs"][1]["digest"] = json!(digest("manifest")), "twice");
        refused(|it| it["blobs"][1]["bytes"] = json!(-1), "makes no sense");
        refused(|it| it["blobs"][1]["bytes"] = json!(u64::MAX), "may have");
        refused(|it| it["blobs"][0]["bytes"] = json!((1 << 20) + 1), "may have 1048576");
        assert!(matches!(
            Contents::parse(vec![b' '; (4 << 20) + 1]),
            Err(BundleError::TooLong { part: Part::Contents, .. })
        ));
    }

    #[test]
    fn the_manifests_of_a_bundle_fit_into_memory() {
        let entry = |number: u64| BlobEntry { digest: digest(&number.to_string()), bytes: 1 << 20 };
        let model = |number: u64| ModelEntry {
            name: format!("m{number}").parse().unwrap(),
            manifest: entry(number).digest,
        };
        let of = |count| {
            sorted(&(0..count).map(model).collect::<Vec<_>>(), (0..count).map(entry).collect::<Vec<_>>())
        };
        assert_eq!(of(64).unwrap().0.len(), 64);
        assert!(matches!(of(65), Err(BundleError::TooLong { .. })));
    }
}
