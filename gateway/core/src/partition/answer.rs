//! A function answered, or failed: what follows for its address. Upholds FENCE-1 for answers.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Partition;
use super::effect::{Effect, Effects, LoadRequest, Report};
use super::group::{Delayed, Failure, FailureScope, Mutation, Response, ValueSpec};
use super::loads::Purpose;
use super::planted::Bug;
use super::record::Record;
use super::row::{Parked, Row, RowKey};
use super::schedule::{InFlight, Slot, Trouble};
use crate::address::Address;
use crate::id::{BatchId, Timestamp};
use crate::limits::{ANSWER_BYTES_MAX, VALUE_NAME_BYTES_MAX, VALUES_PER_FUNCTION_MAX};
use crate::message::RequestId;
use crate::policy::Exhausted;

impl Partition {
    pub(super) fn succeeded(
        &mut self,
        now: Timestamp,
        batch: BatchId,
        response: Box<Response>,
        out: &mut Effects,
    ) {
        let Some((address, flight)) = self.in_flight(batch, out) else { return };
        if let Err(text) = self.check(&address, &response) {
            self.group_failed(now, &address, &flight, text.into(), out);
            return;
        }
        let keys = self.unknown_tokens(&address, &response);
        if keys.is_empty() {
            self.accept_answer(now, &address, &flight, *response, &BTreeMap::new(), out);
        } else {
            self.vacate(&address);
            self.occupy(&address, Slot::Committing(flight, response));
            self.load(Purpose::Commit(address), LoadRequest { keys, range: None }, out);
        }
    }

    /// The address and the attempt that an answer belongs to. An answer that does not match what is in flight
    /// belongs to an earlier attempt, or to an earlier life.
    fn in_flight(&mut self, batch: BatchId, out: &mut Effects) -> Option<(Address, InFlight)> {
        let lenient = self.state.planted.has(Bug::LateAnswerAccepted);
        let found = self
            .schedule
            .batch(batch.number)
            .filter(|_| batch.epoch == self.state.epoch || lenient);
        if let Some((handle, address)) = found
            && let Some(handle) = self.state.directory.seek_near(*handle, address)
            && let Some(Slot::InFlight(flight)) = self.schedule.slot(handle)
            && (flight.batch == batch || lenient)
        {
            return Some((address.clone(), flight.clone()));
        }
        out.actions.push(Effect::Report(Report::StaleAnswer));
        None
    }

    /// What is wrong with an answer as a whole. Nothing of it can be committed then.
    fn check(&self, address: &Address, response: &Response) -> Result<(), String> {
        let specs = self.state.specs.get(&address.function);
        for mutation in &response.mutations {
            let (Mutation::Modify(name, _) | Mutation::Delete(name)) = mutation;
            let Some(spec) = specs.iter().find(|spec| spec.name == *name) else {
                return Err(format!(
                    "TG-0451: the function changed the value `{name}`, which it never declared"
                ));
            };
            if let Mutation::Modify(_, value) = mutation
                && *value.typename != *spec.typename
            {
                let (declared, found) = (&spec.typename, &value.typename);
                return Err(format!(
                    "TG-0452: the value `{name}` was declared as `{declared}` but the function set a `{found}`"
                ));
            }
        }
        let bytes = cost(address, response);
        if bytes > ANSWER_BYTES_MAX {
            return Err(format!(
                "TG-0453: the answer takes {bytes} bytes, at most {ANSWER_BYTES_MAX} are allowed"
            ));
        }
        Ok(())
    }

    /// Rows of the tokens that an answer depends on, if of any of them only the store knows. All of them then: what the
    /// overlay knows now it may have handed to the store when the rows arrive.
    fn unknown_tokens(&self, address: &Address, response: &Response) -> Vec<RowKey> {
        if response.delayed.is_empty() {
            return Vec::new();
        }
        let tokens = response.delayed.iter().filter_map(|delayed| match delayed {
            Delayed::Send { token, .. } => token.clone(),
            Delayed::Cancel { token } => Some(token.clone()),
        });
        let keys: BTreeSet<RowKey> =
            tokens.map(|token| RowKey::Token(address.clone(), token)).collect();
        if keys.iter().all(|key| self.state.unflushed(key).is_some()) {
            return Vec::new();
        }
        keys.into_iter().collect()
    }

