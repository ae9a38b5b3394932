//! Rows that the log holds but the store may not hold yet. Upholds DUR-3.
//!
//! Every read of the store is merged under the overlay. Only durable rows are handed to the store, coalesced to the
//! last durable version of each key, so a key keeps its undurable versions beside the last durable one. A row leaves
//! the overlay once its flush is committed and every load that was issued before the commit has returned: such a load
//! may have read the store as it was before.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::effect::RowRange;
use super::planted::{Bug, Planted};
use super::row::{Row, RowKey};
use crate::id::{LoadId, Lsn};

/// Bytes that a row counts for beside its content: key, tree node, version.
const ROW_OVERHEAD_BYTES: usize = 160;

/// Durable rows for the store, to be written as one.
#[derive(Clone, Debug)]
pub struct FlushBatch {
    /// The last record whose effect is in the rows; always the end of a step. Written as the `Applied` row.
    pub applied: Lsn,
    /// The rows by key; one that is absent is removed.
    pub rows: Vec<(RowKey, Option<Row>)>,
}

#[derive(Debug, Default)]
pub(super) struct Overlay {
    rows: BTreeMap<RowKey, Versions>,
    bytes: usize,
    durable: Lsn,
    /// The end of the last flush that was begun.
    flushed: Lsn,
    /// Removals of rows that the store never saw: once durable, nothing needs to be remembered of them.
    fading: VecDeque<(Lsn, RowKey)>,
    flushing: Option<Flush>,
    /// Committed flushes whose rows are still needed under loads that were issued before.
    committed: VecDeque<(LoadId, Flush)>,
    loads: BTreeSet<LoadId>,
    last_load: LoadId,
}

#[derive(Debug)]
struct Flush {
    through: Lsn,
    keys: Vec<RowKey>,
}

#[derive(Debug)]
struct Versions {
    /// Whether the store may hold a row of this key.
    stored: bool,
    /// Ascending; at most the first one is durable.
    list: VecDeque<(Lsn, Option<Row>)>,
}

impl Overlay {
    /// An overlay over a store that holds everything up to `applied`.
    pub(super) fn over(applied: Lsn) -> Self {
        Self { durable: applied, flushed: applied, ..Self::default() }
    }

    /// Bytes that wait to be flushed, durable or not.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Notes the change that a record makes to a row.
    pub(super) fn put(&mut self, lsn: Lsn, key: RowKey, row: Option<Row>) {
        let durable = self.durable;
        if row.is_none() && key.is_born_once() {
            self.fading.push_back((lsn, key.clone()));
        }
        let stored = !key.is_born_once();
        let cost = cost(row.as_ref());
        let versions = self
            .rows
            .entry(key)
            .or_insert_with(|| Versions { stored, list: VecDeque::with_capacity(1) });
        if row.is_none() && versions.list.is_empty() {
            // Removed without having been seen here: then it came from the store.
            versions.stored = true;
        }
        self.bytes -= versions.coalesce(durable);
        if versions.list.back().is_some_and(|(last, _)| *last == lsn) {
            let (_, replaced) = versions.list.pop_back().expect("the list has a last element");
            self.bytes -= self::cost(replaced.as_ref());
        }
        versions.list.push_back((lsn, row));
        self.bytes += cost;
    }

    /// The newest version of a row: `None` if the overlay does not know it, `Some(None)` if it is removed.
    pub(super) fn get(&self, key: &RowKey) -> Option<Option<&Row>> {
        let versions = self.rows.get(key)?;
        versions.list.back().map(|(_, row)| row.as_ref())
    }

    /// The log is durable up to here.
    pub(super) fn advance(&mut self, durable: Lsn) {
        self.durable = self.durable.max(durable);
        while let Some((lsn, _)) = self.fading.front()
            && *lsn <= self.durable
        {
            let (_, key) = self.fading.pop_front().expect("the queue has a first element");
            self.fade(&key);
        }
    }

    fn fade(&mut self, key: &RowKey) {
        let Some(versions) = self.rows.get_mut(key) else { return };
        self.bytes -= versions.coalesce(self.durable);
        let gone = !versions.stored && versions.list.len() == 1 && versions.list[0].1.is_none();
        if gone {
            self.bytes -= cost(None);
            self.rows.remove(key);
        }
    }

    /// Takes the last durable version of every row for the store. Nothing if a flush is under way, or if no record has become
    /// durable since. It may hold no rows: then only the applied position moves, so that the log can be trimmed.
    pub(super) fn begin_flush(&mut self, planted: &Planted, live: Lsn) -> Option<FlushBatch> {
        if self.flushing.is_some() || self.flushed >= self.durable {
            return None;
        }
        let through = if planted.has(Bug::UndurableRowFlushed) { live } else { self.durable };
        let mut rows = Vec::new();
        for (key, versions) in &mut self.rows {
            self.bytes -= versions.coalesce(self.durable);
            let Some((_, row)) = versions.list.iter().rfind(|(lsn, _)| *lsn <= through) else {
                continue;
            };
            if row.is_none() && !versions.stored {
                continue;
            }
            versions.stored = true;
            rows.push((key.clone(), row.clone()));
        }
        self.flushed = through;
        let keys = rows.iter().map(|(key, _)| key.clone()).collect();
        self.flushing = Some(Flush { through, keys });
        Some(FlushBatch { applied: through, rows })
    }

