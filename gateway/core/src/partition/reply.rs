//! Replies to requests with idempotency keys. They go through a mailbox like any message, so that they survive and keep
//! their order; instead of a function, the request's row receives them. The first reply wins.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;

use super::Partition;
use super::effect::{Effect, Effects, LoadRequest};
use super::loads::Purpose;
use super::record::Record;
use super::row::{RequestRow, Row, RowKey};
use super::schedule::Slot;
use crate::address::Address;
use crate::id::Timestamp;
use crate::message::{Message, RequestId, RequestKey};

impl Partition {
    /// A reply waits in the mailbox of its address: the request that it answers is needed.
    pub(super) fn load_request(&mut self, now: Timestamp, address: &Address, out: &mut Effects) {
        let Some(key) = request_key(address) else { return };
        let row = RowKey::Request(key);
        self.occupy(address, Slot::Loading);
        match self.state.unflushed(&row) {
            Some(known) => {
                let rows = known.cloned().map(|known| (row, known)).into_iter().collect();
                self.record_replies(now, address, rows, out);
            }
            None => {
                let rows = LoadRequest { keys: vec![row], range: None };
                self.load(Purpose::Reply(address.clone()), rows, out);
            }
        }
    }

    /// The request was read: the first reply is remembered, the others go nowhere.
    pub(super) fn record_replies(
        &mut self,
        now: Timestamp,
        address: &Address,
        mut rows: BTreeMap<RowKey, Row>,
        out: &mut Effects,
    ) {
        self.vacate(address);
        let Some(key) = request_key(address) else { return };
        let mut open = match rows.remove(&RowKey::Request(key)) {
            Some(Row::Request(row)) if row.progress.reply.is_none() => Some(*row),
            _ => None,
        };
        while let Some(message) = self.head(address) {
            let (consumed, argument) = (message.sequence, message.argument.clone());
            let row = open.take().map(|row| answered(row, &argument));
            let wins = row.is_some();
            self.commit(
                now,
                Record::ReplyRecorded { address: address.clone(), consumed, row },
                out,
            );
            if wins {
                let after = self.gate();
                out.actions.push(Effect::Reply { request: RequestId::Keyed(key), argument, after });
            }
        }
        self.wake(now, address, out);
    }

    fn head(&self, address: &Address) -> Option<&Arc<Message>> {
        self.state.resident(address)?.mailbox.messages().front()
    }
}

fn request_key(address: &Address) -> Option<RequestKey> {
    match address.request() {
        Some((_, RequestId::Keyed(key))) => Some(key),
        _ => None,
    }
}

fn answered(mut row: RequestRow, argument: &crate::message::TypedValue) -> RequestRow {
    row.progress.reply = Some(argument.clone());
    row
}
