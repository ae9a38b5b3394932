//! The invoker: has functions process groups.
//!
//! Partitions submit groups; the invoker packs them into requests per endpoint, limits how many requests are under way, keeps
//! endpoint failures to itself as far as it can, and tells each partition what became of each of its groups.
//!
//! How far a failure reaches:
//!
//! | what happened | who is blamed |
//! |---|---|
//! | no connection: refused, not resolved, not trusted, in no time; status 401, 403, 407, 429, 503 | the endpoint |
//! | connection lost before an answer began; status 408, 409, 420, 499, 501, 502, 504 and above | the endpoint, unless it has served others since it failed at the same groups: then the request |
//! | no answer in time, connection lost within the answer, answer too large or not an answer; status 500, 3xx, 4xx | the request |
//! | a batch is answered with status 400, 406 or 415, or with another media type | nobody: each group goes again in a request of protocol v3 |
//! | in the answer to a batch: a failure, or a result that cannot be used | the group |
//! | in the answer to a batch: not run, or no result | nobody: the group goes again |
//!
//! - *The endpoint*: its groups wait, fewer requests go, after a pause that grows. Nothing counts against an address. An
//!   endpoint that is restarted and a process that a message kills look alike from here. What tells them apart is whether others are
//!   served in between, so what failed goes to the end of the queue.
//! - *The request*: its groups travel again in halves, until one is alone. Then that group is blamed.
//! - *The group*: its partition is told, retries by policy and parks the address in the end.
//!
//! Which statuses pass is StateFun's rule: 408, 409, 420, 429, 499 and everything from 500 on are tried again there as long as the
//! call may take. Here 500 is what SDKs answer when the function's code failed, so it counts against the group.
//!
//! A batch none of whose groups was run makes the endpoint pause; one without any result is a failed request.

mod carry;
mod config;
mod dispatch;
mod encoding;
mod endpoint;
pub mod examine;
mod fault;
mod http;
mod lane;
mod pace;
mod packing;
mod queue;
mod routes;
mod settle;
mod spans;
mod telemetry;
mod tls;
mod transport;
mod wire;

use std::sync::Arc;

use tidegate_core::id::PartitionId;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::Group;

pub use self::config::{EndpointConfig, FunctionPattern, UrlError, UrlTemplate};
pub use self::dispatch::Invoker;
pub use self::fault::InvokeError;
pub use self::routes::{Introduced, Prepared};
pub use self::tls::{Identity, TlsConfig, TlsError};
pub(crate) use self::tls::{client as encrypting_client, client_without_trust};

/// Where answers go: an `InvocationSucceeded`, `InvocationIncomplete` or `InvocationFailed` for a partition. Must not block.
pub type Answers = Arc<dyn Fn(PartitionId, Event) + Send + Sync>;

/// Has functions process groups.
pub trait Invoke: Send + Sync + 'static {
    /// Takes a group over. Exactly one answer follows, unless the process ends first.
    fn submit(&self, partition: PartitionId, group: Group);
}

#[cfg(test)]
mod tests;
