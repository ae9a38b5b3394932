//! Sinks: a file that survives crashes, and the wake-up and retention of HTTP egresses.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod file;
mod http;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tidegate::egress::Acknowledge;
use tidegate_core::address::{Address, EgressId};
use tidegate_core::id::{PartitionId, Sequence, Timestamp};
use tidegate_core::message::TypedValue;
use tidegate_core::partition::record::Emitted;

/// What a sink acknowledged: partition and sequence.
#[derive(Clone, Default)]
struct Acknowledged(Arc<Mutex<Vec<(u16, u64)>>>);

impl Acknowledged {
    fn callback(&self) -> Acknowledge {
        let acknowledged = self.0.clone();
        Arc::new(move |_: &EgressId, partition: PartitionId, through: Sequence| {
            acknowledged.lock().unwrap().push((partition.0, through.0));
        })
    }

    fn all(&self) -> Vec<(u16, u64)> {
        self.0.lock().unwrap().clone()
    }
}

fn egress() -> EgressId {
    EgressId::parse("shop/receipts").unwrap()
}

fn emitted(at: u64, bytes: &'static [u8]) -> Emitted {
    let sender = Address::new(EgressId::parse("shop/cart").unwrap(), "ann").unwrap();
    Emitted {
        sender,
        at: Timestamp(at),
        argument: TypedValue::new("shop/receipt", Bytes::from_static(bytes)),
    }
}
