//! `hob discover`: which boxes are on the network, by what they say of themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use discovery::Neighbour;
use identity::DeviceId;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::list::table;
use super::pair::own_box;
use super::{Context, neighbour, remark, say};
use crate::serve::neighbours::rules;

/// What `discover` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Goes on, and tells who comes and goes.
    #[arg(long, conflicts_with = "during")]
    watch: bool,
    /// How long it is listened, as in `5s`.
    #[arg(long = "for", value_name = "DURATION", value_parser = span, default_value = "2s")]
    during: Duration,
    /// One array of objects; with --watch an object a line.
    #[arg(long)]
    json: bool,
}

/// After which it is rather watched than waited for.
const LONGEST: Duration = Duration::from_secs(600);

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<()> {
    let known = known(context).await?;
    let discovery = neighbour::browse(rules(&context.settings.neighbours));
    if arguments.watch {
        return watch(discovery.watch(), &known, arguments.json).await;
    }
    // To the end: who is farther away comes later.
    let _to_the_end = timeout(arguments.during, std::future::pending::<()>()).await;
    let found = discovery.neighbours();
    match arguments.json {
        true => {
            say(&Value::from_iter(found.iter().map(|neighbour| described(neighbour, &known))).to_string())
        }
        false if !found.is_empty() => {
            let rows = [headings()].into_iter().chain(found.iter().map(|neighbour| row(neighbour, &known)));
            say(&table(&rows.collect::<Vec<_>>()));
        }
        false => {}
    }
    if found.is_empty() {
        remark("no box was found on this network");
        remark(
            "hint: a box is announced once its lan is on; UDP port 5353 must be open in the firewalls of both machines",
        );
    }
    Ok(())
}

/// A box that is paired, or this machine's own.
#[derive(Debug)]
struct Known {
    name: String,
    id: DeviceId,
}

/// What the own box is called in the list.
const OWN: &str = "this box";

/// With this user, and with this machine's own box if they may ask it: what is not told is not known, and no failure.
async fn known(context: &Context) -> anyhow::Result<Vec<Known>> {
    let boxes = context.boxes().list()?;
    let mut known: Vec<Known> =
        boxes.iter().map(|paired| Known { name: paired.name().to_string(), id: paired.id() }).collect();
    if let Some(daemon) = own_box(context)? {
        let status = daemon.get("/admin/api/status").await.unwrap_or_default();
        let peers = daemon.get("/admin/api/peers").await.unwrap_or_default();
        let id = |value: &Value| value["id"].as_str()?.parse().ok();
        known.extend(id(&status["device"]).map(|id| Known { name: OWN.to_owned(), id }));
        let peers = peers["peers"].as_array().map_or(&[][..], Vec::as_slice);
        known.extend(
            peers
                .iter()
                .filter_map(|peer| Some(Known { name: peer["name"].as_str()?.to_owned(), id: id(peer)? })),
        );
    }
    Ok(known)
}

/// As in `2s` or `500ms`.
fn span(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| "write it as in 2s".to_owned())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return Err("write it as in 2s, with ms, s or m".to_owned()),
    };
    let span = Duration::from_millis(number.saturating_mul(milliseconds));
    if span > LONGEST { Err("more than 10m is what --watch is for".to_owned()) } else { Ok(span) }
}

