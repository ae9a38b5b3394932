//! Takes the groups of one request to the endpoint and brings back what became of them.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tidegate_core::trace::TraceContext;

use super::fault::{Fault, InvokeError};
use super::lane::Dialect;
use super::packing::Parcel;
use super::spans;
use super::transport::{Request, Transport};
use super::wire::{self, BatchAnswer, Origins};

/// What the answer to a request says.
pub(super) struct Answered {
    /// Whether the endpoint offered to take batches.
    pub(super) speaks_batch: bool,
    /// What became of each group.
    pub(super) answer: BatchAnswer,
}

/// Has the groups of a parcel processed. A defect of ours is an outcome like others: the groups must have their answer.
pub(super) async fn carry(
    transport: &dyn Transport,
    parcel: &Parcel,
    dialect: Dialect,
    trace: Option<Arc<TraceContext>>,
) -> Result<Answered, Fault> {
    let outcome = AssertUnwindSafe(exchange(transport, parcel, dialect, trace)).catch_unwind();
    // The text of a panic may hold anything, so it is not passed on.
    outcome.await.unwrap_or_else(|_| Err(defect("it panicked")))
}

async fn exchange(
    transport: &dyn Transport,
    parcel: &Parcel,
    dialect: Dialect,
    trace: Option<Arc<TraceContext>>,
) -> Result<Answered, Fault> {
    let Some(first) = parcel.groups.first() else {
        return Err(defect("a parcel without groups"));
    };
    let body = match dialect {
        Dialect::Single => wire::encode_single(&first.group),
        Dialect::Batch => wire::encode_batch(
            parcel.groups.iter().map(|pending| (pending.partition, &pending.group)),
        ),
    };
    let function = first.group.address.function.clone();
    let reply = transport.exchange(Request { function, dialect, body, trace }).await?;
    let origins = spans::origins(parcel);
    let answer = match dialect {
        Dialect::Single => {
            wire::decode_single(reply.body, origins.first().unwrap_or(&Origins::default()))
                .map(|answer| BatchAnswer { results: vec![Some(answer)], unmatched: 0 })
        }
        Dialect::Batch => {
            let echoes =
                parcel.groups.iter().map(|it| (it.partition, it.group.batch, it.group.attempt));
            wire::decode_batch(reply.body, &echoes.collect::<Vec<_>>(), &origins)
        }
    };
    let answer = answer.map_err(|invalid| Fault::Request(invalid.into()))?;
    Ok(Answered { speaks_batch: reply.speaks_batch, answer })
}

fn defect(cause: &str) -> Fault {
    Fault::Request(InvokeError::Defect { cause: cause.into() })
}
