//! Load: streams of messages that nobody answers, and clients that call and wait.

mod calls;
mod stream;

pub(crate) use calls::{Calls, call};
pub(crate) use stream::{Quota, Stream, send};
