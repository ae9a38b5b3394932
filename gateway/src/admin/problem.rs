//! What can go wrong for an operator, as `application/problem+json` (RFC 9457).

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tidegate_core::address::AddressError;
use tidegate_core::id::Sequence;
use utoipa::ToSchema;

use crate::ingress::DoorError;

/// The stable code of a problem, its status, and its title.
pub(super) type Kind = (&'static str, StatusCode, &'static str);

/// Everything that an operator may be told instead of what was wanted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// The request is not one.
    #[error("the request is not valid: {0}")]
    Malformed(String),
    /// Nothing to redrive or to drop from.
    #[error("the address is not parked; nothing was changed")]
    NotParked,
    /// Somebody else was faster.
    #[error("the message at the head is {found}, not {expected}; nothing was dropped")]
    AnotherHead {
        /// The message that the order named.
        expected: Sequence,
        /// The message at the head.
        found: Sequence,
    },
    /// The node is starting or stopping.
    #[error("the node does not answer now; nothing was changed")]
    Closed,
    /// The partition ended while it carried the order out.
    #[error("the order may or may not have been carried out; look, and repeat it if it was not")]
    Unknown,
    /// No such path.
    #[error("nothing is served at this path")]
    NotFound,
    /// The path exists, the method does not.
    #[error("this path does not take this method")]
    MethodNotAllowed,
}

impl Problem {
    fn kind(&self) -> Kind {
        match self {
            Self::Malformed(_) => ("TG-0701", StatusCode::BAD_REQUEST, "invalid request"),
            Self::NotParked => ("TG-0702", StatusCode::CONFLICT, "not parked"),
            Self::AnotherHead { .. } => ("TG-0703", StatusCode::CONFLICT, "another head"),
            Self::Closed => ("TG-0704", StatusCode::SERVICE_UNAVAILABLE, "not now"),
            Self::Unknown => {
                ("TG-0705", StatusCode::SERVICE_UNAVAILABLE, "may have been carried out")
            }
            Self::NotFound => ("TG-0706", StatusCode::NOT_FOUND, "not found"),
            Self::MethodNotAllowed => {
                ("TG-0706", StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
            }
        }
    }
}

impl From<DoorError> for Problem {
    fn from(error: DoorError) -> Self {
        match error {
            DoorError::Unknown => Self::Unknown,
            DoorError::Closed | DoorError::Refused(_) => Self::Closed,
        }
    }
}

impl From<AddressError> for Problem {
    fn from(error: AddressError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::Malformed(rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::Malformed(rejection.body_text())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::Malformed(rejection.body_text())
    }
}

/// A problem document (RFC 9457).
#[derive(Serialize, ToSchema)]
pub struct ProblemDocument {
    /// A name for the kind of problem: `urn:tidegate:error:TG-nnnn`.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The status of the response.
    status: u16,
    /// The stable code, which has a page in `docs/errors/`.
    code: &'static str,
    /// What happened here.
    detail: String,
}

impl ProblemDocument {
    /// The document of a problem. Those with further members have it at their head.
    pub(super) fn new((code, status, title): Kind, detail: String) -> Self {
        let kind = format!("urn:tidegate:error:{code}");
        Self { kind, title, status: status.as_u16(), code, detail }
    }
}

/// Answers with a document that has a [`ProblemDocument`] at its head.
pub(super) fn respond((_, status, _): Kind, document: &impl Serialize) -> Response {
    let mut response = (status, axum::Json(document)).into_response();
    let json = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = self.kind();
        respond(kind, &ProblemDocument::new(kind, self.to_string()))
    }
}
