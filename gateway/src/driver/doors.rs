//! The doors of the node: messages from outside come in as there is room, those of one visitor strictly in the order in which they
//! knocked, and no visitor at the expense of the others. Upholds ORD-2 for clients.
//!
//! Whoever waits behind the doors has waited for nothing: everything that was let in before it is handled first. So there is
//! little room there, and who fills it is decided by start-time fair queueing (Goyal, Vin, Cheng 1996), counted in bytes: what
//! a visitor brings begins where its last one in line ends, and the earliest beginning is next. Who floods the node queues
//! behind itself; who comes once goes in at once.
//!
//! What is taken in faster than it can be written behind fills the memory of the node in the end. Before that the doors narrow:
//! visitors who brought much of late wait until rows are written, and what memory is left is for all others.
//!
//! A place in the order is taken at once, without awaiting anything. A semaphore would not do: whoever awaits one may be
//! told to come again before it stands in line, and those who were let in together need not run in their order.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::ingress::Visitor;

/// What is done once there is room; without room if the doors were closed for good. Must not block.
type Enter = Box<dyn FnOnce(Option<Room>) + Send>;

/// The doors, with room for a number of bytes behind them.
pub struct Doors {
    line: Mutex<Line>,
    hall: Arc<Hall>,
}

/// A visitor is heavy if it brought so many bytes of the last [`ERA_BYTES`] that anybody brought.
const HEAVY_BYTES: usize = 256 << 10;
const ERA_BYTES: u64 = 16 << 20;

/// Who stands before the doors: by where it begins, then by when it knocked.
type Queue = BTreeMap<(u64, u64), Knock>;

#[derive(Default)]
struct Line {
    light: Queue,
    heavy: Queue,
    /// Those of whom something is in line, by their numbers.
    visitors: HashMap<u64, InLine>,
    /// Where the last one began that was let in through wide doors.
    reached: u64,
    knocks: u64,
    /// Bytes that anybody ever brought.
    brought: u64,
    admission: Admission,
    closed: bool,
}

/// Who is let in, if there is room.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Admission {
    /// Everybody.
    #[default]
    All,
    /// Who brought little of late.
    Light,
    /// Nobody for now.
    None,
}

/// What a visitor has in line.
struct InLine {
    /// Where the last of it ends.
    end: u64,
    count: usize,
    heavy: usize,
}

struct Knock {
    visitor: u64,
    is_heavy: bool,
    bytes: usize,
    enter: Enter,
}

/// What lies behind the doors.
struct Hall {
    bytes: i64,
    /// Below zero by what the last one brought too much.
    free_bytes: AtomicI64,
    /// How many stand in line.
    waiting: AtomicUsize,
    freed: Notify,
}

/// The room that a message on its way to a partition takes, until it is dropped.
pub struct Room {
    bytes: i64,
    hall: Arc<Hall>,
}

