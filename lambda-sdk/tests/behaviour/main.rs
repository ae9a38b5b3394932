//! What a gateway sees of functions that are written with this SDK.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod batch;
mod exchange;
mod golden;
mod group;
mod server;
mod support;
mod traces;
