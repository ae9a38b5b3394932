//! What operators order, and what they are told.

use alloc::sync::Arc;

use crate::address::{FunctionType, Typename};
use crate::id::Timestamp;

/// An order of an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
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
}
