//! Who somebody is, and how they come to be: the claim, signing in and out, their password. What is right is `access`'s to know;
//! here it is JSON and a cookie. Who else may sign in is `members`'.

use access::audit::{Action, Outcome};
use access::{
    NewKey, Origin, Password, Person, PersonName, Policy, Scope, Scopes, SessionSecret, SignedIn, Visitor,
    Way, Who,
};
use axum::{
    Extension, Json,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, SET_COOKIE, USER_AGENT},
};
use serde::{Deserialize, Serialize};

use super::{errors::Refusal, typed::Typed};
use crate::{
    Api,
    body::STRANGERS_BYTES,
    error::{Error, Invalid},
};

/// What a box is claimed with. With a name for it, the claimant gets a key that may do everything, for the command line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    /// Not asked for at the admin socket.
    code: Option<String>,
    name: String,
    password: String,
    key_name: Option<String>,
}

#[derive(Serialize)]
struct Claimed {
    person: String,
    /// The box's, to be compared with what it shows.
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Why there is no key, although one was asked for. The box is claimed all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// `POST /claim`.
pub(super) async fn claim(
    api: Api,
    origin: Option<Extension<Origin>>,
    headers: HeaderMap,
    Typed(claim): Typed<Claim, STRANGERS_BYTES>,
) -> Result<Response, Refusal> {
    let Claim { code, name, password, key_name } = claim;
    let (name, password) = (new_person(&name)?, new_password("password", &password)?);
    let door = Door::of(origin, &headers);
    let (signed_in, key) = api
        .on_access(move |access, _| {
            let signed_in = access.claim(code.as_deref(), &name, &password, &door.visitor())?;
            let policy = Policy::new(Scopes::all());
            let key = key_name
                .map(|name| access.create_key(&signed_in.caller, NewKey { name, policy, expires: None }));
            Ok::<_, access::ClaimError>((signed_in, key))
        })
        .await?;
    let (key, warning) = match key.transpose() {
        Ok(key) => (key.map(|(_, secret)| secret.reveal().to_owned()), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let claimed = Claimed {
        person: signed_in.person.name.to_string(),
        id: api.identity.as_ref().map(|identity| identity.id().to_string()),
        key,
        warning,
    };
    Ok(with_session(signed_in.session.as_ref(), &claimed))
}

/// What somebody signs in with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    name: String,
    password: String,
}

/// `POST /admin/api/login`.
pub(super) async fn sign_in(
    api: Api,
    origin: Option<Extension<Origin>>,
    headers: HeaderMap,
    Typed(login): Typed<Login, STRANGERS_BYTES>,
) -> Result<Response, Refusal> {
    let parsed = login.name.parse::<PersonName>().ok().zip(login.password.parse::<Password>().ok());
    let Some((name, password)) = parsed else {
        // What can be neither a name nor a password is wrong like any other, and on the record like any other.
        api.audit(Action::SignIn, "no name, or no password".into(), Outcome::Refused).await?;
        return Err(access::SignInError::Wrong.into());
    };
    let door = Door::of(origin, &headers);
    let signed_in: SignedIn =
        api.on_access(move |access, _| access.sign_in(&name, &password, &door.visitor())).await?;
    let told = Known::of(&signed_in.caller, Some(&signed_in.person));
    Ok(with_session(signed_in.session.as_ref(), &told))
}

/// `POST /admin/api/logout`. What is being answered to the session ends.
pub(super) async fn sign_out(api: Api) -> Result<Response, Refusal> {
    api.on_access(|access, by| access.sign_out(by)).await?;
    let mut response = Json(Nothing {}).into_response();
    response.headers_mut().insert(SET_COOKIE, cookie("", 0));
    Ok(response)
}

/// Who somebody is, and what they may.
#[derive(Serialize)]
pub(super) struct Known {
    /// `person`, `key`, `operator` or `local`.
    kind: &'static str,
    name: String,
    /// Of a person: `owner` or `member`.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    scopes: Vec<&'static str>,
}

/// `GET /admin/api/me`.
pub(super) async fn me(api: Api) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(Known::asking(&api))).into_response()
}

impl Known {
    /// Whoever asks.
    pub(super) fn asking(api: &Api) -> Self {
        let is_person = matches!(api.caller.who(), Who::Person(_));
        let people = if is_person { api.access.people() } else { Vec::new() };
        let person = people.into_iter().find(|person| person.owner == api.caller.owner());
        Self::of(&api.caller, person.as_ref())
    }

