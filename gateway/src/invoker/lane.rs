//! A lane: what waits for one URL of an endpoint, and what is known about what answers there. An endpoint with
//! `{function.name}` in its URL has a lane for each function, for these may be different servers.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::config::EndpointConfig;
use super::pace::{Jitter, Pace};
use super::packing::{Form, Load, Parcel, take_packed, take_single};

/// How long an endpoint that refused a batch is sent none, whatever it promises. While versions are rolled out, those that know
/// the extension and those that do not answer in turn.
const REFUSAL_REMEMBERED: Duration = Duration::from_secs(30);

/// What a request looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dialect {
    /// Protocol v3: one group.
    Single,
    /// The batch extension.
    Batch,
}

/// What waits for one URL.
#[derive(Debug)]
pub(super) struct Lane {
    waiting: VecDeque<Parcel>,
    under_way: usize,
    dialect: Dialect,
    refused_at: Option<Instant>,
    served: u64,
    most: Load,
    /// How fast it may be called.
    pub(super) pace: Pace,
}

impl Lane {
    pub(super) fn new(config: &EndpointConfig, jitter: Jitter) -> Self {
        Self {
            waiting: VecDeque::new(),
            under_way: 0,
            dialect: Dialect::Single,
            refused_at: None,
            served: 0,
            most: Load::most(config),
            pace: Pace::new(config.concurrency.get(), jitter),
        }
    }

    /// Whether forgetting it loses nothing but what was learned about the server.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.under_way == 0
    }

    /// When the first parcel began to wait, if one may go now.
    pub(super) fn ready(&self, now: Instant) -> Option<u64> {
        let first = self.waiting.front()?;
        self.pace.may_begin(now, self.under_way).then_some(first.arrival)
    }

    /// Takes the next request's worth.
    pub(super) fn begin(&mut self) -> Option<(Parcel, Dialect)> {
        let plain = self.waiting.front()?.form == Form::Plain;
        let begun = if plain || self.dialect == Dialect::Single {
            (take_single(&mut self.waiting)?, Dialect::Single)
        } else {
            (take_packed(&mut self.waiting, self.most)?, Dialect::Batch)
        };
        self.under_way += 1;
        Some(begun)
    }

    /// A request came to its end, whichever.
    pub(super) fn ended(&mut self) {
        self.under_way -= 1;
    }

    /// How many requests were answered.
    pub(super) fn served(&self) -> u64 {
        self.served
    }

    /// A request was answered, and the answer says whether the endpoint speaks the batch extension.
    pub(super) fn answered(&mut self, now: Instant, dialect: Dialect, speaks_batch: bool) {
        self.served += 1;
        self.pace.served();
        let refused = self.refused_at.is_some_and(|at| now < at + REFUSAL_REMEMBERED);
        if dialect == Dialect::Single && speaks_batch && !refused {
            self.dialect = Dialect::Batch;
        }
    }

    /// The endpoint did not understand a batch: each of its groups goes in a request of its own.
    pub(super) fn refused_batch(&mut self, now: Instant, parcel: Parcel) {
        self.dialect = Dialect::Single;
        self.refused_at = Some(now);
        for single in parcel.singles(Form::Plain).rev() {
            self.waiting.push_front(single);
        }
    }

    /// Takes out everything that waits.
    pub(super) fn give_up_waiting(&mut self) -> impl Iterator<Item = Parcel> {
        self.waiting.drain(..)
    }

    /// Puts a parcel behind all others.
    pub(super) fn enqueue(&mut self, parcel: Parcel) {
        self.waiting.push_back(parcel);
    }

    /// Puts the halves of a parcel before all others.
    pub(super) fn halve_first(&mut self, parcel: Parcel) {
        for half in parcel.halves().into_iter().rev() {
            self.waiting.push_front(half);
        }
    }
}
