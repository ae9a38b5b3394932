//! Forms the group that an address sends to its function, and turns the function's answer into a record.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Partition;
use super::group::{Delayed, Group, Mutation, Rejection, RejectionReason, Response, ValueSpec};
use super::place::{Placement, is_sendable};
use super::planted::Bug;
use super::record::{Commit, Delivery, EgressEntry, Emitted, Record, ValueChange};
use super::row::{RequestRow, Row, RowKey, Timer, TimerKey, TimerTask};
use super::schedule::InFlight;
use crate::address::{Address, EgressId};
use crate::id::{BatchId, Sequence, Timestamp};
use crate::limits::{MESSAGE_BYTES_MAX, TOKEN_BYTES_MAX};
use crate::message::{ClientRequest, Envelope, Message, RequestId, RequestProgress, TypedValue};

impl Partition {
    /// The next group of an address, as large as policy and earlier failures allow.
    pub(super) fn form_group(
        &mut self,
        now: Timestamp,
        address: &Address,
    ) -> Option<(Group, InFlight)> {
        let policy = self.application.policy(&address.function)?;
        let trouble = self.trouble(address);
        let most = trouble
            .map_or(usize::MAX, |trouble| trouble.messages)
            .min(policy.batch_messages)
            .max(1);
        let resident = self.state.resident(address)?;
        let waiting = resident.mailbox.messages();
        let mut messages: Vec<Arc<Message>> = Vec::with_capacity(waiting.len().min(most));
        let mut bytes = 0;
        for message in waiting.iter().take(most) {
            bytes += message.cost();
            if bytes > policy.batch_bytes && !messages.is_empty() {
                break;
            }
            messages.push(message.clone());
        }
        if messages.is_empty() {
            return None;
        }
        if self.state.planted.has(Bug::MessagesSwapped) && messages.len() > 1 {
            messages.swap(0, 1);
        }
        let specs = self.state.specs.get(&address.function);
        let presented = resident.values.present(specs, now);
        let batch = BatchId { epoch: self.state.epoch, number: self.schedule.number_batch() };
        let flight = InFlight {
            batch,
            messages: messages.len(),
            expired: presented.expired,
            presented: specs.len(),
        };
        let attempt = trouble.map_or(0, |trouble| trouble.failures) + 1;
        Some((
            Group { batch, attempt, address: address.clone(), values: presented.values, messages },
            flight,
        ))
    }

    /// The record of an answer whose mutations were found valid. `rows` are those that it depends on and
    /// that the overlay does not have.
    pub(super) fn commit_of(
        &self,
        now: Timestamp,
        address: &Address,
        flight: &InFlight,
        response: Response,
        rows: &BTreeMap<RowKey, Row>,
    ) -> Record {
        let mut draft = Draft::new(self, now, address, rows);
        draft.requests =
            self.consumed(address, flight).filter_map(|message| message.request.as_ref()).collect();
        draft.rejected = response.malformed;
        for (target, argument) in response.sends {
            draft.send(target, argument);
        }
        for delayed in response.delayed {
            draft.delay(delayed);
        }
        for (egress, argument) in response.egress {
            draft.emit(egress, argument);
        }
        draft.complete_requests();
        draft.values = self.value_changes(now, address, flight, response.mutations);
        let sequences = self.consumed(address, flight).map(|message| message.sequence).collect();
        Record::BatchCommitted(Box::new(draft.into_commit(sequences)))
    }

    fn consumed(
        &self,
        address: &Address,
        flight: &InFlight,
    ) -> impl ExactSizeIterator<Item = &Arc<Message>> {
        let resident = self.state.resident(address);
        let messages = resident.map(|resident| resident.mailbox.messages().iter());
        messages.unwrap_or_default().take(flight.messages)
    }

    fn value_changes(
        &self,
        now: Timestamp,
        address: &Address,
        flight: &InFlight,
        mutations: Vec<Mutation>,
    ) -> Vec<(Arc<str>, ValueChange)> {
        let specs = self.state.specs.get(&address.function);
        let mut changes = Vec::with_capacity(mutations.len());
        let Some(resident) = self.state.resident(address) else { return Vec::new() };
        let held = |spec: &&ValueSpec| resident.values.get(&spec.name).is_some();
        for spec in specs.iter().take(flight.presented).filter(held) {
            let expired = flight.expired.contains(&spec.name);
            let buggy = self.state.planted.has(Bug::RefreshOfExpiredValue) && spec.is_refreshable();
            if expired && !buggy {
                let refreshable = spec.is_refreshable();
                change(&mut changes, spec.name.clone(), ValueChange::Delete { refreshable });
            } else if spec.is_refreshable() && !self.state.planted.has(Bug::ExpiryNotRefreshed) {
                let expires_at = spec.expires_at(now);
                change(&mut changes, spec.name.clone(), ValueChange::Refresh { expires_at });
            }
        }
        for mutation in mutations {
            if let Some((name, mutated)) = self.value_change(now, specs, mutation) {
                change(&mut changes, name, mutated);
            }
        }
        changes
    }