    fn of(caller: &access::Caller, person: Option<&Person>) -> Self {
        let kind = match caller.who() {
            Who::Person(_) => "person",
            Who::Key(_) => "key",
            Who::Operator => "operator",
            Who::Local => "local",
            Who::Nobody => "nobody",
        };
        let scopes = Scope::ALL.into_iter().filter(|scope| caller.may(*scope)).map(Scope::name).collect();
        let role = person.map(|person| person.role.name());
        Self { kind, name: caller.name().to_owned(), role, scopes }
    }
}

/// A person's password, and the one that is to be in its place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    confirm: String,
    password: String,
}

/// `POST /admin/api/password`: of whoever is signed in. Their other sessions end.
pub(super) async fn change_password(
    api: Api,
    Typed(Change { confirm, password }): Typed<Change>,
) -> Result<Response, Refusal> {
    let (current, new) = (typed_again(&confirm)?, new_password("password", &password)?);
    let changed = api.on_access(move |access, by| access.change_password(by, &current, &new)).await;
    changed.map_err(unconfirmed)?;
    Ok(Json(Nothing {}).into_response())
}

/// `POST /admin/api/reset-password`: of somebody who lost theirs. Their sessions end.
pub(super) async fn reset_password(api: Api, Typed(login): Typed<Login>) -> Result<Response, Refusal> {
    let (name, new) = (person(&login.name)?, new_password("password", &login.password)?);
    api.on_access(move |access, by| access.reset_password(by, &name, &new)).await?;
    Ok(Json(Nothing {}).into_response())
}

/// Has whoever came by a session prove that they are still the one who signed in, and not whoever sat down at their desk. Keys
/// and the operator have nothing to type.
pub(super) async fn confirmed(api: &Api, password: Option<String>) -> Result<(), Error> {
    if api.caller.session().is_none() {
        return Ok(());
    }
    let missing = || Invalid::of("confirm", "confirm must be your password, typed again");
    let password = typed_again(&password.ok_or_else(missing)?)?;
    let confirmed = api.on_access(move |access, by| access.confirm_password(by, &password)).await;
    confirmed.map_err(unconfirmed)
}

/// The password again, where a command has nothing else to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Again {
    confirm: Option<String>,
}

/// The same, of a command whose body may be left out by whoever has nothing to type.
pub(super) async fn confirmed_by(api: &Api, again: Option<Typed<Again>>) -> Result<(), Error> {
    confirmed(api, again.and_then(|Typed(again)| again.confirm)).await
}

/// Whoever is signed in stays so.
fn unconfirmed(error: Error) -> Error {
    match error {
        Error::SignIn(access::SignInError::Wrong) => Error::Unconfirmed,
        other => other,
    }
}

fn typed_again(text: &str) -> Result<Password, Error> {
    text.parse().map_err(|_| Error::Unconfirmed)
}

fn person(text: &str) -> Result<PersonName, Invalid> {
    text.parse().map_err(|error: access::InvalidPersonName| Invalid::of("name", error.to_string()))
}

/// The name of somebody who is not here yet.
pub(super) fn new_person(text: &str) -> Result<PersonName, Invalid> {
    PersonName::new(text).map_err(|error| Invalid::of("name", error.to_string()))
}

pub(super) fn new_password(field: &str, text: &str) -> Result<Password, Invalid> {
    text.parse().map_err(|error: access::InvalidPassword| Invalid::of(field, error.to_string()))
}

/// Through which door somebody comes, and what their browser says it is.
struct Door {
    origin: Origin,
    agent: String,
}

impl Door {
    /// Where nothing is said of the door, it is one by which nobody signs in.
    fn of(origin: Option<Extension<Origin>>, headers: &HeaderMap) -> Self {
        let origin = origin.map_or(Origin { way: Way::Plaintext, address: None }, |Extension(origin)| origin);
        let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        Self { origin, agent: agent.to_owned() }
    }

    fn visitor(&self) -> Visitor<'_> {
        Visitor { origin: self.origin, agent: &self.agent }
    }
}

#[derive(Serialize)]
pub(super) struct Nothing {}

/// For how long a browser keeps its session, in seconds. How long that is one is `access`'s to know.
const WEEK: u32 = 7 * 24 * 3600;

fn with_session(session: Option<&SessionSecret>, told: &impl Serialize) -> Response {
    let mut response = ([(CACHE_CONTROL, "no-store")], Json(told)).into_response();
    if let Some(session) = session {
        response.headers_mut().insert(SET_COOKIE, cookie(session.reveal(), WEEK));
    }
    response
}

/// Sent to this box alone, never in clear, to no script, and with nothing that another site begins.
fn cookie(value: &str, seconds: u32) -> HeaderValue {
    let text = format!("__Host-hob={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict");
    let mut cookie = HeaderValue::from_str(&text).expect("a session is letters and digits");
    cookie.set_sensitive(true);
    cookie
}
