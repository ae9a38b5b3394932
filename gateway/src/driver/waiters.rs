//! Clients that wait: for acceptance, for a reply, or to be shown rows.

use std::collections::{BTreeMap, HashMap};

use tidegate_core::id::Ticket;
use tidegate_core::message::{RequestId, TypedValue};
use tidegate_core::partition::effect::ClientAnswer;
use tidegate_core::partition::order::OrderOutcome;
use tidegate_core::partition::row::{Row, RowKey};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::ingress::{DoorError, Exceptions, Outcome};

/// Where it is told what became of messages that were sent together.
pub(crate) type SendAnswer = oneshot::Sender<Exceptions>;
/// Where a caller's outcome goes.
pub(crate) type CallAnswer = oneshot::Sender<Result<Outcome, DoorError>>;
/// Where rows go that somebody wants to see.
pub(crate) type Show = oneshot::Sender<Vec<(RowKey, Row)>>;

#[derive(Debug, Default)]
pub(super) struct Waiters {
    last: Ticket,
    /// By the ticket of their first message; the tickets of the others follow it.
    sendings: BTreeMap<Ticket, Sending>,
    callers: HashMap<Ticket, CallAnswer>,
    replies: HashMap<RequestId, Vec<CallAnswer>>,
    operators: HashMap<Ticket, oneshot::Sender<OrderOutcome>>,
    shows: HashMap<Ticket, (Show, OwnedSemaphorePermit)>,
    /// How many requests were awaited when those that nobody awaits any more were last thrown out.
    swept: usize,
}

/// Messages that were sent together.
#[derive(Debug)]
struct Sending {
    unanswered: usize,
    exceptions: Exceptions,
    answer: SendAnswer,
}

impl Waiters {
    /// Somebody waits until so many messages, at least one, are accepted. Gives the ticket of the first; those of the others
    /// follow it.
    pub(super) fn sending(&mut self, messages: usize, answer: SendAnswer) -> Ticket {
        let first = self.last.next();
        self.last = Ticket(self.last.0 + messages as u64);
        let sending = Sending { unanswered: messages, exceptions: Exceptions::new(), answer };
        self.sendings.insert(first, sending);
        first
    }

    /// A client waits for a reply.
    pub(super) fn caller(&mut self, answer: CallAnswer) -> Ticket {
        let ticket = self.ticket();
        self.callers.insert(ticket, answer);
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
        match self.callers.remove(&ticket) {
            Some(caller) => self.answer_caller(caller, answer),
            None => self.answer_sender(ticket, answer),
        }
    }

    fn answer_caller(&mut self, caller: CallAnswer, answer: ClientAnswer) {
        let outcome = match answer {
            ClientAnswer::Refused(refusal) => Err(DoorError::Refused(refusal)),
            ClientAnswer::Accepted { request: Some(request) } => {
                return self.await_reply(request, caller);
            }
            ClientAnswer::Repeated { request, progress } if progress.reply.is_none() => {
                return self.await_reply(request, caller);
            }
            ClientAnswer::Accepted { request: None } => Ok(Outcome::Accepted),
            ClientAnswer::Repeated { progress, .. } => Ok(Outcome::Repeated(progress)),
        };
        drop(caller.send(outcome));
    }

    fn answer_sender(&mut self, ticket: Ticket, answer: ClientAnswer) {
        let Some((first, sending)) = self.sendings.range_mut(..=ticket).next_back() else { return };
        let first = *first;
        let place =
            usize::try_from(ticket.0 - first.0).expect("there are fewer messages in memory");
        match answer {
            ClientAnswer::Accepted { .. } => {}
            ClientAnswer::Repeated { progress, .. } => {
                sending.exceptions.push((place, Ok(Outcome::Repeated(progress))));
            }
            ClientAnswer::Refused(refusal) => {
                sending.exceptions.push((place, Err(DoorError::Refused(refusal))));
            }
        }
        sending.unanswered -= 1;
        if sending.unanswered == 0
            && let Some(Sending { exceptions, answer, .. }) = self.sendings.remove(&first)
        {
            drop(answer.send(exceptions));
        }
    }

    fn await_reply(&mut self, request: RequestId, client: CallAnswer) {
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
