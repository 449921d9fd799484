//! Why a request was not answered, in no family's shape, and with which status. The shapes are the families'.

use std::{error::Error as _, sync::Arc, time::Duration};

use access::{
    AccessError, ClaimError, Exceeded, InvitationError, KeyError, OnBehalfError, Over, PeopleError, Scope,
    SignInError, audit::AuditError,
};
use backup::BackupError;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};
use identity::{IdentityError, OwnCertificateError, pairing::PairingError};
use protocol::{Ability, GenerateError, InvalidOption};
use registry::{PullsError, RegistryError};
use scheduler::{AskError, ScheduleError};
use state::{StateError, conversations::ConversationError};
use store::{Model, StoreError};

use crate::settings::SettingsError;

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("missing request body")]
    EmptyBody,
    /// Whoever asks presented nothing, and something is needed.
    #[error("{}", unauthorized(*scope))]
    Unauthorized { scope: Option<Scope> },
    /// The same on a box that nobody owns yet, where nothing that could be presented would help.
    #[error(
        "this box is not claimed yet, and serves nobody on the network until it is: run `hob claim` against it with the setup code that \
         `hob status` shows on the box itself"
    )]
    Unclaimed,
    /// Somebody is signed in who uses the box, and does not own it.
    #[error("this is for those who own this box; ask one of them")]
    NotForMembers,
    /// A key may other things.
    #[error(
        "this key does not have the scope {scope}; `hob key create NAME --scope {scope}` on the box makes one that has, or ask whoever owns \
         the box for it"
    )]
    LacksScope { scope: Scope },
    #[error(
        "this is not to be had over plain HTTP, which others can read and change: use the box's HTTPS address"
    )]
    Readable,
    #[error("this is for whoever may open the admin socket of the box: run `hob` on the box itself")]
    NotOperator,
    /// A key for some models is to make one that is not among them.
    #[error("this key may not make a model named '{name}'; use a name that it may use")]
    ForeignName { name: String },
    #[error(transparent)]
    Over(#[from] Over),
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("there is no key {id}")]
    UnknownKey { id: String },
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error(transparent)]
    People(#[from] PeopleError),
    #[error(transparent)]
    Invitation(#[from] InvitationError),
    /// Nobody could ask it.
    #[error(
        "this box does not serve the network, where others would ask it: set `lan = \"on\"` and start it again"
    )]
    NoNetwork,
    #[error("this is that box itself; type it on the other one")]
    Itself,
    /// Its owner names what is of no use.
    #[error(
        "this box lends itself to nobody: set `lan.split = \"experimental\"` here and start it again, or leave out --scope split"
    )]
    LendsNothing,
    #[error("{}", chain(.0))]
    Pairing(#[from] PairingError),
    /// Another box that was to be paired said no, or nothing that makes sense.
    #[error("{label}: {reason}")]
    NotRedeemed { label: String, status: Option<StatusCode>, reason: String },
    #[error("there is nobody by the name {name:?}")]
    UnknownPerson { name: String },
    #[error("there is no paired box '{name}'")]
    UnknownPeer { name: String },
    /// Somebody is signed in, and what they typed again is not their password.
    #[error("this is not your password")]
    Unconfirmed,
    #[error("this takes JSON alone, and wants to be told so: send it with `content-type: application/json`")]
    NotJson,
    #[error("http: request body too large")]
    BodyTooLarge,
    /// Each keeps a thread for as long as it lasts.
    #[error("too many uploads are under way; wait for one of them to end")]
    TooManyUploads,
    /// Each keeps a message in memory, which may be long.
    #[error("too many conversations are being read or searched just now; try again in a moment")]
    TooManyReadings,
    /// The client stopped sending.
    #[error("unexpected EOF")]
    BodyCut,
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("invalid model name")]
    InvalidName,
    #[error("model '{asked}' not found")]
    UnknownModel { asked: String },
    #[error("there is no model {asked}")]
    UnknownRepository { asked: String },
    #[error("model \"{asked}\" not found, try pulling it first")]
    NothingToEmbed { asked: String },
    /// The model was made for something else.
    #[error("\"{asked}\" does not support {ability}")]
    Unable { asked: String, ability: &'static str },
    #[error("model \"{asked}\" not found")]
    NothingToCopy { asked: String },
    #[error("pull model manifest: {0}")]
    PullManifest(Arc<RegistryError>),
    #[error(transparent)]
    Registry(Arc<RegistryError>),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// One was brought that is not good.
    #[error(transparent)]
    OwnCertificate(#[from] OwnCertificateError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// What was said on the machine counts above what is said on the page.
    #[error(
        "the box's certificate is named by tls.cert in {place}; take that away first, and start hob again"
    )]
    OwnByFile { place: String },
    #[error(transparent)]
    Pulls(#[from] PullsError),
    #[error("there is no pull {}", short(id))]
    UnknownPull { id: String },
    #[error("blob \"{digest}\" not found")]
    UnknownBlob { digest: String },
    #[error("invalid digest format")]
    InvalidDigest,
    /// A blob is asked for from beyond its last byte on.
    #[error("the blob has {length} bytes and none beyond")]
    BeyondEnd { length: u64 },
    /// Each holds a file open, and some memory.
    #[error("too many blobs are being read; wait for one of them to end")]
    TooManyDownloads,
    #[error("cannot open a blob: {0}")]
    Blob(std::io::Error),
    /// Another box asks for models of this one.
    #[error(
        "this box does not share its models with other boxes; its owner may change that by the setting lan.share"
    )]
    NotShared,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("Response with id '{id}' not found.")]
    UnknownResponse { id: String },
    /// It may have ended meanwhile.
    #[error("there is no request {} under way", short(id))]
    UnknownRequest { id: String },
    #[error("Previous response with id '{}' not found.", short(id))]
    UnknownPrevious { id: String },
    #[error("there is no such conversation; it may have been deleted")]
    UnknownConversation,
    /// A paired box asks.
    #[error("a paired box keeps the conversations of its people itself")]
    KeptThere,
    #[error(transparent)]
    State(#[from] StateError),
    /// Written by another version, or by nobody.
    #[error("what was kept cannot be read: {0}")]
    Kept(serde_json::Error),
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The model can do it, but not like this.
    #[error("{model} does not support {ability}")]
    Lacks { model: String, ability: Ability },
    #[error("cannot open the weights: {0}")]
    Weights(std::io::Error),
    /// Another box, to which the request was passed.
    #[error("the box that was answering is gone, and its answer ends here")]
    AnswererGone,
    #[error("model '{asked}' is not here, and the paired box that has it does not answer; try again soon")]
    NobodyAnswers { asked: String },
    #[error(transparent)]
    OnBehalf(#[from] OnBehalfError),
    #[error("a part of the server failed; its log says more")]
    Task(#[from] tokio::task::JoinError),
}

impl From<AskError> for Error {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Schedule(error) => error.into(),
            AskError::Generate(error) => error.into(),
        }
    }
}

