//! `hob claim`: a box becomes somebody's. At the box itself the admin socket is right enough; from elsewhere it takes the code
//! that its console shows, which is sent only once the box has proven who it is.

use std::path::PathBuf;

use anyhow::Context as _;
use identity::ExpectedId;
use identity::pairing::{AdminKey, Paired};
use serde_json::{Value, json};

use super::client::Client;
use super::destination::Destination;
use super::{Context, ask, pair, remark, say};

/// What `claim` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The setup code that the console of the box shows. Not needed on the box itself.
    code: Option<String>,
    /// Who it is to belong to: the name to sign in by.
    #[arg(long, default_value = "admin")]
    name: String,
    /// A file whose first line is the password, or - for standard input. Without it, you are asked.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Gives that person another password. On the box itself only.
    #[arg(long, conflicts_with = "code")]
    reset_password: bool,
    /// The ID of a box that was not paired yet, as its console shows it. Without it, the ID is shown and you are asked.
    #[arg(long, value_name = "ID")]
    id: Option<ExpectedId>,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    match destination(&arguments, context).await? {
        Destination::Paired(paired) => claim_paired(arguments, *paired, context).await,
        destination => {
            let client = Client::new(destination, None)?;
            if arguments.reset_password {
                reset(&arguments, &client).await
            } else {
                claim_here(arguments, &client).await
            }
        }
    }
}

/// A box elsewhere is paired first, if it was not.
async fn destination(arguments: &Arguments, context: &Context) -> anyhow::Result<Destination> {
    let destination = context.administered()?;
    let Some(host) = context.asked_host().filter(|_| matches!(destination, Destination::Url(_))) else {
        return Ok(destination);
    };
    anyhow::ensure!(
        !host.contains("http://"),
        "{} is asked for in plaintext, in which no code is sent\nhint: name the box without http://",
        destination.shown()
    );
    let paired = pair::pair(host, arguments.id.as_ref(), None, context).await?;
    remark(&format!("paired '{}' ({})", paired.name(), paired.id().short()));
    Ok(Destination::Paired(Box::new(paired)))
}

/// Whoever may open the admin socket needs no code.
async fn claim_here(arguments: Arguments, client: &Client) -> anyhow::Result<()> {
    // Before a password is asked for.
    let status = client.get("/admin/api/status").await?;
    anyhow::ensure!(
        status["claimed"] != true,
        "the box is somebody's already\nhint: hob claim --reset-password gives a person another password"
    );
    let password = ask::new_password(arguments.password_file.as_deref())?;
    let body = json!({"code": arguments.code, "name": arguments.name, "password": password.reveal()});
    let claimed = client.post("/claim", &body).await?;
    say(&format!("the box is {}'s now", person(&claimed, &arguments.name)));
    remark(
        "hint: hob key create NAME makes a key for a program; `lan = \"on\"` opens the box to the network",
    );
    Ok(())
}

async fn claim_paired(arguments: Arguments, paired: Paired, context: &Context) -> anyhow::Result<()> {
    let name = paired.name().to_string();
    anyhow::ensure!(
        !arguments.reset_password,
        "a password is reset on the box itself, by whoever may open its admin socket\nhint: hob claim --reset-password there"
    );
    let code = match arguments.code {
        Some(code) => code,
        None if ask::is_possible() => ask::line("The setup code that its console shows: ")?,
        None => anyhow::bail!(
            "it takes the setup code that the console of the box shows\nhint: hob --host {name} claim CODE"
        ),
    };
    let password = ask::new_password(arguments.password_file.as_deref())?;
    // What is known there is not to be mixed with what this makes.
    let client = Client::new(Destination::Paired(Box::new(paired.clone().with_key(None))), None)?;
    let body = json!({
        "code": code.trim(), "name": arguments.name, "password": password.reveal(), "key_name": key_name(&arguments.name),
    });
    let claimed = client.post("/claim", &body).await?;
    say(&format!("'{name}' is {}'s now", person(&claimed, &arguments.name)));
    if let Some(warning) = claimed["warning"].as_str() {
        remark(&format!(
            "there is no key for this user: {warning}\nhint: hob key create NAME --scope admin on the box makes one"
        ));
    }
    if let Some(key) = claimed["key"].as_str() {
        let kept = context.boxes().save(&paired.with_key(Some(AdminKey::new(key.to_owned()))));
        kept.context(
            "the box is yours, but its key could not be kept; sign in on its page, or use hob key on the box",
        )?;
        remark(&format!(
            "its key is kept for this user\nhint: hob --host {name} key create NAME makes one for a program"
        ));
    }
    Ok(())
}

async fn reset(arguments: &Arguments, client: &Client) -> anyhow::Result<()> {
    let password = ask::new_password(arguments.password_file.as_deref())?;
    let body = json!({"name": arguments.name, "password": password.reveal()});
    client.post("/admin/api/reset-password", &body).await?;
    say(&format!("{} signs in by the new password from now on", arguments.name));
    Ok(())
}

fn person<'a>(claimed: &'a Value, asked: &'a str) -> &'a str {
    claimed["person"].as_str().unwrap_or(asked)
}

/// By which the key of this user is found in the box's list.
fn key_name(person: &str) -> String {
    format!("{person}, by hob claim")
}
