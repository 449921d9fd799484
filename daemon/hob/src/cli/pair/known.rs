//! `hob pair --list` and `--remove`: the boxes that this user knows, and those that this machine's own box is paired with.

use access::{Scope, Scopes};
use anyhow::Context as _;
use identity::pairing::{BoxName, Paired};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::super::client::ClientError;
use super::super::list::table;
use super::super::{Context, remark, say};
use super::own_box;

pub(super) async fn list(context: &Context) -> anyhow::Result<()> {
    let boxes = context.boxes().list()?;
    let peers = match own_box(context)? {
        Some(daemon) => daemon.get("/admin/api/peers").await?["peers"].take(),
        None => Value::Null,
    };
    let peers = peers.as_array().map_or(&[][..], Vec::as_slice);
    if boxes.is_empty() && peers.is_empty() {
        remark(
            "no box is paired\nhint: hob discover lists those on this network; hob pair BOX makes one known",
        );
    } else {
        say(&listed(&boxes, peers));
    }
    Ok(())
}

fn listed(boxes: &[Paired], peers: &[Value]) -> String {
    let mut rows = vec![["NAME", "ID", "ADDRESS", "KEY", "PAIRED WITH", "STATE"].map(str::to_owned).to_vec()];
    let is = |paired: &Paired, peer: &Value| {
        peer["name"] == paired.name().as_str() && peer["id"] == paired.id().to_string()
    };
    for paired in boxes {
        let peer = peers.iter().find(|peer| is(paired, peer));
        let key = if paired.key().is_some() { "yes" } else { "no" };
        let with = if peer.is_some() { "you, this box" } else { "you" };
        rows.push(vec![
            paired.name().to_string(),
            paired.id().short(),
            paired.address().to_string(),
            key.to_owned(),
            with.to_owned(),
            peer.map_or_else(|| "-".to_owned(), state),
        ]);
    }
    for peer in peers.iter().filter(|peer| !boxes.iter().any(|paired| is(paired, peer))) {
        let text = |field: &str| peer[field].as_str().unwrap_or_default().to_owned();
        let (key, with) = ("yes".to_owned(), "this box".to_owned());
        rows.push(vec![text("name"), text("short"), text("address"), key, with, state(peer)]);
    }
    table(&rows)
}

/// How it is, as this machine's box has just found out.
fn state(peer: &Value) -> String {
    match (peer["online"] == true, peer["refused"] == true) {
        (_, true) => "takes our key no longer".to_owned(),
        (true, false) => {
            format!("online {}", peer["version"].as_str().unwrap_or_default()).trim_end().to_owned()
        }
        (false, false) => "offline".to_owned(),
    }
}

pub(super) async fn remove(name: &str, context: &Context) -> anyhow::Result<()> {
    let hint = "hint: hob pair --list shows those that are paired";
    let parsed: BoxName = name.parse().with_context(|| format!("no box is called '{name}'\n{hint}"))?;
    // Its key here first: that is what somebody is in a hurry for.
    let daemon = own_box(context)?;
    let of_this_box = match &daemon {
        Some(daemon) => match daemon.delete(&format!("/admin/api/peers/{parsed}"), &json!({})).await {
            Ok(()) => true,
            Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => false,
            Err(error) => return Err(error.into()),
        },
        None => false,
    };
    let of_the_user = context.boxes().remove(&parsed)?;
    anyhow::ensure!(of_this_box || of_the_user, "no box is called '{name}'\n{hint}");
    say(&format!("forgot '{name}'"));
    if let Some(daemon) = daemon.filter(|_| of_this_box) {
        let status = daemon.get("/admin/api/status").await.unwrap_or_default();
        // What it is called there, unless somebody gave it another name.
        let own = status["device"]["label"].as_str().unwrap_or("NAME");
        remark(&format!(
            "its key here has ended; on '{name}', hob pair --remove {own} ends this box's key there"
        ));
    }
    Ok(())
}

/// What a box says that somebody may. What is no scope is not read, or it could write whatever it likes to a terminal.
pub(super) fn scopes(values: &Value) -> Scopes {
    let values = values.as_array().map_or(&[][..], Vec::as_slice);
    values.iter().filter_map(|value| value.as_str()?.parse::<Scope>().ok()).collect()
}

/// As they are listed in a sentence.
pub(super) fn words(scopes: Scopes) -> String {
    match scopes {
        Scopes::NONE => "nothing".to_owned(),
        scopes => scopes.iter().map(Scope::name).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use identity::DeviceId;
    use identity::pairing::Introduction;
    use rustls::pki_types::CertificateDer;

    use super::*;

    #[test]
    fn a_box_writes_no_words_of_its_own_into_what_it_may() {
        let said = json!(["infer", "\u{1b}]0;pwned\u{7}", "root", 7, "split"]);
        assert_eq!(words(scopes(&said)), "infer, split");
        assert_eq!(words(scopes(&json!("infer"))), "nothing");
    }

    #[test]
    fn a_box_that_both_know_is_listed_once() {
        let paired = |name: &str| {
            let root = CertificateDer::from(name.as_bytes().to_vec());
            let shown = Introduction {
                address: "10.0.0.1".parse().unwrap(),
                place: "10.0.0.1:11443".parse().unwrap(),
                id: DeviceId::of(&root),
                root,
            };
            Paired::new(name.parse().unwrap(), &shown)
        };
        let (attic, cellar) = (paired("attic"), paired("cellar"));
        let peer = |paired: &Paired, more: Value| {
            let mut peer = json!({"name": paired.name().as_str(), "id": paired.id().to_string(), "short": "S", "address": "10.0.0.1:11443"});
            peer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            peer
        };
        let peers = [
            peer(&attic, json!({"online": true, "version": "0.1.0"})),
            peer(&paired("office"), json!({"online": true, "refused": true})),
            peer(&paired("shed"), json!({"online": false})),
        ];

        let shown = listed(&[attic, cellar], &peers);

        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 5, "{shown}");
        assert!(lines[1].contains("you, this box") && lines[1].ends_with("online 0.1.0"), "{shown}");
        assert!(lines[2].starts_with("cellar") && lines[2].trim_end().ends_with('-'), "{shown}");
        assert!(lines[3].contains("this box") && lines[3].contains("no longer"), "{shown}");
        assert!(lines[4].ends_with("offline"), "{shown}");
    }
}
