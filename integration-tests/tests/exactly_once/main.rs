//! What counts, counts once: whatever is killed, and whenever.
#![allow(clippy::unwrap_used)] // a test fails by panicking

mod delays;
mod file;
mod fraud;
mod ledger;
