//! Rows that the log holds but the store may not hold yet. Upholds DUR-3.
//!
//! Every read of the store is merged under the overlay. Only durable rows are handed to the store, coalesced to the
//! last durable version of each key, so a key keeps its undurable versions beside the last durable one. A row leaves
//! the overlay once its flush is committed and every load that was issued before the commit has returned: such a load
//! may have read the store as it was before.
//!
//! Rows of addresses are found by the handle of the address and are in no order; the few readers that want them in the order
//! of keys have them sorted.

mod flush;
mod mailbox;
mod merge;
mod place;
mod versions;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use self::flush::Flush;
pub use self::flush::FlushBatch;
pub(super) use self::merge::Merged;
use self::place::{Field, PLACE_BYTES, Place};
use self::versions::Versions;
use super::directory::{Directory, Handle, Holder};
use super::row::{Row, RowKey};
use super::rows::Changes;
use crate::address::Address;
use crate::id::{LoadId, Lsn, Sequence, Timestamp};
use crate::message::{Message, TypedValue};

/// Bytes that a row counts for beside its content: key, version, and what the containers keep free.
const ROW_OVERHEAD_BYTES: usize = 160;

#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// By handle.
    places: Vec<Place>,
    /// Those with rows.
    listed: Vec<Handle>,
    /// The addresses with rows in the order of their names, while somebody reads the mailboxes of all.
    ordered: Option<BTreeMap<Address, Handle>>,
    /// The rows of no address, and tokens.
    others: BTreeMap<RowKey, Versions>,
    /// The row `NextSequence`, which nearly every record writes: ascending, at most the first one is durable.
    numbers: VecDeque<(Lsn, Sequence)>,
    bytes: usize,
    durable: Lsn,
    /// The end of the last flush that was begun.
    flushed: Lsn,
    /// Removals of rows that the store may never have seen: once durable, nothing needs to be remembered of those.
    fading: VecDeque<(Lsn, Fading)>,
    flushing: Option<Flush>,
    /// Committed flushes whose rows are still needed under loads that were issued before.
    committed: VecDeque<(LoadId, Flush)>,
    loads: BTreeSet<LoadId>,
    last_load: LoadId,
}

/// What was removed.
#[derive(Debug)]
enum Fading {
    /// The head of a mailbox.
    Mailbox(Handle),
    /// A row that is written once.
    Row(RowKey),
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

    /// Takes note of what a record changes.
    pub(super) const fn note<'a>(
        &'a mut self,
        lsn: Lsn,
        directory: &'a mut Directory,
    ) -> Noting<'a> {
        Noting { overlay: self, directory, lsn }
    }

    fn put(&mut self, lsn: Lsn, key: RowKey, row: Option<Row>) {
        if row.is_none() && key.is_born_once() {
            self.fading.push_back((lsn, Fading::Row(key.clone())));
        }
        let stored = !key.is_born_once();
        let versions = self.others.entry(key).or_insert_with(|| Versions::new(stored));
        let (added, freed) = versions.put(lsn, row, self.durable);
        self.bytes = self.bytes + added - freed;
    }

    /// The newest version of a row: `None` if the overlay does not know it, `Some(None)` if it is removed.
    pub(super) fn get(&self, directory: &Directory, key: &RowKey) -> Option<Option<&Row>> {
        match Field::of(key) {
            Some((address, field)) => {
                self.places.get(directory.find(address)?.index())?.get(&field)
            }
            None => self.others.get(key)?.newest(),
        }
    }

    /// The rows of an address, which is held from now on until a flush leaves nothing of them.
    fn place(&mut self, directory: &mut Directory, address: &Address) -> (Handle, &mut Place) {
        let handle = directory.hold(address, Holder::Overlay);
        if self.places.len() <= handle.index() {
            self.places.resize_with(handle.index() + 1, Place::default);
        }
        let place = &mut self.places[handle.index()];
        if !place.listed {
            place.listed = true;
            self.listed.push(handle);
            self.bytes += PLACE_BYTES;
            if let Some(ordered) = &mut self.ordered {
                ordered.insert(address.clone(), handle);
            }
        }
        (handle, place)
    }

    /// The log is durable up to here.
    pub(super) fn advance(&mut self, durable: Lsn) {
        self.durable = self.durable.max(durable);
        while self.numbers.get(1).is_some_and(|(lsn, _)| *lsn <= self.durable) {
            self.numbers.pop_front();
        }
        while let Some((_, fading)) = self.fading.pop_front_if(|(lsn, _)| *lsn <= self.durable) {
            match fading {
                Fading::Mailbox(handle) => {
                    let mailbox = &mut self.places[handle.index()].mailbox;
                    self.bytes -= mailbox.fade(self.durable, self.flushed);
                }
                Fading::Row(key) => self.fade(&key),
            }
        }
    }

    fn fade(&mut self, key: &RowKey) {
        let Some(versions) = self.others.get_mut(key) else { return };
        self.bytes -= versions.coalesce(self.durable);
        if versions.is_gone(self.durable) {
            self.bytes -= cost(None);
            self.others.remove(key);
        }
    }

    /// A load is issued: what it finds may be older than what is flushed from now on.
    pub(super) fn load_issued(&mut self, load: LoadId) {
        self.last_load = load;
        self.loads.insert(load);
    }

    /// A load has returned and its rows were merged.
    pub(super) fn load_returned(&mut self, load: LoadId, directory: &mut Directory) {
        self.loads.remove(&load);
        self.forget_committed(directory);
    }
}

/// Notes the changes of one record.
pub(super) struct Noting<'a> {
    overlay: &'a mut Overlay,
    directory: &'a mut Directory,
    lsn: Lsn,
}

impl Noting<'_> {
    fn change(&mut self, key: RowKey, row: Option<Row>) {
        match Field::of(&key) {
            Some((address, field)) => self.field(address, field, row),
            None => self.overlay.put(self.lsn, key, row),
        }
    }

    fn field(&mut self, address: &Address, field: Field, row: Option<Row>) {
        let (lsn, durable) = (self.lsn, self.overlay.durable);
        let (_, place) = self.overlay.place(self.directory, address);
        let (added, freed) = place.put(lsn, field, row, durable);
        self.overlay.bytes = self.overlay.bytes + added - freed;
    }
}

impl Changes for Noting<'_> {
    fn put(&mut self, key: RowKey, row: Row) {
        self.change(key, Some(row));
    }

    fn remove(&mut self, key: RowKey) {
        self.change(key, None);
    }

    fn number(&mut self, next: Sequence) {
        self.overlay.numbers.push_back((self.lsn, next));
    }

    fn enqueue(&mut self, address: &Address, message: &Arc<Message>) {
        let (_, place) = self.overlay.place(self.directory, address);
        self.overlay.bytes += place.mailbox.push(self.lsn, message);
    }

    fn dequeue(&mut self, address: &Address, sequences: &[Sequence]) {
        let lsn = self.lsn;
        let (handle, place) = self.overlay.place(self.directory, address);
        let added: usize =
            sequences.iter().map(|sequence| place.mailbox.remove(lsn, *sequence)).sum();
        self.overlay.bytes += added;
        self.overlay.fading.push_back((lsn, Fading::Mailbox(handle)));
    }

    fn value(&mut self, address: &Address, name: &Arc<str>, value: &TypedValue, until: Timestamp) {
        self.field(address, Field::Value(name.clone()), Some(Row::Value(value.clone(), until)));
    }
}

fn cost(row: Option<&Row>) -> usize {
    ROW_OVERHEAD_BYTES + row.map_or(0, Row::cost)
}
