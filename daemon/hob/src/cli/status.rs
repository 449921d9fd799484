//! `hob status`: how the box stands. What is said of it, and the setup code, comes from the daemon.

use serde_json::Value;

use super::client::Client;
use super::list::table;
use super::{cert, say};

/// What `status` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// As the daemon tells it, for programs.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments, client: &Client) -> anyhow::Result<()> {
    let status = client.get("/admin/api/status").await?;
    say(&if arguments.json { status.to_string() } else { shown(&status) });
    Ok(())
}

fn shown(status: &Value) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            rows.push(vec![name.to_owned(), value]);
        }
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    row("Version", text(&status["version"]));
    row("Device ID", text(&status["device"]["id"]));
    row("Claimed", if status["claimed"] == true { "yes" } else { "no" }.to_owned());
    row("Setup code", text(&status["setup_code"]));
    for address in strings(&status["addresses"]) {
        row("Address", address);
    }
    row("Certificate", cert::summary(&status["device"]["certificate"]));
    for degraded in status["degraded"].as_array().map_or(&[][..], Vec::as_slice) {
        row("Degraded", format!("{}: {}", text(&degraded["what"]), text(&degraded["reason"])));
    }
    table(&rows)
}

pub(super) fn strings(values: &Value) -> Vec<String> {
    let values = values.as_array().map_or(&[][..], Vec::as_slice);
    values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_has_no_row() {
        let bare = json!({"version": "1.0", "claimed": false, "setup_code": "ABCD-EFGH", "addresses": [], "degraded": []});
        assert_eq!(shown(&bare), "Version       1.0\nClaimed       no\nSetup code    ABCD-EFGH");
        let whole = json!({
            "version": "1.0", "claimed": true, "addresses": ["https://hob-abcd.local:11443"],
            "device": {"id": "ABCD", "certificate": {"source": "own", "expires": "2027-01-01T00:00:00Z", "names": []}},
            "degraded": [{"what": "loopback", "reason": "11434 is taken"}],
        });
        let text = shown(&whole);
        assert!(text.contains("Device ID      ABCD") && text.contains("tls.cert"), "{text}");
        assert!(text.contains("loopback: 11434 is taken") && !text.contains("Setup code"), "{text}");
    }
}
