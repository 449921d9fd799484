//! `/admin/api/settings`: each with where its value comes from, and what the page keeps of them. What is right is `hob`'s to know.

use std::collections::BTreeMap;

use access::audit::{Action, Outcome};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};

use super::{errors::Refusal, people::confirmed, typed::Typed};
use crate::{
    Api,
    error::Error,
    settings::{Changes, Counts, Kind, Layer, Needs, Origin, Setting, Value},
};

#[derive(Serialize)]
pub(super) struct All {
    settings: Vec<Described>,
}

#[derive(Serialize)]
pub(super) struct Described {
    name: &'static str,
    kind: &'static str,
    /// Words that may be written; of a `text` others as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    choices: Option<&'static [&'static str]>,
    about: &'static str,
    default: Option<String>,
    value: Option<String>,
    /// There is a value, and nobody is told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    hidden: bool,
    origin: From,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked: Option<String>,
    restart: bool,
    confirm: bool,
}

#[derive(Serialize)]
struct From {
    /// `default`, `file`, `environment` or `page`.
    layer: &'static str,
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

/// `GET /admin/api/settings`.
pub(super) async fn list(api: Api) -> Response {
    told(&api)
}

/// New values by name; null is whatever is beneath the page's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    values: BTreeMap<String, Option<Written>>,
    confirm: Option<String>,
}

/// A value, as a page has it at hand.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Flag(bool),
    Number(u64),
}

/// `PUT /admin/api/settings`: all of it, or nothing.
pub(super) async fn change(api: Api, Typed(wanted): Typed<Wanted>) -> Result<Response, Refusal> {
    let changes: Changes =
        wanted.values.into_iter().map(|(name, value)| (name, value.map(Written::into_text))).collect();
    let all = api.settings.all();
    let guarded = |setting: &&Setting| setting.needs == Needs::Password;
    if all.iter().filter(guarded).any(|setting| changes.contains_key(setting.name)) {
        confirmed(&api, wanted.confirm).await?;
    }
    let targets = told_of(&changes, |name, text| api.settings.shown(name, text));
    let settings = api.settings.clone();
    api.on_access(move |access, by| {
        // What is not right does not belong on the record.
        settings.check(&changes)?;
        let record = |outcome| {
            targets
                .iter()
                .try_for_each(|target| access.record_act(by, Action::Settings, target, outcome).map(drop))
        };
        record(Outcome::Done)?;
        let kept = settings.keep(&changes);
        if kept.is_err() {
            record(Outcome::Failed)?;
        }
        Ok::<_, Error>(kept?)
    })
    .await?;
    Ok(told(&api))
}

/// All of them; of those that nobody is told, only that they are set.
pub(super) fn described(api: &Api) -> Vec<Described> {
    api.settings.all().into_iter().map(Described::from).collect()
}

fn told(api: &Api) -> Response {
    let settings = described(api);
    ([(CACHE_CONTROL, "no-store")], Json(All { settings })).into_response()
}

/// What the audit log says of each change; of what is told to nobody, only that it was changed.
fn told_of(changes: &Changes, shown: impl Fn(&str, &str) -> Value) -> Vec<String> {
    let change = |(name, value): (&String, &Option<String>)| match value {
        Some(value) => match shown(name, value) {
            Value::Text(text) => format!("{name}={text}"),
            Value::None | Value::Hidden => format!("{name}=..."),
        },
        None => format!("{name} as beneath"),
    };
    changes.iter().map(change).collect()
}

impl Written {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl std::convert::From<Setting> for Described {
    fn from(setting: Setting) -> Self {
        let (kind, choices) = match setting.kind {
            Kind::Text => ("text", None),
            Kind::Number => ("number", None),
            Kind::Flag => ("flag", None),
            Kind::Choice(words) => ("choice", Some(words)),
            Kind::Open(words) => ("text", Some(words)),
            Kind::Size => ("size", None),
            Kind::Time => ("time", None),
            Kind::List => ("list", None),
            Kind::Path => ("path", None),
            Kind::Secret => ("secret", None),
        };
        Self {
            name: setting.name,
            kind,
            choices,
            about: setting.about,
            default: setting.default,
            hidden: setting.value == Value::Hidden || setting.kept == Value::Hidden,
            value: setting.value.into_text(),
            origin: setting.origin.into(),
            kept: setting.kept.into_text(),
            locked: setting.locked,
            restart: setting.counts == Counts::AfterRestart,
            confirm: setting.needs == Needs::Password,
        }
    }
}

impl std::convert::From<Origin> for From {
    fn from(origin: Origin) -> Self {
        let layer = match origin.layer {
            Layer::Default => "default",
            Layer::File => "file",
            Layer::Page => "page",
            Layer::Environment => "environment",
        };
        Self { layer, place: origin.place }
    }
}