    /// The rows that an answer depends on were read.
    pub(super) fn commit_answer(
        &mut self,
        now: Timestamp,
        address: &Address,
        rows: &BTreeMap<RowKey, Row>,
        out: &mut Effects,
    ) {
        if let Some(Slot::Committing(flight, response)) = self.vacate(address) {
            self.occupy(address, Slot::InFlight(flight.clone()));
            self.accept_answer(now, address, &flight, *response, rows, out);
        }
    }

    fn accept_answer(
        &mut self,
        now: Timestamp,
        address: &Address,
        flight: &InFlight,
        response: Response,
        rows: &BTreeMap<RowKey, Row>,
        out: &mut Effects,
    ) {
        let record = self.commit_of(now, address, flight, response, rows);
        self.calm(address);
        let index = out.records.len();
        // The address stays occupied so that a message to itself waits until the commit is complete.
        self.commit(now, record, out);
        self.vacate(address);
        self.report_commit(address, index, out);
        let planted = self.state.planted;
        if planted.has(Bug::ValueChangedOutsideTheFold) {
            self.state.change_resident(address, |resident| resident.values.corrupt());
        }
        self.wake(now, address, out);
    }

    fn report_commit(&self, address: &Address, index: usize, out: &mut Effects) {
        let after = self.gate();
        let Record::BatchCommitted(commit) = &out.records[index] else { return };
        for row in &commit.completed {
            if let Some(argument) = row.progress.reply.clone() {
                let request = RequestId::Keyed(row.request.id);
                out.actions.push(Effect::Reply { request, argument, after });
            }
        }
        for rejection in &commit.rejected {
            let (address, rejection) = (address.clone(), rejection.clone());
            out.actions.push(Effect::Report(Report::Rejected { address, rejection }));
        }
    }

    /// A group succeeded: the next one may be larger again.
    fn calm(&mut self, address: &Address) {
        let Some(trouble) = self.trouble(address) else { return };
        let whole = self
            .application
            .policy(&address.function)
            .map_or(usize::MAX, |policy| policy.batch_messages);
        let messages = trouble.messages.saturating_mul(2);
        let calmer = (messages < whole).then_some(Trouble { messages, failures: 0 });
        self.set_trouble(address, calmer);
    }

    pub(super) fn incomplete(
        &mut self,
        now: Timestamp,
        batch: BatchId,
        missing: Vec<ValueSpec>,
        out: &mut Effects,
    ) {
        let Some((address, flight)) = self.in_flight(batch, out) else { return };
        match self.merge_specs(&address, &flight, missing) {
            Err(text) => self.group_failed(now, &address, &flight, text.into(), out),
            Ok(specs) => {
                self.vacate(&address);
                if specs.len() > self.state.specs.get(&address.function).len() {
                    let function = address.function.clone();
                    self.commit(now, Record::ValuesRegistered { function, specs }, out);
                }
                self.wake(now, &address, out);
            }
        }
    }

    /// The declared values of a function with those that it misses. A value that was declared before keeps
    /// its expiration, as in StateFun.
    fn merge_specs(
        &self,
        address: &Address,
        flight: &InFlight,
        missing: Vec<ValueSpec>,
    ) -> Result<Arc<[ValueSpec]>, String> {
        let known = self.state.specs.get(&address.function);
        let mut specs: Vec<ValueSpec> = known.to_vec();
        let mut news = false;
        for spec in missing {
            let name = &spec.name;
            match specs.iter().position(|known| known.name == *name) {
                Some(index) if specs[index].typename != spec.typename => {
                    let (before, now) = (&specs[index].typename, &spec.typename);
                    return Err(format!(
                        "TG-0454: the value `{name}` was declared as `{before}` before and cannot become `{now}`"
                    ));
                }
                Some(index) => news |= index >= flight.presented,
                None if name.is_empty() || name.len() > VALUE_NAME_BYTES_MAX => {
                    return Err(format!(
                        "TG-0455: a value's name has {} bytes, 1 to 255 are allowed",
                        name.len()
                    ));
                }
                None => {
                    news = true;
                    specs.push(spec);
                }
            }
        }
        if specs.len() > VALUES_PER_FUNCTION_MAX {
            let function = &address.function;
            return Err(format!(
                "TG-0456: {function} declares more than {VALUES_PER_FUNCTION_MAX} values"
            ));
        }
        if !news {
            return Err("TG-0457: the function asks for values that it was given".into());
        }
        Ok(specs.into())
    }

