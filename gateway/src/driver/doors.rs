//! The doors of the node: messages from outside come in strictly in the order in which they knocked. Upholds ORD-2 for clients.
//!
//! A place in the order is taken at once, without awaiting anything. A semaphore would not do: whoever awaits one may be
//! told to come again before it stands in line, and those who were let in together need not run in their order.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What is done once there is room; without room if the doors were closed for good. Must not block.
type Enter = Box<dyn FnOnce(Option<Room>) + Send>;

/// The doors, with room for a number of bytes behind them.
pub struct Doors {
    line: Mutex<Line>,
    hall: Arc<Hall>,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<(usize, Enter)>,
    closed: bool,
}

/// What lies behind the doors.
struct Hall {
    bytes: usize,
    free_bytes: AtomicUsize,
    freed: Notify,
}

/// The room that a message on its way to a partition takes, until it is dropped.
pub struct Room {
    bytes: usize,
    hall: Arc<Hall>,
}

impl Doors {
    /// Doors with so many bytes of room behind them.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let hall = Hall { bytes, free_bytes: AtomicUsize::new(bytes), freed: Notify::new() };
        Self { line: Mutex::default(), hall: Arc::new(hall) }
    }

    /// Stands in line, and enters at once or as soon as there is room. More bytes than there is room for at all never enter.
    pub fn knock(&self, bytes: usize, enter: impl FnOnce(Option<Room>) + Send + 'static) {
        let mut line = self.line();
        if line.closed {
            drop(line);
            return enter(None);
        }
        line.waiting.push_back((bytes, Box::new(enter)));
        self.let_in(&mut line);
    }

    /// Lets those in who wait, whenever room is given back. Never returns.
    pub async fn attend(&self) {
        loop {
            self.hall.freed.notified().await;
            self.let_in(&mut self.line());
        }
    }

    /// Lets nobody in any more, nor those who wait.
    pub fn close(&self) {
        let waiting = {
            let mut line = self.line();
            line.closed = true;
            std::mem::take(&mut line.waiting)
        };
        waiting.into_iter().for_each(|(_, enter)| enter(None));
    }

    /// Bytes of messages that were let in and are still on their way, or held back because the node is full.
    #[must_use]
    pub fn taken_bytes(&self) -> usize {
        self.hall.bytes.saturating_sub(self.hall.free_bytes.load(Ordering::Relaxed))
    }

    /// How many stand in line.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.line().waiting.len()
    }

    /// Under the lock, so that no two enter in another order than they knocked.
    fn let_in(&self, line: &mut Line) {
        while let Some((bytes, _)) = line.waiting.front()
            && let Some(room) = self.hall.take(*bytes)
        {
            if let Some((_, enter)) = line.waiting.pop_front() {
                enter(Some(room));
            }
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Every change under the lock is complete before anything can panic.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hall {
    fn take(self: &Arc<Self>, bytes: usize) -> Option<Room> {
        let taken = self
            .free_bytes
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(bytes));
        taken.is_ok().then(|| Room { bytes, hall: Arc::clone(self) })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.hall.free_bytes.fetch_add(self.bytes, Ordering::AcqRel);
        self.hall.freed.notify_one();
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let free = self.hall.free_bytes.load(Ordering::Acquire);
        out.debug_struct("Doors").field("free_bytes", &free).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn knocking(doors: &Doors, knocks: &[(usize, u32)]) -> Receiver<(u32, Option<Room>)> {
        let (entered, order) = channel();
        for (bytes, name) in knocks {
            let (entered, name) = (entered.clone(), *name);
            // Nobody listens any more once a test has seen enough.
            doors.knock(*bytes, move |room| drop(entered.send((name, room))));
        }
        order
    }

    #[tokio::test]
    async fn a_small_one_does_not_overtake_a_large_one_that_waits() {
        let doors = Arc::new(Doors::new(10));
        let attendant = tokio::spawn({
            let doors = Arc::clone(&doors);
            async move { doors.attend().await }
        });
        let order = knocking(&doors, &[(6, 1), (6, 2), (1, 3)]);
        let (first, room) = order.try_recv().expect("there is room for the first");
        assert_eq!(first, 1);
        assert!(order.try_recv().is_err(), "the third waits behind the second");
        drop(room);
        tokio::task::yield_now().await;
        let entered: Vec<u32> = order.try_iter().map(|(name, _room)| name).collect();
        assert_eq!(entered, [2, 3]);
        attendant.abort();
    }

    #[test]
    fn closed_doors_turn_everybody_away() {
        let doors = Doors::new(1);
        let order = knocking(&doors, &[(1, 1), (1, 2)]);
        doors.close();
        let later = knocking(&doors, &[(1, 3)]);
        let entered: Vec<_> = order
            .try_iter()
            .chain(later.try_iter())
            .map(|(name, room)| (name, room.is_some()))
            .collect();
        assert_eq!(entered, [(1, true), (2, false), (3, false)]);
    }
}
