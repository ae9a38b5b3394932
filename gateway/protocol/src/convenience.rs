//! Short ways to build messages that nest deeply.

use bytes::Bytes;

use crate::reqreply::from_function::{IncompleteInvocationContext, InvocationResponse, Response};
use crate::reqreply::to_function::{InvocationBatchRequest, Request};
use crate::reqreply::{Address, FromFunction, ToFunction, TypedValue};

impl Address {
    /// An address of three parts, unchecked.
    pub fn new(
        namespace: impl Into<String>,
        r#type: impl Into<String>,
        id: impl Into<String>,
    ) -> Self {
        Self { namespace: namespace.into(), r#type: r#type.into(), id: id.into() }
    }
}

impl TypedValue {
    /// A present value without metadata.
    pub fn present(typename: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self {
            typename: typename.into(),
            has_value: true,
            value: value.into(),
            metadata: Vec::new(),
        }
    }
}

impl From<InvocationBatchRequest> for ToFunction {
    fn from(request: InvocationBatchRequest) -> Self {
        Self { request: Some(Request::Invocation(request)) }
    }
}

impl From<InvocationResponse> for FromFunction {
    fn from(response: InvocationResponse) -> Self {
        Self { response: Some(Response::InvocationResult(response)) }
    }
}

impl From<IncompleteInvocationContext> for FromFunction {
    fn from(context: IncompleteInvocationContext) -> Self {
        Self { response: Some(Response::IncompleteInvocationContext(context)) }
    }
}
