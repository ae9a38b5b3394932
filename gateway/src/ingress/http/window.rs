//! The lines of one stream that are under way: sent in portions, answered in the order of the lines, bounded in number and bytes.

use std::ops::Range;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesOrdered;

use super::budget::Share;
use super::delivery::{Delivered, combine};
use super::limits::HttpLimits;
use super::problem::Problem;
use crate::ingress::{Door, Inbound, Sent, Visitor};

/// A portion is sent when it has as many lines, or bytes.
const PORTION_LINES: usize = 256;
const PORTION_BYTES: usize = 64 << 10;

/// What became of a line.
pub(super) type LineResult = Result<Delivered, Problem>;

/// Lines that were read and are sent together.
#[derive(Default)]
pub(super) struct Portion {
    lines: Vec<ReadLine>,
    messages: Vec<Inbound>,
    share: Option<Share>,
    bytes: usize,
}

struct ReadLine {
    number: u64,
    /// The places of its messages, or why there are none.
    messages: Result<Range<usize>, Problem>,
}

impl Portion {
    /// Adds a line with what it holds of the budget. `read` adds its messages; what it added before it fails is forgotten.
    pub(super) fn push(
        &mut self,
        number: u64,
        bytes: usize,
        share: Share,
        read: impl FnOnce(&mut Vec<Inbound>) -> Result<(), Problem>,
    ) {
        let first = self.messages.len();
        match read(&mut self.messages) {
            Ok(()) => {
                let messages = Ok(first..self.messages.len());
                self.lines.push(ReadLine { number, messages });
                self.bytes += bytes;
                match &mut self.share {
                    Some(all) => all.merge(share),
                    None => self.share = Some(share),
                }
            }
            Err(problem) => {
                self.messages.truncate(first);
                self.refuse(number, problem);
            }
        }
    }

    /// Adds a line that is not sent. Its refusal takes its turn like every other answer.
    pub(super) fn refuse(&mut self, number: u64, problem: Problem) {
        self.lines.push(ReadLine { number, messages: Err(problem) });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.lines.len() >= PORTION_LINES || self.bytes >= PORTION_BYTES
    }
}

/// What became of the lines of a portion, in their order.
pub(super) struct Answered {
    pub(super) lines: Vec<(u64, LineResult)>,
    bytes: usize,
}

/// The lines under way.
pub(super) struct Window {
    visitor: Visitor,
    portions: FuturesOrdered<BoxFuture<'static, Answered>>,
    lines: usize,
    bytes: usize,
    lines_max: usize,
    bytes_max: usize,
}

impl Window {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        Self {
            visitor: Visitor::new(),
            portions: FuturesOrdered::new(),
            lines: 0,
            bytes: 0,
            lines_max: limits.lines_in_flight.max(1),
            bytes_max: limits.line_bytes_in_flight,
        }
    }

    /// Whether another line may be read behind those of a portion that is not sent yet. One line of any size always may.
    pub(super) fn has_room(&self, portion: &Portion) -> bool {
        let (lines, bytes) = (self.lines + portion.lines.len(), self.bytes + portion.bytes);
        lines == 0 || (lines < self.lines_max && bytes < self.bytes_max)
    }

    /// Whether every line was answered.
    pub(super) fn is_empty(&self) -> bool {
        self.portions.is_empty()
    }

    /// Sends a portion. Its lines hold their share until the door has answered, and their places in the window until the answer
    /// was taken out.
    pub(super) fn send(&mut self, door: &dyn Door, portion: Portion) {
        let Portion { lines, messages, share, bytes } = portion;
        self.lines += lines.len();
        self.bytes += bytes;
        let sent = door.send(&self.visitor, messages);
        self.portions.push_back(answer(lines, sent, share, bytes).boxed());
    }

    /// The answers to the oldest portion, as soon as there are all.
    pub(super) async fn next(&mut self) -> Option<Answered> {
        let answered = self.portions.next().await?;
        self.lines -= answered.lines.len();
        self.bytes -= answered.bytes;
        Some(answered)
    }
}

async fn answer(lines: Vec<ReadLine>, sent: Sent, share: Option<Share>, bytes: usize) -> Answered {
    let mut exceptions = sent.await.into_iter().peekable();
    drop(share);
    let result = |line: ReadLine| {
        (line.number, line.messages.and_then(|places| combine(&places, &mut exceptions)))
    };
    Answered { lines: lines.into_iter().map(result).collect(), bytes }
}
