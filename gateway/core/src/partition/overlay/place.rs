//! Rows of one address that the store may not have yet.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::mailbox::MailboxRows;
use super::versions::Versions;
use crate::address::Address;
use crate::id::{Lsn, Sequence};
use crate::partition::row::{Row, RowKey};

/// Everything but tokens, of which an address may have very many.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Whether the overlay has it on its list.
    pub(super) listed: bool,
    pub(super) mailbox: MailboxRows,
    /// By field. Few: as many as a function has values.
    fields: Vec<(Field, Versions)>,
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

    /// Adds a version of a row; says how many bytes that adds, and how many it frees.
    pub(super) fn put(
        &mut self,
        lsn: Lsn,
        field: Field,
        row: Option<Row>,
        durable: Lsn,
    ) -> (usize, usize) {
        let index = match self.fields.binary_search_by(|(known, _)| known.cmp(&field)) {
            Ok(index) => index,
            Err(index) => {
                self.fields.reserve_exact(1);
                self.fields.insert(index, (field, Versions::new(true)));
                index
            }
        };
        self.fields[index].1.put(lsn, row, durable)
    }

    pub(super) fn get(&self, field: &Field) -> Option<Option<&Row>> {
        let index = self.fields.binary_search_by(|(known, _)| known.cmp(field)).ok()?;
        self.fields[index].1.newest()
    }

    /// Drops what the store holds; says how many bytes that frees.
    pub(super) fn forget(&mut self, through: Lsn) -> usize {
        let mut freed = self.mailbox.forget(through);
        for (_, versions) in &mut self.fields {
            freed += versions.forget(through);
        }
        self.fields.retain(|(_, versions)| !versions.is_empty());
        if self.fields.is_empty() {
            self.fields = Vec::new();
        }
        freed
    }

    /// Drops versions that durable ones replace; says how many bytes that frees.
    pub(super) fn coalesce(&mut self, durable: Lsn) -> usize {
        self.fields.iter_mut().map(|(_, versions)| versions.coalesce(durable)).sum()
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

/// Bytes that an address with rows counts for beside them.
pub(super) const PLACE_BYTES: usize = size_of::<Place>() + 2 * size_of::<Address>();

const _: () = assert!(size_of::<Place>() <= 160, "there is one for each address in memory");
