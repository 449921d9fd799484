//! What is kept of responses, and found again: the one place where this API meets the state. How it looks to clients is
//! `response`'s and `items`'.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use state::{ItemKind, Limits, StateError, Stored};

use super::{
    conversation,
    items::Item,
    response::{Failure, Response, Status},
};
use crate::{
    Api,
    body::CONVERSATION_BYTES,
    error::{Error, Invalid},
    json,
};

/// Items that a request may refer to.
const MOST_REFERENCES: usize = 1000;

/// Keeps a response, and what it was asked with.
pub(super) async fn keep(api: &Api, response: &Response, input: &[Item]) -> Result<(), Error> {
    let mut items: Vec<state::Item> = input.iter().map(|item| kept(ItemKind::Input, item)).collect();
    items.extend(response.output.iter().map(|item| kept(ItemKind::Output, item)));
    let response = state::Response {
        id: response.id.clone(),
        owner: api.caller.owner(),
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
    let (owner, id, body) = (api.caller.owner(), response.id.clone(), body(response));
    api.on_state(move |state| state.settle_response(owner, &id, &body, &output)).await
}

/// A response that was kept. One that was under way when the daemon ended has failed.
pub(super) async fn find(api: &Api, id: &str) -> Result<Found, Error> {
    let unknown = || Error::UnknownResponse { id: id.to_owned() };
    let (owner, asked) = (api.caller.owner(), id.to_owned());
    let stored = api.on_state(move |state| state.response(owner, &asked)).await?.ok_or_else(unknown)?;
    Found::of(stored)
}

/// Forgets a response.
pub(super) async fn forget(api: &Api, id: &str) -> Result<(), Error> {
    let (owner, asked) = (api.caller.owner(), id.to_owned());
    match api.on_state(move |state| state.delete_response(owner, &asked)).await? {
        true => Ok(()),
        false => Err(Error::UnknownResponse { id: id.to_owned() }),
    }
}

/// The items of a request, each reference as what it stands for. With that they take no more than a body may, pictures and all.
pub(super) async fn resolved(api: &Api, items: Vec<Item>) -> Result<Vec<Item>, Error> {
    let names = references(&items)?;
    if names.is_empty() {
        return Ok(items);
    }
    let room = CONVERSATION_BYTES.saturating_sub(bytes(&items));
    let owner = api.caller.owner();
    let found = api.on_state(move |state| state.items(owner, &names, room)).await;
    let mut found = found.map_err(|error| beyond_room(error, too_much_referred()))?.into_iter();
    let resolved = items.into_iter().map(|item| match item {
        Item::Reference(reference) => {
            let body = found.next().flatten();
            read(&body.ok_or_else(|| conversation::not_found(&reference.id))?)
        }
        item => Ok(item),
    });
    resolved.collect()
}

/// All that was said up to the end of a response, the oldest first. With what is said now it takes no more than a body may.
pub(super) async fn earlier(api: &Api, previous: &str, now: &[Item]) -> Result<Vec<Item>, Error> {
    let refused = |why: String| Invalid::of("previous_response_id", why);
    let (owner, asked) = (api.caller.owner(), previous.to_owned());
    let room = CONVERSATION_BYTES.saturating_sub(bytes(now));
    let found = api.on_state(move |state| state.conversation(owner, &asked, room)).await;
    let found = found.map_err(|error| {
        let why =
            format!("The conversation up to '{previous}' is too long to be gone on with; begin a new one.");
        beyond_room(error, refused(why))
    })?;
    let found = found.ok_or_else(|| Error::UnknownPrevious { id: previous.to_owned() })?;
    if found.pending {
        let why = format!("The response with id '{previous}' did not end; it cannot be gone on from.");
        return Err(refused(why).into());
    }
    found.items.iter().map(|item| read(&item.body)).collect()
}

/// What is referred to, as often as it is.
fn references(items: &[Item]) -> Result<Vec<String>, Invalid> {
    let names = items.iter().filter_map(|item| match item {
        Item::Reference(reference) => Some(&reference.id),
        _ => None,
    });
    // Not even their names are taken down of more.
    match names.clone().nth(MOST_REFERENCES) {
        Some(_) => Err(Invalid::of("input", format!("input refers to more than {MOST_REFERENCES} items"))),
        None => Ok(names.cloned().collect()),
    }
}

fn too_much_referred() -> Invalid {
    Invalid::of("input", "What input refers to is, with all else in it, too long to be gone on with.")
}

/// In words for the client, if that is what failed.
fn beyond_room(error: Error, refused: Invalid) -> Error {
    match error {
        Error::State(StateError::TooLong) => refused.into(),
        other => other,
    }
}

/// What these take when they are kept.
fn bytes(items: &[Item]) -> usize {
    items.iter().map(|item| text(item).len()).sum()
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
            body["error"] = json!(Failure::stopped());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_items_may_be_referred_to_and_no_more() {
        let refer = |times: usize| {
            let item: Item =
                serde_json::from_value(json!({"type": "item_reference", "id": "msg_1"})).unwrap();
            references(&vec![item; times])
        };
        assert_eq!(refer(MOST_REFERENCES).unwrap().len(), MOST_REFERENCES);
        assert_eq!(refer(MOST_REFERENCES + 1).unwrap_err().field.as_deref(), Some("input"));
    }

    #[test]
    fn what_is_too_long_is_the_clients_to_mend() {
        let refused = beyond_room(StateError::TooLong.into(), too_much_referred());
        assert_eq!(refused.status(), http::StatusCode::BAD_REQUEST);
        assert!(matches!(&refused, Error::Invalid(invalid) if invalid.field.as_deref() == Some("input")));
    }
}
