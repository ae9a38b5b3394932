//! How requests travel: what the endpoints know of HTTP and, later, of other ways to a function.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tidegate_core::address::FunctionType;
use tidegate_core::trace::TraceContext;

use super::fault::Fault;
use super::lane::Dialect;

/// A request to a function.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The function of the first group; it decides the URL. All groups of a request have the same URL.
    pub(super) function: FunctionType,
    /// What the body is.
    pub(super) dialect: Dialect,
    /// The body.
    pub(super) body: Bytes,
    /// The trace that all of it belongs to, if there is exactly one context.
    pub(super) trace: Option<Arc<TraceContext>>,
}

/// What came back, in the dialect of the request.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// Whether the endpoint offered to take batches.
    pub(super) speaks_batch: bool,
    /// The body.
    pub(super) body: Bytes,
}

/// Carries a request to a function and the answer back, within the time that is set for it. Tries once.
#[async_trait]
pub(super) trait Transport: Send + Sync + 'static {
    /// Returns the answer, or how far the failure reaches.
    async fn exchange(&self, request: Request) -> Result<Reply, Fault>;
}