    fn value_change(
        &self,
        now: Timestamp,
        specs: &[ValueSpec],
        mutation: Mutation,
    ) -> Option<(Arc<str>, ValueChange)> {
        let (name, value) = match mutation {
            Mutation::Modify(name, value) => (name, Some(value)),
            Mutation::Delete(name) => (name, None),
        };
        let spec = specs.iter().find(|spec| spec.name == name)?;
        let refreshable = spec.is_refreshable();
        let change = match value {
            Some(value) => {
                // All values of a name share the name of their type, which was found to be the same.
                let value = TypedValue { typename: spec.typename.clone(), ..value };
                ValueChange::Put { value, expires_at: spec.expires_at(now), refreshable }
            }
            None => ValueChange::Delete { refreshable },
        };
        Some((spec.name.clone(), change))
    }
}

/// Sets how a value changes; the list is in the order of names.
fn change(changes: &mut Vec<(Arc<str>, ValueChange)>, name: Arc<str>, change: ValueChange) {
    match changes.binary_search_by(|(known, _)| known.cmp(&name)) {
        Ok(index) => changes[index].1 = change,
        Err(index) => changes.insert(index, (name, change)),
    }
}

/// A commit while it is drawn up.
struct Draft<'a> {
    partition: &'a Partition,
    now: Timestamp,
    address: &'a Address,
    rows: &'a BTreeMap<RowKey, Row>,
    placement: Placement<'a>,
    // What few answers need is made when it is needed.
    egress_next: Option<BTreeMap<EgressId, Sequence>>,
    /// Timers with tokens that this very answer has set, until it cancels them.
    tokens: Option<BTreeMap<Arc<str>, TimerKey>>,
    /// Pending tokens that this very answer has freed.
    freed: Option<BTreeSet<Arc<str>>>,
    requests: Vec<&'a Arc<ClientRequest>>,
    replies: Option<BTreeMap<u128, TypedValue>>,
    values: Vec<(Arc<str>, ValueChange)>,
    sends: Vec<Delivery>,
    timers: Vec<Timer>,
    cancelled: Vec<(TimerKey, Arc<str>)>,
    egress: Vec<EgressEntry>,
    completed: Vec<RequestRow>,
    rejected: Vec<Rejection>,
}

impl<'a> Draft<'a> {
    fn new(
        partition: &'a Partition,
        now: Timestamp,
        address: &'a Address,
        rows: &'a BTreeMap<RowKey, Row>,
    ) -> Self {
        Self {
            partition,
            now,
            address,
            rows,
            placement: Placement::new(&partition.state),
            egress_next: None,
            tokens: None,
            freed: None,
            requests: Vec::new(),
            replies: None,
            values: Vec::new(),
            sends: Vec::new(),
            timers: Vec::new(),
            cancelled: Vec::new(),
            egress: Vec::new(),
            completed: Vec::new(),
            rejected: Vec::new(),
        }
    }

    fn reject(&mut self, reason: RejectionReason, subject: &str) {
        self.rejected.push(Rejection { reason, subject: subject.into() });
    }

    /// Why a message cannot be sent, if so.
    fn objection(&self, target: &Address, argument: &TypedValue) -> Option<RejectionReason> {
        if !is_sendable(target) {
            Some(RejectionReason::InvalidAddress)
        } else if argument.cost() > MESSAGE_BYTES_MAX {
            Some(RejectionReason::TooLarge)
        } else if !target.is_reply()
            && self.partition.application.policy(&target.function).is_none()
        {
            Some(RejectionReason::UnknownFunction)
        } else {
            None
        }
    }

    fn send(&mut self, target: Address, argument: TypedValue) {
        if let Some(reason) = self.objection(&target, &argument) {
            return self.reject(reason, &alloc::format!("{target}"));
        }
        if let Some(key) = self.answered_here(&target) {
            // The first reply wins, and the commit itself remembers it.
            let replies = self.replies.get_or_insert_default();
            if replies.contains_key(&key) {
                return self.reject(RejectionReason::RequestGone, &alloc::format!("{target}"));
            }
            replies.insert(key, argument);
            return;
        }
        let envelope = Envelope { caller: Some(self.address.clone()), target, argument };
        self.sends.push(self.placement.place(envelope, None));
    }

