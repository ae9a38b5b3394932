//! What the drivers and the writer thread share: the steps that wait for the next frame.
//!
//! Bounded in bytes by closing the door (`room`) at the bound; an append itself never waits. Beside the bound each
//! driver that was let in may add one step, and the frame that is being written is still held by the writer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::super::frame::{HEADER_BYTES, STEP_OVERHEAD_BYTES_MAX};
use super::super::{AppendTicket, FrameNumber, Step};

pub(super) struct Buffer {
    state: Mutex<State>,
    work: Condvar,
    room: watch::Sender<bool>,
    bound_bytes: usize,
    frame_bytes_max: usize,
    linger: Duration,
}

struct State {
    steps: Vec<Step>,
    bytes: usize,
    appended: AppendTicket,
    taken: AppendTicket,
    floor: FrameNumber,
    stalled: bool,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// What is left is still written.
    Closing,
    /// Nothing is written any more.
    Abandoned,
}

/// What the writer has to do next. Steps may be empty, when only the floor has risen.
pub(super) struct Work {
    pub(super) steps: Vec<Step>,
    /// The ticket of the last of the steps.
    pub(super) through: AppendTicket,
    /// No frame below is needed any more.
    pub(super) floor: FrameNumber,
}

impl Buffer {
    pub(super) fn new(bound_bytes: usize, frame_bytes_max: usize, linger: Duration) -> Self {
        let state = State {
            steps: Vec::new(),
            bytes: 0,
            appended: AppendTicket(0),
            taken: AppendTicket(0),
            floor: FrameNumber::FIRST,
            stalled: false,
            phase: Phase::Open,
        };
        let (room, _) = watch::channel(true);
        let (state, work) = (Mutex::new(state), Condvar::new());
        Self { state, work, room, bound_bytes, frame_bytes_max, linger }
    }

    pub(super) fn append(&self, step: Step) -> AppendTicket {
        let bytes = step.records.len() + STEP_OVERHEAD_BYTES_MAX;
        assert!(HEADER_BYTES + bytes <= self.frame_bytes_max, "a step does not fit into a frame");
        let mut state = self.lock();
        state.appended.0 += 1;
        if state.phase == Phase::Open {
            // The writer sleeps only while there is nothing, or lingers until a frame is full. Waking it for each
            // step would cost a system call each.
            let full =
                state.bytes < self.frame_bytes_max && state.bytes + bytes >= self.frame_bytes_max;
            let wake = state.steps.is_empty() || full;
            state.bytes += bytes;
            state.steps.push(step);
            self.publish_room(&state);
            if wake {
                self.work.notify_one();
            }
        }
        state.appended
    }

    /// Bytes of steps that wait for the next frame.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    pub(super) async fn room(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.room.subscribe().wait_for(|open| *open).await;
    }

    pub(super) fn trim(&self, below: FrameNumber) {
        let mut state = self.lock();
        if below > state.floor {
            state.floor = below;
            self.work.notify_one();
        }
    }

    /// The last ticket that will become durable before the log ends.
    pub(super) fn close(&self) -> AppendTicket {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
            self.work.notify_one();
        }
        state.appended
    }

    /// Has the writer stop without writing what is left, and closes the door.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.phase = Phase::Abandoned;
        state.steps = Vec::new();
        state.bytes = 0;
        self.publish_room(&state);
        self.work.notify_one();
    }

    /// Waits for work. Nothing means that the log has ended.
    pub(super) fn next(&self, floor: FrameNumber) -> Option<Work> {
        let mut state = self.lock();
        while state.phase == Phase::Open && state.steps.is_empty() && state.floor <= floor {
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state = self.linger(state);
        let ended = state.steps.is_empty() && state.phase != Phase::Open && state.floor <= floor;
        if ended || state.phase == Phase::Abandoned {
            return None;
        }
        let steps = self.take(&mut state);
        Some(Work { steps, through: state.taken, floor: state.floor })
    }

    /// Closes the door, then waits until space may have come: the floor has risen, or time has passed. Gives the
    /// floor, or nothing if the log was abandoned.
    pub(super) fn stall(&self, floor: FrameNumber, retry: Duration) -> Option<FrameNumber> {
        let mut state = self.lock();
        state.stalled = true;
        self.publish_room(&state);
        let waiting = |state: &mut State| state.phase != Phase::Abandoned && state.floor <= floor;
        let (state, _) = self
            .work
            .wait_timeout_while(state, retry, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        (state.phase != Phase::Abandoned).then_some(state.floor)
    }

    /// Opens the door again after a stall.
    pub(super) fn resume(&self) {
        let mut state = self.lock();
        state.stalled = false;
        self.publish_room(&state);
    }

    fn linger<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if self.linger.is_zero() {
            return state;
        }
        let end = Instant::now() + self.linger;
        while state.phase == Phase::Open
            && !state.steps.is_empty()
            && state.bytes < self.frame_bytes_max
        {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.work.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    fn take(&self, state: &mut State) -> Vec<Step> {
        let mut count = 0;
        let mut bytes = 0;
        for step in &state.steps {
            let more = step.records.len() + STEP_OVERHEAD_BYTES_MAX;
            if HEADER_BYTES + bytes + more > self.frame_bytes_max {
                break;
            }
            bytes += more;
            count += 1;
        }
        let rest = state.steps.split_off(count);
        let steps = std::mem::replace(&mut state.steps, rest);
        state.bytes -= bytes;
        state.taken.0 += count as u64;
        self.publish_room(state);
        steps
    }

    fn publish_room(&self, state: &State) {
        let open =
            state.bytes < self.bound_bytes && !state.stalled && state.phase != Phase::Abandoned;
        self.room.send_if_modified(|room| std::mem::replace(room, open) != open);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