/// Until it is interrupted.
async fn watch(
    mut list: tokio::sync::watch::Receiver<std::sync::Arc<[Neighbour]>>,
    known: &[Known],
    json: bool,
) -> anyhow::Result<()> {
    let mut there: BTreeMap<(String, String), Neighbour> = BTreeMap::new();
    if !json {
        remark("looking for boxes; Ctrl-C ends it");
    }
    loop {
        let now: BTreeMap<_, _> = list
            .borrow_and_update()
            .iter()
            .map(|neighbour| ((neighbour.label.clone(), neighbour.id.clone()), neighbour.clone()))
            .collect();
        for (event, neighbour) in news(&there, &now) {
            if json {
                let mut line = described(neighbour, known);
                line["event"] = event.into();
                say(&line.to_string());
            } else {
                say(&format!("{event:<8}{}", row(neighbour, known).join("    ")));
            }
        }
        there = now;
        if list.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// Who came, went, or says something else than before.
fn news<'a, K: Ord>(
    before: &'a BTreeMap<K, Neighbour>,
    now: &'a BTreeMap<K, Neighbour>,
) -> Vec<(&'static str, &'a Neighbour)> {
    let gone = before.iter().filter(|(key, _)| !now.contains_key(key)).map(|(_, one)| ("gone", one));
    let here = now.iter().filter_map(|(key, one)| match before.get(key) {
        None => Some(("found", one)),
        Some(known) if known != one => Some(("changed", one)),
        Some(_) => None,
    });
    gone.chain(here).collect()
}

fn headings() -> Vec<String> {
    ["NAME", "ID", "URL", "VERSION", "STATE", "PAIRED"].map(str::to_owned).to_vec()
}

/// That it is paired is told of whoever claims that ID; it is proven when it is asked for something.
fn paired<'a>(neighbour: &Neighbour, known: &'a [Known]) -> Option<&'a str> {
    known.iter().find(|known| neighbour.claims_to_be(&known.id)).map(|known| known.name.as_str())
}

fn row(neighbour: &Neighbour, known: &[Known]) -> Vec<String> {
    let paired = paired(neighbour, known).unwrap_or("no");
    let Neighbour { label, id, version, .. } = neighbour;
    [label.as_str(), id, &neighbour.url(), version, neighbour.phase.name(), paired]
        .map(str::to_owned)
        .to_vec()
}

fn described(neighbour: &Neighbour, known: &[Known]) -> Value {
    let addresses: Vec<String> = neighbour.addresses.iter().map(ToString::to_string).collect();
    json!({
        "label": neighbour.label,
        "id": neighbour.id,
        "url": neighbour.url(),
        "addresses": addresses,
        "version": neighbour.version,
        "state": neighbour.phase.name(),
        "paired": paired(neighbour, known),
    })
}

#[cfg(test)]
mod tests {
    use discovery::Phase;

    use super::*;

    fn neighbour(label: &str) -> Neighbour {
        Neighbour {
            label: label.into(),
            id: "PXJU-6WI7-U7QC-P2".into(),
            port: 11443,
            addresses: vec!["10.0.0.5".parse().unwrap()],
            version: "0.1".into(),
            phase: Phase::Setup,
        }
    }

    #[test]
    fn how_long_is_written_with_a_unit() {
        assert_eq!(span("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(span("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(span("1m"), Ok(Duration::from_secs(60)));
        for wrong in ["", "2", "s", "-1s", "2h", "11m", "99999999999999999999s"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn who_came_who_went_and_who_changed_is_told() {
        let by_label = |all: &[Neighbour]| {
            all.iter().map(|one| (one.label.clone(), one.clone())).collect::<BTreeMap<_, _>>()
        };
        let before = by_label(&[neighbour("a"), neighbour("b"), neighbour("c")]);
        let now =
            by_label(&[neighbour("b"), Neighbour { phase: Phase::Ready, ..neighbour("c") }, neighbour("d")]);

        let told = news(&before, &now);
        let told: Vec<(&str, &str)> = told.iter().map(|(event, one)| (*event, one.label.as_str())).collect();

        assert_eq!(told, [("gone", "a"), ("changed", "c"), ("found", "d")]);
        assert!(news(&now, &now).is_empty());
    }

    #[test]
    fn a_box_is_described_as_the_daemon_describes_it() {
        assert_eq!(
            described(&neighbour("hob-pxju"), &[]),
            json!({
                "label": "hob-pxju",
                "id": "PXJU-6WI7-U7QC-P2",
                "url": "https://hob-pxju.local:11443",
                "addresses": ["10.0.0.5"],
                "version": "0.1",
                "state": "setup",
                "paired": null,
            })
        );
    }
}