    /// The request that a reply address names, if its message is among those that were just processed.
    fn answered_here(&self, target: &Address) -> Option<u128> {
        if self.requests.is_empty() || !target.is_reply() {
            return None;
        }
        let (home, RequestId::Keyed(key)) = target.request()? else { return None };
        let here = home == self.partition.state.partition;
        (here && self.requests.iter().any(|request| request.id == key)).then_some(key.0)
    }

    fn delay(&mut self, delayed: Delayed) {
        match delayed {
            Delayed::Send { delay_ms, target, argument, token } => {
                self.send_later(delay_ms, target, argument, token);
            }
            Delayed::Cancel { token } => self.cancel(token),
        }
    }

    fn send_later(
        &mut self,
        delay_ms: i64,
        target: Address,
        argument: TypedValue,
        token: Option<Arc<str>>,
    ) {
        let token = token.filter(|token| !token.is_empty());
        if let Some(reason) = self.objection(&target, &argument) {
            return self.reject(reason, &alloc::format!("{target}"));
        }
        let Ok(delay_ms) = u64::try_from(delay_ms) else {
            return self.reject(RejectionReason::NegativeDelay, &alloc::format!("{target}"));
        };
        if let Some(token) = &token {
            if token.len() > TOKEN_BYTES_MAX {
                return self.reject(RejectionReason::InvalidToken, &alloc::format!("{target}"));
            }
            if self.pending(token).is_some() {
                return self.reject(RejectionReason::DuplicateToken, token);
            }
        }
        let key = TimerKey { fire_at: self.now.plus_ms(delay_ms), id: self.placement.number() };
        if let Some(token) = &token {
            self.tokens.get_or_insert_default().insert(token.clone(), key);
        }
        let task = TimerTask::Send { sender: self.address.clone(), target, argument, token };
        self.timers.push(Timer { key, task });
    }

    fn cancel(&mut self, token: Arc<str>) {
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return self.reject(RejectionReason::InvalidToken, &alloc::format!("{}", self.address));
        }
        let own = self.tokens.as_mut().and_then(|tokens| tokens.remove(&token));
        if let Some(key) = own {
            self.timers.retain(|timer| timer.key != key);
        } else if let Some(key) = self.pending(&token) {
            self.freed.get_or_insert_default().insert(token.clone());
            self.cancelled.push((key, token));
        }
    }

    /// The timer that a token stands for, if it is pending.
    fn pending(&self, token: &Arc<str>) -> Option<TimerKey> {
        if let Some(key) = self.tokens.as_ref().and_then(|tokens| tokens.get(token)) {
            return Some(*key);
        }
        if self.freed.as_ref().is_some_and(|freed| freed.contains(token)) {
            return None;
        }
        let row = RowKey::Token(self.address.clone(), token.clone());
        let row = match self.partition.state.unflushed(&row) {
            Some(known) => known,
            None => self.rows.get(&row),
        };
        match row {
            Some(Row::Token(key)) => Some(*key),
            _ => None,
        }
    }

    fn emit(&mut self, egress: EgressId, argument: TypedValue) {
        if !self.partition.application.egresses.contains(&egress) {
            return self.reject(RejectionReason::UnknownEgress, egress.as_str());
        }
        let state = &self.partition.state;
        let next = self.egress_next.get_or_insert_default().entry(egress.clone());
        let next = next.or_insert_with(|| state.egresses.next(&egress));
        let sequence = *next;
        *next = sequence.next();
        let emitted = Emitted { sender: self.address.clone(), at: self.now, argument };
        self.egress.push(EgressEntry { egress, sequence, emitted });
    }

    /// The idempotent requests whose messages were processed are complete: they are kept for their retention.
    fn complete_requests(&mut self) {
        for request in core::mem::take(&mut self.requests) {
            let reply = self.replies.as_mut().and_then(|replies| replies.remove(&request.id.0));
            let progress = RequestProgress { consumed_at: Some(self.now), reply };
            self.completed.push(RequestRow {
                target: self.address.clone(),
                request: request.clone(),
                progress,
            });
            let retention = self.partition.limits.idempotency_retention_ms;
            let key =
                TimerKey { fire_at: self.now.plus_ms(retention), id: self.placement.number() };
            self.timers.push(Timer { key, task: TimerTask::Forget(request.id) });
        }
    }

    fn into_commit(self, consumed: Vec<Sequence>) -> Commit {
        Commit {
            address: self.address.clone(),
            at: self.now,
            consumed,
            values: self.values,
            sends: self.sends,
            timers: self.timers,
            cancelled: self.cancelled,
            egress: self.egress,
            completed: self.completed,
            rejected: self.rejected,
        }
    }
}
