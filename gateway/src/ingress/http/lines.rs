//! Splits a body into lines without ever holding more of it than one line and one piece.
//!
//! A line beyond the limit is reported and passed over without being kept. A line that grows long takes the largest share of the
//! budget that it may need before it grows further, so that many half-received lines cannot exhaust memory or each other. And it
//! must be whole in time, for that share is not there for others meanwhile.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::time::{Instant, timeout_at};

use super::Shared;
use super::body::Pieces;
use super::budget::{Budget, Share};
use super::problem::Problem;

/// Up to here a line is kept without a share of the budget: the number of connections bounds it.
const SHORT_LINE_BYTES: usize = 64 << 10;

/// One line, without its line feed. Lines are numbered from 1; empty ones count but are not reported.
pub(super) enum Line {
    /// A line with the share of the budget that it holds.
    Whole {
        /// Its number.
        number: u64,
        /// Its content, not empty.
        text: Bytes,
        /// What it holds of the budget.
        share: Share,
    },
    /// A line of which nothing was kept.
    TooLong {
        /// Its number.
        number: u64,
    },
}

/// The lines of a body.
pub(super) struct Lines {
    pieces: Pieces,
    budget: Budget,
    limit: usize,
    /// What was received and not looked at.
    ahead: Bytes,
    /// The beginning of the line whose end was not received.
    partial: BytesMut,
    /// What the partial line holds of the budget.
    share: Option<Share>,
    /// How long a line may take from its first byte on, and when that is over for the partial line.
    patience: Duration,
    due: Option<Instant>,
    /// The partial line is beyond the limit.
    too_long: bool,
    /// A line that waits for its share.
    complete: Option<Bytes>,
    /// The number of the last line that began.
    number: u64,
    ended: bool,
}

impl Lines {
    pub(super) fn new(app: &Shared, pieces: Pieces) -> Self {
        Self {
            pieces,
            budget: app.budget.clone(),
            limit: app.limits.message_bytes,
            ahead: Bytes::new(),
            partial: BytesMut::new(),
            share: None,
            patience: app.limits.body_timeout,
            due: None,
            too_long: false,
            complete: None,
            number: 0,
            ended: false,
        }
    }

    /// The number that the next line would have.
    pub(super) fn next_number(&self) -> u64 {
        self.number + 1
    }

    /// The next line that is not empty; nothing at the end. Nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Option<Line>, Problem> {
        loop {
            if let Some(text) = &self.complete {
                let share = match self.share.take() {
                    Some(share) => share,
                    None => self.budget.share(text.len()).await,
                };
                return Ok(self.release(share));
            }
            match self.ahead.iter().position(|&byte| byte == b'\n') {
                Some(end) => {
                    let rest = self.ahead.split_to(end);
                    self.ahead.advance(1);
                    if let Some(refused) = self.finish(rest) {
                        return Ok(Some(refused));
                    }
                }
                None if self.ended => return Ok(None),
                None => {
                    self.keep().await;
                    if let Some(refused) = self.receive().await? {
                        return Ok(Some(refused));
                    }
                }
            }
        }
    }

    fn release(&mut self, mut share: Share) -> Option<Line> {
        let text = self.complete.take()?;
        share.shrink(text.len());
        Some(Line::Whole { number: self.number, text, share })
    }

    /// Takes the next piece in. At the end, what is left is the last line.
    async fn receive(&mut self) -> Result<Option<Line>, Problem> {
        let piece = match self.due {
            Some(due) => timeout_at(due, self.pieces.next())
                .await
                .map_err(|_| Problem::Body("the client took too long for a line"))?,
            None => self.pieces.next().await,
        };
        match piece? {
            Some(piece) => {
                self.ahead = piece;
                Ok(None)
            }
            None => {
                self.ended = true;
                Ok(self.finish(Bytes::new()))
            }
        }
    }

    /// A line has ended with `rest`. Returns it at once only if it is refused.
    fn finish(&mut self, rest: Bytes) -> Option<Line> {
        self.number += 1;
        self.due = None;
        if self.too_long || self.partial.len() + rest.len() > self.limit {
            self.drop_partial();
            self.too_long = false;
            return Some(Line::TooLong { number: self.number });
        }
        let text = if self.partial.is_empty() {
            rest
        } else {
            self.partial.extend_from_slice(&rest);
            self.partial.split().freeze()
        };
        if text.trim_ascii().is_empty() {
            self.share = None;
        } else {
            self.complete = Some(text);
        }
        None
    }

    /// Keeps what was received of a line whose end is missing.
    async fn keep(&mut self) {
        if !self.ahead.is_empty() && self.due.is_none() {
            self.due = Some(Instant::now() + self.patience);
        }
        let length = self.partial.len() + self.ahead.len();
        if self.too_long || length > self.limit {
            self.too_long = true;
            self.drop_partial();
        } else if length > SHORT_LINE_BYTES && self.share.is_none() {
            self.share = Some(self.budget.share(self.limit).await);
        }
        if !self.too_long {
            self.partial.extend_from_slice(&self.ahead);
        }
        self.ahead.clear();
    }

    fn drop_partial(&mut self) {
        self.partial = BytesMut::new();
        self.share = None;
    }
}
