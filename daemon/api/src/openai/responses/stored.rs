//! Responses that were kept: asked for, followed, cancelled, deleted, and what they were asked with.

use axum::{extract::Query, response::Response as HttpResponse};

use super::{
    background,
    events::Numbered,
    items::Item,
    kept,
    response::{Deleted, ItemList, ListTag, Response, ResponseTag},
};
use crate::{
    Api,
    cut::Cut,
    error::{Error, Invalid},
    openai::{
        errors::{Refusal, Refusals},
        object,
        path::Named,
    },
    sse,
};

/// A response that was kept; or the events of a background one that is under way or ended not long ago, if `stream` is set.
#[utoipa::path(
    get,
    path = "/v1/responses/{response}",
    params(
        ("response" = String, Path),
        ("stream" = Option<bool>, Query),
        ("starting_after" = Option<u64>, Query, description = "Only the events after the one of this number."),
        ("include[]" = Option<Vec<String>>, Query, description = "All that there is always is."),
        ("include_obfuscation" = Option<bool>, Query, description = "There is no padding to be left out."),
    ),
    responses(
        (status = OK, content((Response = "application/json"), (Numbered = "text/event-stream"))),
        Refusals
    )
)]
pub(in crate::openai) async fn get(
    api: Api,
    Named(id): Named,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Refusal> {
    let parameters = GetParameters::of(&query)?;
    let run = api.background.find(api.caller.owner(), &id);
    match (run, parameters.stream) {
        (Some(run), true) if run.has_all(parameters.starting_after) => {
            Ok(sse::response(run.follow(parameters.starting_after, Cut::of(&api))))
        }
        (Some(_), true) => {
            let field = parameters.starting_after.map_or("stream", |_| "starting_after");
            Err(Invalid::of(field, background::GONE).into())
        }
        (Some(run), false) => Ok(object(&run.response())),
        (None, stream) => {
            let found = kept::find(&api, &id).await?;
            match stream {
                true => Err(Invalid::of(
                    "stream",
                    "This response cannot be streamed any more, or was never a background one.",
                )
                .into()),
                false => Ok(object(&found.told()?)),
            }
        }
    }
}

/// Forgets a response, and cancels it if it is under way.
#[utoipa::path(
    delete,
    path = "/v1/responses/{response}",
    params(("response" = String, Path)),
    responses((status = OK, body = Deleted), Refusals)
)]
pub(in crate::openai) async fn delete(api: Api, Named(id): Named) -> Result<HttpResponse, Refusal> {
    if let Some(run) = api.background.find(api.caller.owner(), &id) {
        run.cancel().await;
        api.background.forget(&id);
    }
    kept::forget(&api, &id).await?;
    Ok(object(&Deleted { id, object: ResponseTag::Response, deleted: true }))
}

/// Ends a background response. One that has ended stays as it is.
#[utoipa::path(
    post,
    path = "/v1/responses/{response}/cancel",
    params(("response" = String, Path)),
    responses((status = OK, body = Response), Refusals)
)]
pub(in crate::openai) async fn cancel(api: Api, Named(id): Named) -> Result<HttpResponse, Refusal> {
    if let Some(run) = api.background.find(api.caller.owner(), &id) {
        run.cancel().await;
        return Ok(object(&run.response()));
    }
    let found = kept::find(&api, &id).await?;
    match found.is_background {
        true => Ok(object(&found.told()?)),
        false => Err(Invalid::new("Cannot cancel a synchronous response.").into()),
    }
}

