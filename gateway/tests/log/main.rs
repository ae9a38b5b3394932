//! The log in files, from outside: what survives, what is refused, and what is told to whom.
#![allow(clippy::unwrap_used)] // a test that cannot unwrap has failed

mod failures;
mod lock;
mod process;
mod recovery;
mod space;
mod support;
mod writing;