    pub(super) fn failed(
        &mut self,
        now: Timestamp,
        batch: BatchId,
        failure: &Failure,
        out: &mut Effects,
    ) {
        let Some((address, flight)) = self.in_flight(batch, out) else { return };
        match failure.scope {
            FailureScope::Group => {
                self.group_failed(now, &address, &flight, failure.text.clone(), out);
            }
            FailureScope::Endpoint { retry_at } => {
                self.vacate(&address);
                self.occupy(&address, Slot::BackingOff { until: retry_at.max(now) });
            }
        }
    }

    /// A group failed: it is halved until the bad message stands alone at the head, and that one is tried again until
    /// its address is parked.
    fn group_failed(
        &mut self,
        now: Timestamp,
        address: &Address,
        flight: &InFlight,
        text: Arc<str>,
        out: &mut Effects,
    ) {
        self.vacate(address);
        if self.state.planted.has(Bug::LateAnswerAccepted) {
            let handle = self.state.directory.seek(address).unwrap_or_default();
            self.schedule.remember_batch(flight.batch.number, handle, address);
        }
        let Some(policy) = self.application.policy(&address.function).cloned() else {
            return self.occupy(address, Slot::Held);
        };
        let before = self.trouble(address).map_or(0, |trouble| trouble.failures);
        let alone = flight.messages == 1;
        let failures = if alone { before + 1 } else { 0 };
        if failures >= policy.attempts {
            let why = Parked { at: now, failures, text };
            return self.give_up(now, address, &policy.exhausted, why, out);
        }
        let trouble = Trouble { messages: (flight.messages / 2).max(1), failures };
        self.set_trouble(address, Some(trouble));
        let retry_at = now.plus_ms(policy.backoff_ms(failures.max(1)));
        self.occupy(address, Slot::BackingOff { until: retry_at });
        let (address, messages) = (address.clone(), flight.messages);
        out.actions.push(Effect::Report(Report::Failed {
            address,
            failures,
            messages,
            retry_at,
            text,
        }));
    }

    /// The message at the head has failed as often as its policy allows.
    fn give_up(
        &mut self,
        now: Timestamp,
        address: &Address,
        exhausted: &Exhausted,
        why: Parked,
        out: &mut Effects,
    ) {
        match exhausted {
            Exhausted::Drop(egress) if self.dead_letter(now, address, egress, &why, out) => {
                self.wake(now, address, out);
            }
            _ => self.park(now, address, why, out),
        }
    }

    fn park(&mut self, now: Timestamp, address: &Address, why: Parked, out: &mut Effects) {
        self.set_trouble(address, None);
        self.occupy(address, Slot::Parked);
        let (text, parked) = (why.text.clone(), self.state.parked + 1);
        self.commit(now, Record::AddressParked { address: address.clone(), why, parked }, out);
        out.actions.push(Effect::Report(Report::Parked { address: address.clone(), text }));
    }
}

/// Bytes that an answer takes in a record, at most. Each thing that is sent carries its sender.
fn cost(sender: &Address, response: &Response) -> usize {
    let entry = 64 + sender.function.as_str().len() + sender.id.len();
    let sends =
        response.sends.iter().map(|(target, argument)| entry + target.id.len() + argument.cost());
    let egress = response.egress.iter().map(|(_, argument)| entry + argument.cost());
    let values = response.mutations.iter().map(mutation_cost);
    let delayed = response.delayed.iter().map(|delayed| entry + delayed_cost(delayed));
    let malformed = response.malformed.iter().map(|rejection| entry + rejection.subject.len());
    sends.chain(egress).chain(values).chain(delayed).chain(malformed).sum()
}

fn mutation_cost(mutation: &Mutation) -> usize {
    match mutation {
        Mutation::Modify(name, value) => name.len() + value.cost(),
        Mutation::Delete(name) => name.len(),
    }
}

fn delayed_cost(delayed: &Delayed) -> usize {
    match delayed {
        Delayed::Send { target, argument, token, .. } => {
            64 + target.id.len() + argument.cost() + token.as_ref().map_or(0, |token| token.len())
        }
        Delayed::Cancel { token } => 64 + token.len(),
    }
}
