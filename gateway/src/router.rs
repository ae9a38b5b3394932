//! The router: finds the partition of an address, and is the door through which messages come in.

mod operators;
mod spans;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use tidegate_core::address::{Address, EgressId, Typename};
use tidegate_core::id::{PartitionId, Sequence, Timestamp};
use tidegate_core::message::TypedValue;
use tidegate_core::partition::effect::ReadRequest;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::row::{Row, RowKey};
use tidegate_core::route::PartitionCount;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::Clock;
use crate::driver::budget::Budget;
use crate::driver::pauses::Pauses;
use crate::driver::{Command, DriverHandle, all_closed};
use crate::egress::open::Egresses;
use crate::ingress::{Door, DoorError, EgressRecord, Exceptions, Inbound, Outcome, Sent, Visitor};
use crate::telemetry::trace::{self, Span};

/// Reads of rows at once; further ones wait. They do not wait for the doors: who looks into a full node wants to see it.
const READS: usize = 64;

/// Knows the driver of each partition of this node.
pub struct Router {
    partitions: PartitionCount,
    drivers: Vec<DriverHandle>,
    budget: Arc<Budget>,
    clock: Clock,
    /// Bounds how many answers with rows are held in memory at once.
    reads: Arc<Semaphore>,
    egresses: Arc<Egresses>,
    /// What is paused.
    pauses: Arc<Pauses>,
    /// Lets messages in that had to wait.
    _attendant: AbortOnDropHandle<()>,
}

impl Router {
    /// A router over the drivers of all partitions, in order. Needs a runtime.
    #[must_use]
    pub fn new(
        partitions: PartitionCount,
        drivers: Vec<DriverHandle>,
        budget: Arc<Budget>,
        clock: Clock,
        egresses: Arc<Egresses>,
        pauses: Arc<Pauses>,
    ) -> Self {
        let attendant = AbortOnDropHandle::new(tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.doors().attend().await }
        }));
        let reads = Arc::new(Semaphore::new(READS));
        Self { partitions, drivers, budget, clock, reads, egresses, pauses, _attendant: attendant }
    }

    fn driver(&self, partition: PartitionId) -> Result<&DriverHandle, DoorError> {
        self.drivers.get(usize::from(partition.0)).ok_or(DoorError::Closed)
    }

    /// Makes a message a part of the trace that it came with, or of one that begins here.
    fn trace(&self, what: &'static str, message: &mut Inbound) -> Option<Span> {
        // Most messages belong to none, and for them not even the clock is read.
        if message.argument.trace.is_none() && !trace::is_on() {
            return None;
        }
        spans::begin(what, &message.target, &mut message.argument, self.clock.now())
    }

    /// Hands messages to the driver of their partition as soon as there is room; they stand in line at once.
    fn hand_over(
        &self,
        visitor: &Visitor,
        partition: PartitionId,
        messages: Vec<Inbound>,
    ) -> oneshot::Receiver<Exceptions> {
        let (answer, exceptions) = oneshot::channel();
        let driver = self.driver(partition).ok().cloned();
        let bytes = messages.iter().map(room_of).sum::<usize>();
        self.budget.doors().knock(visitor, bytes, move |room| match (driver, room) {
            (Some(driver), Some(room)) => driver.send(messages, room, answer),
            // A client that has gone away need not know.
            _ => drop(answer.send(all_closed(messages.len()))),
        });
        exceptions
    }

    /// Hands a client's call to the driver of its partition, in the same way.
    fn hand_over_call(&self, message: Inbound) -> oneshot::Receiver<Result<Outcome, DoorError>> {
        let (answer, outcome) = oneshot::channel();
        let driver = self.driver(self.partitions.partition_of(&message.target)).ok().cloned();
        let bytes = room_of(&message);
        self.budget.doors().knock(&Visitor::new(), bytes, move |room| match (driver, room) {
            (Some(driver), Some(room)) => driver.call(message, room, answer),
            _ => drop(answer.send(Err(DoorError::Closed))),
        });
        outcome
    }

    async fn show(
        &self,
        partition: PartitionId,
        read: ReadRequest,
    ) -> Result<Vec<(RowKey, Row)>, DoorError> {
        let driver = self.driver(partition)?;
        let slot = Arc::clone(&self.reads).acquire_owned().await.map_err(|_| DoorError::Closed)?;
        let (show, rows) = oneshot::channel();
        if !driver.tell(Command::Show { read, show, slot }) {
            return Err(DoorError::Closed);
        }
        rows.await.map_err(|_| DoorError::Closed)
    }
}

