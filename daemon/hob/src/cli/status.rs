//! `hob status`: how the box stands. What is said of it, and the setup code, comes from the daemon.

use serde_json::Value;

use super::client::Client;
use super::list::table;
use super::say;

pub(crate) async fn run(client: &Client) -> anyhow::Result<()> {
    let status = client.get("/admin/api/status").await?;
    say(&shown(&status));
    Ok(())
}

fn shown(status: &Value) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            rows.push(vec![name.to_owned(), value]);
        }
    };
    let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
    row("Version", text("version"));
    row("Device ID", text("device_id"));
    row("Claimed", if status["claimed"] == true { "yes" } else { "no" }.to_owned());
    row("Setup code", text("setup_code"));
    for url in strings(&status["urls"]) {
        row("Address", url);
    }
    row("Certificate", super::cert::summary(&status["certificate"]));
    for reason in strings(&status["degraded"]) {
        row("Degraded", reason);
    }
    table(&rows)
}

pub(super) fn strings(values: &Value) -> Vec<String> {
    let values = values.as_array().map_or(&[][..], Vec::as_slice);
    values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
