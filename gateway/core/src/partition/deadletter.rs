//! A message that its function gives up on leaves as a record of an egress, where its policy says so: mailbox and egress change in
//! one record of the log, so that nothing is lost and nothing comes twice.

use alloc::format;
use alloc::string::String;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Partition;
use super::effect::{Effect, Effects, Report};
use super::place::Placement;
use super::record::{EgressEntry, Emitted, Record};
use super::row::Parked;
use crate::address::{Address, EgressId};
use crate::id::Timestamp;
use crate::message::{Message, TypedValue};

/// The type of the value that a message leaves as: JSON.
pub const DEAD_LETTER: &str = "io.tidegate/dead-letter";

impl Partition {
    /// The message at the head of an address leaves to an egress. Says whether it could.
    pub(super) fn dead_letter(
        &mut self,
        now: Timestamp,
        address: &Address,
        egress: &EgressId,
        given_up: &Parked,
        out: &mut Effects,
    ) -> bool {
        if !self.application.egresses.contains(egress) {
            return false;
        }
        let resident = self.state.resident(address);
        let Some(head) = resident.and_then(|resident| resident.mailbox.messages().front()) else {
            return false;
        };
        let mut placement = Placement::new(&self.state);
        let completed = self.completed_without_reply(now, address, head, &mut placement);
        let argument = TypedValue::new(DEAD_LETTER, letter(address, head, given_up).into());
        let emitted = Emitted { sender: address.clone(), at: now, argument };
        let sequence = self.state.egresses.next(egress);
        let entry = EgressEntry { egress: egress.clone(), sequence, emitted };
        let (address, sequence) = (address.clone(), head.sequence);
        let report = Report::DeadLettered {
            address: address.clone(),
            egress: egress.clone(),
            text: given_up.text.clone(),
        };
        self.set_trouble(&address, None);
        self.commit(now, Record::DeadLettered { address, sequence, entry, completed }, out);
        out.actions.push(Effect::Report(report));
        true
    }
}

/// What a sink gets of a message.
fn letter(address: &Address, message: &Message, given_up: &Parked) -> String {
    let caller = message.caller.as_ref().map(|caller| quoted(&format!("{caller}")));
    format!(
        r#"{{"address":{},"caller":{},"typename":{},"value":"{}","error":{},"attempts":{},"time":{}}}"#,
        quoted(&format!("{address}")),
        caller.as_deref().unwrap_or("null"),
        quoted(&message.argument.typename),
        STANDARD.encode(&message.argument.value),
        quoted(&given_up.text),
        given_up.failures,
        given_up.at.0,
    )
}

/// A text as JSON writes it.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\u{0}'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_text_is_quoted_as_json() {
        assert_eq!(quoted("a\"b\\c\nü\u{1}"), r#""a\"b\\c\u000aü\u0001""#);
    }
}
