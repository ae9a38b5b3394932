//! What the invoker says over HTTP, and how it takes what servers do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changing;
mod compressed;
mod encrypted;
mod exchange;
mod misbehaviour;
mod server;
