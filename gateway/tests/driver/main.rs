//! The drivers of a node, its router and its start and stop, over edges in memory that fail on demand.
//!
//! The clock is paused: it goes on by itself once nothing can happen any more, so `settle` means that everything has
//! happened that can happen without time, and nothing is awaited for real.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bounds;
mod clocks;
mod documented;
mod durability;
mod functions;
mod recovery;
mod stopping;
mod together;
mod world;
mod writing_behind;
