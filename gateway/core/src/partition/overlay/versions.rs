//! What the log says about one row: its durable version, and those that are not durable yet.

use crate::footprint::room;
use crate::id::Lsn;
use crate::partition::few::Few;
use crate::partition::row::Row;

#[derive(Debug)]
pub(super) struct Versions {
    /// Whether the store may hold the row.
    pub(super) stored: bool,
    /// Ascending; at most the first one is durable.
    list: Few<(Lsn, Option<Row>)>,
    /// What the rows take of memory beside their structs.
    row_bytes: usize,
}

fn footprint(row: Option<&Row>) -> usize {
    row.map_or(0, Row::footprint)
}

impl Versions {
    pub(super) fn new(stored: bool) -> Self {
        Self { stored, list: Few::default(), row_bytes: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether a durable removal is all that is left, of a row that the store never saw.
    pub(super) fn is_gone(&self, durable: Lsn) -> bool {
        let last = self.list.front().filter(|_| self.list.second().is_none());
        !self.stored && matches!(last, Some((lsn, None)) if *lsn <= durable)
    }

    /// The newest version, unless there is none: no row if it says that the row is removed.
    pub(super) fn newest(&self) -> Option<Option<&Row>> {
        self.list.back().map(|(_, row)| row.as_ref())
    }

    /// The last version up to a position, if it is younger than what the store has.
    pub(super) fn change(&self, flushed: Lsn, through: Lsn) -> Option<Option<&Row>> {
        let (lsn, row) = self.list.iter().rfind(|(lsn, _)| *lsn <= through)?;
        let known = *lsn <= flushed || row.is_none() && !self.stored;
        (!known).then_some(row.as_ref())
    }

    /// What the versions take of memory beside the struct, in bytes.
    pub(super) fn bytes(&self) -> usize {
        room::<(Lsn, Option<Row>)>(self.list.capacity()) + self.row_bytes
    }

    /// Adds a version.
    pub(super) fn put(&mut self, lsn: Lsn, row: Option<Row>, durable: Lsn) {
        if row.is_none() && self.list.is_empty() {
            // Removed without having been seen here: then it came from the store.
            self.stored = true;
        }
        self.coalesce(durable);
        self.row_bytes += footprint(row.as_ref());
        match self.list.back_mut() {
            Some((last, replaced)) if *last == lsn => {
                self.row_bytes -= footprint(replaced.as_ref());
                *replaced = row;
            }
            _ => self.list.push_back((lsn, row)),
        }
    }

    /// Drops durable versions but the last one.
    pub(super) fn coalesce(&mut self, durable: Lsn) {
        while self.list.second().is_some_and(|(lsn, _)| *lsn <= durable) {
            self.pop();
        }
    }

    /// Drops what the store holds.
    pub(super) fn forget(&mut self, through: Lsn) {
        while self.list.front().is_some_and(|(lsn, _)| *lsn <= through) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((_, row)) = self.list.pop_front() {
            self.row_bytes -= footprint(row.as_ref());
        }
    }
}
