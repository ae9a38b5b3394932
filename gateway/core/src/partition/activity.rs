//! How much goes on in a partition, in numbers that cost nothing to have: for metrics. Nothing is ever decided by them.

use super::Partition;
use super::queue::Queue;
use crate::address::EgressId;

/// What is under way and what waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Activity {
    /// Groups that functions are processing, or whose answers are being committed.
    pub groups_in_flight: usize,
    /// Addresses with messages that wait because enough groups are in flight.
    pub ready: usize,
    /// Addresses that wait because they failed.
    pub backing_off: usize,
    /// Addresses in memory whose function is paused, or not declared.
    pub held: usize,
    /// Addresses in memory.
    pub residents: usize,
    /// Delayed messages, and requests to be forgotten, that are in memory: the next ones.
    pub timers: usize,
    /// Whether further ones may wait in the store.
    pub timers_beyond: bool,
    /// Addresses that wait for an operator, in memory or not.
    pub parked: u64,
    /// Messages that other partitions have not acknowledged.
    pub outbox: u64,
}

/// What was done since the partition was adopted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// How often values or messages of an address had to be read before it could go on.
    pub address_loads: u64,
    /// How often an address left memory.
    pub evictions: u64,
    /// How many values were removed because they had expired, without waiting for their address to be invoked.
    pub values_swept: u64,
}

/// What an egress holds that its sink has not acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EgressBacklog {
    /// How many records.
    pub records: u64,
    /// Their bytes, as they count in the bounds; those of an earlier life are judged by what was read of them so far.
    pub bytes: usize,
}

impl Partition {
    /// What is under way and what waits.
    #[must_use]
    pub fn activity(&self) -> Activity {
        Activity {
            groups_in_flight: self.schedule.in_flight(),
            ready: self.schedule.ready(),
            backing_off: self.schedule.backing_off(),
            held: self.schedule.held(),
            residents: self.state.residents.len(),
            parked: self.state.parked,
            timers: self.state.timers.near().len(),
            timers_beyond: self.state.timers.is_beyond(),
            outbox: self.state.outbox.0.values().map(Queue::unacknowledged).sum(),
        }
    }

    /// How many addresses wait for an operator.
    #[must_use]
    pub const fn parked(&self) -> u64 {
        self.state.parked
    }

    /// How many messages wait in memory, and whether further ones may wait in the store. Looks at every address in memory.
    #[must_use]
    pub fn backlog(&self) -> (usize, bool) {
        let residents = || self.state.residents.iter().map(|(_, resident)| &resident.mailbox);
        let messages = residents().map(|mailbox| mailbox.messages().len()).sum();
        let beyond = self.cold.is_any() || residents().any(|mailbox| !mailbox.has_no_tail());
        (messages, beyond)
    }

    /// What each egress holds that its sink has not acknowledged.
    pub fn egress_backlogs(&self) -> impl Iterator<Item = (&EgressId, EgressBacklog)> {
        self.state.egresses.0.iter().map(|(egress, queue)| {
            let (records, bytes) = (queue.unacknowledged(), queue.waiting_bytes());
            (egress, EgressBacklog { records, bytes })
        })
    }

    /// What was done since the partition was adopted.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }
}
