//! A newtype for each number that could be taken for another one.

use core::fmt;

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
        pub struct $name(pub u64);

        impl $name {
            /// Before the first one.
            pub const NONE: Self = Self(0);
            /// The first one that is ever used.
            pub const FIRST: Self = Self(1);
            /// Behind every one that is ever used.
            pub const BEHIND: Self = Self(u64::MAX);

            /// The one that follows this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }

            /// The one before this one; `NONE` has none before it.
            #[must_use]
            pub const fn previous(self) -> Self {
                Self(self.0.saturating_sub(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    };
}

counter! {
    /// Log sequence number: the place of a record in the history of its partition. Contiguous, assigned by
    /// the partition itself, continued over epochs. Where the record lies in a node log is the driver's business.
    Lsn
}
counter! {
    /// Counts the times that a partition was adopted by a node. Raised durably before it is used.
    Epoch
}
counter! {
    /// The place of an item in a numbered queue: a mailbox, an outbox, an egress; or the id of a timer.
    Sequence
}
counter! {
    /// Names a load of rows from the store, so that its answer finds its way back. Never reused in an epoch.
    LoadId
}
counter! {
    /// The driver's handle for a client that waits for an answer. Never reused in an epoch.
    Ticket
}

/// Which partition. Partitions are numbered from 0 to the partition count of the deployment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PartitionId(pub u16);

impl fmt::Display for PartitionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// One attempt to have a group processed. An answer counts only if it names the attempt that is in flight;
/// the epoch keeps answers to an earlier life of the partition apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BatchId {
    /// The epoch in which the group was formed.
    pub epoch: Epoch,
    /// Counts the groups of that epoch.
    pub number: u64,
}

impl fmt::Display for BatchId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.epoch, self.number)
    }
}

/// Milliseconds since the Unix epoch, as the driver's clock gives them. The core is correct for any
/// sequence of timestamps: they decide when something happens, never whether.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The end of time: a deadline that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// This moment plus a number of milliseconds.
    #[must_use]
    pub const fn plus_ms(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}ms", self.0)
    }
}