/// What is wrong with a request's JSON, in words for the client. However much of what it wrote is in them, they are short:
/// they are sent back, and stand in the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Invalid {
    pub(crate) message: String,
    /// The field at fault.
    pub(crate) field: Option<String>,
}

impl Invalid {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: short(&message.into()), field: None }
    }

    pub(crate) fn of(field: &str, message: impl Into<String>) -> Self {
        Self { field: Some(short(field)), ..Self::new(message) }
    }

    /// Asked for and not built: said, never ignored.
    pub(crate) fn unsupported(field: &str) -> Self {
        Self::of(field, format!("{field} is not supported here"))
    }
}

/// The longest that clients wait on their own for what they are told.
const WORTH_WAITING_SECONDS: u64 = 60;

/// A header of the clients' own makers.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Never so few that it is still refused.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Characters that are told of a text's beginning and of its end, if it is longer than both.
const BEGINNING: usize = 200;
const END: usize = 100;

/// A text without its middle, if that is long.
fn short(text: &str) -> String {
    let starts = || text.char_indices().map(|(at, _)| at);
    match (starts().nth(BEGINNING), starts().nth_back(END - 1)) {
        (Some(middle), Some(end)) if middle < end => format!("{}…{}", &text[..middle], &text[end..]),
        _ => text.to_owned(),
    }
}

