//! The routes whose requests may be passed on, and how their answers go: all that name a model and put it to work, and the
//! question what it is, which comes before that.
//!
//! Not what has to be where it was asked for: a response that is kept is asked for later, and goes on from another that is kept
//! here; bringing a model into memory, or out of it, is about this box.

use scheduler::Kind;

use crate::body::{COMMAND_BYTES, CONVERSATION_BYTES};

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) path: &'static str,
    /// Whether an answer comes in pieces.
    pub(super) pieces: Pieces,
    /// How a failure in the middle of an answer is told.
    pub(super) voice: Voice,
}

/// Whether an answer comes in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pieces {
    UnlessRefused,
    IfWanted,
    Never,
}

/// How the pieces of an answer are told apart, and what is said last if it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// A JSON object a line.
    Lines,
    /// OpenAI's events.
    Events,
    /// The same of responses, which have names and numbers.
    Responses,
    /// Anthropic's events.
    Messages,
}

use Pieces::{IfWanted, Never, UnlessRefused};
use Voice::{Events, Lines, Messages, Responses};

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route { path: "/api/show", pieces: Never, voice: Lines },
    Route { path: "/api/generate", pieces: UnlessRefused, voice: Lines },
    Route { path: "/api/chat", pieces: UnlessRefused, voice: Lines },
    Route { path: "/api/embed", pieces: Never, voice: Lines },
    Route { path: "/api/embeddings", pieces: Never, voice: Lines },
    Route { path: "/v1/chat/completions", pieces: IfWanted, voice: Events },
    Route { path: "/v1/completions", pieces: IfWanted, voice: Events },
    Route { path: "/v1/embeddings", pieces: Never, voice: Events },
    Route { path: "/v1/rerank", pieces: Never, voice: Events },
    Route { path: "/v1/tokenize", pieces: Never, voice: Events },
    Route { path: "/v1/detokenize", pieces: Never, voice: Events },
    Route { path: "/v1/responses", pieces: IfWanted, voice: Responses },
    Route { path: "/v1/responses/input_tokens", pieces: Never, voice: Responses },
    Route { path: "/v1/messages", pieces: IfWanted, voice: Messages },
    Route { path: "/v1/messages/count_tokens", pieces: Never, voice: Messages },
];

impl Route {
    pub(super) fn of(path: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|route| route.path == path)
    }

    /// What its requests are about.
    pub(super) fn kind(&self) -> Kind {
        match self.path {
            "/api/generate" | "/v1/completions" => Kind::Generate,
            "/api/embed" | "/api/embeddings" | "/v1/embeddings" => Kind::Embed,
            "/v1/rerank" => Kind::Rerank,
            "/api/show"
            | "/v1/tokenize"
            | "/v1/detokenize"
            | "/v1/responses/input_tokens"
            | "/v1/messages/count_tokens" => Kind::Tokens,
            _ => Kind::Chat,
        }
    }

    /// Whether it only tells of a model. The one that is here is as good as any, and nothing needs to be read.
    pub(super) fn tells(&self) -> bool {
        self.path == "/api/show"
    }

    /// Bytes of a request.
    pub(super) fn most_bytes(&self) -> usize {
        if self.tells() { COMMAND_BYTES } else { CONVERSATION_BYTES }
    }

    /// Whether what it makes is kept where it is made, unless the request says that it is not to be.
    pub(super) fn keeps(&self) -> bool {
        self.path == "/v1/responses"
    }
}
