//! Bugs that the simulation plants, one at a time, to prove that its checkers bite.
//!
//! Each place in the core where one can be planted asks [`Planted::has`], which is a constant `false` unless the
//! crate is built with the feature `planted-bugs`.

/// A bug that can be planted in the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// A repetition of an ingress or peer message is accepted again.
    DedupOff,
    /// A message is accepted from a peer although numbers before it are missing.
    GapAccepted,
    /// A repetition is acknowledged without waiting for the log.
    UngatedDuplicateAcknowledgement,
    /// A message is acknowledged to its peer or source without waiting for the log.
    AcknowledgeBeforeDurable,
    /// An effect that leaves the node does not wait for the log.
    SendBeforeDurable,
    /// An answer to an earlier attempt counts for the one in flight.
    LateAnswerAccepted,
    /// An acknowledgement clears the whole outbox.
    OutboxClearedTooEarly,
    /// A value is changed in memory without a record.
    ValueChangedOutsideTheFold,
    /// `apply` looks at the configuration: it drops messages to functions that are not declared.
    ConfigurationReadInApply,
    /// A timer stays in memory when it has fired.
    TimerFiredTwice,
    /// Timers beyond the horizon are forgotten when a flush is committed.
    TimerLostAtFlush,
    /// A token stays taken when its timer has fired.
    TokenNotFreed,
    /// Presenting a value does not postpone its expiry.
    ExpiryNotRefreshed,
    /// A value that was presented as expired is refreshed instead of removed.
    RefreshOfExpiredValue,
    /// The first two messages of a mailbox are processed in the wrong order.
    MessagesSwapped,
    /// A flush takes rows that are not durable yet.
    UndurableRowFlushed,
    /// A row leaves the overlay although a load issued before its flush is still under way.
    LoadAcrossFlush,
    /// A message that arrives while the tail of its mailbox is in the store goes to memory.
    TailOvertaken,
    /// A reply to an earlier incarnation's client is not acknowledged.
    ReplyToDeadIncarnationBlocks,
    /// An order to drop a message drops whatever is at the head.
    AnyHeadDropped,
    /// A paused function is invoked.
    PausedFunctionInvoked,
    /// A value is removed because it was said to have expired, without another look.
    SweptByHint,
    /// An expired value is removed while a function that was shown it is at work.
    SweptInFlight,
    /// A function type that may not go on keeps all others from going on.
    BlockedTypeStarvesOthers,
}

/// Which bug is planted, if any.
#[derive(Clone, Copy, Default, Debug)]
pub struct Planted {
    #[cfg(feature = "planted-bugs")]
    bug: Option<Bug>,
}

impl Planted {
    /// Plants a bug.
    #[cfg(feature = "planted-bugs")]
    #[must_use]
    pub const fn bug(bug: Bug) -> Self {
        Self { bug: Some(bug) }
    }

    /// Whether a bug is planted.
    #[inline]
    #[must_use]
    pub const fn has(&self, bug: Bug) -> bool {
        #[cfg(feature = "planted-bugs")]
        return matches!(self.bug, Some(planted) if planted as u8 == bug as u8);
        #[cfg(not(feature = "planted-bugs"))]
        {
            let _ = bug;
            false
        }
    }
}
