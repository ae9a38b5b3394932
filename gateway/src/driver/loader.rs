//! Reads rows for a partition, and writes them behind.

use std::time::Duration;

use bytes::Bytes;
use tidegate_core::codec::DecodeError;
use tidegate_core::codec::row::{
    append_key, append_row, decode_key, decode_row, encode_key, encode_range,
};
use tidegate_core::id::{LoadId, Lsn};
use tidegate_core::partition::FlushBatch;
use tidegate_core::partition::effect::LoadRequest;
use tidegate_core::partition::row::{Row, RowKey};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use crate::store::{PartitionStore, StoreError};

/// The first pause before a store that is not available is tried again; it doubles up to a hundred times that.
const PAUSE: Duration = Duration::from_millis(50);

/// The store cannot be used any more: the partition must stop.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The store itself says so.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row is not what was written.
    #[error("TG-0290: a row of the store is damaged: {0}")]
    Damaged(#[from] DecodeError),
}

impl RowError {
    /// The stable code, which names a page of `docs/errors/`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Damaged(_) => "TG-0290",
        }
    }
}

/// What a load found, with the slot that it took.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) load: LoadId,
    pub(super) rows: Vec<(RowKey, Row)>,
    /// Whether the range holds more.
    pub(super) more: bool,
    pub(super) slot: Option<OwnedSemaphorePermit>,
}

/// Rows with a flag that says whether the range holds more.
pub type Rows = (Vec<(RowKey, Row)>, bool);

/// Reads what a partition asked for, waiting for a store that is not available.
pub async fn load(store: &dyn PartitionStore, request: &LoadRequest) -> Result<Rows, RowError> {
    let mut rows = Vec::new();
    for key in &request.keys {
        let bytes = encode_key(key);
        if let Some(row) = patiently(|| store.get(&bytes)).await? {
            rows.push((key.clone(), decode_row(key, own(&row))?));
        }
    }
    let Some(range) = &request.range else { return Ok((rows, false)) };
    let (from, until) = encode_range(range);
    let (found, more) = patiently(|| store.scan(&from, &until, range.bytes)).await?;
    for (key, row) in found {
        let key = decode_key(&key)?;
        let row = decode_row(&key, own(&row))?;
        rows.push((key, row));
    }
    Ok((rows, more))
}

/// All rows between two keys, read in portions.
pub async fn load_all(
    store: &dyn PartitionStore,
    mut from: Vec<u8>,
    until: &[u8],
) -> Result<Vec<(RowKey, Row)>, RowError> {
    const PORTION: usize = 1 << 20;
    let mut rows = Vec::new();
    loop {
        let (found, more) = patiently(|| store.scan(&from, until, PORTION)).await?;
        if let Some((last, _)) = found.last() {
            // The smallest key above it.
            from = [last, &[0][..]].concat();
        }
        for (key, row) in found {
            let key = decode_key(&key)?;
            let row = decode_row(&key, own(&row))?;
            rows.push((key, row));
        }
        if !more {
            return Ok(rows);
        }
    }
}

/// Writes a flush, and returns once it is durable.
pub async fn flush(store: &dyn PartitionStore, batch: FlushBatch) -> Result<Lsn, RowError> {
    let FlushBatch { applied, mut rows } = batch;
    rows.push((RowKey::Applied, Some(Row::Lsn(applied))));
    let changes = encode(rows).await;
    let bytes: usize = changes.iter().map(bytes_of).sum();
    patiently(|| store.commit(changes.clone())).await?;
    metrics::counter!("tidegate_store_flushed_bytes_total").increment(bytes as u64);
    Ok(applied)
}

/// Rows that are encoded before others may go on, in bytes.
const ENCODED_BYTES: usize = 256 << 10;
/// A key and what frames a row, beside what the row itself is said to take: an address, a name, a checksum.
const ROW_OVERHEAD_BYTES: usize = 4 << 10;

/// Encodes rows in portions, each of which lies in bytes of its own. Gives way to others between them.
async fn encode(rows: Vec<(RowKey, Option<Row>)>) -> Vec<(Bytes, Option<Bytes>)> {
    let mut changes = Vec::with_capacity(rows.len());
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        // A row that is larger than a portion has one of its own, and no room beside it.
        let first = rows.as_slice().first().and_then(|(_, row)| row.as_ref()).map_or(0, Row::cost);
        let room = ENCODED_BYTES.max(first + ROW_OVERHEAD_BYTES);
        let (mut bytes, mut places) = (Vec::with_capacity(room), Vec::new());
        while let Some((_, row)) = rows.as_slice().first()
            && (bytes.is_empty() || bytes.len() + row.as_ref().map_or(0, Row::cost) < room)
            && let Some((key, row)) = rows.next()
        {
            append_key(&key, &mut bytes);
            let middle = bytes.len();
            if let Some(row) = &row {
                append_row(row, &mut bytes);
            }
            places.push((middle, bytes.len(), row.is_some()));
        }
        let (bytes, mut start) = (Bytes::from(bytes), 0);
        for (middle, end, is_there) in places {
            changes.push((bytes.slice(start..middle), is_there.then(|| bytes.slice(middle..end))));
            start = end;
        }
        tokio::task::yield_now().await;
    }
    changes
}

fn bytes_of((key, row): &(Bytes, Option<Bytes>)) -> usize {
    key.len() + row.as_ref().map_or(0, Bytes::len)
}

/// A row in bytes of its own: a slice would keep the whole block that it was read in from being freed.
fn own(row: &Bytes) -> Bytes {
    Bytes::copy_from_slice(row)
}

async fn patiently<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut pause = PAUSE;
    loop {
        match attempt().await {
            Err(StoreError::Unavailable(cause)) => {
                tracing::warn!(cause, "the state store is not available; trying again");
                metrics::counter!("tidegate_store_retries_total").increment(1);
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE * 100);
            }
            result => return result,
        }
    }
}
