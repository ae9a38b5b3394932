//! What a node says of itself: metrics, traces and log lines, of a real one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod metrics;
