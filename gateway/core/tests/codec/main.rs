//! The durable formats: what was written is read, what was damaged is refused, and what an earlier version wrote
//! stays readable.

// A failed unwrap in a test is a failed test.
#![allow(clippy::unwrap_used)]

mod damage;
mod golden;
mod keys;
mod round_trip;
mod samples;
mod strategies;
