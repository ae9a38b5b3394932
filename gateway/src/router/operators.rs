//! The router as operators use it: orders and looks go to the partitions that they concern.

use std::sync::Arc;

use async_trait::async_trait;
use tidegate_core::address::{Address, FunctionType};
use tidegate_core::id::{PartitionId, Sequence};
use tidegate_core::partition::effect::ReadRequest;
use tidegate_core::partition::order::{Order, OrderOutcome, Subject};
use tidegate_core::partition::row::{Row, RowKey};
use tokio::sync::oneshot;

use super::Router;
use crate::admin::operators::{Operators, OrderSlip};
use crate::driver::Command;
use crate::driver::pauses::Pause;
use crate::driver::status::PartitionStatus;
use crate::ingress::DoorError;

impl Router {
    async fn order_in(
        &self,
        partition: PartitionId,
        order: Order,
        slip: &OrderSlip,
    ) -> Result<OrderOutcome, DoorError> {
        let (answer, outcome) = oneshot::channel();
        let (by, reason) = (Arc::clone(&slip.by), Arc::clone(&slip.reason));
        if !self.driver(partition)?.tell(Command::Order { order, by, reason, answer }) {
            return Err(DoorError::Closed);
        }
        outcome.await.map_err(|_| DoorError::Unknown)
    }
}

#[async_trait]
impl Operators for Router {
    fn home_of(&self, address: &Address) -> PartitionId {
        self.partitions.partition_of(address)
    }

    async fn order(
        &self,
        address: &Address,
        order: Order,
        slip: &OrderSlip,
    ) -> Result<OrderOutcome, DoorError> {
        self.order_in(self.home_of(address), order, slip).await
    }

    async fn order_everywhere(&self, order: Order, slip: &OrderSlip) -> Result<bool, DoorError> {
        let mut changed = false;
        for partition in self.partitions.partitions() {
            let outcome = self.order_in(partition, order.clone(), slip).await?;
            changed |= outcome == OrderOutcome::Done;
        }
        Ok(changed)
    }

    async fn parked(
        &self,
        partition: PartitionId,
        function: Option<FunctionType>,
        after: Option<Address>,
    ) -> Result<Vec<(RowKey, Row)>, DoorError> {
        self.show(partition, ReadRequest::Parked { function, after }).await
    }

    async fn address(
        &self,
        address: Address,
        from: Sequence,
    ) -> Result<Vec<(RowKey, Row)>, DoorError> {
        let home = self.home_of(&address);
        self.show(home, ReadRequest::Address { address, from }).await
    }

    fn pauses(&self) -> Vec<Pause> {
        self.pauses.list()
    }

    fn declares(&self, subject: &Subject) -> bool {
        self.pauses.is_declared(subject)
    }

    async fn statuses(&self) -> Result<Vec<PartitionStatus>, DoorError> {
        let mut statuses = Vec::new();
        for partition in self.partitions.partitions() {
            let (answer, status) = oneshot::channel();
            if !self.driver(partition)?.tell(Command::Describe { answer }) {
                return Err(DoorError::Closed);
            }
            statuses.push(status.await.map_err(|_| DoorError::Closed)?);
        }
        Ok(statuses)
    }
}
