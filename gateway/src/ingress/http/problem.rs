//! What can go wrong for a client, as `application/problem+json` (RFC 9457) and as a refused line.
//!
//! No problem ever carries a payload, a token or a key.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tidegate_core::address::{AddressError, Typename};
use tidegate_core::partition::effect::ClientRefusal;

use crate::ingress::DoorError;

/// When a client of a paused ingress may try again: an operator decides when it helps.
const RETRY_PAUSED_SECONDS: &str = "30";

/// Everything that a client may be told instead of what it wanted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// The text does not name a function instance or an egress.
    #[error("the address is not valid: {0}")]
    Address(#[from] AddressError),
    /// The path could not be read at all.
    #[error("the path is not valid: {0}")]
    Path(String),
    /// No route and no declared ingress.
    #[error("nothing is served at this path")]
    NotFound,
    /// The path exists, the method does not.
    #[error("this path does not take this method")]
    MethodNotAllowed,
    /// No endpoint declares the function type.
    #[error("the function type is declared by no endpoint")]
    UnknownFunction,
    /// Same idempotency key, other body.
    #[error("the idempotency key came with another body before")]
    KeyReused,
    /// The table of idempotency keys is full.
    #[error(
        "so many idempotency keys are remembered that no new one can be; retry later or send without a key"
    )]
    TooManyKeys,
    /// An operator has paused it; nothing was accepted.
    #[error("the ingress {0} is paused by an operator; nothing was accepted")]
    Paused(Typename),
    /// Nothing was accepted.
    #[error("the node does not take messages now; nothing was accepted")]
    Closed,
    /// Nobody knows.
    #[error(
        "the message may or may not have been accepted; repeat it with an idempotency key to be sure"
    )]
    Unknown,
    /// Only for callers.
    #[error("no reply came; the message was accepted and stays accepted")]
    NoReply,
    /// Refused without reading it whole.
    #[error("the message is larger than {limit} bytes")]
    TooLarge {
        /// The bound, in bytes.
        limit: usize,
    },
    /// The client stopped sending, or broke off.
    #[error("the body could not be read: {0}")]
    Body(&'static str),
    /// No token, or a wrong one.
    #[error("a valid bearer token is required")]
    Unauthorised,
    /// A header that has a meaning here has a value that has none.
    #[error("the header {name} is not valid: {reason}")]
    Header {
        /// Which header.
        name: &'static str,
        /// What it should be.
        reason: String,
    },
    /// The body does not match its declared type.
    #[error("the body is not valid: {0}")]
    Malformed(String),
    /// A line that is no message.
    #[error("the line is not a message: {0}")]
    Line(String),
    /// The key rule of the ingress found nothing.
    #[error("the record has no key: {0}")]
    NoKey(String),
    /// The type of the value is unknown.
    #[error("content type `{0}` stands for no type of value; name one in the header Tidegate-Type")]
    ContentType(String),
    /// Made up, cut off, or of another egress.
    #[error("the cursor is not one of this egress")]
    Cursor,
    /// Not declared as an HTTP egress.
    #[error("no HTTP egress of this name is declared")]
    UnknownEgress,
    /// The head of the request.
    #[error("the head of the request is larger than {limit} bytes")]
    HeadTooLarge {
        /// The bound, in bytes.
        limit: usize,
    },
    /// The query string.
    #[error("the query is not valid: {0}")]
    Query(String),
}

impl Problem {
    /// The stable code, which has a page of its own in `docs/errors/`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind().0
    }

    /// The status of a response that says so.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.kind().1
    }

    fn kind(&self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::Address(_) | Self::Path(_) => {
                ("TG-0301", StatusCode::BAD_REQUEST, "invalid address")
            }
            Self::NotFound => ("TG-0302", StatusCode::NOT_FOUND, "not found"),
            Self::MethodNotAllowed => {
                ("TG-0302", StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
            }
            Self::UnknownFunction => ("TG-0303", StatusCode::NOT_FOUND, "unknown function type"),
            Self::KeyReused => {
                ("TG-0304", StatusCode::UNPROCESSABLE_ENTITY, "idempotency key reused")
            }
            Self::TooManyKeys => {
                ("TG-0305", StatusCode::TOO_MANY_REQUESTS, "too many idempotency keys")
            }
            Self::Closed => ("TG-0306", StatusCode::SERVICE_UNAVAILABLE, "not accepted"),
            Self::Paused(_) => ("TG-0340", StatusCode::SERVICE_UNAVAILABLE, "ingress paused"),
            Self::Unknown => ("TG-0307", StatusCode::SERVICE_UNAVAILABLE, "may have been accepted"),
            Self::NoReply => ("TG-0308", StatusCode::GATEWAY_TIMEOUT, "no reply"),
            Self::TooLarge { .. } => {
                ("TG-0309", StatusCode::PAYLOAD_TOO_LARGE, "message too large")
            }
            Self::Body(_) => ("TG-0310", StatusCode::REQUEST_TIMEOUT, "body not received"),
            Self::Unauthorised => ("TG-0311", StatusCode::UNAUTHORIZED, "unauthorised"),
            Self::Header { .. } => ("TG-0312", StatusCode::BAD_REQUEST, "invalid header"),
            Self::Malformed(_) | Self::Line(_) => {
                ("TG-0313", StatusCode::BAD_REQUEST, "malformed message")
            }
            Self::NoKey(_) => ("TG-0314", StatusCode::BAD_REQUEST, "record without key"),
            Self::ContentType(_) => {
                ("TG-0315", StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported content type")
            }
            Self::Cursor => ("TG-0316", StatusCode::BAD_REQUEST, "invalid cursor"),
            Self::UnknownEgress => ("TG-0317", StatusCode::NOT_FOUND, "unknown egress"),
            Self::HeadTooLarge { .. } => {
                ("TG-0322", StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head too large")
            }
            Self::Query(_) => ("TG-0318", StatusCode::BAD_REQUEST, "invalid query"),
        }
    }
}

impl From<DoorError> for Problem {
    fn from(error: DoorError) -> Self {
        match error {
            DoorError::Refused(ClientRefusal::UnknownFunction) => Self::UnknownFunction,
            DoorError::Refused(ClientRefusal::KeyReused) => Self::KeyReused,
            DoorError::Refused(ClientRefusal::TooManyKeys) => Self::TooManyKeys,
            DoorError::Unknown => Self::Unknown,
            DoorError::Closed => Self::Closed,
        }
    }
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: String,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, status, title) = self.kind();
        metrics::counter!("tidegate_http_problems_total", "code" => code).increment(1);
        let details = Details {
            kind: format!("urn:tidegate:error:{code}"),
            title,
            status: status.as_u16(),
            code,
            detail: self.to_string(),
        };
        let mut response = (status, axum::Json(details)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(self, Self::Paused(_)) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_PAUSED_SECONDS));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
