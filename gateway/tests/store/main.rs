//! What every state store must do, run against each of them, and what each does beyond it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod contract;
mod faults;
mod fixture;
mod kill;
mod slate;
