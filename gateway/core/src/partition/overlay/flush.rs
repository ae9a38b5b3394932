//! Hands durable rows to the store, and lets go of them when it has them.

use alloc::vec::Vec;

use super::Overlay;
use super::place::PLACE_BYTES;
use crate::id::Lsn;
use crate::partition::directory::{Directory, Holder};
use crate::partition::planted::{Bug, Planted};
use crate::partition::row::{Row, RowKey};

/// Durable rows for the store, to be written as one.
#[derive(Clone, Debug)]
pub struct FlushBatch {
    /// The last record whose effect is in the rows; always the end of a step. Written as the `Applied` row.
    pub applied: Lsn,
    /// The rows, each key once, in no particular order; one that is absent is removed.
    pub rows: Vec<(RowKey, Option<Row>)>,
}

#[derive(Debug)]
pub(super) struct Flush {
    through: Lsn,
}

impl Overlay {
    /// Takes the last durable version of every row that changed since the last flush. Nothing if a flush is under way, or if no
    /// record has become durable since. It may hold no rows: then only the applied position moves, so that the log can
    /// be trimmed.
    pub(in crate::partition) fn begin_flush(
        &mut self,
        planted: &Planted,
        live: Lsn,
        directory: &Directory,
    ) -> Option<FlushBatch> {
        if self.flushing.is_some() || self.flushed >= self.durable {
            return None;
        }
        let through = if planted.has(Bug::UndurableRowFlushed) { live } else { self.durable };
        let mut rows = Vec::with_capacity(self.listed.len());
        self.take_numbers(through, &mut rows);
        self.take_others(through, &mut rows);
        for handle in &self.listed {
            let place = &mut self.places[handle.index()];
            self.bytes -= place.coalesce(self.durable);
            place.changes(directory.address(*handle), self.flushed, through, &mut rows);
        }
        self.flushed = through;
        self.flushing = Some(Flush { through });
        Some(FlushBatch { applied: through, rows })
    }

    fn take_numbers(&self, through: Lsn, rows: &mut Vec<(RowKey, Option<Row>)>) {
        let last = self.numbers.iter().rfind(|(lsn, _)| *lsn <= through);
        if let Some((_, next)) = last.filter(|(lsn, _)| *lsn > self.flushed) {
            rows.push((RowKey::NextSequence, Some(Row::Sequence(*next))));
        }
    }

    fn take_others(&mut self, through: Lsn, rows: &mut Vec<(RowKey, Option<Row>)>) {
        for (key, versions) in &mut self.others {
            self.bytes -= versions.coalesce(self.durable);
            if let Some(row) = versions.change(self.flushed, through) {
                rows.push((key.clone(), row.cloned()));
                versions.stored = true;
            }
        }
    }

    /// The store holds the flush that was begun last.
    pub(in crate::partition) fn flush_committed(
        &mut self,
        planted: &Planted,
        directory: &mut Directory,
    ) {
        let Some(flush) = self.flushing.take() else { return };
        if planted.has(Bug::LoadAcrossFlush) {
            self.forget(&flush, directory);
            return;
        }
        self.committed.push_back((self.last_load, flush));
        self.forget_committed(directory);
    }

    pub(super) fn forget_committed(&mut self, directory: &mut Directory) {
        let oldest = self.loads.first().copied();
        while let Some((_, flush)) = self
            .committed
            .pop_front_if(|(barrier, _)| oldest.is_none_or(|oldest| oldest > *barrier))
        {
            self.forget(&flush, directory);
        }
    }

    fn forget(&mut self, flush: &Flush, directory: &mut Directory) {
        let through = flush.through;
        let Self { places, listed, others, bytes, numbers, .. } = self;
        while numbers.pop_front_if(|(lsn, _)| *lsn <= through).is_some() {}
        others.retain(|_, versions| {
            *bytes -= versions.forget(through);
            !versions.is_empty()
        });
        listed.retain(|handle| {
            let place = &mut places[handle.index()];
            *bytes -= place.forget(through);
            place.listed = !place.is_empty();
            if !place.listed {
                *bytes -= PLACE_BYTES;
                directory.release(*handle, Holder::Overlay);
            }
            place.listed
        });
        self.ordered = None;
    }
}