#[async_trait]
impl Door for Router {
    fn send(&self, visitor: &Visitor, mut messages: Vec<Inbound>) -> Sent {
        let spans: Vec<_> = (0..)
            .zip(&mut messages)
            .filter_map(|(place, message)| Some((place, self.trace("send", message)?)))
            .collect();
        let mut parts: BTreeMap<PartitionId, (Vec<usize>, Vec<Inbound>)> = BTreeMap::new();
        for (place, message) in messages.into_iter().enumerate() {
            let partition = self.partitions.partition_of(&message.target);
            let (places, part) = parts.entry(partition).or_default();
            places.push(place);
            part.push(message);
        }
        let hand_over =
            |(partition, (places, part))| (places, self.hand_over(visitor, partition, part));
        let parts = parts.into_iter().map(hand_over).collect();
        async move {
            let exceptions = gather(parts).await;
            spans::end_all(spans, &exceptions);
            exceptions
        }
        .boxed()
    }

    async fn call(&self, mut message: Inbound, patience: Duration) -> Result<Outcome, DoorError> {
        let span = self.trace("call", &mut message);
        let outcome = match timeout(patience, self.hand_over_call(message)).await {
            // The driver is gone with the answer: the message is in its log or not.
            Ok(outcome) => outcome.unwrap_or(Err(DoorError::Unknown)),
            Err(_) => Ok(Outcome::NoReply),
        };
        spans::end(span, &outcome);
        outcome
    }

    async fn values(&self, address: Address) -> Result<Vec<(String, TypedValue)>, DoorError> {
        let partition = self.partitions.partition_of(&address);
        let rows = self.show(partition, ReadRequest::Values(address)).await?;
        Ok(present(rows, self.clock.now()))
    }

    async fn read_egress(
        &self,
        egress: EgressId,
        partition: PartitionId,
        after: Sequence,
    ) -> Result<Vec<EgressRecord>, DoorError> {
        let rows = self.show(partition, ReadRequest::Egress { egress, after }).await?;
        let record = |(key, row)| match (key, row) {
            (RowKey::Egress(_, sequence), Row::Emitted(emitted)) => {
                Some(EgressRecord { partition, sequence, emitted: *emitted })
            }
            _ => None,
        };
        Ok(rows.into_iter().filter_map(record).collect())
    }

    async fn acknowledge_egress(
        &self,
        egress: EgressId,
        partition: PartitionId,
        through: Sequence,
    ) -> Result<(), DoorError> {
        let driver = self.driver(partition)?;
        if let Some(awaited) = self.egresses.awaited(&egress) {
            awaited.acknowledged(partition, through);
        }
        driver.happened(Event::EgressAcknowledged { egress, through });
        Ok(())
    }

    fn partitions(&self) -> u16 {
        self.partitions.get()
    }

    fn is_paused(&self, ingress: &Typename) -> bool {
        self.pauses.is_ingress_paused(ingress)
    }

    async fn egress_changed(&self, egress: &EgressId) {
        match self.egresses.awaited(egress) {
            Some(awaited) => awaited.changed().await,
            // Nobody can read what is not declared; whoever asks all the same waits for ever.
            None => std::future::pending().await,
        }
    }
}

/// The room that a message takes until its driver has handled it, in bytes.
fn room_of(message: &Inbound) -> usize {
    message.argument.cost() + message.target.id.len()
}

/// Puts together what became of the parts of what was sent, each with the places of its messages.
async fn gather(parts: Vec<(Vec<usize>, oneshot::Receiver<Exceptions>)>) -> Exceptions {
    let mut all = Exceptions::new();
    for (places, exceptions) in parts {
        match exceptions.await {
            Ok(exceptions) => {
                all.extend(exceptions.into_iter().map(|(at, outcome)| (places[at], outcome)));
            }
            // The driver is gone with the answer: the messages are in its log or not.
            Err(_) => all.extend(places.into_iter().map(|at| (at, Err(DoorError::Unknown)))),
        }
    }
    all.sort_unstable_by_key(|(place, _)| *place);
    all
}

/// The values among rows that have not expired.
fn present(rows: Vec<(RowKey, Row)>, now: Timestamp) -> Vec<(String, TypedValue)> {
    let mut expired = HashSet::new();
    for (key, row) in &rows {
        if let (RowKey::Expiry(_, name), Row::Expiry(at)) = (key, row)
            && *at <= now
        {
            expired.insert(name.clone());
        }
    }
    let value = |(key, row)| match (key, row) {
        (RowKey::Value(_, name), Row::Value(value, expires_at))
            if expires_at > now && !expired.contains(&name) =>
        {
            Some((name.to_string(), value))
        }
        _ => None,
    };
    rows.into_iter().filter_map(value).collect()
}