impl Doors {
    /// Doors with so many bytes of room behind them. Whoever finds any room is let in, so that one who brings more than that
    /// need not wait for ever.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let bytes = signed(bytes);
        let hall = Hall {
            bytes,
            free_bytes: AtomicI64::new(bytes),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
        };
        Self { line: Mutex::default(), hall: Arc::new(hall) }
    }

    /// Stands in line, and enters at once or as soon as there is room.
    pub fn knock(
        &self,
        visitor: &Visitor,
        bytes: usize,
        enter: impl FnOnce(Option<Room>) + Send + 'static,
    ) {
        let mut line = self.line();
        if line.closed {
            drop(line);
            return enter(None);
        }
        line.join(visitor, bytes, Box::new(enter));
        self.let_in(&mut line);
    }

    /// Says who is let in from now on.
    pub fn admit(&self, admission: Admission) {
        let mut line = self.line();
        line.admission = admission;
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
            let mut waiting = std::mem::take(&mut line.light);
            waiting.append(&mut line.heavy);
            waiting
        };
        waiting.into_values().for_each(|knock| (knock.enter)(None));
    }

    /// Bytes of messages that were let in and are still on their way, or held back because the node is full.
    #[must_use]
    pub fn taken_bytes(&self) -> usize {
        let taken = self.hall.bytes - self.hall.free_bytes.load(Ordering::Relaxed);
        usize::try_from(taken).unwrap_or_default()
    }

    /// How many stand in line.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.line().len()
    }

    /// Under the lock, so that no two enter in another order than that of the line.
    fn let_in(&self, line: &mut Line) {
        // Told before the hall is looked at, so that who gives room back meanwhile knows of it.
        self.hall.waiting.store(line.len(), Ordering::SeqCst);
        while self.hall.has_room()
            && let Some(knock) = line.leave()
        {
            (knock.enter)(Some(self.hall.take(knock.bytes)));
        }
        self.hall.waiting.store(line.len(), Ordering::SeqCst);
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Every change under the lock is complete before anything can panic.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn len(&self) -> usize {
        self.light.len() + self.heavy.len()
    }

    /// Behind what the visitor has in line already, but not before those that were let in.
    fn join(&mut self, visitor: &Visitor, bytes: usize, enter: Enter) {
        let era = (self.brought / ERA_BYTES) as u32;
        self.brought += bytes as u64;
        self.knocks += 1;
        let new = InLine { end: self.reached, count: 0, heavy: 0 };
        let in_line = self.visitors.entry(visitor.number()).or_insert(new);
        // Nobody overtakes what it has among the heavy ones.
        let is_heavy = visitor.brings(era, bytes) > HEAVY_BYTES || in_line.heavy > 0;
        let begin = in_line.end;
        in_line.end += bytes as u64;
        in_line.count += 1;
        in_line.heavy += usize::from(is_heavy);
        let queue = if is_heavy { &mut self.heavy } else { &mut self.light };
        queue.insert(
            (begin, self.knocks),
            Knock { visitor: visitor.number(), is_heavy, bytes, enter },
        );
    }

    /// Takes out who is next.
    fn leave(&mut self) -> Option<Knock> {
        let first = |queue: &Queue| queue.first_key_value().map(|(place, _)| *place);
        let (light, heavy) = match self.admission {
            Admission::All => (first(&self.light), first(&self.heavy)),
            Admission::Light => (first(&self.light), None),
            Admission::None => return None,
        };
        let queue = match (light, heavy) {
            (Some(light), Some(heavy)) if heavy < light => &mut self.heavy,
            (None, Some(_)) => &mut self.heavy,
            _ => &mut self.light,
        };
        let ((begin, _), knock) = queue.pop_first()?;
        if self.admission == Admission::All {
            // Those who have to wait meanwhile shall not owe it to others.
            self.reached = self.reached.max(begin);
        }
        if let Some(in_line) = self.visitors.get_mut(&knock.visitor) {
            in_line.count -= 1;
            in_line.heavy -= usize::from(knock.is_heavy);
            if in_line.count == 0 {
                self.visitors.remove(&knock.visitor);
            }
        }
        Some(knock)
    }
}

impl Hall {
    fn has_room(&self) -> bool {
        self.free_bytes.load(Ordering::SeqCst) > 0
    }

