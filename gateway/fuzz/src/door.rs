//! A door that takes everything in, and remembers what.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tidegate::ingress::{Door, DoorError, EgressRecord, Inbound, Outcome, Sent, Visitor};
use tidegate_core::address::{Address, EgressId, Typename};
use tidegate_core::id::{PartitionId, Sequence};
use tidegate_core::message::TypedValue;

/// What came through.
#[derive(Default)]
pub(crate) struct OpenDoor(Mutex<Vec<Inbound>>);

impl OpenDoor {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn arrived(&self) -> Vec<Inbound> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Door for OpenDoor {
    fn send(&self, _: &Visitor, messages: Vec<Inbound>) -> Sent {
        self.0.lock().unwrap().extend(messages);
        Box::pin(std::future::ready(Vec::new()))
    }

    async fn call(&self, message: Inbound, _: Duration) -> Result<Outcome, DoorError> {
        let reply = message.argument.clone();
        self.0.lock().unwrap().push(message);
        Ok(Outcome::Replied(reply))
    }

    fn is_paused(&self, _: &Typename) -> bool {
        false
    }

    async fn values(&self, _: Address) -> Result<Vec<(String, TypedValue)>, DoorError> {
        Ok(Vec::new())
    }

    async fn read_egress(
        &self,
        _: EgressId,
        _: PartitionId,
        _: Sequence,
    ) -> Result<Vec<EgressRecord>, DoorError> {
        Ok(Vec::new())
    }

    async fn acknowledge_egress(
        &self,
        _: EgressId,
        _: PartitionId,
        _: Sequence,
    ) -> Result<(), DoorError> {
        Ok(())
    }

    fn partitions(&self) -> u16 {
        8
    }

    async fn egress_changed(&self, _: &EgressId) {}
}
