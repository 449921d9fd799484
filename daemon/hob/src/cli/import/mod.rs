//! `hob import`: the models of a bundle, brought to the daemon. It is given the blobs that it lacks, hashes each, and is told of
//! the models last, so that an import that was broken off leaves no half of one, and goes on where it was.

mod carrier;
mod folder;

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use registry::bundle::{Archive, Bundle, PublicKey, Signed, Source};

use self::carrier::Carrier;
use self::folder::Folder;
use super::{client::Client, remark, say};

/// What `import` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The bundle: a folder or an archive, or - for standard input.
    #[arg(value_name = "FILE|DIR")]
    from: PathBuf,
    /// Refuses what is not signed by this key: minisign's public key, or a file with it.
    #[arg(long, value_name = "PUBLIC_KEY|FILE")]
    key: Option<String>,
}

pub(crate) async fn run(arguments: Arguments, client: &Client) -> anyhow::Result<()> {
    let Arguments { from, key } = arguments;
    let key = key.as_deref().map(public_key).transpose()?;
    let carrier = Carrier::to(client.clone());
    let work = move || -> anyhow::Result<()> {
        if from == Path::new("-") {
            return import(Archive::of_stream(std::io::stdin()), key, &carrier);
        }
        let cannot = || format!("cannot read {}", from.display());
        if from.is_dir() {
            return import(Folder::at(from.clone()), key, &carrier).with_context(cannot);
        }
        let file = File::open(&from).with_context(cannot)?;
        // What is no file, as a pipe with a name, cannot be gone forward in.
        let archive = match file.metadata().with_context(cannot)?.is_file() {
            true => Archive::of_file(file),
            false => Archive::of_stream(file),
        };
        import(archive, key, &carrier).with_context(cannot)
    };
    tokio::task::spawn_blocking(work).await?
}

/// Blocks until all is done.
fn import(source: impl Source, key: Option<PublicKey>, carrier: &Carrier) -> anyhow::Result<()> {
    let mut bundle = Bundle::open(source, key.as_ref())?;
    match bundle.signed() {
        Signed::No => {}
        Signed::Unchecked(id) => remark(&format!(
            "the bundle says to be signed by key {id}, which was not checked\nhint: --key with that public key checks it"
        )),
        Signed::Proven(comment) => remark(&format!("signed: {}", comment.escape_debug())),
    }
    let contents = bundle.contents().clone();
    let lacking = carrier.lacking(contents.blobs())?;
    let to_come = contents.blobs().iter().filter(|entry| lacking.contains(&entry.digest));
    carrier.check_room(to_come.map(|entry| entry.bytes).sum())?;
    for entry in contents.blobs() {
        let lacks = lacking.contains(&entry.digest);
        let blob = bundle.blob(entry)?;
        match lacks {
            true => carrier.bring(entry, blob)?,
            false => carrier.skip(entry),
        }
    }
    // Models are made of a bundle that is whole.
    bundle.end()?;
    for (name, manifest) in bundle.models() {
        carrier.publish(name, manifest)?;
        say(&format!("imported '{name}'"));
    }
    Ok(())
}

/// A key itself, or a file that holds one.
fn public_key(text: &str) -> anyhow::Result<PublicKey> {
    if let Ok(key) = text.parse() {
        return Ok(key);
    }
    let bytes = std::fs::read_to_string(text)
        .with_context(|| format!("--key: {text} is no public key, and no file that can be read"))?;
    bytes.parse().with_context(|| format!("--key {text}"))
}