    fn take(self: &Arc<Self>, bytes: usize) -> Room {
        let bytes = signed(bytes);
        self.free_bytes.fetch_sub(bytes, Ordering::SeqCst);
        Room { bytes, hall: Arc::clone(self) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.hall.free_bytes.fetch_add(self.bytes, Ordering::SeqCst);
        if self.hall.waiting.load(Ordering::SeqCst) > 0 {
            self.hall.freed.notify_one();
        }
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let free = self.hall.free_bytes.load(Ordering::Acquire);
        out.debug_struct("Doors").field("free_bytes", &free).finish_non_exhaustive()
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Doors, and who entered by name.
    struct Entrance {
        doors: Doors,
        enter: Sender<(u32, Option<Room>)>,
        entered: Receiver<(u32, Option<Room>)>,
    }

    impl Entrance {
        fn with_room(bytes: usize) -> Self {
            let (enter, entered) = channel();
            Self { doors: Doors::new(bytes), enter, entered }
        }

        fn knock(&self, visitor: &Visitor, bytes: usize, name: u32) {
            let enter = self.enter.clone();
            // Nobody listens any more once a test has seen enough.
            self.doors.knock(visitor, bytes, move |room| drop(enter.send((name, room))));
        }

        /// The names of all in the order in which they enter, when each gives its room back.
        async fn everybody(&self) -> Vec<u32> {
            let mut names = Vec::new();
            let all = async {
                while self.doors.waiting() > 0 || self.doors.taken_bytes() > 0 {
                    names.extend(self.entered.try_iter().map(|(name, _room)| name));
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                () = all => names,
                () = self.doors.attend() => Vec::new(),
            }
        }
    }

    #[tokio::test]
    async fn the_small_one_of_a_visitor_does_not_overtake_its_large_one() {
        let (entrance, visitor) = (Entrance::with_room(10), Visitor::new());
        for (bytes, name) in [(12, 1), (60, 2), (1, 3), (1, 4)] {
            entrance.knock(&visitor, bytes, name);
        }
        assert_eq!(entrance.doors.waiting(), 3, "the first brought more than there is room for");
        assert_eq!(entrance.everybody().await, [1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn who_comes_once_does_not_wait_for_all_of_who_floods() {
        let (entrance, flooding) = (Entrance::with_room(1), Visitor::new());
        for name in 0..100 {
            entrance.knock(&flooding, 50, name);
        }
        entrance.knock(&Visitor::new(), 8, 1_000);
        entrance.knock(&Visitor::new(), 8, 1_001);
        let names = entrance.everybody().await;
        // One of the flood is inside, and one began where they did.
        assert_eq!(names[2..4], [1_000, 1_001]);
        let flood: Vec<u32> = names.into_iter().filter(|name| *name < 1_000).collect();
        assert!(flood.into_iter().eq(0..100), "what one visitor brings keeps its order");
    }

    #[tokio::test]
    async fn narrow_doors_let_those_in_who_brought_little() {
        let (entrance, flooding) = (Entrance::with_room(1 << 20), Visitor::new());
        let portion = HEAVY_BYTES / 4;
        for name in 0..4 {
            entrance.knock(&flooding, portion, name);
        }
        entrance.doors.admit(Admission::Light);
        entrance.knock(&flooding, portion, 4);
        entrance.knock(&flooding, 1, 5);
        entrance.knock(&Visitor::new(), 8, 1_000);
        let names = || entrance.entered.try_iter().map(|(name, _room)| name).collect::<Vec<_>>();
        assert_eq!(names(), [0, 1, 2, 3, 1_000]);
        assert_eq!(entrance.doors.waiting(), 2);
        entrance.doors.admit(Admission::All);
        assert_eq!(entrance.everybody().await, [4, 5]);
    }

    #[tokio::test]
    async fn nobody_comes_in_who_is_not_admitted_however_much_room_there_is() {
        let (entrance, visitor) = (Entrance::with_room(1 << 20), Visitor::new());
        entrance.doors.admit(Admission::None);
        entrance.knock(&visitor, 1, 1);
        entrance.knock(&visitor, 1, 2);
        assert!(entrance.entered.try_recv().is_err());
        entrance.doors.admit(Admission::All);
        assert_eq!(entrance.everybody().await, [1, 2]);
    }

    #[test]
    fn who_brought_much_long_ago_is_not_heavy() {
        let (entrance, visitor) = (Entrance::with_room(1), Visitor::new());
        entrance.knock(&visitor, 2 * HEAVY_BYTES, 1);
        drop(entrance.entered.try_recv());
        entrance.knock(&Visitor::new(), 2 * ERA_BYTES as usize, 2);
        drop(entrance.entered.try_recv());
        entrance.doors.admit(Admission::Light);
        entrance.knock(&visitor, 1, 3);
        assert_eq!(entrance.entered.try_recv().map(|(name, _)| name), Ok(3));
    }

    #[test]
    fn closed_doors_turn_everybody_away() {
        let (entrance, visitor) = (Entrance::with_room(1), Visitor::new());
        entrance.knock(&visitor, 1, 1);
        entrance.knock(&visitor, 1, 2);
        entrance.doors.close();
        entrance.knock(&visitor, 1, 3);
        let entered: Vec<_> =
            entrance.entered.try_iter().map(|(name, room)| (name, room.is_some())).collect();
        assert_eq!(entered, [(1, true), (2, false), (3, false)]);
    }
}
