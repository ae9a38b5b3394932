//! What the store gave, with what the overlay knows better.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Overlay, cost};
use crate::id::Sequence;
use crate::partition::directory::Directory;
use crate::partition::effect::RowRange;
use crate::partition::row::{Row, RowKey};

/// A merged range of rows.
#[derive(Debug, Default)]
pub(in crate::partition) struct Merged {
    /// The rows that exist, in order.
    pub(in crate::partition) rows: Vec<(RowKey, Row)>,
    /// If the range holds further rows: the last key that was looked at.
    pub(in crate::partition) more_after: Option<RowKey>,
}

/// Rows as they are now, in the order of their keys.
type Newer<'a> = Box<dyn Iterator<Item = (RowKey, Option<Row>)> + 'a>;

impl Overlay {
    /// Rows that the store gave for keys, with what the overlay knows better.
    pub(in crate::partition) fn merge_keys(
        &self,
        directory: &Directory,
        keys: &[RowKey],
        stored: Vec<(RowKey, Row)>,
    ) -> BTreeMap<RowKey, Row> {
        let mut merged: BTreeMap<RowKey, Row> = stored.into_iter().collect();
        for key in keys {
            match self.get(directory, key) {
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
    pub(in crate::partition) fn merge_range(
        &mut self,
        directory: &Directory,
        range: &RowRange,
        stored: Vec<(RowKey, Row)>,
        more: bool,
    ) -> Merged {
        let covered = match stored.last() {
            Some((last, _)) if more => Some(last.clone()),
            _ => None,
        };
        // Beyond what the store gave, the overlay alone does not tell the whole story.
        let known = |key: &RowKey| covered.as_ref().is_none_or(|covered| key <= covered);
        let mut newer = self.newer(directory, range).take_while(|(key, _)| known(key)).peekable();
        let mut stored = stored.into_iter().peekable();
        let mut merged = Merged::default();
        let mut taken = 0;
        loop {
            let from_newer = match (newer.peek(), stored.peek()) {
                (None, None) => break,
                (Some((new, _)), Some((old, _))) => new <= old,
                (new, _) => new.is_some(),
            };
            let next = if from_newer {
                newer.next()
            } else {
                stored.next().map(|(key, row)| (key, Some(row)))
            };
            let Some((key, row)) = next else { break };
            stored.next_if(|(old, _)| *old == key);
            if taken >= range.bytes {
                // This key and those after it belong to the next part.
                return merged;
            }
            merged.more_after = Some(key.clone());
            if let Some(row) = row {
                taken += cost(&row);
                merged.rows.push((key, row));
            }
        }
        merged.more_after = covered;
        merged
    }

    /// The rows of a range that the overlay knows, which lie in one mailbox, in all of them, or in another table.
    fn newer<'a>(&'a mut self, directory: &'a Directory, range: &'a RowRange) -> Newer<'a> {
        match (&range.from, &range.until) {
            (RowKey::Mailbox(from, first), RowKey::Mailbox(until, _)) if from == until => {
                let handle = directory.find(from);
                let place = handle.and_then(|handle| self.places.get(handle.index())?.as_ref());
                let rows = place.into_iter().flat_map(|place| place.mailbox_rows(from, *first));
                Box::new(rows.take_while(|(key, _)| *key < range.until))
            }
            (RowKey::Mailbox(from, first), _) => {
                self.put_in_order(directory);
                let places = &self.places;
                let ordered = self.ordered.iter().flat_map(move |all| all.range(from..));
                let rows = ordered.flat_map(move |(address, handle)| {
                    let from = if address == from { *first } else { Sequence::NONE };
                    let place = places[handle.index()].iter();
                    place.flat_map(move |place| place.mailbox_rows(address, from))
                });
                Box::new(rows.take_while(|(key, _)| *key < range.until))
            }
            _ => {
                let rows = self.others.range(&range.from..&range.until);
                let rows = rows.filter_map(|(key, versions)| Some((key, versions.newest()?)));
                Box::new(rows.map(|(key, row)| (key.clone(), row.cloned())))
            }
        }
    }

    fn put_in_order(&mut self, directory: &Directory) {
        let listed = self.listed.iter();
        self.ordered.get_or_insert_with(|| {
            listed.map(|handle| (directory.address(*handle).clone(), *handle)).collect()
        });
    }
}