/// What a response was asked with, the last first unless `order` is `asc`; not what it went on from.
#[utoipa::path(
    get,
    path = "/v1/responses/{response}/input_items",
    params(
        ("response" = String, Path),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
        ("order" = Option<String>, Query, description = "`asc` or `desc`."),
        ("after" = Option<String>, Query, description = "Those that come after this one."),
        ("include[]" = Option<Vec<String>>, Query, description = "All that there is always is."),
    ),
    responses((status = OK, body = ItemList), Refusals)
)]
pub(in crate::openai) async fn input_items(
    api: Api,
    Named(id): Named,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Refusal> {
    let parameters = ListParameters::of(&query)?;
    let items = kept::find(&api, &id).await?.input()?;
    Ok(object(&page(items, &parameters)?))
}

/// What is to be told of a response.
#[derive(Debug, Default)]
struct GetParameters {
    stream: bool,
    /// The number of an event.
    starting_after: Option<u64>,
}

impl GetParameters {
    fn of(query: &[(String, String)]) -> Result<Self, Invalid> {
        let mut parameters = Self::default();
        for (name, value) in query {
            match name.as_str() {
                "stream" => parameters.stream = parsed(name, value)?,
                "starting_after" => parameters.starting_after = Some(parsed(name, value)?),
                "include" | "include[]" | "include_obfuscation" => {}
                _ => return Err(unknown(name)),
            }
        }
        match (parameters.stream, parameters.starting_after) {
            (false, Some(_)) => Err(Invalid::of("starting_after", "starting_after needs stream to be true")),
            _ => Ok(parameters),
        }
    }
}

/// Which of the items are to be told.
#[derive(Debug)]
struct ListParameters {
    limit: usize,
    order: Order,
    after: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

impl ListParameters {
    fn of(query: &[(String, String)]) -> Result<Self, Invalid> {
        let mut parameters = Self { limit: 20, order: Order::Descending, after: None };
        for (name, value) in query {
            match name.as_str() {
                "limit" => parameters.limit = parsed(name, value)?,
                "after" => parameters.after = Some(value.clone()),
                "order" => {
                    parameters.order = match value.as_str() {
                        "asc" => Order::Ascending,
                        "desc" => Order::Descending,
                        _ => return Err(Invalid::of("order", "order must be \"asc\" or \"desc\"")),
                    }
                }
                "include" | "include[]" => {}
                _ => return Err(unknown(name)),
            }
        }
        match parameters.limit {
            1..=100 => Ok(parameters),
            _ => Err(Invalid::of("limit", "limit must be between 1 and 100")),
        }
    }
}

fn parsed<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Invalid> {
    value.parse().map_err(|_| Invalid::of(name, format!("{name}: {value:?} makes no sense here")))
}

fn unknown(name: &str) -> Invalid {
    Invalid::of(name, format!("unknown parameter `{name}`"))
}

fn page(mut items: Vec<Item>, parameters: &ListParameters) -> Result<ItemList, Error> {
    if parameters.order == Order::Descending {
        items.reverse();
    }
    if let Some(after) = &parameters.after {
        let at = items.iter().position(|item| item.id() == after);
        let at =
            at.ok_or_else(|| Invalid::of("after", format!("there is no item '{after}' in this list")))?;
        items.drain(..=at);
    }
    let has_more = items.len() > parameters.limit;
    items.truncate(parameters.limit);
    let id = |item: Option<&Item>| item.map(|item| item.id().to_owned());
    let (first_id, last_id) = (id(items.first()), id(items.last()));
    Ok(ItemList { object: ListTag::List, data: items, first_id, last_id, has_more })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(query: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let items = (0..5)
            .map(|at| json!({"type": "message", "id": format!("m{at}"), "role": "user", "content": []}));
        let items = items.map(|item| serde_json::from_value(item).unwrap()).collect();
        let query: Vec<_> = query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let parameters = ListParameters::of(&query).map_err(|error| error.message)?;
        let page = page(items, &parameters).map_err(|error| error.to_string())?;
        let mut told: Vec<String> = page.data.iter().map(|item| item.id().to_owned()).collect();
        assert_eq!((page.first_id.as_ref(), page.last_id.as_ref()), (told.first(), told.last()));
        told.extend(page.has_more.then(|| "...".to_owned()));
        Ok(told)
    }

    #[test]
    fn items_are_listed_page_by_page() {
        assert_eq!(list(&[]).unwrap(), ["m4", "m3", "m2", "m1", "m0"]);
        assert_eq!(list(&[("order", "asc"), ("limit", "2")]).unwrap(), ["m0", "m1", "..."]);
        assert_eq!(list(&[("order", "asc"), ("limit", "2"), ("after", "m2")]).unwrap(), ["m3", "m4"]);
        assert_eq!(list(&[("after", "m0"), ("include[]", "x")]).unwrap(), [""; 0]);
        assert!(list(&[("limit", "0")]).unwrap_err().contains("between 1 and 100"));
        assert!(list(&[("after", "m9")]).unwrap_err().contains("m9"));
        assert!(list(&[("before", "m1")]).unwrap_err().contains("`before`"));
    }

    #[test]
    fn a_stream_is_taken_up_after_an_event() {
        let of = |query: &[(&str, &str)]| {
            let query: Vec<_> = query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            GetParameters::of(&query)
        };
        assert_eq!(of(&[("stream", "true"), ("starting_after", "4")]).unwrap().starting_after, Some(4));
        assert!(of(&[("starting_after", "4")]).is_err() && of(&[("stream", "perhaps")]).is_err());
    }
}
