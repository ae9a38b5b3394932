//! Bad input and bad circumstances: a clear error with a code, and nothing lost.
#![allow(clippy::unwrap_used)] // a test fails by panicking

mod clients;
mod configuration;
mod damage;
mod guarded;
mod start;
