//! Reads what a stopped node has left in its store, row by row.

use std::path::Path;

use bytes::Bytes;
use tidegate::store::StateStore;
use tidegate::store::slate::{SlateOptions, SlateStore};
use tidegate_core::codec::row::{decode_key, decode_row};
use tidegate_core::id::PartitionId;
use tidegate_core::partition::row::{Row, RowKey};

/// Above every key.
const END: [u8; 64] = [0xff; 64];
const PORTION: usize = 1 << 20;

/// All rows of all partitions below a data directory. No node may be running there.
///
/// # Panics
/// If they cannot be read.
pub async fn read_all(data: &Path, partitions: u16) -> Vec<(RowKey, Row)> {
    let store = SlateStore::in_directory(&data.join("state"), &SlateOptions::default()).unwrap();
    let mut rows = Vec::new();
    for partition in 0..partitions {
        let database = store.open(PartitionId(partition)).await.unwrap();
        let mut from = vec![0];
        loop {
            let (found, more) = database.scan(&from, &END, PORTION).await.unwrap();
            if let Some((last, _)) = found.last() {
                from = [last, &[0][..]].concat();
            }
            rows.extend(found.iter().map(|(key, row)| decode(key, row)));
            if !more {
                break;
            }
        }
        database.close().await.unwrap();
    }
    store.close().await.unwrap();
    rows
}

fn decode(key: &[u8], row: &Bytes) -> (RowKey, Row) {
    let key = decode_key(key).unwrap();
    let row = decode_row(&key, row.clone()).unwrap();
    (key, row)
}
