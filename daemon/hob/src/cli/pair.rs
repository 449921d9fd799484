//! `hob pair`: a box elsewhere becomes known to this user. It is asked who it is, a person compares that with what its console
//! shows, and only then anything else is said to it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use identity::ExpectedId;
use identity::pairing::{AdminKey, BoxName, Introduction, Paired, PairingError};

use super::list::table;
use super::{Context, ask, neighbour, remark, say};
use crate::serve::neighbours::rules;

/// What `pair` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the box is, as in hob-abcd.local or 192.168.1.5; the port is 11443 unless it is named.
    #[arg(value_name = "BOX", required_unless_present_any = ["list", "remove"])]
    address: Option<String>,
    /// The ID that the console of the box shows, whole or its short form. Without it, the ID is shown and you are asked.
    #[arg(long, value_name = "ID", requires = "address")]
    id: Option<ExpectedId>,
    /// What the box is to be called here; else the first part of its name.
    #[arg(long, value_name = "NAME", requires = "address")]
    name: Option<BoxName>,
    /// A file with the key by which this user is known to the box, or - for standard input.
    #[arg(long, value_name = "FILE", requires = "address")]
    key_file: Option<PathBuf>,
    /// Lists the boxes that are paired.
    #[arg(long, exclusive = true)]
    list: bool,
    /// Forgets a box, and the key for it.
    #[arg(long, value_name = "NAME", exclusive = true)]
    remove: Option<String>,
}

/// How long a box may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    if arguments.list {
        return list(context);
    }
    if let Some(name) = arguments.remove {
        return remove(&name, context);
    }
    let address =
        arguments.address.context("which box?\nhint: hob pair BOX, as in hob pair hob-abcd.local")?;
    let key = arguments.key_file.as_deref().map(ask::secret_from).transpose()?;
    let paired = pair(&address, arguments.id.as_ref(), arguments.name, context).await?;
    if let Some(key) = key {
        let key = AdminKey::new(key.reveal().to_owned());
        context.boxes().save(&paired.clone().with_key(Some(key)))?;
    }
    let name = paired.name();
    say(&format!("paired '{name}' ({}) at {}", paired.id().short(), paired.address()));
    remark(&format!("hint: hob --host {name} list; hob --host {name} claim CODE makes it yours"));
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
    let rules = rules(&context.settings.neighbours);
    let shown = neighbour::acquaint(address.parse()?, rules, PATIENCE).await.map_err(with_hint)?;
    confirm(&shown, id)?;
    let boxes = context.boxes();
    // One that is known keeps its name and its key: only its address is news.
    let known = boxes
        .list()?
        .into_iter()
        .find(|known| known.id() == shown.id && name.as_ref().is_none_or(|name| known.name() == name));
    let name = match (name, &known) {
        (Some(name), _) => name,
        (None, Some(known)) => known.name().clone(),
        (None, None) => usual_name(&shown).parse()?,
    };
    let key = known.and_then(|known| known.key().cloned());
    let paired = Paired::new(name, &shown).with_key(key);
    boxes.save(&paired).with_context(|| {
        format!(
            "another box goes by the name '{name}'\nhint: --name NAME calls this one something else; hob pair --remove {name} \
             forgets that one",
            name = paired.name()
        )
    })?;
    Ok(paired)
}

/// What to do next, where the error does not say so.
fn with_hint(error: PairingError) -> anyhow::Error {
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
        Ok(_) => format!("hob-{}", shown.id.label_letters()),
        Err(_) => host.split('.').next().unwrap_or_default().to_owned(),
    }
}

fn list(context: &Context) -> anyhow::Result<()> {
    let mut rows = vec![["NAME", "ID", "ADDRESS", "KEY"].map(str::to_owned).to_vec()];
    for paired in context.boxes().list()? {
        let key = if paired.key().is_some() { "yes" } else { "no" };
        let name = paired.name().to_string();
        rows.push(vec![name, paired.id().short(), paired.address().to_string(), key.to_owned()]);
    }
    say(&table(&rows));
    Ok(())
}

fn remove(name: &str, context: &Context) -> anyhow::Result<()> {
    let hint = "hint: hob pair --list shows those that are paired";
    let parsed: BoxName = name.parse().with_context(|| format!("no box is called '{name}'\n{hint}"))?;
    anyhow::ensure!(context.boxes().remove(&parsed)?, "no box is called '{name}'\n{hint}");
    say(&format!("forgot '{name}'"));
    Ok(())
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
    fn a_box_is_named_unless_it_is_about_those_that_are_known() {
        let parse = |line: &str| Line::try_parse_from(line.split_whitespace()).map(|line| line.arguments);
        assert_eq!(parse("pair box.local --name attic").unwrap().address.as_deref(), Some("box.local"));
        assert!(parse("pair --list").unwrap().list);
        assert_eq!(parse("pair --remove attic").unwrap().remove.as_deref(), Some("attic"));
        for line in ["pair", "pair box --list", "pair --key-file k", "pair box --id nonsense"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
