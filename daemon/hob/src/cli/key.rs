//! `hob key`: the keys by which programs are known to the box. A new one is printed once, alone on standard output.

use std::num::{NonZeroU32, NonZeroU64};

use access::{Network, Scope};
use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::list::{ago_of, table};
use super::{remark, say};

/// What `key` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Makes a key and prints it, this once.
    Create(Box<NewKey>),
    /// Lists the keys.
    #[command(visible_alias = "ls")]
    List {
        /// As the daemon tells them, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Ends a key, and what is being answered to it.
    #[command(visible_alias = "rm")]
    Revoke {
        /// Its ID or name.
        key: String,
    },
    /// Ends a key and makes another that may the same; prints it, this once.
    Rotate {
        /// Its ID or name.
        key: String,
    },
}

/// What a key may, and how much.
#[derive(Debug, clap::Args)]
struct NewKey {
    /// What it is to be called, as in `laptop`.
    name: String,
    /// What it may: infer, embed, models.read, models.write, metrics, admin. Without any: infer, embed and models.read. `metrics`
    /// is for figures that are to come, and opens nothing yet.
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<Scope>,
    /// Only models of this name or pattern, as in `smollm2` or `team/*`.
    #[arg(long = "model", value_name = "PATTERN", value_delimiter = ',')]
    models: Vec<String>,
    /// Requests a minute.
    #[arg(long, value_name = "NUMBER")]
    rpm: Option<NonZeroU32>,
    /// Requests at once.
    #[arg(long, value_name = "NUMBER")]
    concurrent: Option<NonZeroU32>,
    /// Tokens a day, of prompts and answers.
    #[arg(long, value_name = "NUMBER")]
    tokens_per_day: Option<NonZeroU64>,
    /// Tokens a month, of prompts and answers.
    #[arg(long, value_name = "NUMBER")]
    tokens_per_month: Option<NonZeroU64>,
    /// Tokens of context that a request may ask for.
    #[arg(long, value_name = "NUMBER")]
    max_context: Option<NonZeroU32>,
    /// Tokens that an answer may have.
    #[arg(long, value_name = "NUMBER")]
    max_output: Option<NonZeroU32>,
    /// Whose turn it is when many wait.
    #[arg(long, value_parser = ["low", "normal", "high"])]
    priority: Option<String>,
    /// Only from there, as in 192.168.1.0/24 or 192.168.1.5.
    #[arg(long = "network", value_name = "NETWORK", value_delimiter = ',')]
    networks: Vec<Network>,
    /// When it ends: a time as in 2026-12-31T00:00:00Z, or after a while as in 30d.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

/// What a key may of which nothing is said.
const USUAL: [Scope; 3] = [Scope::Infer, Scope::Embed, Scope::ModelsRead];

const KEYS: &str = "/admin/api/keys";

pub(crate) async fn run(arguments: Arguments, client: &Client) -> anyhow::Result<()> {
    match arguments.verb {
        Verb::Create(wanted) => show_once(&client.post(KEYS, &body(&wanted)).await?),
        Verb::List { json } => {
            let keys = listed(client).await?;
            say(&if json { Value::Array(keys).to_string() } else { keys_table(&keys, Timestamp::now()) });
            Ok(())
        }
        Verb::Revoke { key } => {
            let (id, name) = find(&listed(client).await?, &key)?;
            client.delete(&format!("{KEYS}/{id}"), &json!({})).await?;
            say(&format!("revoked '{name}' ({id})"));
            Ok(())
        }
        Verb::Rotate { key } => {
            let (id, _) = find(&listed(client).await?, &key)?;
            show_once(&client.post(&format!("{KEYS}/{id}/rotate"), &json!({})).await?)
        }
    }
}

/// The body of a request for a key. What is not said is not in it.
fn body(wanted: &NewKey) -> Value {
    let scopes = if wanted.scopes.is_empty() { &USUAL[..] } else { &wanted.scopes };
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    let mut body = Map::new();
    body.insert("name".into(), json!(wanted.name));
    body.insert("scopes".into(), json!(scopes));
    let networks: Vec<String> = wanted.networks.iter().map(ToString::to_string).collect();
    for (field, values) in [("models", &wanted.models), ("networks", &networks)] {
        if !values.is_empty() {
            body.insert(field.into(), json!(values));
        }
    }
    for (field, value) in [
        ("requests_per_minute", wanted.rpm.map(NonZeroU64::from)),
        ("concurrent", wanted.concurrent.map(NonZeroU64::from)),
        ("tokens_per_day", wanted.tokens_per_day),
        ("tokens_per_month", wanted.tokens_per_month),
        ("max_context", wanted.max_context.map(NonZeroU64::from)),
        ("max_output", wanted.max_output.map(NonZeroU64::from)),
    ] {
        if let Some(value) = value {
            body.insert(field.into(), json!(value));
        }
    }
    for (field, value) in [("priority", &wanted.priority), ("expires", &wanted.expires)] {
        if let Some(value) = value {
            body.insert(field.into(), json!(value));
        }
    }
    Value::Object(body)
}

fn show_once(made: &Value) -> anyhow::Result<()> {
    let text = |field: &str| made[field].as_str().unwrap_or_default();
    anyhow::ensure!(!text("key").is_empty(), "hob made no key, and did not say why");
    remark(&format!(
        "'{}' ({}) may {}; it is shown this once:",
        text("name"),
        text("id"),
        words(&made["scopes"])
    ));
    say(text("key"));
    Ok(())
}

async fn listed(client: &Client) -> anyhow::Result<Vec<Value>> {
    Ok(match client.get(KEYS).await?["keys"].take() {
        Value::Array(keys) => keys,
        _ => Vec::new(),
    })
}

/// The key of this ID or this text, or the only one of this name. A text is not repeated: it would stand in a log.
fn find(keys: &[Value], wanted: &str) -> anyhow::Result<(String, String)> {
    let pair = |key: &Value| {
        let text = |field: &str| key[field].as_str().unwrap_or_default().to_owned();
        (text("id"), text("name"))
    };
    if let Some(key) = keys.iter().find(|key| key["id"] == wanted) {
        return Ok(pair(key));
    }
    if access::is_hob_key(wanted) {
        // Whoever has found one wants to end it, and has nothing else of it.
        let same =
            keys.iter().find(|key| key["shown"].as_str().is_some_and(|shown| is_shown_as(wanted, shown)));
        return same
            .map(pair)
            .context("there is no such key on this box\nhint: hob key list shows those there are");
    }
    let mut named = keys.iter().filter(|key| key["name"] == wanted);
    match (named.next(), named.next()) {
        (Some(key), None) => Ok(pair(key)),
        (Some(_), Some(_)) => anyhow::bail!(
            "several keys are called '{wanted}'\nhint: name it by its ID; hob key list shows them"
        ),
        (None, _) => anyhow::bail!("there is no key '{wanted}'\nhint: hob key list shows those there are"),
    }
}

/// Whether a key's text is what its beginning and its end are listed of.
fn is_shown_as(text: &str, shown: &str) -> bool {
    shown.split_once('…').is_some_and(|(beginning, end)| {
        text.len() > beginning.len() + end.len() && text.starts_with(beginning) && text.ends_with(end)
    })
}

fn keys_table(keys: &[Value], now: Timestamp) -> String {
    let header = ["ID", "NAME", "KEY", "SCOPES", "LIMITS", "LAST USED", "EXPIRES"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for key in keys {
        let text = |field: &str| key[field].as_str().unwrap_or_default().to_owned();
        let expires = match key["expires"].as_str() {
            Some(time) => time.to_owned(),
            None => "Never".to_owned(),
        };
        rows.push(vec![
            text("id"),
            text("name"),
            text("shown"),
            words(&key["scopes"]),
            limits(key),
            ago_of(&key["last_used"], now),
            expires,
        ]);
    }
    table(&rows)
}

fn words(values: &Value) -> String {
    let values = values.as_array().map_or(&[][..], Vec::as_slice);
    values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}

fn limits(key: &Value) -> String {
    let figures = [
        ("requests_per_minute", "/min"),
        ("concurrent", " at once"),
        ("tokens_per_day", " tokens/day"),
        ("tokens_per_month", " tokens/month"),
        ("max_context", " of context"),
        ("max_output", " of an answer"),
    ];
    let mut words: Vec<String> =
        figures.iter().filter_map(|(field, unit)| Some(format!("{}{unit}", key[field].as_u64()?))).collect();
    words.extend(
        [&key["models"], &key["networks"]].map(self::words).into_iter().filter(|text| !text.is_empty()),
    );
    words.extend(
        key["priority"]
            .as_str()
            .filter(|priority| *priority != "normal")
            .map(|priority| format!("{priority} priority")),
    );
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
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

    fn asked(line: &str) -> Result<Value, String> {
        let parsed = Line::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())?;
        match parsed.arguments.verb {
            Verb::Create(wanted) => Ok(body(&wanted)),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_key_asks_for_what_was_said_and_nothing_else() {
        assert_eq!(
            asked("key create laptop").unwrap(),
            json!({"name": "laptop", "scopes": ["infer", "embed", "models.read"]})
        );
        let all = "key create ci --scope infer,metrics --scope embed --model smollm2,team/* --rpm 60 --concurrent 4 \
            --tokens-per-day 100000 --tokens-per-month 2000000 --max-context 4096 --max-output 512 --network 10.0.0.0/8,192.168.1.5 \
            --expires 30d --priority low";
        assert_eq!(
            asked(all).unwrap(),
            json!({
                "name": "ci", "scopes": ["infer", "metrics", "embed"], "models": ["smollm2", "team/*"],
                "networks": ["10.0.0.0/8", "192.168.1.5/32"], "requests_per_minute": 60, "concurrent": 4, "tokens_per_day": 100_000,
                "tokens_per_month": 2_000_000, "max_context": 4096, "max_output": 512, "priority": "low", "expires": "30d",
            })
        );
        assert!(asked("key create a --scope root").unwrap_err().contains("there are infer, embed"));
        assert!(asked("key create a --network house").unwrap_err().contains("house"));
        assert!(asked("key create a --priority first").unwrap_err().contains("first"));
    }

    #[test]
    fn a_key_is_found_by_its_id_or_by_a_name_that_is_its_alone() {
        let key = |id: &str, name: &str| json!({"id": id, "name": name});
        let keys = [key("a1", "laptop"), key("b2", "ci"), key("c3", "ci"), key("d4", "b2")];
        let found = |wanted| find(&keys, wanted).map(|(id, _)| id).map_err(|error| error.to_string());
        assert_eq!(found("laptop").unwrap(), "a1");
        assert_eq!(found("c3").unwrap(), "c3");
        assert_eq!(found("b2").unwrap(), "b2", "an ID comes before a name");
        assert!(found("ci").unwrap_err().contains("by its ID"));
        assert!(found("phone").unwrap_err().contains("hob key list"));

        let keys = [json!({"id": "a1", "name": "laptop", "shown": "hob_KGeM…jsjv"})];
        let found = |wanted| find(&keys, wanted).map(|(id, _)| id).map_err(|error| error.to_string());
        assert_eq!(found("hob_KGeMTn7XphWt5RVnOUBv6ovIklIVbPX4u3Yjsjv").unwrap(), "a1");
        let unknown = "hob_KGeMTn7XphWt5RVnOUBv6ovIklIVbPX4u3Yjsjw";
        assert!(!found(unknown).unwrap_err().contains(unknown));
    }
}
