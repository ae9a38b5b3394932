//! The deciding code of Tidegate: what becomes of a message, and what must be remembered of it.
//!
//! A [`Partition`](partition::Partition) is a state machine that owns a share of all addresses. It is
//! told what happened (an [`Event`](partition::event::Event)), it decides which facts must be logged
//! (a [`Record`](partition::record::Record)) and what must now be done (an
//! [`Effect`](partition::effect::Effect)). It performs nothing itself: no I/O, no clock, no randomness, no
//! threads. Time is an argument, output is a list, and the same inputs always give the same outputs, which is
//! what lets the simulation in `tests/sim/` replay any history from a seed.
//!
//! The contract with whoever drives it:
//!
//! - All records of one call of `handle` are appended to the log together, in order, before any of
//!   its effects is performed. They take the log sequence numbers (LSNs) that follow the last ones.
//! - An effect that names an LSN in `after` may leave the node only when the log is durable up to it.
//! - What the log holds is told back with `RecordsDurable`; only durable rows are ever handed to the store.
//! - Recovery folds the same records through the same `State::apply` that ran live.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod address;
pub mod codec;
mod footprint;
pub mod id;
pub mod limits;
pub mod message;
pub mod partition;
pub mod policy;
pub mod route;
pub mod trace;
