//! Named invariants as predicates over a partition, for debug assertions and the simulation. `docs` of the design
//! words: ORD-1, ORD-2, DUR-2, LIM-1.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::row::{Row, RowKey};
use super::values::Held;
use super::{Partition, schedule::Slot};
use crate::id::{Sequence, Timestamp};

/// An invariant that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{id} violated: {text}")]
pub struct Violation {
    /// Which one.
    pub id: &'static str,
    /// What was found.
    pub text: String,
}

fn violation(id: &'static str, text: String) -> Result<(), Violation> {
    Err(Violation { id, text })
}

/// DUR-2: what is in memory equals the fold of the log, given as its rows.
pub fn memory_equals_fold(
    partition: &Partition,
    fold: &BTreeMap<RowKey, Row>,
) -> Result<(), Violation> {
    residents_equal_fold(partition, fold)?;
    timers_equal_fold(partition, fold)?;
    queues_equal_fold(partition, fold)?;
    counters_equal_fold(partition, fold)
}

fn residents_equal_fold(
    partition: &Partition,
    fold: &BTreeMap<RowKey, Row>,
) -> Result<(), Violation> {
    for (address, resident) in partition.state.residents() {
        let from = RowKey::Mailbox(address.clone(), Sequence::FIRST);
        let until = RowKey::Mailbox(address.clone(), Sequence(u64::MAX));
        let mut rows = fold.range(from..until);
        for message in resident.mailbox.messages() {
            let row = rows.next();
            if !matches!(row, Some((_, Row::Message(folded))) if folded == message) {
                return violation(
                    "DUR-2",
                    format!("mailbox of {address}: {message:?} in memory, {row:?} in rows"),
                );
            }
        }
        let complete = resident.mailbox.is_empty() || resident.mailbox.has_no_tail();
        if complete && let Some((key, _)) = rows.next() {
            return violation(
                "DUR-2",
                format!("mailbox of {address}: {key:?} in rows, nothing in memory"),
            );
        }
        let specs = partition.state.specs.get(&address.function);
        for spec in &specs[..specs.len() - resident.values.unknown(specs).len()] {
            let held = resident.values.get(&spec.name);
            let folded = folded_value(fold, address, spec);
            if held != folded.as_ref() {
                return violation(
                    "DUR-2",
                    format!(
                        "value {} of {address}: {held:?} in memory, {folded:?} in rows",
                        spec.name
                    ),
                );
            }
        }
    }
    Ok(())
}

fn folded_value(
    fold: &BTreeMap<RowKey, Row>,
    address: &crate::address::Address,
    spec: &super::group::ValueSpec,
) -> Option<Held> {
    let Some(Row::Value(value, mut expires_at)) =
        fold.get(&RowKey::Value(address.clone(), spec.name.clone())).cloned()
    else {
        return None;
    };
    if let Some(Row::Expiry(at)) = fold.get(&RowKey::Expiry(address.clone(), spec.name.clone())) {
        expires_at = *at;
    }
    Some(Held { value, expires_at })
}

fn timers_equal_fold(partition: &Partition, fold: &BTreeMap<RowKey, Row>) -> Result<(), Violation> {
    let timers = &partition.state.timers;
    let from = RowKey::Timer(super::row::TimerKey { fire_at: Timestamp(0), id: Sequence::NONE });
    let folded = fold.range(from..RowKey::Timer(timers.horizon()));
    let folded = folded.filter_map(|(key, row)| match (key, row) {
        (RowKey::Timer(key), Row::Timer(task)) => Some((key, &**task)),
        _ => None,
    });
    if !folded.eq(timers.near()) {
        return violation(
            "DUR-2",
            format!("timers in memory differ from rows before {:?}", timers.horizon()),
        );
    }
    Ok(())
}

fn queues_equal_fold(partition: &Partition, fold: &BTreeMap<RowKey, Row>) -> Result<(), Violation> {
    for (destination, queue) in &partition.state.outbox.0 {
        for (sequence, envelope) in queue.held() {
            let row = fold.get(&RowKey::Outbox(*destination, sequence));
            if !matches!(row, Some(Row::Envelope(folded)) if **folded == *envelope) {
                return violation(
                    "DUR-2",
                    format!("outbox to {destination}: {sequence} differs from its row"),
                );
            }
        }
    }
    for (egress, queue) in &partition.state.egresses.0 {
        for (sequence, emitted) in queue.held() {
            let row = fold.get(&RowKey::Egress(egress.clone(), sequence));
            if !matches!(row, Some(Row::Emitted(folded)) if **folded == *emitted) {
                return violation(
                    "DUR-2",
                    format!("egress {egress}: {sequence} differs from its row"),
                );
            }
        }
    }
    Ok(())
}

fn counters_equal_fold(
    partition: &Partition,
    fold: &BTreeMap<RowKey, Row>,
) -> Result<(), Violation> {
    let state = &partition.state;
    let next = match fold.get(&RowKey::NextSequence) {
        Some(Row::Sequence(next)) => *next,
        _ => Sequence::FIRST,
    };
    if next != state.next_sequence {
        return violation(
            "DUR-2",
            format!("next sequence {} in memory, {next} in rows", state.next_sequence),
        );
    }
    let keys = match fold.get(&RowKey::Keys) {
        Some(Row::Count(keys)) => *keys,
        _ => 0,
    };
    let requests = fold.keys().filter(|key| matches!(key, RowKey::Request(_))).count() as u64;
    if keys != state.keys || requests != keys {
        return violation(
            "DUR-2",
            format!("{} keys in memory, {keys} counted, {requests} rows", state.keys),
        );
    }
    Ok(())
}

/// ORD-1: at most one group is in flight for an address, and each one that is leads back to its address.
pub fn one_group_per_address(partition: &Partition) -> Result<(), Violation> {
    let mut in_flight = 0;
    for (address, _) in partition.state.residents() {
        if let Some(Slot::InFlight(flight) | Slot::Committing(flight, _)) = partition.slot(address)
        {
            in_flight += 1;
            let found = partition.schedule.batch(flight.batch.number);
            if found.map(|(_, address)| address) != Some(address) {
                return violation(
                    "ORD-1",
                    format!("batch {} of {address} does not lead back to it", flight.batch),
                );
            }
        }
    }
    if in_flight != partition.schedule.in_flight() {
        let counted = partition.schedule.in_flight();
        return violation(
            "ORD-1",
            format!("{in_flight} addresses have a group in flight, {counted} are counted"),
        );
    }
    Ok(())
}

/// LIVE-1, between function types: nobody waits for a turn that could be had, and nobody paused stands in line.
pub fn turns_are_shared(partition: &Partition) -> Result<(), Violation> {
    let lines = &partition.schedule.lines;
    for function in lines.round() {
        if partition.state.pauses.of_function(function).is_some() {
            return violation("LIVE-1", format!("{function} is paused but stands in line"));
        }
        if partition.may_begin(function) {
            let ready = lines.of(function).ready();
            return violation(
                "LIVE-1",
                format!("{ready} of {function} wait though they may begin"),
            );
        }
    }
    Ok(())
}

/// LIM-1: copies of rows stay within their bound, but for what a single step may add.
pub fn memory_is_bounded(partition: &Partition, slack: usize) -> Result<(), Violation> {
    let (used, limit) = (partition.state.residents.bytes(), partition.limits.resident_bytes);
    if used > limit + slack {
        return violation("LIM-1", format!("{used} bytes are resident, the limit is {limit}"));
    }
    Ok(())
}
