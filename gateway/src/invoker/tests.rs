//! How the invoker treats what endpoints do, against endpoints in memory and with a clock that only moves when nobody has
//! anything left to do. What travels over HTTP is tested in `tests/invoker/`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod failures;
mod harness;
mod packing;
mod promises;
