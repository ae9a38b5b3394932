//! Connections without a request, which wait to be used again. The one that was used last goes first, so that the others may grow
//! old: as many stay as the load needs.
//!
//! Bounded in number and in age. Nobody watches a connection that lies here; it is looked at when it is taken out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::target::Origin;

/// What waits to be used again.
pub(super) struct Pool<C> {
    shelf: Mutex<Shelf<C>>,
    most: usize,
    kept: Duration,
}

struct Shelf<C> {
    /// The oldest at the front.
    idle: VecDeque<Idle<C>>,
    /// Whether a task waits for the oldest to become too old.
    is_swept: bool,
}

struct Idle<C> {
    origin: Origin,
    since: Instant,
    connection: C,
}

impl<C: Send + 'static> Pool<C> {
    /// Keeps at most so many, and each for that long.
    pub(super) fn new(most: usize, kept: Duration) -> Arc<Self> {
        let shelf = Shelf { idle: VecDeque::new(), is_swept: false };
        let most = if kept.is_zero() { 0 } else { most };
        Arc::new(Self { shelf: Mutex::new(shelf), most, kept })
    }

    /// Takes the connection out that was used last. It may have ended.
    pub(super) fn take(&self, origin: &Origin) -> Option<C> {
        let mut shelf = self.lock();
        let same = |idle: &Idle<C>| Arc::ptr_eq(&idle.origin, origin) || idle.origin == *origin;
        let place = shelf.idle.iter().rposition(same)?;
        shelf.idle.remove(place).map(|idle| idle.connection)
    }

    /// Keeps a connection that is ready for another request.
    pub(super) fn put(self: &Arc<Self>, origin: &Origin, connection: C) {
        if self.most == 0 {
            return;
        }
        let idle = Idle { origin: Arc::clone(origin), since: Instant::now(), connection };
        let mut shelf = self.lock();
        shelf.idle.push_back(idle);
        // Closed when the lock is gone.
        let _too_many = if shelf.idle.len() > self.most { shelf.idle.pop_front() } else { None };
        if !shelf.is_swept {
            shelf.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(self), Instant::now() + self.kept));
        }
        drop(shelf);
    }

    /// Closes what is too old, and says when the next one will be. Nothing is left if there is no such time.
    fn expire(&self, now: Instant) -> Option<Instant> {
        let mut old = Vec::new();
        let mut shelf = self.lock();
        while let Some(idle) = shelf.idle.pop_front_if(|idle| idle.since + self.kept <= now) {
            old.push(idle);
        }
        let next = shelf.idle.front().map(|idle| idle.since + self.kept);
        shelf.is_swept = next.is_some();
        drop(shelf);
        next
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<C>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections when they become too old, until there are none.
async fn sweep<C: Send + 'static>(pool: Weak<Pool<C>>, first: Instant) {
    let mut next = Some(first);
    while let Some(due) = next {
        sleep_until(due).await;
        let Some(pool) = pool.upgrade() else { return };
        next = pool.expire(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
    use tokio::time::sleep;

    use super::*;

    const KEPT: Duration = Duration::from_secs(4);

    fn origin(text: &str) -> Origin {
        Arc::new(text.parse().unwrap())
    }

    /// Says its number when it is closed.
    struct Numbered(u32, UnboundedSender<u32>);

    impl Drop for Numbered {
        fn drop(&mut self) {
            self.1.send(self.0).ok();
        }
    }

    fn closing() -> (impl Fn(u32) -> Numbered, UnboundedReceiver<u32>) {
        let (tell, closed) = unbounded_channel();
        (move |number| Numbered(number, tell.clone()), closed)
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_used_last_is_used_next_and_only_for_its_origin() {
        let pool = Pool::new(8, KEPT);
        let (one, other) = (origin("http://one/"), origin("http://other/"));
        pool.put(&one, 1);
        pool.put(&other, 2);
        pool.put(&one, 3);
        assert_eq!(pool.take(&origin("http://one/")), Some(3));
        assert_eq!(pool.take(&one), Some(1));
        assert_eq!(pool.take(&one), None);
        assert_eq!(pool.take(&other), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_closed_when_it_is_too_old_and_not_before() {
        let pool = Pool::new(8, KEPT);
        let (numbered, mut closed) = closing();
        let (one, begun) = (origin("http://one/"), Instant::now());
        for number in 0..3 {
            pool.put(&one, numbered(number));
            sleep(Duration::from_secs(1)).await;
        }
        for number in 0..3 {
            assert_eq!(closed.recv().await, Some(number));
            let age = begun.elapsed() - Duration::from_secs(number.into());
            assert!(age >= KEPT && age < KEPT + Duration::from_millis(10), "{age:?}");
        }
        // The task that swept has ended; another one begins.
        sleep(KEPT).await;
        pool.put(&one, numbered(3));
        assert_eq!(closed.recv().await, Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_goes_when_there_are_too_many() {
        let pool = Pool::new(2, KEPT);
        let (numbered, mut closed) = closing();
        let one = origin("http://one/");
        for number in 0..3 {
            pool.put(&one, numbered(number));
        }
        assert_eq!(closed.try_recv(), Ok(0));
        assert_eq!(pool.take(&one).unwrap().0, 2);
        assert_eq!(pool.take(&one).unwrap().0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn no_time_means_that_none_is_kept() {
        let pool = Pool::new(2, Duration::ZERO);
        let one = origin("http://one/");
        pool.put(&one, 1);
        assert_eq!(pool.take(&one), None);
    }
}
