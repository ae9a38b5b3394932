//! What operators and readers of egresses look at: rows, as they are.

use alloc::sync::Arc;

use super::Partition;
use super::activate::value_keys;
use super::effect::{Effects, LoadRequest, ReadRequest, RowRange};
use super::loads::Purpose;
use super::row::RowKey;
use crate::address::{Address, FunctionType, Typename};
use crate::id::{Sequence, Ticket, Timestamp};
use crate::policy::Application;

impl Partition {
    /// Somebody wants to see rows.
    pub(super) fn read(&mut self, ticket: Ticket, read: ReadRequest, out: &mut Effects) {
        let mut rows = LoadRequest::default();
        match read {
            ReadRequest::Values(address) => self.keys_of_values(&address, &mut rows),
            ReadRequest::Egress { egress, after } => {
                rows.range = Some(RowRange {
                    from: RowKey::Egress(egress.clone(), after.next()),
                    until: RowKey::Egress(egress, Sequence(u64::MAX)),
                    bytes: self.limits.load_bytes,
                });
            }
            ReadRequest::Parked { function, after } => {
                rows.range = Some(RowRange {
                    from: parked_from(function.as_ref(), after),
                    until: parked_until(function.as_ref()),
                    bytes: self.limits.load_bytes,
                });
            }
            ReadRequest::Address { address, from } => {
                rows.keys.push(RowKey::parked(address.clone()));
                self.keys_of_values(&address, &mut rows);
                rows.range = Some(RowRange {
                    from: RowKey::Mailbox(address.clone(), from.max(Sequence::FIRST)),
                    until: RowKey::Mailbox(address, Sequence(u64::MAX)),
                    bytes: self.limits.load_bytes,
                });
            }
        }
        self.load(Purpose::Show(ticket), rows, out);
    }

    fn keys_of_values(&self, address: &Address, rows: &mut LoadRequest) {
        for spec in self.state.specs.get(&address.function) {
            value_keys(address, spec, &mut rows.keys);
        }
    }

    pub(super) fn application_changed(
        &mut self,
        now: Timestamp,
        application: Arc<Application>,
        out: &mut Effects,
    ) {
        self.state.tempt(&application);
        self.application = application;
        self.reconsider_held(now, out);
    }
}

/// The first key that may name a parked address: of a function if given, and after an address if given.
fn parked_from(function: Option<&FunctionType>, after: Option<Address>) -> RowKey {
    let first = function.cloned().unwrap_or_else(Typename::lowest);
    RowKey::Parked(match after {
        Some(after) => Address::lowest(first).max(after.successor()),
        None => Address::lowest(first),
    })
}

fn parked_until(function: Option<&FunctionType>) -> RowKey {
    let behind = function.map_or_else(Typename::highest, Typename::successor);
    RowKey::Parked(Address::lowest(behind))
}
