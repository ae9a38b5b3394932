//! Bytes that clients may have under way. Upholds LIM-1: what is read but not yet taken in is bounded over all requests.
//!
//! Nobody waits for a share while holding another one that it could not use up without it, so shares always come back: a body
//! takes its share before it is read, a line at once when it becomes long, and whoever holds one waits only for its
//! client (within a timeout) or for the door.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One permit stands for so many bytes.
const UNIT_BYTES: usize = 1 << 10;

/// All bytes that may be under way.
#[derive(Clone, Debug)]
pub struct Budget {
    units: Arc<Semaphore>,
    total: usize,
}

/// A part of the budget; it goes back when dropped.
#[derive(Debug)]
pub struct Share(OwnedSemaphorePermit);

impl Budget {
    /// A budget of so many bytes, rounded up to whole units.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let total = bytes.div_ceil(UNIT_BYTES).clamp(1, u32::MAX as usize);
        Self { units: Arc::new(Semaphore::new(total)), total }
    }

    /// Waits for a share of so many bytes; one larger than the budget waits for all of it. First come, first served.
    pub async fn share(&self, bytes: usize) -> Share {
        let units = units(bytes).min(self.total);
        let permit = self.units.clone().acquire_many_owned(units as u32).await;
        Share(permit.expect("the semaphore is never closed"))
    }

    /// Bytes that nobody holds.
    #[must_use]
    pub fn available_bytes(&self) -> usize {
        self.units.available_permits() * UNIT_BYTES
    }
}

impl Share {
    /// Takes another share of the same budget in, so that both go back together.
    pub fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }

    /// Gives back what is more than so many bytes.
    pub fn shrink(&mut self, bytes: usize) {
        let excess = self.0.num_permits().saturating_sub(units(bytes));
        if excess > 0 {
            drop(self.0.split(excess));
        }
    }
}

/// At least one, so that even empty messages are counted.
fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES).max(1)
}