impl From<InvalidOption> for Invalid {
    fn from(error: InvalidOption) -> Self {
        let field = match &error {
            InvalidOption::Unknown(name) => Some(name.clone()),
            InvalidOption::Type { name, .. } | InvalidOption::Range { name, .. } => Some(name.clone()),
            InvalidOption::Text { .. } => None,
        };
        Self { field: field.as_deref().map(short), ..Self::new(error.to_string()) }
    }
}

impl Error {
    /// Says an unknown model's name as the client wrote it.
    pub(crate) fn about_model(self, asked: &str) -> Self {
        match self {
            Self::Store(StoreError::UnknownModel(_)) => Self::UnknownModel { asked: asked.into() },
            other => other,
        }
    }

    /// What a transfer ended with, at a step of its.
    pub(crate) fn of_transfer(step: &str, error: Arc<RegistryError>) -> Self {
        match step {
            "pulling manifest" => Self::PullManifest(error),
            _ => Self::Registry(error),
        }
    }

    /// Says which model cannot do what it was asked for.
    pub(crate) fn about(self, model: &Model, asked: &str) -> Self {
        match self {
            Self::Generate(GenerateError::Unable(Ability::Thinking)) => {
                Self::Unable { asked: asked.into(), ability: "thinking" }
            }
            Self::Generate(GenerateError::Unable(ability)) => {
                Self::Lacks { model: model.name.fully_qualified(), ability }
            }
            other => other,
        }
    }

    /// The same, in the words that this family has for it where vectors are asked for.
    pub(crate) fn about_pulling(self) -> Self {
        match self {
            Self::UnknownModel { asked } if !asked.is_empty() => Self::NothingToEmbed { asked },
            other => other,
        }
    }

