//! What goes to a function and what comes back: one address with its values and waiting messages.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::address::{Address, EgressId};
use crate::id::{BatchId, Timestamp};
use crate::message::{Message, TypedValue};

/// One address with its values and the messages that it shall process now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Names this attempt; the answer must name it too.
    pub batch: BatchId,
    /// Which attempt at the message at the head this is, from 1.
    pub attempt: u32,
    /// Who processes.
    pub address: Address,
    /// Every registered value of the function, absent ones included.
    pub values: Vec<(Arc<str>, Option<TypedValue>)>,
    /// What to process, in this order; never empty.
    pub messages: Vec<Arc<Message>>,
}

impl Group {
    /// Bytes of messages and values, for packing groups into requests.
    #[must_use]
    pub fn cost(&self) -> usize {
        let messages: usize = self.messages.iter().map(|message| message.cost()).sum();
        let values: usize = self
            .values
            .iter()
            .map(|(name, value)| name.len() + value.as_ref().map_or(0, TypedValue::cost))
            .sum();
        messages + values
    }
}

/// What a function wants done after it processed a group. It is done as a whole or not at all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Response {
    /// Changes of the address's own values.
    pub mutations: Vec<Mutation>,
    /// Messages to send at once, in order.
    pub sends: Vec<(Address, TypedValue)>,
    /// Messages to send later, and cancellations, in order.
    pub delayed: Vec<Delayed>,
    /// Records to hand to egresses, in order.
    pub egress: Vec<(EgressId, TypedValue)>,
    /// Parts of the answer that cannot even be named, such as a send to an empty id.
    pub malformed: Vec<Rejection>,
}

/// A change of one value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mutation {
    /// The value becomes this. Whether `has_value` is set makes no difference, as in StateFun.
    Modify(Arc<str>, TypedValue),
    /// The value becomes absent.
    Delete(Arc<str>),
}

/// One entry of the list of delayed messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delayed {
    /// Send later.
    Send {
        /// Milliseconds from the commit; negative ones are rejected.
        delay_ms: i64,
        /// To whom.
        target: Address,
        /// What.
        argument: TypedValue,
        /// A name under which the sender may cancel it.
        token: Option<Arc<str>>,
    },
    /// Do not send what was sent later under this token; nothing happens if it is gone already.
    Cancel {
        /// The token.
        token: Arc<str>,
    },
}

/// A value that a function declares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValueSpec {
    /// Its name, unique in the function type.
    pub name: Arc<str>,
    /// The type that every value of this name must have.
    pub typename: Arc<str>,
    /// When it disappears by itself.
    pub expiration: Expiration,
}

/// When a value disappears by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiration {
    /// Never.
    Never,
    /// A number of milliseconds after it was last written.
    AfterWrite(u64),
    /// A number of milliseconds after it was last written or presented to the function.
    AfterInvoke(u64),
}

/// What went wrong with a group that was not processed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Whose fault it is.
    pub scope: FailureScope,
    /// For the operator; never a payload.
    pub text: Arc<str>,
}

/// How far a failure reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailureScope {
    /// The endpoint cannot be reached or does not serve: nothing is counted against the address.
    Endpoint {
        /// When it makes sense to try again.
        retry_at: Timestamp,
    },
    /// The function failed at this very group, which stood alone in its request.
    Group,
}

/// A part of an answer that cannot be done. The rest of the answer is committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// Why.
    pub reason: RejectionReason,
    /// What it was about: the target, the egress or the token, as text.
    pub subject: Arc<str>,
}

/// Why a part of an answer cannot be done. StateFun restarts the whole job in these cases.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RejectionReason {
    /// The target's function type is declared by no endpoint.
    UnknownFunction,
    /// The egress is not declared.
    UnknownEgress,
    /// The target has no id, or a name that is not one.
    InvalidAddress,
    /// A message with this token is still pending for the sender.
    DuplicateToken,
    /// A token is empty in a cancellation, or longer than allowed.
    InvalidToken,
    /// The delay is negative.
    NegativeDelay,
    /// The message is larger than any message may be.
    TooLarge,
    /// The request was answered before, or is no longer known.
    RequestGone,
}
