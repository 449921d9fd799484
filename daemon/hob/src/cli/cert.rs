//! `hob cert`: the certificate by which the box is known on the network.

use serde_json::Value;

use super::client::Client;
use super::list::table;
use super::say;
use super::status::strings;

pub(crate) async fn run(client: &Client) -> anyhow::Result<()> {
    let status = client.get("/admin/api/status").await?;
    let certificate = &status["device"]["certificate"];
    anyhow::ensure!(
        certificate.is_object(),
        "the box serves no TLS\nhint: set lan to on, and it makes itself a certificate"
    );
    say(&shown(&status, certificate));
    Ok(())
}

fn shown(status: &Value, certificate: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut rows = vec![
        vec!["Device ID".to_owned(), text(&status["device"]["id"])],
        vec!["Signed by".to_owned(), signed_by(certificate).to_owned()],
        vec!["Valid until".to_owned(), text(&certificate["expires"])],
    ];
    rows.extend(strings(&certificate["names"]).into_iter().map(|name| vec!["Name".to_owned(), name]));
    rows.extend(strings(&certificate["warnings"]).into_iter().map(|name| vec!["Warning".to_owned(), name]));
    table(&rows)
}

/// In one line.
pub(super) fn summary(certificate: &Value) -> String {
    match certificate["expires"].as_str() {
        Some(until) => format!("signed by {}, valid until {until}", signed_by(certificate)),
        None => String::new(),
    }
}

fn signed_by(certificate: &Value) -> &'static str {
    match certificate["source"].as_str() {
        Some("own") => "the authority of your certificate (tls.cert)",
        _ => "the box's own authority",
    }
}
