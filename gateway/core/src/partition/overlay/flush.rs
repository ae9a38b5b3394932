//! Hands durable rows to the store, and lets go of them when it has them.

use alloc::vec::Vec;

use super::place::Place;
use super::{OTHER_ROW_BYTES, Overlay};
use crate::id::{Lsn, Sequence};
use crate::partition::directory::{Directory, Handle, Holder};
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
            let Some(place) = &mut self.places[handle.index()] else { continue };
            self.bytes -= place.bytes();
            place.coalesce(self.durable);
            self.bytes += place.bytes();
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
            self.bytes -= versions.bytes();
            versions.coalesce(self.durable);
            self.bytes += versions.bytes();
            if let Some(row) = versions.change(self.flushed, through) {
                rows.push((key.clone(), row.cloned()));
                versions.stored = true;
            }
        }
    }

    /// The store holds the flush that was begun last. Tells `settled` of whom rows were let go.
    pub(in crate::partition) fn flush_committed(
        &mut self,
        planted: &Planted,
        directory: &mut Directory,
        settled: &mut impl FnMut(Handle, Unflushed<'_>),
    ) {
        let Some(flush) = self.flushing.take() else { return };
        if planted.has(Bug::LoadAcrossFlush) {
            self.forget(&flush, directory, settled);
            return;
        }
        self.committed.push_back((self.last_load, flush));
        self.forget_committed(directory, settled);
    }

    pub(super) fn forget_committed(
        &mut self,
        directory: &mut Directory,
        settled: &mut impl FnMut(Handle, Unflushed<'_>),
    ) {
        let oldest = self.loads.first().copied();
        while let Some((_, flush)) = self
            .committed
            .pop_front_if(|(barrier, _)| oldest.is_none_or(|oldest| oldest > *barrier))
        {
            self.forget(&flush, directory, settled);
        }
    }

    fn forget(
        &mut self,
        flush: &Flush,
        directory: &mut Directory,
        settled: &mut impl FnMut(Handle, Unflushed<'_>),
    ) {
        let through = flush.through;
        let Self { places, listed, others, bytes, numbers, .. } = self;
        while numbers.pop_front_if(|(lsn, _)| *lsn <= through).is_some() {}
        others.retain(|_, versions| {
            *bytes -= versions.bytes();
            versions.forget(through);
            if versions.is_empty() {
                *bytes -= OTHER_ROW_BYTES;
                return false;
            }
            *bytes += versions.bytes();
            true
        });
        listed.retain(|handle| {
            let Some(place) = &mut places[handle.index()] else { return false };
            *bytes -= place.bytes();
            place.forget(through);
            settled(*handle, Unflushed(Some(place)));
            if place.is_empty() {
                places[handle.index()] = None;
                directory.release(*handle, Holder::Overlay);
                return false;
            }
            *bytes += place.bytes();
            true
        });
        self.ordered = None;
    }

    /// What of an address the store may not have.
    pub(in crate::partition) fn unflushed(&self, handle: Handle) -> Unflushed<'_> {
        Unflushed(self.places.get(handle.index()).and_then(Option::as_deref))
    }
}

/// What of an address the store may not have.
#[derive(Clone, Copy, Debug)]
pub(in crate::partition) struct Unflushed<'a>(Option<&'a Place>);

impl Unflushed<'_> {
    /// The number from which on the store has none of its messages.
    pub(in crate::partition) fn messages_from(self) -> Sequence {
        self.0.map_or(Sequence::BEHIND, |place| place.mailbox.unflushed())
    }

    /// Whether the store may not have the value of a name.
    pub(in crate::partition) fn has_value(self, name: &str) -> bool {
        self.0.is_some_and(|place| place.has_value(name))
    }
}
