//! Reads in the logs of a killed gateway what operators have ordered, and in whose name.

use std::path::Path;
use std::sync::Arc;

use tidegate::log::History;
use tidegate::log::file::history::FileHistory;
use tidegate::log::lock::DirectoryLock;
use tidegate_core::codec::record::decode_step;
use tidegate_core::id::PartitionId;
use tidegate_core::partition::record::Record;

/// A record of an order: what was done, to what, by whom, and why.
pub(crate) type Order = (&'static str, String, String, String);

/// The records of orders in all logs, those of one partition in order. No gateway may be running there.
pub(crate) fn orders(data: &Path, partitions: u16) -> Vec<Order> {
    let history = FileHistory::new(Arc::new(DirectoryLock::acquire(data).unwrap()));
    let mut orders = Vec::new();
    for incarnation in history.list().unwrap() {
        let log = history.open(incarnation).unwrap();
        for partition in 0..partitions {
            for logged in log.steps(PartitionId(partition)) {
                let records = decode_step(logged.unwrap().step.records).unwrap();
                orders.extend(records.iter().filter_map(order));
            }
        }
    }
    orders
}

fn order(record: &Record) -> Option<Order> {
    let (what, on, signature) = match record {
        Record::AddressReleased { address, signature, .. } => {
            ("released", address.to_string(), signature)
        }
        Record::MessagesDropped { address, signature, .. } => {
            ("dropped", address.to_string(), signature)
        }
        Record::Paused { subject, signature } => ("paused", format!("{subject:?}"), signature),
        Record::Resumed { subject, signature } => ("resumed", format!("{subject:?}"), signature),
        _ => return None,
    };
    Some((what, on, signature.by.to_string(), signature.reason.to_string()))
}
