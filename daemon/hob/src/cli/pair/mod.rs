//! `hob pair`: a box elsewhere becomes known to this user, and to this machine's own box. It is asked who it is, a person compares
//! that with what its console shows, and only then anything else is said to it.

mod code;
mod invitation;
mod known;

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use access::{OneTimeCode, Scope};
use anyhow::Context as _;
use identity::ExpectedId;
use identity::pairing::{AdminKey, BoxName, Introduction, Paired, PairingError};

use super::client::Client;
use super::destination::Destination;
use super::{Context, ask, neighbour, remark, say};
use crate::serve::neighbours::rules;

/// What `pair` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the box is, as in hob-abcd.local or 192.168.1.5; the port is 11443 unless it is named.
    #[arg(value_name = "BOX", required_unless_present_any = ["list", "remove", "invite", "withdraw"])]
    address: Option<String>,
    /// The ID that the console of the box shows, whole or its short form. Without it, the ID is shown and you are asked.
    #[arg(long, value_name = "ID", requires = "address")]
    id: Option<ExpectedId>,
    /// What the box is to be called here; else the first part of its name.
    #[arg(long, value_name = "NAME", requires = "address")]
    name: Option<BoxName>,
    /// The code of an invitation, which `hob pair --invite` on the box prints. You, and this machine's own box if you administer
    /// it, get keys for that.
    #[arg(
        long,
        value_name = "CODE",
        requires = "address",
        conflicts_with = "key_file",
        group = "invitation"
    )]
    code: Option<OneTimeCode>,
    /// A file with the key by which this user is known to the box, or - for standard input.
    #[arg(long, value_name = "FILE", requires = "address")]
    key_file: Option<PathBuf>,
    /// Invites a box, or somebody's laptop: prints a code that is good once, for ten minutes.
    #[arg(long, conflicts_with = "address", group = "invitation")]
    invite: bool,
    /// What the other may here, be it invited or this box invited by it: infer, embed, models.read, split. Without any: the first
    /// three, and of a box that invited this one, no more of them than it gives. `split` is for boxes that compute parts of each
    /// other's models, and trusts them as much as this one.
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', requires = "invitation")]
    scopes: Vec<Scope>,
    /// Takes an invitation back.
    #[arg(long, exclusive = true)]
    withdraw: bool,
    /// Lists the boxes that are paired, with you and with this machine's box.
    #[arg(long, exclusive = true)]
    list: bool,
    /// Forgets a box and the keys for it, and ends its key here.
    #[arg(long, value_name = "NAME", exclusive = true)]
    remove: Option<String>,
}

/// How long a box may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let about_us = arguments.list || arguments.remove.is_some();
    if let Some(host) = context.host.as_deref().filter(|_| about_us) {
        anyhow::bail!(
            "whom {host} is paired with is asked there: --list and --remove are about you and this machine's own box\nhint: run it \
             on {host}, or leave --host out"
        );
    }
    if arguments.list {
        return known::list(context).await;
    }
    if let Some(name) = arguments.remove {
        return known::remove(&name, context).await;
    }
    if arguments.invite {
        return invitation::make(&arguments.scopes, &context.administration()?).await;
    }
    if arguments.withdraw {
        return invitation::withdraw(&context.administration()?).await;
    }
    let address =
        arguments.address.context("which box?\nhint: hob pair BOX, as in hob pair hob-abcd.local")?;
    if let Some(code) = arguments.code {
        let met = meet(&address, arguments.id.as_ref(), arguments.name, context).await?;
        let brought = code::Brought { code, gives: arguments.scopes };
        return code::redeem(brought, met, context).await;
    }
    let key = arguments.key_file.as_deref().map(ask::secret_from).transpose()?;
    let is_key = key.as_ref().is_none_or(|key| access::is_whole_key(key.reveal()));
    anyhow::ensure!(
        is_key,
        "what is in that file is no key, or was not copied whole\nhint: a key begins with hob_; hob key create NAME on the box makes \
         one"
    );
    let paired = pair(&address, arguments.id.as_ref(), arguments.name, context).await?;
    if let Some(key) = key {
        let key = AdminKey::new(key.reveal().to_owned());
        context.boxes().save(&paired.clone().with_key(Some(key)))?;
    }
    let name = paired.name();
    say(&format!("paired '{name}' ({}) at {}", paired.id().short(), paired.address()));
    remark(&format!(
        "hint: hob --host {name} list; hob --host {name} claim CODE makes it yours; hob pair --invite there prints what to pair with \
         it by --code"
    ));
    Ok(())
}

/// Asks the box who it is, has that confirmed, and writes it down.
///
/// # Errors
/// If it is not the right one, or nobody says that it is.
pub(crate) async fn pair(
    address: &str,
    id: Option<&ExpectedId>,
    name: Option<BoxName>,
    context: &Context,
) -> anyhow::Result<Paired> {
    let Met { paired, .. } = meet(address, id, name, context).await?;
    context.boxes().save(&paired)?;
    Ok(paired)
}

/// A box that is the right one, by the name that it is to have. Nothing was said to it, and nothing written down.
struct Met {
    paired: Paired,
    shown: Introduction,
}

