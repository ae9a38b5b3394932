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

use alloc::boxed::Box;
use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use self::flush::Flush;
pub use self::flush::FlushBatch;
pub(super) use self::flush::Unflushed;
pub(super) use self::merge::Merged;
use self::place::{Field, Place};
use self::versions::Versions;
use super::directory::{Directory, Handle, Holder};
use super::row::{Row, RowKey};
use super::rows::Changes;
use crate::address::Address;
use crate::id::{LoadId, Lsn, Sequence, Timestamp};
use crate::message::{Message, TypedValue};

/// Bytes that a row of no address takes beside its content: key and versions, in a tree that is filled from one end.
const OTHER_ROW_BYTES: usize = (size_of::<RowKey>() + size_of::<Versions>()) * 7 / 4;

/// Bytes that a row counts for beside its content when it is read.
const ROW_READ_BYTES: usize = 160;

#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// By handle.
    places: Vec<Option<Box<Place>>>,
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

    /// What the tables take for each handle.
    pub(super) const BYTES_PER_HANDLE: usize = size_of::<Option<Box<Place>>>();

    /// Bytes that wait to be flushed, durable or not. What they share with copies of rows counts here.
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
        let versions = match self.others.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                self.bytes += OTHER_ROW_BYTES;
                place.insert(Versions::new(stored))
            }
        };
        self.bytes -= versions.bytes();
        versions.put(lsn, row, self.durable);
        self.bytes += versions.bytes();
    }

    /// The newest version of a row: `None` if the overlay does not know it, `Some(None)` if it is removed.
    pub(super) fn get(&self, directory: &Directory, key: &RowKey) -> Option<Option<&Row>> {
        match Field::of(key) {
            Some((address, field)) => {
                self.places.get(directory.find(address)?.index())?.as_ref()?.get(&field)
            }
            None => self.others.get(key)?.newest(),
        }
    }

    /// Changes the rows of an address, which is held from now on until a flush leaves nothing of them.
    fn change(
        &mut self,
        directory: &mut Directory,
        address: &Address,
        change: impl FnOnce(&mut Place),
    ) -> Handle {
        let handle = directory.hold(address, Holder::Overlay);
        if self.places.len() <= handle.index() {
            self.places.resize_with(handle.index() + 1, || None);
        }
        let place = &mut self.places[handle.index()];
        match place {
            Some(place) => self.bytes -= place.bytes(),
            None => {
                self.listed.push(handle);
                if let Some(ordered) = &mut self.ordered {
                    ordered.insert(address.clone(), handle);
                }
            }
        }
        let place = place.get_or_insert_default();
        change(place);
        self.bytes += place.bytes();
        handle
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
                    let Some(place) = &mut self.places[handle.index()] else { continue };
                    self.bytes -= place.mailbox.bytes();
                    place.mailbox.fade(self.durable, self.flushed);
                    self.bytes += place.mailbox.bytes();
                }
                Fading::Row(key) => self.fade(&key),
            }
        }
    }

    fn fade(&mut self, key: &RowKey) {
        let Some(versions) = self.others.get_mut(key) else { return };
        self.bytes -= versions.bytes();
        versions.coalesce(self.durable);
        if versions.is_gone(self.durable) {
            self.bytes -= OTHER_ROW_BYTES;
            self.others.remove(key);
        } else {
            self.bytes += versions.bytes();
        }
    }

    /// A load is issued: what it finds may be older than what is flushed from now on.
    pub(super) fn load_issued(&mut self, load: LoadId) {
        self.last_load = load;
        self.loads.insert(load);
    }

    /// A load has returned and its rows were merged. Tells `settled` of whom rows were let go.
    pub(super) fn load_returned(
        &mut self,
        load: LoadId,
        directory: &mut Directory,
        settled: &mut impl FnMut(Handle, Unflushed<'_>),
    ) {
        self.loads.remove(&load);
        self.forget_committed(directory, settled);
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
        self.overlay.change(self.directory, address, |place| place.put(lsn, field, row, durable));
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
        let lsn = self.lsn;
        self.overlay.change(self.directory, address, |place| place.mailbox.push(lsn, message));
    }

    fn dequeue(&mut self, address: &Address, sequences: &[Sequence]) {
        let lsn = self.lsn;
        let handle = self.overlay.change(self.directory, address, |place| {
            sequences.iter().for_each(|sequence| place.mailbox.remove(lsn, *sequence));
        });
        self.overlay.fading.push_back((lsn, Fading::Mailbox(handle)));
    }

    fn value(&mut self, address: &Address, name: &Arc<str>, value: &TypedValue, until: Timestamp) {
        self.field(address, Field::Value(name.clone()), Some(Row::Value(value.clone(), until)));
    }
}

/// What a row counts for when it is read.
fn cost(row: &Row) -> usize {
    ROW_READ_BYTES + row.cost()
}
