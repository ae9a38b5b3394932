//! A log in memory: for tests, and for trials where nothing needs to outlive the process.
//!
//! It can sync by itself after each append, or only when it is told to, so that a test decides what a crash keeps.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidegate_core::id::PartitionId;
use tokio::sync::watch;

use super::{AppendTicket, Durable, FrameNumber, LogFailure, LoggedStep, NodeLog, Step};

/// When a [`MemoryLog`] takes what was appended for durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyncMode {
    /// At once, with a frame for each step.
    Automatic,
    /// When [`MemoryLog::sync`] is called.
    Explicit,
}

/// A log in memory.
pub struct MemoryLog {
    mode: SyncMode,
    state: Mutex<State>,
    durable: watch::Receiver<Durable>,
    room: watch::Sender<bool>,
}

struct State {
    waiting: Vec<Step>,
    logged: Vec<LoggedStep>,
    appended: AppendTicket,
    durable: Durable,
    failure: Option<LogFailure>,
    /// Gone when the log has ended.
    publish: Option<watch::Sender<Durable>>,
}

impl MemoryLog {
    /// An empty log.
    pub fn new(mode: SyncMode) -> Self {
        let (publish, durable) = watch::channel(Durable::default());
        let state = State {
            waiting: Vec::new(),
            logged: Vec::new(),
            appended: AppendTicket::default(),
            durable: Durable::default(),
            failure: None,
            publish: Some(publish),
        };
        Self { mode, state: Mutex::new(state), durable, room: watch::channel(true).0 }
    }

    /// Makes all that was appended durable, as one frame.
    pub fn sync(&self) {
        let mut state = self.lock();
        let count = state.waiting.len();
        state.sync(count);
    }

    /// Makes the steps up to a ticket durable, as one frame.
    pub fn sync_through(&self, ticket: AppendTicket) {
        let mut state = self.lock();
        let count = ticket.0.saturating_sub(state.durable.through.0) as usize;
        let count = count.min(state.waiting.len());
        state.sync(count);
    }

    /// Opens or closes the door of `room`, as a full buffer or disk would.
    pub fn set_room(&self, open: bool) {
        self.room.send_replace(open);
    }

    /// Ends the log as a failed write would: what waits is lost.
    pub fn fail(&self, failure: LogFailure) {
        self.room.send_replace(false);
        let mut state = self.lock();
        state.waiting.clear();
        state.failure = Some(failure);
        state.publish = None;
    }

    /// The durable steps of a partition from a frame on, as recovery would find them.
    pub fn steps(&self, partition: PartitionId, from: FrameNumber) -> Vec<LoggedStep> {
        let state = self.lock();
        let wanted = |it: &&LoggedStep| it.step.partition == partition && it.frame >= from;
        state.logged.iter().filter(wanted).cloned().collect()
    }

    /// The steps that were appended and are not durable.
    pub fn waiting(&self) -> Vec<Step> {
        self.lock().waiting.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn sync(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let frame = self.durable.frame.next();
        let steps: Vec<Step> = self.waiting.drain(..count).collect();
        self.logged.extend(steps.into_iter().map(|step| LoggedStep { frame, step }));
        self.durable.frame = frame;
        self.durable.through.0 += count as u64;
        self.publish();
    }

    fn publish(&mut self) {
        let bytes = self.logged.iter().map(|it| it.step.records.len() as u64);
        self.durable.backlog_bytes = bytes.sum();
        if let Some(publish) = &self.publish {
            publish.send_replace(self.durable);
        }
    }
}

impl NodeLog for MemoryLog {
    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut room = self.room.subscribe();
        Box::pin(async move {
            // The sender lives as long as `self`, so waiting cannot fail.
            let _ = room.wait_for(|open| *open).await;
        })
    }

    fn append(&self, step: Step) -> AppendTicket {
        let mut state = self.lock();
        state.appended.0 += 1;
        if state.publish.is_some() {
            state.waiting.push(step);
            if self.mode == SyncMode::Automatic {
                state.sync(1);
            }
        }
        state.appended
    }

    fn durable(&self) -> watch::Receiver<Durable> {
        self.durable.clone()
    }

    fn trim(&self, below: FrameNumber) {
        let mut state = self.lock();
        state.logged.retain(|it| it.frame >= below);
        state.publish();
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = Result<(), LogFailure>> + Send + '_>> {
        let mut state = self.lock();
        let count = state.waiting.len();
        state.sync(count);
        state.publish = None;
        let result = state.failure.clone().map_or(Ok(()), Err);
        Box::pin(std::future::ready(result))
    }

    fn failure(&self) -> Option<LogFailure> {
        self.lock().failure.clone()
    }
}

#[cfg(test)]
mod tests;
