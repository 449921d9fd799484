//! `hob pair BOX --code`: somebody was invited. If they administer this machine's own box, that box goes there, and the two know each
//! other from then on; else they go themselves.

use access::{OneTimeCode, Scope};
use anyhow::Context as _;
use identity::pairing::{AdminKey, BoxName, Paired};
use serde_json::{Value, json};

use super::super::client::Client;
use super::super::destination::Destination;
use super::super::{Context, remark, say};
use super::{Met, known, own_box};

/// What is brought, and what the other box is to have here, if that is named.
pub(super) struct Brought {
    pub(super) code: OneTimeCode,
    pub(super) gives: Vec<Scope>,
}

pub(super) async fn redeem(brought: Brought, met: Met, context: &Context) -> anyhow::Result<()> {
    match own_box(context)? {
        Some(daemon) => by_own_box(brought, met, (&daemon, context)).await,
        None => alone(brought, met, context).await,
    }
}

async fn by_own_box(
    brought: Brought,
    met: Met,
    (daemon, context): (&Client, &Context),
) -> anyhow::Result<()> {
    let Met { paired, shown } = met;
    let Brought { code, gives } = brought;
    let mut body = json!({
        "address": shown.address.to_string(), "places": [shown.place], "id": shown.id.to_string(), "code": code.reveal(),
        "name": paired.name().as_str(), "person": person(),
    });
    if !gives.is_empty() {
        body["scopes"] = gives.into_iter().map(Scope::name).collect();
    }
    let made = daemon.post("/admin/api/peers", &body).await?;
    keep(&paired, &made["key"], context)?;
    let name = paired.name();
    say(&format!("paired '{name}' ({}) at {}", shown.id.short(), shown.address));
    remark(&told(name.as_str(), &made));
    Ok(())
}

/// What each may at the other from now on.
fn told(name: &str, made: &Value) -> String {
    let scopes = known::scopes(&made["scopes"]);
    let granted = known::words(known::scopes(&made["granted"]));
    let may = format!("this box may {} at '{name}'", known::words(scopes));
    let mut told = match made["one_way"].as_str() {
        None => format!("{may}, and '{name}' may {granted} here"),
        Some(reason) => format!(
            "{may}, which does not ask this one: {reason}\nhint: once that is mended, another invitation has both ask each other"
        ),
    };
    if scopes.contains(Scope::ModelsRead) {
        told += &format!("\nhint: hob pull MODEL --from {name} gets a model from there");
    }
    told
}

async fn alone(brought: Brought, met: Met, context: &Context) -> anyhow::Result<()> {
    anyhow::ensure!(
        brought.gives.is_empty(),
        "--scope is what the other box may at this machine's, and here is none that you administer; nothing was sent"
    );
    let Met { paired, shown } = met;
    // What is known there is not to be mixed with what this makes.
    let client = Client::new(Destination::Paired(Box::new(paired.clone().with_key(None))), None)?;
    let body = json!({"code": brought.code.reveal(), "name": BoxName::of_this_machine().as_str(), "person": person()});
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
        known::words(known::scopes(&made["scopes"]))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_may_is_told_and_nothing_that_would_not_work() {
        let both = told("attic", &json!({"scopes": ["models.read"], "granted": ["infer", "embed"]}));
        assert!(
            both.contains("this box may models.read at 'attic', and 'attic' may infer, embed here"),
            "{both}"
        );
        assert!(both.contains("hob pull MODEL --from attic"), "{both}");
        let one = told("attic", &json!({"scopes": ["split"], "one_way": "it is not found"}));
        assert!(one.contains("may split at 'attic', which does not ask this one: it is not found"), "{one}");
        assert!(!one.contains("hob pull"), "{one}");
    }
}