    /// What the client is told.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Schedule(ScheduleError::Busy) => {
                // Two blanks, as clients match it.
                "server busy, please try again.  maximum pending requests exceeded".into()
            }
            other => other.to_string(),
        }
    }

    /// The field of the request that is at fault, if one is.
    pub(crate) fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid(invalid) => invalid.field.as_deref(),
            Self::Key(KeyError::Name) => Some("name"),
            Self::Key(KeyError::NoScopes | KeyError::NotForPeers) => Some("scopes"),
            Self::Key(KeyError::Past) => Some("expires"),
            Self::Unconfirmed => Some("confirm"),
            Self::Claim(ClaimError::WrongCode) => Some("code"),
            Self::People(PeopleError::NameTaken(_)) => Some("name"),
            Self::Backup(BackupError::Sealed | BackupError::NotSealed | BackupError::WrongPassphrase) => {
                Some("passphrase")
            }
            Self::Settings(error) => error.field(),
            Self::OwnCertificate(
                OwnCertificateError::NoKey { .. } | OwnCertificateError::Mismatch { .. },
            ) => Some("key"),
            Self::OwnCertificate(_) => Some("certificate"),
            _ => None,
        }
    }

    /// What a refusal's headers say besides: when to come again, and how to be known.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"hob\""));
        }
        let told = match self {
            Self::Exceeded(exceeded) => Some(exceeded.retry_after),
            Self::Claim(error) => error.retry_after(),
            Self::SignIn(error) => error.retry_after(),
            Self::Invitation(error) => error.retry_after(),
            Self::People(PeopleError::Busy { retry_after }) => Some(*retry_after),
            error if error.status() == StatusCode::SERVICE_UNAVAILABLE => Some(Duration::from_secs(1)),
            _ => None,
        };
        let Some(after) = told.map(whole_seconds) else { return };
        headers.insert(RETRY_AFTER, HeaderValue::from(after));
        // OpenAI's and Anthropic's clients would try again on their own, sooner than that.
        if after > WORTH_WAITING_SECONDS {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
    }

    #[expect(clippy::too_many_lines, reason = "one match says it of all of them, a line each")]
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::EmptyBody
            | Self::InvalidDigest
            | Self::BodyCut
            | Self::Invalid(_)
            | Self::InvalidName
            | Self::UnknownPrevious { .. }
            | Self::State(StateError::PreviousGone)
            | Self::Lacks { .. }
            | Self::OwnCertificate(_)
            | Self::Settings(SettingsError::Unknown(_) | SettingsError::Invalid { .. })
            | Self::Unable { .. } => StatusCode::BAD_REQUEST,
            Self::Unauthorized { .. }
            | Self::Unclaimed
            | Self::Over(_)
            | Self::Access(AccessError::Over(_)) => StatusCode::UNAUTHORIZED,
            Self::LacksScope { .. }
            | Self::NotForMembers
            | Self::NotOperator
            | Self::NotShared
            | Self::KeptThere
            | Self::Readable
            | Self::ForeignName { .. } => StatusCode::FORBIDDEN,
            Self::BeyondEnd { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Exceeded(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyUploads
            | Self::TooManyDownloads
            | Self::TooManyReadings
            | Self::NobodyAnswers { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::AnswererGone => StatusCode::BAD_GATEWAY,
            Self::OnBehalf(error) => on_behalf_status(error),
            Self::UnknownModel { .. }
            | Self::UnknownRepository { .. }
            | Self::UnknownKey { .. }
            | Self::UnknownPeer { .. }
            | Self::UnknownPerson { .. }
            | Self::UnknownPull { .. }
            | Self::UnknownResponse { .. }
            | Self::UnknownConversation
            | Self::UnknownRequest { .. }
            | Self::UnknownBlob { .. }
            | Self::NothingToCopy { .. }
            | Self::NothingToEmbed { .. } => StatusCode::NOT_FOUND,
            Self::Unconfirmed => StatusCode::FORBIDDEN,
            Self::Key(error) => key_status(error),
            Self::Claim(error) => claim_status(error),
            Self::SignIn(error) => sign_in_status(error),
            Self::People(error) => people_status(error),
            Self::Invitation(error) => invitation_status(error),
            Self::Pairing(error) => pairing_status(error),
            Self::Settings(SettingsError::Locked { .. }) | Self::OwnByFile { .. } => StatusCode::CONFLICT,
            Self::NoNetwork | Self::Itself | Self::LendsNothing => StatusCode::CONFLICT,
            Self::NotRedeemed { status, .. } => redemption_status(*status),
            Self::State(StateError::Conversation(error)) => conversation_status(error),
            Self::Backup(error) => backup_status(error),
            Self::State(error) if error.is_disk_full() => StatusCode::INSUFFICIENT_STORAGE,
            Self::Store(error) => store_status(error),
            Self::Pulls(error) => pulls_status(error),
            Self::Schedule(error) => schedule_status(error),
            Self::Generate(error) => generate_status(error),
            Self::PullManifest(_)
            | Self::Registry(_)
            | Self::Weights(_)
            | Self::Blob(_)
            | Self::State(_)
            | Self::Access(_)
            | Self::Audit(_)
            | Self::Kept(_)
            | Self::Settings(SettingsError::Disk(_))
            | Self::Identity(_)
            | Self::Task(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

fn conversation_status(error: &ConversationError) -> StatusCode {
    match error {
        ConversationError::Unknown => StatusCode::NOT_FOUND,
        ConversationError::UnknownMessage(_) | ConversationError::Moved(_) => StatusCode::BAD_REQUEST,
        ConversationError::OwnerGone => StatusCode::UNAUTHORIZED,
        ConversationError::TooManyImages { .. }
        | ConversationError::TooMuchText { .. }
        | ConversationError::OwnerFull { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn generate_status(error: &GenerateError) -> StatusCode {
    match error {
        GenerateError::PromptTooLong { .. }
        | GenerateError::Template { .. }
        | GenerateError::Format { .. }
        | GenerateError::Unable(_)
        | GenerateError::NoAdapter { .. }
        | GenerateError::Media { .. }
        | GenerateError::EmptyPrompt
        | GenerateError::InputTooLong
        | GenerateError::UnknownToken { .. } => StatusCode::BAD_REQUEST,
        GenerateError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        GenerateError::NotFinite
        | GenerateError::Engine { .. }
        | GenerateError::WorkerDied
        | GenerateError::LenderLost { .. }
        | GenerateError::WorkerStuck => StatusCode::INTERNAL_SERVER_ERROR,
        GenerateError::Revoked => StatusCode::UNAUTHORIZED,
        GenerateError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        GenerateError::Ended => ended_status(),
    }
}

/// Of what the owner ended. One after which no client asks the same again by itself, and which is not about who asks.
fn ended_status() -> StatusCode {
    StatusCode::GONE
}

fn unauthorized(scope: Option<Scope>) -> String {
    let with = scope.map(|scope| format!(" with the scope {scope}")).unwrap_or_default();
    let how = scope.map(|scope| format!(" --scope {scope}")).unwrap_or_default();
    format!(
        "this needs a key{with}: send it as `Authorization: Bearer hob_...` or as `x-api-key`; `hob key create NAME{how}` on the box makes one"
    )
}

fn on_behalf_status(error: &OnBehalfError) -> StatusCode {
    match error {
        OnBehalfError::NotAPeer => StatusCode::FORBIDDEN,
        OnBehalfError::Name => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn key_status(error: &KeyError) -> StatusCode {
    match error {
        KeyError::NotAllowed => StatusCode::FORBIDDEN,
        KeyError::Over(_) => StatusCode::UNAUTHORIZED,
        KeyError::Unknown(_) => StatusCode::NOT_FOUND,
        KeyError::Name | KeyError::NoScopes | KeyError::TooMany { .. } | KeyError::Past => {
            StatusCode::BAD_REQUEST
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn claim_status(error: &ClaimError) -> StatusCode {
    match error {
        ClaimError::WrongNetwork => StatusCode::FORBIDDEN,
        ClaimError::WrongCode => StatusCode::UNAUTHORIZED,
        ClaimError::Claimed => StatusCode::CONFLICT,
        ClaimError::Paused { .. } => StatusCode::TOO_MANY_REQUESTS,
        ClaimError::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn sign_in_status(error: &SignInError) -> StatusCode {
    match error {
        SignInError::WrongNetwork => StatusCode::FORBIDDEN,
        SignInError::Unclaimed => StatusCode::CONFLICT,
        SignInError::Wrong | SignInError::Failed(AccessError::Over(_)) => StatusCode::UNAUTHORIZED,
        SignInError::Paused { .. } => StatusCode::TOO_MANY_REQUESTS,
        SignInError::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        SignInError::NotSignedIn => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn people_status(error: &PeopleError) -> StatusCode {
    match error {
        PeopleError::NotAllowed => StatusCode::FORBIDDEN,
        PeopleError::Failed(AccessError::Over(_)) => StatusCode::UNAUTHORIZED,
        PeopleError::UnknownPerson(_) | PeopleError::UnknownSession => StatusCode::NOT_FOUND,
        PeopleError::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        PeopleError::Unclaimed
        | PeopleError::NameTaken(_)
        | PeopleError::Oneself
        | PeopleError::LastOwner => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn invitation_status(error: &InvitationError) -> StatusCode {
    match error {
        InvitationError::NotAllowed | InvitationError::WrongNetwork => StatusCode::FORBIDDEN,
        InvitationError::Unclaimed | InvitationError::None => StatusCode::CONFLICT,
        InvitationError::Scopes => StatusCode::BAD_REQUEST,
        InvitationError::WrongCode | InvitationError::Over(_) => StatusCode::UNAUTHORIZED,
        InvitationError::Spent { .. } => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn pairing_status(error: &PairingError) -> StatusCode {
    match error {
        PairingError::Unreachable { .. }
        | PairingError::NotHob { .. }
        | PairingError::Certificates { .. }
        | PairingError::Tls { .. } => StatusCode::BAD_GATEWAY,
        PairingError::Another { .. } | PairingError::Changed { .. } => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What another box says of a code, as this one says it: its 401 is about the code, and not about who asks here.
fn redemption_status(theirs: Option<StatusCode>) -> StatusCode {
    match theirs {
        Some(StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST) => StatusCode::BAD_REQUEST,
        Some(status @ (StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS)) => status,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// All that is known of why.
fn chain(error: &PairingError) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}

fn schedule_status(error: &ScheduleError) -> StatusCode {
    match error {
        ScheduleError::Busy | ScheduleError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        ScheduleError::Ended => ended_status(),
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn pulls_status(error: &PullsError) -> StatusCode {
    match error {
        PullsError::TooMany => StatusCode::SERVICE_UNAVAILABLE,
        PullsError::Elsewhere(_) => StatusCode::CONFLICT,
        PullsError::Store(error) => store_status(error),
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn backup_status(error: &BackupError) -> StatusCode {
    match error {
        BackupError::Busy => StatusCode::CONFLICT,
        BackupError::NoRoom { .. } => StatusCode::INSUFFICIENT_STORAGE,
        BackupError::State(error) if error.is_disk_full() => StatusCode::INSUFFICIENT_STORAGE,
        BackupError::NotABackup
        | BackupError::Sealed
        | BackupError::NotSealed
        | BackupError::WrongPassphrase
        | BackupError::TooDear
        | BackupError::Unsealed
        | BackupError::Newer(_)
        | BackupError::Strange { .. }
        | BackupError::Missing(_)
        | BackupError::TooLong { .. }
        | BackupError::WrongBytes(_)
        | BackupError::Senseless { .. }
        | BackupError::Truncated
        | BackupError::Damaged(_)
        | BackupError::TheirState(_)
        | BackupError::NoOwner
        | BackupError::Passed(_) => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn store_status(error: &StoreError) -> StatusCode {
    match error {
        StoreError::UnknownModel(_) => StatusCode::NOT_FOUND,
        StoreError::InvalidName(..)
        | StoreError::DigestMismatch { .. }
        | StoreError::InvalidDigest(..)
        | StoreError::UnknownBlob(..)
        | StoreError::Busy(..)
        | StoreError::NoBase
        | StoreError::SeveralFiles(..)
        | StoreError::NoAdapter(..)
        | StoreError::NoDraft(..)
        | StoreError::BadGguf(..)
        | StoreError::InvalidManifest(..)
        | StoreError::Parameter(_) => StatusCode::BAD_REQUEST,
        StoreError::DiskFull { .. } => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_shortly_however_much_was_written() {
        let whole = "ü".repeat(300);
        assert_eq!(Invalid::new(whole.as_str()).message, whole);

        let long = format!("invalid type: {}, expected a number", "ü".repeat(1 << 20));
        let told = Invalid::of(&long, long.as_str());
        assert!(
            told.message.starts_with("invalid type: ü") && told.message.ends_with("ü, expected a number")
        );
        assert_eq!(told.message.chars().count(), 301);
        assert_eq!(told.field.as_deref(), Some(told.message.as_str()));
        let unknown = Error::UnknownPrevious { id: long };
        assert!(unknown.message().len() < 700, "{}", unknown.message());
    }
}
