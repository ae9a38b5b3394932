//! The router: finds the partition of an address, and is the door through which messages come in.

mod operators;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidegate_core::address::{Address, EgressId, Typename};
use tidegate_core::id::{PartitionId, Sequence, Timestamp};
use tidegate_core::limits::MESSAGE_BYTES_MAX;
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
use crate::driver::{Command, DriverHandle};
use crate::egress::open::Egresses;
use crate::ingress::{Door, DoorError, EgressRecord, Inbound, Outcome};

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

    /// Stands in line at once; what becomes of the message is told later.
    fn deliver(
        &self,
        inbound: Inbound,
        wants_reply: bool,
    ) -> oneshot::Receiver<Result<Outcome, DoorError>> {
        let (answer, outcome) = oneshot::channel();
        let partition = self.partitions.partition_of(&inbound.target);
        let driver = self.driver(partition).ok().cloned();
        let bytes = (inbound.argument.cost() + inbound.target.id.len()).min(MESSAGE_BYTES_MAX);
        self.budget.doors().knock(bytes, move |room| match (driver, room) {
            (Some(driver), Some(room)) => driver.deliver(inbound, wants_reply, room, answer),
            // A client that has gone away need not know.
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
    async fn send(&self, message: Inbound) -> Result<Outcome, DoorError> {
        // The driver is gone with the answer: the message is in its log or not.
        self.deliver(message, false).await.unwrap_or(Err(DoorError::Unknown))
    }

    async fn call(&self, message: Inbound, patience: Duration) -> Result<Outcome, DoorError> {
        match timeout(patience, self.deliver(message, true)).await {
            Ok(outcome) => outcome.unwrap_or(Err(DoorError::Unknown)),
            Err(_) => Ok(Outcome::NoReply),
        }
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
                Some(EgressRecord { partition, sequence, emitted })
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
