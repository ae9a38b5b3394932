//! What functions are shown, held against the model.

use std::collections::VecDeque;

use tidegate_core::id::Timestamp;
use tidegate_core::message::Message;
use tidegate_core::partition::group::Group;
use tidegate_core::partition::order::Subject;

use crate::model::{Checked, Model, Note};

impl Model {
    /// Whether a group shows what it must: the messages at the head, and every value as it is.
    pub fn check_group(&self, group: &Group, now: Timestamp) -> Checked {
        let address = &group.address;
        if self.parked.contains(address) {
            return Err(format!("{address} is parked but invoked"));
        }
        if self.paused.contains(&Subject::Function(address.function.clone())) {
            return Err(format!("{address} is paused but invoked"));
        }
        self.check_messages(group)?;
        for (name, shown) in &group.values {
            let held = self.values.get(&(address.clone(), name.clone()));
            let expected = held.filter(|(_, expires_at)| *expires_at > now).map(|(value, _)| value);
            if shown.as_ref() != expected {
                return Err(format!(
                    "{name} of {address} is {shown:?}, expected {held:?} at {now}"
                ));
            }
        }
        Ok(())
    }

    /// Whether a group's messages are those at the head of the mailbox.
    pub fn check_messages(&self, group: &Group) -> Checked {
        let address = &group.address;
        let empty = VecDeque::new();
        let mailbox = self.mailboxes.get(address).unwrap_or(&empty);
        for (index, message) in group.messages.iter().enumerate() {
            let expected = mailbox.get(index);
            if expected.is_none_or(|note| !is_same(note, message)) {
                return Err(format!("ORD-2: {address} gets {message:?}, expected {expected:?}"));
            }
        }
        Ok(())
    }
}

fn is_same(note: &Note, message: &Message) -> bool {
    note.caller == message.caller
        && note.argument == message.argument
        && note.request == message.request.as_ref().map(|request| request.id)
}
