//! What a partition does, case by case. The simulation finds what nobody thought of; this says what was meant.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
#![allow(unreachable_pub, reason = "nothing of a test is reachable")]

mod bench;
mod clients;
mod egresses;
mod failures;
mod memory;
mod origins;
mod outboxes;
mod traces;
mod turns;
mod values;
