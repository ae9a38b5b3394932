//! Reads answers of functions without doing anything with them: for whoever wants to know whether any bytes hurt.

use bytes::Bytes;
use tidegate_core::id::{BatchId, Epoch, PartitionId};

use super::wire::{self, Origins};

/// Reads an answer of protocol v3; the error says why it cannot be used.
pub fn examine_single(answer: Bytes) -> Result<(), String> {
    wire::decode_single(answer, &Origins::default())
        .map(|_| ())
        .map_err(|invalid| invalid.to_string())
}

/// Reads an answer to a request with so many groups: partitions from 0 on, each with the number of its partition, epoch 1 and
/// attempt 1. Gives how many of them have a result, and how many results belong to none.
pub fn examine_batch(answer: Bytes, groups: u16) -> Result<(usize, usize), String> {
    let group = |number| {
        let batch = BatchId { epoch: Epoch(1), number: u64::from(number) };
        (PartitionId(number), batch, 1)
    };
    let groups: Vec<_> = (0..groups).map(group).collect();
    let answer = wire::decode_batch(answer, &groups, &[]).map_err(|invalid| invalid.to_string())?;
    Ok((answer.results.iter().flatten().count(), answer.unmatched))
}
