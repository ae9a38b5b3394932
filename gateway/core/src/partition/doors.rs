//! The doors of addresses: clients' messages with idempotency keys wait here, in order, until it is known whether the
//! key was used before. What comes from clients to the same address meanwhile queues behind.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;

use super::Partition;
use super::effect::{ClientAnswer, ClientRefusal, Effect, Effects, LoadRequest};
use super::loads::Purpose;
use super::place::Placement;
use super::record::{Provenance, Record};
use super::row::{RequestRow, Row, RowKey};
use crate::address::Address;
use crate::id::{Ticket, Timestamp};
use crate::message::{ClientRequest, Envelope, RequestId};

/// A client's message at the door.
#[derive(Debug)]
pub(super) struct Knock {
    pub(super) ticket: Ticket,
    pub(super) wants_reply: bool,
    pub(super) request: Option<Arc<ClientRequest>>,
    pub(super) envelope: Envelope,
}

impl Knock {
    fn key(&self) -> Option<RowKey> {
        self.request.as_ref().map(|request| RowKey::Request(request.id))
    }
}

#[derive(Debug, Default)]
pub(super) struct Doors {
    /// Who waits; the first one of each queue waits for a load.
    waiting: BTreeMap<Address, VecDeque<Knock>>,
    bytes: usize,
}

impl Doors {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    fn queue(&mut self, knock: Knock) {
        self.bytes += knock.envelope.cost();
        self.waiting.entry(knock.envelope.target.clone()).or_default().push_back(knock);
    }

    /// It stays the first of its queue.
    fn requeue(&mut self, knock: Knock) {
        self.bytes += knock.envelope.cost();
        self.waiting.entry(knock.envelope.target.clone()).or_default().push_front(knock);
    }

    fn next(&mut self, address: &Address) -> Option<Knock> {
        let knock = self.waiting.get_mut(address)?.pop_front()?;
        self.bytes -= knock.envelope.cost();
        Some(knock)
    }
}

impl Partition {
    /// A client's message came to the door of an address.
    pub(super) fn knock(&mut self, now: Timestamp, knock: Knock, out: &mut Effects) {
        let target = &knock.envelope.target;
        let stranger = target.is_reply() || self.application.policy(&target.function).is_none();
        if stranger {
            self.answer(knock.ticket, ClientAnswer::Refused(ClientRefusal::UnknownFunction), out);
        } else if self.doors.waiting.contains_key(target) {
            self.doors.queue(knock);
        } else if knock.request.is_none() {
            self.accept_client(now, knock, None, out);
        } else if let Some(knock) = self.try_door(now, knock, out) {
            self.wait_at_door(knock, out);
        }
    }

    /// Decides about a message if that is possible without reading rows; gives it back if not.
    fn try_door(&mut self, now: Timestamp, knock: Knock, out: &mut Effects) -> Option<Knock> {
        let known = match knock.key() {
            None => None,
            Some(key) => match self.state.unflushed(&key) {
                None => return Some(knock),
                Some(row) => row.cloned(),
            },
        };
        self.decide(now, knock, known, out);
        None
    }

    fn wait_at_door(&mut self, knock: Knock, out: &mut Effects) {
        let target = knock.envelope.target.clone();
        let keys = knock.key().into_iter().collect();
        self.doors.queue(knock);
        self.load(Purpose::Door(target), LoadRequest { keys, range: None }, out);
    }

    /// The row of the key that the first in the queue came with was read.
    pub(super) fn open_door(
        &mut self,
        now: Timestamp,
        target: &Address,
        rows: &BTreeMap<RowKey, Row>,
        out: &mut Effects,
    ) {
        if let Some(knock) = self.doors.next(target) {
            let known = knock.key().and_then(|key| rows.get(&key).cloned());
            self.decide(now, knock, known, out);
        }
        while let Some(knock) = self.doors.next(target) {
            if let Some(knock) = self.try_door(now, knock, out) {
                let keys = knock.key().into_iter().collect();
                self.doors.requeue(knock);
                self.load(Purpose::Door(target.clone()), LoadRequest { keys, range: None }, out);
                return;
            }
        }
        self.doors.waiting.remove(target);
    }

    fn decide(&mut self, now: Timestamp, knock: Knock, known: Option<Row>, out: &mut Effects) {
        let Some(request) = knock.request.clone() else {
            return self.accept_client(now, knock, None, out);
        };
        match known {
            Some(Row::Request(row)) => {
                let answer = repeated(&knock, &request, *row);
                self.answer(knock.ticket, answer, out);
            }
            _ if self.state.keys >= self.limits.idempotency_keys => {
                self.answer(knock.ticket, ClientAnswer::Refused(ClientRefusal::TooManyKeys), out);
            }
            _ => self.accept_client(now, knock, Some(self.state.keys + 1), out),
        }
    }

    fn accept_client(
        &mut self,
        now: Timestamp,
        knock: Knock,
        keys: Option<u64>,
        out: &mut Effects,
    ) {
        let Knock { ticket, wants_reply, request, mut envelope } = knock;
        let awaited = match &request {
            Some(request) => Some(RequestId::Keyed(request.id)),
            None => wants_reply.then_some(RequestId::Waiting { epoch: self.state.epoch, ticket }),
        };
        if wants_reply && let Some(awaited) = awaited {
            envelope.caller = Some(Address::of_request(self.state.partition, awaited));
        }
        let delivery = Placement::new(&self.state).place(envelope, request);
        self.commit(
            now,
            Record::MessageAccepted { provenance: Provenance::Client { keys }, delivery },
            out,
        );
        self.answer(ticket, ClientAnswer::Accepted { request: awaited }, out);
    }

    /// Everything that a client is told waits for the log, refusals included: they may rest on what is not durable.
    fn answer(&self, ticket: Ticket, answer: ClientAnswer, out: &mut Effects) {
        out.actions.push(Effect::AnswerClient { ticket, answer, after: self.gate() });
    }
}

fn repeated(knock: &Knock, request: &ClientRequest, row: RequestRow) -> ClientAnswer {
    let same = row.target == knock.envelope.target && *row.request == *request;
    if same {
        ClientAnswer::Repeated { request: RequestId::Keyed(request.id), progress: row.progress }
    } else {
        ClientAnswer::Refused(ClientRefusal::KeyReused)
    }
}
