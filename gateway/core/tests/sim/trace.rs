//! A readable account of a run: a line for each step, in columns.

use tidegate_core::id::{Lsn, PartitionId, Timestamp};
use tidegate_core::partition::effect::{Effect, Effects};
use tidegate_core::partition::event::Event;

pub struct Trace {
    on: bool,
    pub lines: Vec<String>,
}

impl Trace {
    pub const fn new(on: bool) -> Self {
        Self { on, lines: Vec::new() }
    }

    pub const fn is_on(&self) -> bool {
        self.on
    }

    pub fn event(&self, event: &Event) -> String {
        if self.on { shorten(&format!("{event:?}"), 400) } else { String::new() }
    }

    /// Something that happened outside the partitions.
    pub fn note(&mut self, step: usize, now: Timestamp, text: impl FnOnce() -> String) {
        if self.on {
            self.lines.push(format!("{step:>5} {:>9}          -- {}", now.0, text()));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of the trace")]
    pub fn step(
        &mut self,
        step: usize,
        now: Timestamp,
        of: PartitionId,
        epoch: u64,
        lsn: Lsn,
        event: &str,
        out: &Effects,
    ) {
        if !self.on {
            return;
        }
        let place = format!("{step:>5} {:>9} p{of} e{epoch:<3} {lsn:>5}", now.0);
        self.lines.push(format!("{place} {event}"));
        for record in &out.records {
            self.lines.push(format!("{:28}+ {}", "", shorten(&format!("{record:?}"), 900)));
        }
        for action in &out.actions {
            self.lines.push(format!("{:28}> {}", "", describe(action)));
        }
    }
}

fn describe(action: &Effect) -> String {
    shorten(&format!("{action:?}"), 600)
}

fn shorten(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}
