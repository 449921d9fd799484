//! `hob pair BOX --code`: somebody was invited. If they administer this machine's own box, that box goes there, and the two know each
//! other from then on; else they go themselves.

use anyhow::Context as _;
use identity::pairing::{AdminKey, BoxName, Paired};
use serde_json::{Value, json};

use super::super::client::Client;
use super::super::destination::Destination;
use super::super::{Context, remark, say};
use super::{Met, known, own_box};

pub(super) async fn redeem(code: &str, met: Met, context: &Context) -> anyhow::Result<()> {
    match own_box(context)? {
        Some(daemon) if !is(&daemon, &met).await? => by_own_box(code, met, (&daemon, context)).await,
        _ => alone(code, met, context).await,
    }
}

/// Whether that is the very box which is to be paired.
async fn is(daemon: &Client, met: &Met) -> anyhow::Result<bool> {
    let status = daemon.get("/admin/api/status").await?;
    Ok(status["device"]["id"].as_str() == Some(met.shown.id.to_string().as_str()))
}

async fn by_own_box(code: &str, met: Met, (daemon, context): (&Client, &Context)) -> anyhow::Result<()> {
    let Met { paired, shown } = met;
    let body = json!({
        "address": shown.address.to_string(), "places": [shown.place], "id": shown.id.to_string(), "code": code,
        "name": paired.name().as_str(), "person": person(),
    });
    let made = daemon.post("/admin/api/peers", &body).await?;
    keep(&paired, &made["key"], context)?;
    let name = paired.name();
    say(&format!("paired '{name}' ({}) at {}", shown.id.short(), shown.address));
    let scopes = known::words(&made["scopes"]);
    match made["one_way"].as_str() {
        None => remark(&format!(
            "this box and '{name}' may {scopes} with each other\nhint: hob pull MODEL --from {name} gets a model from there"
        )),
        Some(reason) => remark(&format!(
            "this box may {scopes} with '{name}', which does not ask this one: {reason}\nhint: with `lan = \"on\"` here, reached from \
             there, and another invitation both may"
        )),
    }
    Ok(())
}

async fn alone(code: &str, met: Met, context: &Context) -> anyhow::Result<()> {
    let Met { paired, shown } = met;
    // What is known there is not to be mixed with what this makes.
    let client = Client::new(Destination::Paired(Box::new(paired.clone().with_key(None))), None)?;
    let body = json!({"code": code, "name": BoxName::of_this_machine().as_str(), "person": person()});
    let made = client.post("/pair", &body).await?;
    anyhow::ensure!(
        made["key"].is_string(),
        "this invitation is for a box, and gives a person nothing\nhint: hob pair --invite without --scope invites both"
    );
    keep(&paired, &made["key"], context)?;
    let name = paired.name();
    say(&format!("paired '{name}' ({}) at {}", shown.id.short(), shown.address));
    remark(&format!(
        "you may {} there, by a key that is kept for you\nhint: hob --host {name} list; hob --host {name} run MODEL",
        known::words(&made["scopes"])
    ));
    Ok(())
}

/// With the person's key, if they got one; else with the one they had.
fn keep(paired: &Paired, key: &Value, context: &Context) -> anyhow::Result<()> {
    let paired = match key.as_str() {
        Some(key) => paired.clone().with_key(Some(AdminKey::new(key.to_owned()))),
        None => paired.clone(),
    };
    context.boxes().save(&paired).context("the box is paired, but that could not be kept for you")
}

/// What the key there is called: who it is for, and where they sit.
fn person() -> String {
    let user = platform::users::own_name().unwrap_or_else(|| "somebody".to_owned());
    let person = format!("{user}@{}", BoxName::of_this_machine());
    person.chars().filter(char::is_ascii_graphic).take(64).collect()
}
