//! `hob export`: models as a bundle, in a folder or an archive, for boxes that no network joins. What a bundle is, is
//! `registry::bundle`'s to say; here are the files, and the daemon that the models are read from.

mod archive;
mod folder;
mod line;

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;
use registry::bundle::{BlobEntry, Contents, SealedKey, SigningKey};
use store::{Digest, Manifest, ModelName};
use tokio_util::sync::CancellationToken;

use self::line::Line;
use super::{ask, client::Client, client::ClientError, human, remark};

/// What `export` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The models' names.
    #[arg(required = true)]
    models: Vec<String>,
    /// Where to: a folder, if it is there or ends in a slash; else an archive, whose name ends in .tar; - for standard output.
    #[arg(required = true, value_name = "FILE|DIR")]
    to: PathBuf,
    /// Signs with this secret key, as minisign -G makes one.
    #[arg(long, value_name = "KEYFILE")]
    sign: Option<PathBuf>,
    /// A file whose first line is the password of that key, or - for standard input. Without it, you are asked.
    #[arg(long, value_name = "FILE", requires = "sign")]
    password_file: Option<PathBuf>,
    /// Writes over an archive that is there.
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run(arguments: Arguments, client: &Client) -> anyhow::Result<()> {
    let place = Place::of(arguments.to)?;
    if let Place::File(path) = &place {
        anyhow::ensure!(
            arguments.force || !path.exists(),
            "{} is there already\nhint: --force writes over it; or name another",
            path.display()
        );
    }
    // Whoever is asked for a password is asked before anything else.
    let key = arguments.sign.as_deref();
    let key = key.map(|file| signing_key(file, arguments.password_file.as_deref())).transpose()?;
    let parcel = Parcel::gather(client, &arguments.models, key).await?;
    let told = format!("exported {}, {}", parcel.names(), human::size(parcel.contents.total_bytes()));
    let stop = CancellationToken::new();
    let line = Line::to(client.clone(), stop.clone());
    let mut work = tokio::task::spawn_blocking(move || match place {
        Place::Folder(path) => folder::write(&path, &parcel, &line),
        Place::File(path) => archive::write(&path, &parcel, &line),
        Place::Output => archive::write_to_output(&parcel, &line),
    });
    tokio::select! {
        done = &mut work => done??,
        _ = tokio::signal::ctrl_c() => {
            // So that what has no name yet is removed.
            stop.cancel();
            work.await??;
        }
    }
    remark(&told);
    Ok(())
}

/// Where a bundle is written to.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Folder(PathBuf),
    File(PathBuf),
    Output,
}

impl Place {
    fn of(to: PathBuf) -> anyhow::Result<Self> {
        if to == Path::new("-") {
            anyhow::ensure!(
                !std::io::stdout().is_terminal(),
                "an archive is nothing for a terminal\nhint: hob export MODEL - | ssh BOX hob import -"
            );
            return Ok(Self::Output);
        }
        let slash = to.as_os_str().as_encoded_bytes().ends_with(b"/");
        if slash || to.is_dir() {
            return Ok(Self::Folder(to));
        }
        // So that a model's name that was meant to be exported is not taken for the place.
        anyhow::ensure!(
            to.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tar")),
            "{to} is no folder that is there, and no name of an archive\nhint: {to}.tar makes an archive, {to}/ a folder",
            to = to.display()
        );
        Ok(Self::File(to))
    }
}

fn signing_key(file: &Path, password_file: Option<&Path>) -> anyhow::Result<SigningKey> {
    let cannot = || format!("cannot use the key {}", file.display());
    let text = std::fs::read_to_string(file).with_context(cannot)?;
    let sealed = SealedKey::parse(&text).with_context(cannot)?;
    let password = match sealed.has_password() {
        true => Some(ask::password(&format!("Password of {}: ", file.display()), password_file)?),
        false => None,
    };
    if password.is_some() {
        remark("opening the key, which takes some seconds");
    }
    sealed.open(password.as_ref().map(|password| password.reveal())).with_context(cannot)
}

/// What is to be written.
struct Parcel {
    contents: Contents,
    signature: Option<String>,
    manifests: HashMap<Digest, Vec<u8>>,
    /// A model of each blob, by which the daemon gives it.
    holders: HashMap<Digest, ModelName>,
}

impl Parcel {
    async fn gather(client: &Client, models: &[String], key: Option<SigningKey>) -> anyhow::Result<Self> {
        let mut gathered: Vec<(ModelName, Manifest)> = Vec::new();
        for text in models {
            let name: ModelName = text.parse().with_context(|| format!("`{text}`"))?;
            if gathered.iter().all(|(other, _)| !other.is_same(&name)) {
                let manifest = match manifest(client, &name).await {
                    Err(error) if error.downcast_ref().is_some_and(ClientError::is_unknown_model) => {
                        anyhow::bail!("there is no model '{name}'\nhint: hob list shows those that are there")
                    }
                    other => other.with_context(|| format!("'{name}'"))?,
                };
                gathered.push((name, manifest));
            }
        }
        let by = format!("hob {}", env!("CARGO_PKG_VERSION"));
        // To the second.
        let written = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default().to_string();
        let contents = Contents::of(&gathered, &written, &by);
        let sign = |key: SigningKey| {
            key.sign(contents.bytes(), &format!("{by}: a bundle of models, {written}")).to_string()
        };
        let signature = key.map(sign);
        let manifests = gathered.iter().map(|(_, it)| (it.digest(), it.bytes().to_vec())).collect();
        let holders = gathered
            .iter()
            .flat_map(|(name, manifest)| manifest.blobs().map(move |blob| (blob.digest, name.clone())))
            .collect();
        Ok(Self { contents, signature, manifests, holders })
    }

    fn names(&self) -> String {
        let names = self.contents.models().iter().map(|model| format!("'{}'", model.name));
        names.collect::<Vec<_>>().join(", ")
    }

    fn manifest(&self, entry: &BlobEntry) -> &[u8] {
        self.manifests.get(&entry.digest).map(Vec::as_slice).unwrap_or_default()
    }

    /// Where the daemon has a blob.
    fn path(&self, entry: &BlobEntry) -> String {
        let holder = self.holders.get(&entry.digest).map(ModelName::repository).unwrap_or_default();
        format!("/v2/{holder}/blobs/{}", entry.digest)
    }
}

async fn manifest(client: &Client, name: &ModelName) -> anyhow::Result<Manifest> {
    let mut response =
        client.download(&format!("/v2/{}/manifests/{}", name.repository(), name.tag())).await?;
    let mut bytes = Vec::new();
    while let Some(more) = response.chunk().await.map_err(ClientError::Transport)? {
        bytes.extend_from_slice(&more);
        anyhow::ensure!(bytes.len() as u64 <= Manifest::MAX_BYTES, "its manifest is longer than any");
    }
    Ok(Manifest::parse(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_or_an_archive_and_never_a_model_that_was_meant() {
        let folder = tempfile::TempDir::new().unwrap();
        let there = folder.path().to_owned();
        assert_eq!(Place::of(there.clone()).unwrap(), Place::Folder(there.clone()));
        assert_eq!(Place::of("new/".into()).unwrap(), Place::Folder("new/".into()));
        assert_eq!(Place::of("models.tar".into()).unwrap(), Place::File("models.tar".into()));
        let error = Place::of("smollm2".into()).unwrap_err().to_string();
        assert!(error.contains("smollm2.tar makes an archive, smollm2/ a folder"), "{error}");
    }
}