    /// The store holds the flush that was begun last.
    pub(super) fn flush_committed(&mut self, planted: &Planted) {
        let Some(flush) = self.flushing.take() else { return };
        if planted.has(Bug::LoadAcrossFlush) {
            self.forget(&flush);
            return;
        }
        self.committed.push_back((self.last_load, flush));
        self.forget_committed();
    }

    /// A load is issued: what it finds may be older than what is flushed from now on.
    pub(super) fn load_issued(&mut self, load: LoadId) {
        self.last_load = load;
        self.loads.insert(load);
    }

    /// A load has returned and its rows were merged.
    pub(super) fn load_returned(&mut self, load: LoadId) {
        self.loads.remove(&load);
        self.forget_committed();
    }

    fn forget_committed(&mut self) {
        let oldest = self.loads.first().copied();
        while let Some((barrier, _)) = self.committed.front()
            && oldest.is_none_or(|oldest| oldest > *barrier)
        {
            let (_, flush) = self.committed.pop_front().expect("the queue has a first element");
            self.forget(&flush);
        }
    }

    fn forget(&mut self, flush: &Flush) {
        for key in &flush.keys {
            let Some(versions) = self.rows.get_mut(key) else { continue };
            while let Some((lsn, row)) = versions.list.front()
                && *lsn <= flush.through
            {
                self.bytes -= cost(row.as_ref());
                versions.list.pop_front();
            }
            if versions.list.is_empty() {
                self.rows.remove(key);
            }
        }
    }

    /// Rows that the store gave for keys, with what the overlay knows better.
    pub(super) fn merge_keys(
        &self,
        keys: &[RowKey],
        stored: Vec<(RowKey, Row)>,
    ) -> BTreeMap<RowKey, Row> {
        let mut merged: BTreeMap<RowKey, Row> = stored.into_iter().collect();
        for key in keys {
            match self.get(key) {
                Some(Some(row)) => {
                    merged.insert(key.clone(), row.clone());
                }
                Some(None) => {
                    merged.remove(key);
                }
                None => {}
            }
        }
        merged
    }

    /// The part of a range that the store gave, with what the overlay knows better, and whether the range
    /// holds further rows. If so, it continues after the last key that is returned with the flag.
    pub(super) fn merge_range(
        &self,
        range: &RowRange,
        stored: Vec<(RowKey, Row)>,
        more: bool,
    ) -> Merged {
        let covered = match stored.last() {
            Some((last, _)) if more => Some(last.clone()),
            _ => None,
        };
        let mut newer = self.rows.range(range.from.clone()..range.until.clone()).peekable();
        let mut stored = stored.into_iter().peekable();
        let mut merged = Merged::default();
        let mut taken = 0;
        loop {
            // Beyond what the store gave, the overlay alone does not tell the whole story.
            let known = |key: &RowKey| covered.as_ref().is_none_or(|covered| key <= covered);
            let next_newer = newer.peek().map(|(key, _)| *key).filter(|key| known(key));
            let next_stored = stored.peek().map(|(key, _)| key);
            let (key, row) = match (next_newer, next_stored) {
                (None, None) => break,
                (Some(new), old) if old.is_none_or(|old| new <= old) => {
                    let key = new.clone();
                    stored.next_if(|(old, _)| *old == key);
                    let row = newer.next().and_then(|(_, versions)| versions.newest().cloned());
                    (key, row)
                }
                _ => match stored.next() {
                    Some((key, row)) => (key, Some(row)),
                    None => break,
                },
            };
            if taken >= range.bytes {
                // This key and those after it belong to the next part.
                return merged;
            }
            merged.more_after = Some(key.clone());
            if let Some(row) = row {
                taken += cost(Some(&row));
                merged.rows.push((key, row));
            }
        }
        merged.more_after = covered;
        merged
    }
}

/// A merged range of rows.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// The rows that exist, in order.
    pub(super) rows: Vec<(RowKey, Row)>,
    /// If the range holds further rows: the last key that was looked at.
    pub(super) more_after: Option<RowKey>,
}

impl Versions {
    fn newest(&self) -> Option<&Row> {
        self.list.back().and_then(|(_, row)| row.as_ref())
    }

    /// Drops durable versions but the last one; says how many bytes that frees.
    fn coalesce(&mut self, durable: Lsn) -> usize {
        let mut freed = 0;
        while self.list.get(1).is_some_and(|(lsn, _)| *lsn <= durable) {
            if let Some((_, row)) = self.list.pop_front() {
                freed += cost(row.as_ref());
            }
        }
        freed
    }
}

fn cost(row: Option<&Row>) -> usize {
    ROW_OVERHEAD_BYTES + row.map_or(0, Row::cost)
}
