//! Clients that wait: for acceptance, for a reply, or to be shown rows.

use std::collections::HashMap;

use tidegate_core::id::Ticket;
use tidegate_core::message::{RequestId, TypedValue};
use tidegate_core::partition::effect::ClientAnswer;
use tidegate_core::partition::order::OrderOutcome;
use tidegate_core::partition::row::{Row, RowKey};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::ingress::{DoorError, Outcome};

/// Where a client's outcome goes.
pub(crate) type Answer = oneshot::Sender<Result<Outcome, DoorError>>;
/// Where rows go that somebody wants to see.
pub(crate) type Show = oneshot::Sender<Vec<(RowKey, Row)>>;

#[derive(Debug, Default)]
pub(super) struct Waiters {
    last: Ticket,
    clients: HashMap<Ticket, (Answer, bool)>,
    replies: HashMap<RequestId, Vec<Answer>>,
    operators: HashMap<Ticket, oneshot::Sender<OrderOutcome>>,
    shows: HashMap<Ticket, (Show, OwnedSemaphorePermit)>,
    /// How many requests were awaited when those that nobody awaits any more were last thrown out.
    swept: usize,
}

impl Waiters {
    /// A client waits for acceptance, and for a reply too if it wants one.
    pub(super) fn client(&mut self, answer: Answer, wants_reply: bool) -> Ticket {
        let ticket = self.ticket();
        self.clients.insert(ticket, (answer, wants_reply));
        ticket
    }

    /// Somebody wants to see rows.
    pub(super) fn show(&mut self, show: Show, slot: OwnedSemaphorePermit) -> Ticket {
        let ticket = self.ticket();
        self.shows.insert(ticket, (show, slot));
        ticket
    }

    /// An operator waits for the outcome of an order.
    pub(super) fn operator(&mut self, answer: oneshot::Sender<OrderOutcome>) -> Ticket {
        let ticket = self.ticket();
        self.operators.insert(ticket, answer);
        ticket
    }

    /// What became of an order. An operator who has gone away finds out by looking.
    pub(super) fn ordered(&mut self, ticket: Ticket, outcome: OrderOutcome) {
        if let Some(answer) = self.operators.remove(&ticket) {
            let _ = answer.send(outcome);
        }
    }

    const fn ticket(&mut self) -> Ticket {
        self.last = self.last.next();
        self.last
    }

    /// What became of a client's message. One that has gone away is not missed.
    pub(super) fn answer(&mut self, ticket: Ticket, answer: ClientAnswer) {
        let Some((client, wants_reply)) = self.clients.remove(&ticket) else { return };
        match answer {
            ClientAnswer::Refused(refusal) => drop(client.send(Err(DoorError::Refused(refusal)))),
            ClientAnswer::Accepted { request: Some(request) } if wants_reply => {
                self.await_reply(request, client);
            }
            ClientAnswer::Accepted { .. } => drop(client.send(Ok(Outcome::Accepted))),
            ClientAnswer::Repeated { request, progress }
                if wants_reply && progress.reply.is_none() =>
            {
                self.await_reply(request, client);
            }
            ClientAnswer::Repeated { progress, .. } => {
                drop(client.send(Ok(Outcome::Repeated(progress))));
            }
        }
    }

    fn await_reply(&mut self, request: RequestId, client: Answer) {
        self.replies.entry(request).or_default().push(client);
        if self.replies.len() > 2 * self.swept.max(512) {
            self.replies.retain(|_, clients| {
                clients.retain(|client| !client.is_closed());
                !clients.is_empty()
            });
            self.swept = self.replies.len();
        }
    }

    /// A reply came. Nobody may wait for it.
    pub(super) fn reply(&mut self, request: RequestId, argument: &TypedValue) {
        for client in self.replies.remove(&request).unwrap_or_default() {
            // A client that went away gets its reply by repeating the request, if it gave a key.
            drop(client.send(Ok(Outcome::Replied(argument.clone()))));
        }
    }

    /// Rows can be shown.
    pub(super) fn rows(&mut self, ticket: Ticket, rows: Vec<(RowKey, Row)>) {
        if let Some((show, _slot)) = self.shows.remove(&ticket) {
            drop(show.send(rows));
        }
    }

    /// How many requests are awaited, by clients that are still there or were not long ago.
    pub(super) fn calls(&self) -> usize {
        self.replies.len()
    }
}
