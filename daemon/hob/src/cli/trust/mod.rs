//! `hob trust`: this machine's programs come to trust a box's certificates, or no longer do. The ID is confirmed before, as for
//! pairing. Where each system keeps whom it trusts is `stores`'s.

mod stores;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use identity::{DeviceId, ExpectedId};
use platform::durable::Staged;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use self::stores::{Change, Store, System};
use super::client::Client;
use super::destination::Destination;
use super::{Context, pair, remark, say};

/// What `trust` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Has the programs of this machine trust the box.
    Install(Which),
    /// Ends that.
    Uninstall(Which),
    /// Prints what the box is trusted by, for programs with a store of their own.
    Export(Which),
}

/// Whom.
#[derive(Debug, clap::Args)]
struct Which {
    /// A box: paired, or to be paired by this. Without one, this machine's own.
    #[arg(value_name = "BOX")]
    named: Option<String>,
    /// The ID that its console shows.
    #[arg(long, value_name = "ID", requires = "named")]
    id: Option<ExpectedId>,
    /// A file that `hob trust export` printed, in place of a box.
    #[arg(long, value_name = "FILE", conflicts_with = "named")]
    root: Option<PathBuf>,
}

/// What a box is trusted by.
#[derive(Debug)]
struct Root {
    pem: String,
    id: DeviceId,
    /// In hex.
    serial: String,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    match arguments.verb {
        Verb::Export(which) => {
            say(root(which, context).await?.pem.trim_end());
            Ok(())
        }
        Verb::Install(which) => change(Change::Install, &root(which, context).await?, context),
        Verb::Uninstall(which) => change(Change::Remove, &root(which, context).await?, context),
    }
}

async fn root(which: Which, context: &Context) -> anyhow::Result<Root> {
    let pem = match (&which.root, which.named.as_deref().or(context.host.as_deref())) {
        (Some(file), _) => {
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
        }
        (None, Some(named)) => match Destination::of(named, &context.boxes().list()?) {
            Destination::Paired(paired) => paired.root_pem(),
            _ => pair::pair(named, which.id.as_ref(), None, context).await?.root_pem(),
        },
        (None, None) => match context.destination()? {
            Destination::Paired(paired) => paired.root_pem(),
            // By the socket: anybody on the machine could answer on the loopback in its place.
            _ => {
                let socket = context.settings.admin.reachable().to_owned();
                Client::new(Destination::Socket(socket), None)?.text("/trust/root.pem").await?
            }
        },
    };
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok().context("that is no certificate in PEM")?;
    let (_, certificate) = X509Certificate::from_der(&der).ok().context("that is no certificate in PEM")?;
    Ok(Root { id: DeviceId::of(&der), serial: format!("{:x}", certificate.serial), pem })
}

/// In every store that there is; one that refuses stops none of the others.
fn change(change: Change, root: &Root, context: &Context) -> anyhow::Result<()> {
    let home = context.settings.surroundings.home()?;
    let stores = stores::of(System::here(), home, root);
    anyhow::ensure!(
        !stores.is_empty(),
        "there is no store of certificates here that hob knows\nhint: hob trust export prints what to put into it"
    );
    let folder = context.state_dir()?;
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut file =
        Staged::create(&folder).with_context(|| format!("cannot write to {}", folder.display()))?;
    file.write_all(root.pem.as_bytes()).context("cannot write the certificate")?;
    let mut changed = 0;
    for store in &stores {
        match store.apply(change, &root.pem, file.path()) {
            Ok(()) => {
                changed += 1;
                say(&format!("{} {}: {}", change.past(), root.id.short(), store.name));
            }
            Err(error) => remark(&format!("{}: {error:#}", store.name)),
        }
    }
    if let Some(hint) = missing(&stores, context) {
        remark(hint);
    }
    anyhow::ensure!(changed > 0, "nothing was changed");
    Ok(())
}

/// Programs without which a store cannot be changed that may well be there.
fn missing(stores: &[Store], context: &Context) -> Option<&'static str> {
    let browsers = stores.iter().any(Store::is_browsers);
    (browsers && !context.settings.surroundings.has_program("certutil")).then_some(
        "hint: browsers have stores of their own, which certutil changes: install libnss3-tools or nss-tools",
    )
}