async fn meet(
    address: &str,
    id: Option<&ExpectedId>,
    name: Option<BoxName>,
    context: &Context,
) -> anyhow::Result<Met> {
    let rules = rules(&context.settings.neighbours);
    let shown = neighbour::acquaint(address.parse()?, rules, PATIENCE).await.map_err(with_hint)?;
    confirm(&shown, id)?;
    // One that is known keeps its name and its key: only its address is news.
    let boxes = context.boxes().list()?;
    let known = boxes
        .iter()
        .find(|known| known.id() == shown.id && name.as_ref().is_none_or(|name| known.name() == name));
    let name = match (name, known) {
        (Some(name), _) => name,
        (None, Some(known)) => known.name().clone(),
        (None, None) => usual_name(&shown).parse()?,
    };
    if let Some(other) = boxes.iter().find(|other| *other.name() == name && other.id() != shown.id) {
        let changed = PairingError::Changed { name: name.clone(), expected: other.id(), found: shown.id };
        return Err(anyhow::Error::from(changed).context(format!(
            "another box goes by the name '{name}'\nhint: --name NAME calls this one something else; hob pair --remove {name} \
             forgets that one"
        )));
    }
    let key = known.and_then(|known| known.key().cloned());
    Ok(Met { paired: Paired::new(name, &shown).with_key(key), shown })
}

/// The daemon of this machine, if this user administers it.
pub(super) fn own_box(context: &Context) -> anyhow::Result<Option<Client>> {
    Ok(match context.administered()? {
        destination @ Destination::Socket(_) => {
            let Destination::Socket(path) = &destination else { return Ok(None) };
            match UnixStream::connect(path) {
                Ok(_) => Some(Client::new(destination, None)?),
                Err(_) => None,
            }
        }
        _ => None,
    })
}

/// What to do next, where the error does not say so.
fn with_hint(error: PairingError) -> anyhow::Error {
    if let PairingError::Unreachable { address, source } = &error
        && let Some(label) = discovery::label_of(&address.host())
        && is_unknown_host(source)
    {
        return anyhow::anyhow!(
            "there is no {label} on this network\nhint: hob discover lists the boxes that are; one is announced once its lan is on"
        );
    }
    let hint = match &error {
        PairingError::Unreachable { .. } => {
            "see whether it is on, and whether lan is set there; hob discover lists the boxes on this network"
        }
        PairingError::Certificates { .. } => {
            "`hob cert` on the box lists the names and addresses that it can be paired by; its clock and this one must be right"
        }
        PairingError::Tls { .. } => "the port of a box is 11443, unless its lan says otherwise",
        _ => return error.into(),
    };
    anyhow::anyhow!("{:#}\nhint: {hint}", anyhow::Error::from(error))
}

/// It is the resolver's error and none of a connection, which has a number or ran out of time.
fn is_unknown_host(error: &std::io::Error) -> bool {
    error.raw_os_error().is_none() && error.kind() != std::io::ErrorKind::TimedOut
}

/// That it is the one whose ID is in hand; without one, whoever sits there has to say so.
fn confirm(shown: &Introduction, expected: Option<&ExpectedId>) -> anyhow::Result<()> {
    if let Some(expected) = expected {
        return Ok(shown.must_be(expected)?);
    }
    anyhow::ensure!(
        ask::is_possible(),
        "there is nobody to compare the ID of {} with what its console shows\nhint: `hob status` on the box shows its ID; give \
         it with --id",
        shown.address
    );
    remark(&format!("{} says that it is\n\n    {}\n", shown.address, shown.id));
    let question = "Does its console, or `hob status` there, show the same? [y/N] ";
    anyhow::ensure!(ask::yes(question)?, "the box was not paired, and nothing was sent to it");
    Ok(())
}

/// The first part of a name; for an address, the label of the box.
fn usual_name(shown: &Introduction) -> String {
    let host = shown.address.host();
    match host.parse::<std::net::IpAddr>() {
        Ok(_) => shown.id.label(),
        Err(_) => host.split('.').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn a_box_is_named_unless_it_is_about_those_that_are_known_or_are_to_come() {
        let parse = |line: &str| Line::try_parse_from(line.split_whitespace()).map(|line| line.arguments);
        assert_eq!(parse("pair box.local --name attic").unwrap().address.as_deref(), Some("box.local"));
        assert!(parse("pair --list").unwrap().list);
        assert_eq!(parse("pair --remove attic").unwrap().remove.as_deref(), Some("attic"));
        assert_eq!(parse("pair box --code ABCD-EFGH").unwrap().code.unwrap().reveal(), "ABCD-EFGH");
        let guest = parse("pair box --code ABCD-EFGH --scope infer,split").unwrap();
        assert_eq!(guest.scopes, [Scope::Infer, Scope::Split]);
        let invited = parse("pair --invite --scope infer,embed --scope split").unwrap();
        assert_eq!(invited.scopes, [Scope::Infer, Scope::Embed, Scope::Split]);
        for line in [
            "pair",
            "pair box --list",
            "pair --key-file k",
            "pair box --id nonsense",
            "pair --code ABCD-EFGH",
            "pair box --scope infer",
            "pair box --invite",
            "pair box --code AAAA",
            "pair box --code=",
            "pair box --code ABCD-EFGH --key-file k",
            "pair --invite --scope everything",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
