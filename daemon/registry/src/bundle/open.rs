//! A bundle that is read: its own word, whose word that is, and the manifests are checked before the first blob is handed out.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use store::{Digest, Manifest, ModelName};

use super::{BlobEntry, BundleError, Contents, KeyId, Part, PublicKey, Signature};

/// Where the files of a bundle come from, which are asked for in its order.
pub trait Source {
    /// This file; `None` if it is not there, or not what comes next.
    ///
    /// # Errors
    /// [`BundleError`] says what is there in its place, if that is nothing for a bundle.
    fn open(&mut self, part: Part) -> Result<Option<Opened<'_>>, BundleError>;

    /// What comes next, where the order is not ours to choose.
    ///
    /// # Errors
    /// As [`Source::open`].
    fn upcoming(&mut self) -> Result<Option<Part>, BundleError> {
        Ok(None)
    }

    /// Nothing more is asked for.
    ///
    /// # Errors
    /// If there is more.
    fn end(&mut self) -> Result<(), BundleError> {
        Ok(())
    }
}

/// A file of a bundle.
pub struct Opened<'a> {
    /// Its length, as far as anybody says.
    pub bytes: u64,
    /// Fails where the file ends before.
    pub reader: Box<dyn Read + 'a>,
}

/// Whose word a bundle is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Nobody's.
    No,
    /// It says to be this key's, and nobody asked for a proof.
    Unchecked(KeyId),
    /// The key's that was asked for, which says this of it.
    Proven(String),
}

/// An open bundle.
pub struct Bundle<S> {
    source: S,
    contents: Contents,
    signed: Signed,
    models: Vec<(ModelName, Manifest)>,
}

/// A signature is four lines.
const MAX_SIGNATURE_BYTES: u64 = 4096;

impl<S: Source> Bundle<S> {
    /// Reads all of a bundle but its blobs. With a `key`, nothing is believed that is not signed by it.
    ///
    /// # Errors
    /// [`BundleError`] says what is wrong with it.
    pub fn open(mut source: S, key: Option<&PublicKey>) -> Result<Self, BundleError> {
        let none = || BundleError::NotABundle(Part::Contents);
        source.upcoming().map_err(|error| match error {
            BundleError::Truncated | BundleError::Damaged(_) => none(),
            other => other,
        })?;
        let bytes = small(&mut source, Part::Contents, Contents::MAX_BYTES)?.ok_or_else(none)?;
        let signature = small(&mut source, Part::Signature, MAX_SIGNATURE_BYTES)?;
        let signed = signed(&bytes, signature, key)?;
        let contents = Contents::parse(bytes)?;
        let mut manifests = HashMap::new();
        for entry in contents.manifests() {
            manifests.insert(entry.digest, whole(&mut source, entry)?);
        }
        let mut models = Vec::new();
        for model in contents.models() {
            // Each manifest was read above, and several models may have one.
            let bytes = manifests.get(&model.manifest).cloned().unwrap_or_default();
            let manifest = Manifest::parse(bytes).map_err(|source| {
                let model = Box::new(model.name.clone());
                BundleError::Manifest { model, source }
            })?;
            models.push((model.name.clone(), manifest));
        }
        complete(&contents, &models)?;
        Ok(Self { source, contents, signed, models })
    }

    /// What it says of itself.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Whose word that is.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }

    /// The models, each with its manifest. Of their blobs all are in the bundle.
    pub fn models(&self) -> &[(ModelName, Manifest)] {
        &self.models
    }

    /// The next blob. They are asked for in the order of [`Contents::blobs`], and some may be left out. What it hashes to is for
    /// whoever keeps it to see.
    ///
    /// # Errors
    /// [`BundleError`] if it is not there, or not as long as it should be.
    pub fn blob(&mut self, entry: &BlobEntry) -> Result<Box<dyn Read + '_>, BundleError> {
        expect(&mut self.source, entry)
    }

    /// That there is nothing else.
    ///
    /// # Errors
    /// If there is.
    pub fn end(&mut self) -> Result<(), BundleError> {
        self.source.end()
    }
}

fn signed(bytes: &[u8], signature: Option<Vec<u8>>, key: Option<&PublicKey>) -> Result<Signed, BundleError> {
    let signature = signature.map(|text| Signature::parse(&text)).transpose()?;
    Ok(match (signature, key) {
        (None, None) => Signed::No,
        (None, Some(_)) => return Err(BundleError::NotSigned),
        (Some(signature), None) => Signed::Unchecked(signature.key_id()),
        (Some(signature), Some(key)) => Signed::Proven(signature.verify(key, bytes)?.to_owned()),
    })
}

/// The models and the blobs are each other's.
fn complete(contents: &Contents, models: &[(ModelName, Manifest)]) -> Result<(), BundleError> {
    let lengths: HashMap<Digest, u64> =
        contents.blobs().iter().map(|entry| (entry.digest, entry.bytes)).collect();
    let mut named = HashSet::new();
    for (name, manifest) in models {
        for blob in manifest.blobs() {
            if lengths.get(&blob.digest) != Some(&blob.size) {
                let (model, blob) = (Box::new(name.clone()), blob.digest);
                return Err(BundleError::Lacking { model, blob });
            }
            named.insert(blob.digest);
        }
    }
    match contents.blobs().iter().find(|entry| !named.contains(&entry.digest)) {
        Some(stray) => Err(BundleError::Stray(stray.digest)),
        None => Ok(()),
    }
}

/// A small file whose length the bundle tells.
fn whole(source: &mut impl Source, entry: &BlobEntry) -> Result<Vec<u8>, BundleError> {
    let mut bytes = Vec::new();
    expect(source, entry)?.read_to_end(&mut bytes).map_err(told)?;
    if Digest::of(&bytes) != entry.digest {
        return Err(BundleError::WrongBytes(Part::Blob(entry.digest)));
    }
    Ok(bytes)
}

fn expect<'a>(source: &'a mut impl Source, entry: &BlobEntry) -> Result<Box<dyn Read + 'a>, BundleError> {
    let part = Part::Blob(entry.digest);
    let found = source.upcoming()?;
    if let Some(found) = found.filter(|found| *found != part) {
        return Err(BundleError::OutOfOrder { expected: part, found });
    }
    let opened = source.open(part)?.ok_or(BundleError::Missing(part))?;
    if opened.bytes != entry.bytes {
        return Err(BundleError::WrongSize { part, expected: entry.bytes, bytes: opened.bytes });
    }
    Ok(Box::new(opened.reader.take(entry.bytes)))
}

/// A small file, if it is there.
fn small(source: &mut impl Source, part: Part, most: u64) -> Result<Option<Vec<u8>>, BundleError> {
    let Some(opened) = source.open(part)? else { return Ok(None) };
    let mut bytes = Vec::new();
    if opened.bytes > most {
        return Err(BundleError::TooLong { part, bytes: opened.bytes, most });
    }
    // What it says of its length may be a lie.
    opened.reader.take(most).read_to_end(&mut bytes).map_err(told)?;
    Ok(Some(bytes))
}

/// What a reader of ours had to say, in its own words again.
fn told(error: std::io::Error) -> BundleError {
    match error.downcast::<BundleError>() {
        Ok(error) => error,
        Err(error) => BundleError::Io(error),
    }
}
