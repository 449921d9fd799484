//! `hob pair --invite`: the box prints a code, by which another one, or somebody's laptop, is paired.

use access::Scope;
use identity::pairing::USUAL_PORT;
use serde_json::{Value, json};

use super::super::client::Client;
use super::super::{remark, say};
use super::known;

const INVITATIONS: &str = "/admin/api/invitations";

pub(super) async fn make(scopes: &[Scope], client: &Client) -> anyhow::Result<()> {
    let body = match scopes {
        [] => json!({}),
        scopes => json!({"scopes": scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>()}),
    };
    let made = client.post(INVITATIONS, &body).await?;
    // Alone on standard output, for a script that carries it over.
    say(text(&made["code"]));
    remark(&told(&made));
    Ok(())
}

pub(super) async fn withdraw(client: &Client) -> anyhow::Result<()> {
    client.delete(INVITATIONS, &json!({})).await?;
    say("nobody is invited any more");
    Ok(())
}

fn told(made: &Value) -> String {
    let address = made["addresses"].as_array().and_then(|all| all.first()).unwrap_or(&Value::Null);
    let address = match text(address).trim_start_matches("https://") {
        "" => format!("{}.local", text(&made["label"])),
        address => address.trim_end_matches(&format!(":{USUAL_PORT}")).to_owned(),
    };
    format!(
        "until {} whoever types it, once, may {}; type there:\n\n    hob pair {address} --code {}\n\nand compare the ID that it shows \
         with this box's:\n\n    {}\n\nhint: hob pair --withdraw takes the invitation back",
        text(&made["expires"]),
        known::words(known::scopes(&made["scopes"])),
        text(&made["code"]),
        text(&made["id"]),
    )
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_typed_at_the_other_end_is_told_whole() {
        let mut made = json!({
            "code": "ABCD-EFGH", "expires": "2026-11-26T00:10:00Z", "scopes": ["infer", "embed"], "id": "AAAA-BBBB", "label": "hob-aaaa",
            "addresses": ["https://10.129.0.1:11443"],
        });
        let line = told(&made);
        assert!(line.contains("hob pair 10.129.0.1 --code ABCD-EFGH\n"), "{line}");
        assert!(line.contains("    AAAA-BBBB\n") && line.contains("may infer, embed;"), "{line}");
        made["addresses"] = json!(["https://10.129.0.1:8443"]);
        assert!(told(&made).contains("hob pair 10.129.0.1:8443 "));
        made["addresses"] = json!([]);
        assert!(told(&made).contains("hob pair hob-aaaa.local "));
    }
}
