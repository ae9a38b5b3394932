//! What a handler works with: its values, and everything that it may ask for. Nothing happens before the whole group has been
//! processed and the gateway has committed it.

use std::time::Duration;

use crate::address::{Address, EgressId};
use crate::effects::{Delayed, Effects};
use crate::error::{ReadError, SendError, WriteError};
use crate::spec::ValueSpec;
use crate::trace::TraceContext;
use crate::types::Type;
use crate::value::ToValue;
use crate::values::Values;

/// Names the group that is being processed. The gateway never uses an id twice for different groups, so it can
/// serve as an idempotency key for effects outside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BatchId {
    /// The partition that the address belongs to.
    pub partition: u32,
    /// The epoch of the partition.
    pub epoch: u64,
    /// Counts the groups of that epoch.
    pub number: u64,
}

/// Which attempt at a group this is; protocol v3 does not tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Attempt {
    pub(crate) batch: BatchId,
    pub(crate) number: u32,
}

/// The instance that processes a message: its address, its values, its way to the world.
///
/// All messages of a group share one context, so a later message sees the values that an earlier one wrote.
#[derive(Debug)]
pub struct Context {
    address: Address,
    caller: Option<Address>,
    attempt: Option<Attempt>,
    trace: Option<TraceContext>,
    /// The place of the message in its group, if the gateway wants to know what follows from it.
    cause: Option<u32>,
    causes_told: bool,
    values: Values,
    effects: Effects,
}

impl Context {
    pub(crate) fn new(address: Address, attempt: Option<Attempt>, values: Values) -> Self {
        Self {
            address,
            caller: None,
            attempt,
            trace: None,
            cause: None,
            causes_told: false,
            values,
            effects: Effects::default(),
        }
    }

    /// From now on notes from which message each effect follows.
    pub(crate) fn tell_causes(&mut self) {
        self.causes_told = true;
    }

    pub(crate) fn receive_from(
        &mut self,
        place: u32,
        caller: Option<Address>,
        trace: Option<TraceContext>,
    ) {
        self.cause = self.causes_told.then_some(place);
        (self.caller, self.trace) = (caller, trace);
    }

    pub(crate) fn finish(self) -> (Values, Effects) {
        (self.values, self.effects)
    }

    /// Who I am.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Who sent the message; nobody if it came from an ingress.
    #[must_use]
    pub fn caller(&self) -> Option<&Address> {
        self.caller.as_ref()
    }

    /// The trace that the message belongs to, if it belongs to one. What this function sends goes on in it by itself.
    #[must_use]
    pub fn trace(&self) -> Option<&TraceContext> {
        self.trace.as_ref()
    }

    /// The name of the group that is processed; absent if the gateway uses protocol v3, which has no field for it.
    #[must_use]
    pub fn batch_id(&self) -> Option<BatchId> {
        self.attempt.map(|attempt| attempt.batch)
    }

    /// How often the message at the head of the group is tried now, from 1; absent like [`Self::batch_id`].
    #[must_use]
    pub fn attempt(&self) -> Option<u32> {
        self.attempt.map(|attempt| attempt.number)
    }

    /// The value as it is now, or nothing if it was never set, was removed, or has expired.
    pub fn get<T: Type>(&self, spec: &ValueSpec<T>) -> Result<Option<T>, ReadError> {
        let cell = self.values.cell(self.address.function(), spec.declared())?;
        cell.value().map(|value| value.get()).transpose()
    }

    /// Writes the value.
    pub fn set<T: Type>(&mut self, spec: &ValueSpec<T>, value: &T) -> Result<(), WriteError> {
        let value = value.to_value()?;
        self.values.cell_mut(self.address.function(), spec.declared())?.set(Some(value));
        Ok(())
    }

    /// Makes the value absent.
    pub fn remove<T: Type>(&mut self, spec: &ValueSpec<T>) -> Result<(), WriteError> {
        self.values.cell_mut(self.address.function(), spec.declared())?.set(None);
        Ok(())
    }

    /// Sends a message. Messages from one sender to one target arrive in the order of sending.
    pub fn send<V: ToValue + ?Sized>(
        &mut self,
        target: Address,
        value: &V,
    ) -> Result<(), SendError> {
        let target = checked(target)?;
        self.effects.sends.push((target, value.to_value()?));
        self.effects.causes.sends.extend(self.cause);
        Ok(())
    }

    /// Answers the sender of the message. Says whether there is one: a message from an ingress has none, unless a client
    /// waits for the answer.
    pub fn reply<V: ToValue + ?Sized>(&mut self, value: &V) -> Result<bool, SendError> {
        match self.caller.clone() {
            Some(caller) => self.send(caller, value).map(|()| true),
            None => Ok(false),
        }
    }

    /// Sends a message after a delay, counted in whole milliseconds from the commit.
    pub fn send_after<V: ToValue + ?Sized>(
        &mut self,
        delay: Duration,
        target: Address,
        value: &V,
    ) -> Result<(), SendError> {
        self.delay(delay, target, value, None)
    }

    /// Sends a message after a delay, under a name by which this instance may [`cancel`](Self::cancel) it. While it is
    /// pending, no other message of this instance may use the name.
    pub fn send_after_with_token<V: ToValue + ?Sized>(
        &mut self,
        delay: Duration,
        token: &str,
        target: Address,
        value: &V,
    ) -> Result<(), SendError> {
        let token = checked_token(token)?;
        self.delay(delay, target, value, Some(token))
    }

    /// Withdraws a delayed message. Nothing happens if it was delivered already.
    pub fn cancel(&mut self, token: &str) -> Result<(), SendError> {
        let token = checked_token(token)?;
        self.effects.delayed.push(Delayed::Cancel { token });
        self.effects.causes.delayed.extend(self.cause);
        Ok(())
    }

    /// Hands a record to an egress.
    pub fn egress<V: ToValue + ?Sized>(
        &mut self,
        egress: &EgressId,
        value: &V,
    ) -> Result<(), SendError> {
        self.effects.egress.push((egress.clone(), value.to_value()?));
        self.effects.causes.egress.extend(self.cause);
        Ok(())
    }

    fn delay<V: ToValue + ?Sized>(
        &mut self,
        delay: Duration,
        target: Address,
        value: &V,
        token: Option<String>,
    ) -> Result<(), SendError> {
        let (target, argument) = (checked(target)?, value.to_value()?);
        self.effects.delayed.push(Delayed::Send { delay, target, argument, token });
        self.effects.causes.delayed.extend(self.cause);
        Ok(())
    }
}

fn checked(target: Address) -> Result<Address, SendError> {
    if target.id().is_empty() {
        return Err(SendError::EmptyId { function: target.function().to_string() });
    }
    Ok(target)
}

fn checked_token(token: &str) -> Result<String, SendError> {
    if token.is_empty() {
        return Err(SendError::EmptyToken);
    }
    Ok(token.to_owned())
}
