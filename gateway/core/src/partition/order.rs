//! What operators order, and what they are told.

use alloc::sync::Arc;

use crate::address::{Address, FunctionType, Typename};
use crate::id::{Sequence, Timestamp};

/// An order of an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// Let a parked address try again from its head.
    Redrive(Address),
    /// Give up the message at the head of a parked address, if it is the expected one: so that an order which is given twice
    /// does not drop two messages.
    DropHead {
        /// Which address.
        address: Address,
        /// The number of the message.
        expected: Sequence,
    },
    /// Give up all messages that wait for a parked address now.
    DropAll(Address),
    /// Let a function be invoked no more, or an ingress take no message, until further notice.
    Pause(Subject),
    /// Let what was paused go on.
    Resume(Subject),
}

/// What can be paused. Its order is that of its rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    /// A function type: its messages wait.
    Function(FunctionType),
    /// An ingress: it takes no messages.
    Ingress(Typename),
}

/// Who ordered something, when and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// When.
    pub at: Timestamp,
    /// Who, by the name that the operator gave.
    pub by: Arc<str>,
    /// Why, if the operator said so.
    pub reason: Arc<str>,
}

/// What became of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderOutcome {
    /// It was carried out.
    Done,
    /// It was so already: nothing changed.
    AlreadySo,
    /// Messages were given up.
    Dropped {
        /// How many.
        messages: u64,
        /// Whether the address is still parked, because others wait.
        parked: bool,
    },
    /// The address is not parked: nothing changed.
    NotParked,
    /// Another message than the expected one is at the head: nothing changed.
    AnotherHead {
        /// The message at the head.
        found: Sequence,
    },
}
