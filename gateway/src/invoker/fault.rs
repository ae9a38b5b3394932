//! What can go wrong with a request, and how far it reaches.

use std::time::Duration;

/// What went wrong, for the operator. Never holds a payload or a URL, which may hold credentials.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvokeError {
    /// No connection came about.
    #[error("TG-0401 the endpoint cannot be reached: {cause}")]
    Unreachable {
        /// What the network said.
        cause: String,
    },
    /// The endpoint, or something before it, turns requests away.
    #[error("TG-0402 the endpoint does not serve now: status {status}")]
    Unavailable {
        /// The status of its answer.
        status: u16,
    },
    /// The connection ended too early.
    #[error("TG-0403 the connection was lost before the answer was complete: {cause}")]
    ConnectionLost {
        /// What the network said.
        cause: String,
    },
    /// The answer took too long.
    #[error("TG-0404 no answer within {limit:?}")]
    TimedOut {
        /// How long it may take.
        limit: Duration,
    },
    /// The endpoint did not process the request; with status 500 its code failed.
    #[error("TG-0405 the endpoint answered with status {status}")]
    Status {
        /// The status of its answer.
        status: u16,
    },
    /// The answer is not one.
    #[error("TG-0406 the answer cannot be used: {cause}")]
    InvalidAnswer {
        /// Which part, and why.
        cause: String,
    },
    /// The answer is larger than is allowed.
    #[error("TG-0407 the answer is larger than {limit} bytes")]
    AnswerTooLarge {
        /// How large it may be.
        limit: usize,
    },
    /// The endpoint answered for other groups, or for none.
    #[error("TG-0408 the answer holds no result for the group")]
    NoResult,
    /// Nothing says where the function is served.
    #[error("TG-0409 function `{function}` is declared by no endpoint")]
    NotDeclared {
        /// Which function.
        function: String,
    },
    /// The function's code failed and said so.
    #[error("TG-0410 the function failed: {text}")]
    FunctionFailed {
        /// What it said.
        text: String,
    },
    /// A defect of the gateway.
    #[error("TG-0411 the gateway failed at the request: {cause}")]
    Defect {
        /// What happened.
        cause: String,
    },
}

/// A failed request, by what must follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The endpoint does not serve: whatever was sent would have failed.
    Endpoint {
        /// What went wrong.
        error: InvokeError,
        /// How long the endpoint wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// Either the endpoint failed, or this request made it fail: an endpoint that is restarted looks like one whose process
    /// is killed by a message.
    Unclear(InvokeError),
    /// This request failed, and the endpoint is well.
    Request(InvokeError),
    /// The endpoint does not understand the batch extension.
    Dialect,
}
