//! Who may administer the box, and how they come to: the claim, signing in and out, passwords. What is right is `access`'s to know;
//! here it is JSON and a cookie.

use access::{ClaimedBy, Password, Presented, Who};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, SET_COOKIE, USER_AGENT},
};
use serde::{Deserialize, Serialize};

use super::{errors::Refusal, typed::Typed};
use crate::{Api, error::{Error, Invalid}};

/// What a box is claimed with. The key is one that may do everything, for the command line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    code: String,
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
}
