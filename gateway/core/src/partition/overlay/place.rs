//! Rows of one address that the store may not have yet.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::mailbox::MailboxRows;
use super::versions::Versions;
use crate::address::Address;
use crate::footprint::{allocated, room};
use crate::id::{Lsn, Sequence};
use crate::partition::row::{Row, RowKey};

/// Everything but tokens, of which an address may have very many.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) mailbox: MailboxRows,
    /// By field. Few: as many as a function has values.
    fields: Vec<(Field, Versions)>,
    /// What the versions take of memory beside their structs.
    version_bytes: usize,
}

/// A row of an address that is none of its messages.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Field {
    Parked,
    Value(Arc<str>),
    Expiry(Arc<str>),
}

impl Field {
    /// What a key of an address names, unless it is a message or a token.
    pub(super) fn of(key: &RowKey) -> Option<(&Address, Self)> {
        match key {
            RowKey::Mailbox(address, Sequence::NONE) => Some((address, Self::Parked)),
            RowKey::Value(address, name) => Some((address, Self::Value(name.clone()))),
            RowKey::Expiry(address, name) => Some((address, Self::Expiry(name.clone()))),
            _ => None,
        }
    }

    fn key(&self, address: Address) -> RowKey {
        match self {
            Self::Parked => RowKey::parked(address),
            Self::Value(name) => RowKey::Value(address, name.clone()),
            Self::Expiry(name) => RowKey::Expiry(address, name.clone()),
        }
    }
}

impl Place {
    pub(super) fn is_empty(&self) -> bool {
        self.mailbox.is_empty() && self.fields.is_empty()
    }

    /// What it takes of memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let fields = room::<(Field, Versions)>(self.fields.capacity()) + self.version_bytes;
        allocated(size_of::<Self>()) + self.mailbox.bytes() + fields
    }

    /// Whether the store may not have the value of a name.
    pub(super) fn has_value(&self, name: &str) -> bool {
        let is_it = |field: &Field| matches!(field, Field::Value(of) if **of == *name);
        self.fields.iter().any(|(field, _)| is_it(field))
    }

    /// Adds a version of a row.
    pub(super) fn put(&mut self, lsn: Lsn, field: Field, row: Option<Row>, durable: Lsn) {
        let index = match self.fields.binary_search_by(|(known, _)| known.cmp(&field)) {
            Ok(index) => index,
            Err(index) => {
                self.fields.reserve_exact(1);
                self.fields.insert(index, (field, Versions::new(true)));
                index
            }
        };
        let versions = &mut self.fields[index].1;
        self.version_bytes -= versions.bytes();
        versions.put(lsn, row, durable);
        self.version_bytes += versions.bytes();
    }

    pub(super) fn get(&self, field: &Field) -> Option<Option<&Row>> {
        let index = self.fields.binary_search_by(|(known, _)| known.cmp(field)).ok()?;
        self.fields[index].1.newest()
    }

    /// Drops what the store holds.
    pub(super) fn forget(&mut self, through: Lsn) {
        self.mailbox.forget(through);
        self.fields.iter_mut().for_each(|(_, versions)| versions.forget(through));
        self.fields.retain(|(_, versions)| !versions.is_empty());
        if self.fields.is_empty() {
            self.fields = Vec::new();
        }
        self.recount();
    }

    /// Drops versions that durable ones replace.
    pub(super) fn coalesce(&mut self, durable: Lsn) {
        self.fields.iter_mut().for_each(|(_, versions)| versions.coalesce(durable));
        self.recount();
    }

    fn recount(&mut self) {
        self.version_bytes = self.fields.iter().map(|(_, versions)| versions.bytes()).sum();
    }

    /// Adds what changed after one position up to another one to `rows`.
    pub(super) fn changes(
        &self,
        address: &Address,
        flushed: Lsn,
        through: Lsn,
        rows: &mut Vec<(RowKey, Option<Row>)>,
    ) {
        for (field, versions) in &self.fields {
            if let Some(row) = versions.change(flushed, through) {
                rows.push((field.key(address.clone()), row.cloned()));
            }
        }
        for (sequence, message) in self.mailbox.changes(flushed, through) {
            let key = RowKey::Mailbox(address.clone(), sequence);
            rows.push((key, message.cloned().map(Row::Message)));
        }
    }

    /// The rows of the mailbox from a number on, as they are now: the mark that the address is parked, then its messages.
    pub(super) fn mailbox_rows(
        &self,
        address: &Address,
        from: Sequence,
    ) -> impl Iterator<Item = (RowKey, Option<Row>)> {
        let parked = self.get(&Field::Parked).filter(|_| from == Sequence::NONE);
        let parked = parked.map(|row| (RowKey::parked(address.clone()), row.cloned()));
        let messages = self.mailbox.rows(from).map(|(sequence, message)| {
            (RowKey::Mailbox(address.clone(), sequence), message.cloned().map(Row::Message))
        });
        parked.into_iter().chain(messages)
    }
}

const _: () =
    assert!(size_of::<Place>() <= 160, "there is one for each address that changed lately");
