//! Handing messages to the door in an order that holds.
//!
//! The door takes messages to one address in the order in which its `send` futures are first polled. So a delivery is
//! polled once, at once and before the next one exists; only its answer is awaited later.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures::future::{BoxFuture, FutureExt, MaybeDone, maybe_done};

use super::problem::Problem;
use crate::ingress::{Door, DoorError, Inbound, Outcome};

/// What became of a line or a record with all its messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Delivered {
    /// All messages are durable, at least one of them new.
    Accepted,
    /// All messages were accepted before.
    Repeated,
}

/// The way of one or several messages through the door, already begun.
pub(super) type Delivery = BoxFuture<'static, Result<Delivered, Problem>>;

/// Hands over messages in order, now. The future resolves when all were answered.
pub(super) async fn begin(door: Arc<dyn Door>, messages: Vec<Inbound>) -> Delivery {
    let mut delivery = deliver(door, messages).boxed();
    match futures::poll!(delivery.as_mut()) {
        Poll::Ready(delivered) => futures::future::ready(delivered).boxed(),
        Poll::Pending => delivery,
    }
}

/// Polls all messages each time, in order: the first poll hands all of them over before any answer is looked at.
async fn deliver(door: Arc<dyn Door>, messages: Vec<Inbound>) -> Result<Delivered, Problem> {
    let mut sends: Vec<_> = messages
        .into_iter()
        .map(|message| {
            let door = door.clone();
            maybe_done(async move { door.send(message).await }.boxed())
        })
        .collect();
    poll_fn(|context| {
        let mut pending = false;
        for send in &mut sends {
            pending |= send.poll_unpin(context).is_pending();
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    combine(sends.iter_mut().filter_map(|send| MaybeDone::take_output(Pin::new(send))))
}

/// The first failure stands for all. What was accepted stays accepted, so "nothing was accepted" is then not said.
fn combine(
    outcomes: impl Iterator<Item = Result<Outcome, DoorError>>,
) -> Result<Delivered, Problem> {
    let (mut fresh, mut repeated, mut failure) = (0, 0, None);
    for outcome in outcomes {
        match outcome {
            Ok(Outcome::Repeated(_)) => repeated += 1,
            Ok(_) => fresh += 1,
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    match failure {
        Some(DoorError::Closed) if fresh + repeated > 0 => Err(Problem::Unknown),
        Some(error) => Err(error.into()),
        None if fresh > 0 => Ok(Delivered::Accepted),
        None => Ok(Delivered::Repeated),
    }
}
