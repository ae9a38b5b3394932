//! What the log says about one row: its durable version, and those that are not durable yet.

use super::cost;
use crate::id::Lsn;
use crate::partition::few::Few;
use crate::partition::row::Row;

#[derive(Debug)]
pub(super) struct Versions {
    /// Whether the store may hold the row.
    pub(super) stored: bool,
    /// Ascending; at most the first one is durable.
    list: Few<(Lsn, Option<Row>)>,
}

impl Versions {
    pub(super) fn new(stored: bool) -> Self {
        Self { stored, list: Few::default() }
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

    /// Adds a version; says how many bytes that adds, and how many it frees.
    pub(super) fn put(&mut self, lsn: Lsn, row: Option<Row>, durable: Lsn) -> (usize, usize) {
        if row.is_none() && self.list.is_empty() {
            // Removed without having been seen here: then it came from the store.
            self.stored = true;
        }
        let mut freed = self.coalesce(durable);
        let added = cost(row.as_ref());
        match self.list.back_mut() {
            Some((last, replaced)) if *last == lsn => {
                freed += cost(replaced.as_ref());
                *replaced = row;
            }
            _ => self.list.push_back((lsn, row)),
        }
        (added, freed)
    }

    /// Drops durable versions but the last one; says how many bytes that frees.
    pub(super) fn coalesce(&mut self, durable: Lsn) -> usize {
        let mut freed = 0;
        while self.list.second().is_some_and(|(lsn, _)| *lsn <= durable) {
            freed += self.pop();
        }
        freed
    }

    /// Drops what the store holds; says how many bytes that frees.
    pub(super) fn forget(&mut self, through: Lsn) -> usize {
        let mut freed = 0;
        while self.list.front().is_some_and(|(lsn, _)| *lsn <= through) {
            freed += self.pop();
        }
        freed
    }

    fn pop(&mut self) -> usize {
        self.list.pop_front().map_or(0, |(_, row)| cost(row.as_ref()))
    }
}
