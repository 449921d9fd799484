//! What is kept of responses, and found again: the one place where this API meets the state. How it looks to clients is
//! `response`'s and `items`'.

use protocol::Owner;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use state::{ItemKind, Limits, Stored};

use super::{
    conversation,
    items::Item,
    response::{Response, Status},
};
use crate::{
    Api,
    error::{Error, Invalid},
    json,
};

/// Until there are people and keys, all that is kept is one owner's.
pub(super) const OWNER: Owner = Owner(0);

/// A conversation that is gone on with may be as long as a body, pictures and all.
const CONVERSATION_BYTES: usize = crate::body::CONVERSATION_BYTES;

/// Keeps a response, and what it was asked with.
pub(super) async fn keep(api: &Api, response: &Response, input: &[Item]) -> Result<(), Error> {
    let mut items: Vec<state::Item> = input.iter().map(|item| kept(ItemKind::Input, item)).collect();
    items.extend(response.output.iter().map(|item| kept(ItemKind::Output, item)));
    let response = state::Response {
        id: response.id.clone(),
        owner: OWNER,
        previous: response.previous_response_id.clone(),
        created: response.created_at,
        pending: matches!(response.status, Status::Queued | Status::InProgress),
        body: body(response),
        items,
    };
    api.on_state(move |state| state.keep_response(&response, Limits::default())).await
}

/// Keeps the end of a response that was kept while it was under way; false if it was deleted.
pub(super) async fn settle(api: &Api, response: &Response) -> Result<bool, Error> {
    let output: Vec<_> = response.output.iter().map(|item| kept(ItemKind::Output, item)).collect();
    let (id, body) = (response.id.clone(), body(response));
    api.on_state(move |state| state.settle_response(OWNER, &id, &body, &output)).await
}

/// A response that was kept. One that was under way when the daemon ended has failed.
pub(super) async fn find(api: &Api, id: &str) -> Result<Found, Error> {
    let unknown = || Error::UnknownResponse { id: id.to_owned() };
    let asked = id.to_owned();
    let stored = api.on_state(move |state| state.response(OWNER, &asked)).await?.ok_or_else(unknown)?;
    Found::of(stored)
}

/// Forgets a response.
pub(super) async fn forget(api: &Api, id: &str) -> Result<(), Error> {
    let asked = id.to_owned();
    match api.on_state(move |state| state.delete_response(OWNER, &asked)).await? {
        true => Ok(()),
        false => Err(Error::UnknownResponse { id: id.to_owned() }),
    }
}

/// The items of a request, each reference as what it stands for.
pub(super) async fn resolved(api: &Api, items: Vec<Item>) -> Result<Vec<Item>, Error> {
    let mut resolved = Vec::with_capacity(items.len());
    for item in items {
        resolved.push(match item {
            Item::Reference(reference) => {
                let asked = reference.id.clone();
                let found = api.on_state(move |state| state.item(OWNER, &asked)).await?;
                read(&found.ok_or_else(|| conversation::not_found(&reference.id))?)?
            }
            item => item,
        });
    }
    Ok(resolved)
}

/// All that was said up to the end of a response, the oldest first.
pub(super) async fn earlier(api: &Api, previous: &str) -> Result<Vec<Item>, Error> {
    let asked = previous.to_owned();
    let found = api.on_state(move |state| state.conversation(OWNER, &asked)).await?;
    let found = found.ok_or_else(|| Error::UnknownPrevious { id: previous.to_owned() })?;
    let refused = |why: String| Error::from(Invalid::of("previous_response_id", why));
    if found.pending {
        return Err(refused(format!(
            "The response with id '{previous}' did not end; it cannot be gone on from."
        )));
    }
    if found.items.iter().map(|item| item.body.len()).sum::<usize>() > CONVERSATION_BYTES {
        let why =
            format!("The conversation up to '{previous}' is too long to be gone on with; begin a new one.");
        return Err(refused(why));
    }
    found.items.iter().map(|item| read(&item.body)).collect()
}

/// A response that was kept, with what is told of it.
pub(super) struct Found {
    body: Value,
    items: Vec<state::Item>,
    pub(super) is_background: bool,
}

impl Found {
    fn of(stored: Stored) -> Result<Self, Error> {
        let mut body: Value = read(&stored.body)?;
        if stored.pending {
            body["status"] = json!("failed");
            let message = "the server was stopped before the response was complete";
            body["error"] = json!({"code": "server_error", "message": message});
        }
        let is_background = body["background"] == json!(true);
        Ok(Self { body, items: stored.items, is_background })
    }

    /// What clients are told, as it was written down, be it by an earlier version.
    pub(super) fn told(self) -> Result<Value, Error> {
        let output = self.items.iter().filter(|item| item.kind == ItemKind::Output);
        let output = output.map(|item| read(&item.body)).collect::<Result<Vec<Value>, _>>()?;
        let mut body = self.body;
        body["output"] = Value::Array(output);
        Ok(body)
    }

    /// What it was asked with.
    pub(super) fn input(self) -> Result<Vec<Item>, Error> {
        let input = self.items.iter().filter(|item| item.kind == ItemKind::Input);
        input.map(|item| read(&item.body)).collect()
    }
}

fn kept(kind: ItemKind, item: &Item) -> state::Item {
    state::Item { kind, id: item.id().to_owned(), body: text(item) }
}

/// Its output is kept by itself.
fn body(response: &Response) -> String {
    text(&Response { output: Vec::new(), ..response.clone() })
}

fn text(value: &impl serde::Serialize) -> String {
    String::from_utf8(json::encode(value)).expect("JSON is UTF-8")
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(Error::Kept)
}
