//! A harness for tests that need processes: gateways and functions that are started, stopped and killed.
//!
//! Nothing here waits for a fixed time: readiness and outcomes are polled until a deadline that is far beyond what a busy
//! machine needs. Every process is killed when its owner goes out of scope, and shows its last words if a test failed.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a failed unwrap is a failed test")]

pub mod binaries;
pub mod chance;
pub mod chaos;
pub mod collector;
pub mod exposition;
pub mod folder;
pub mod functions;
pub mod gateway;
pub mod http;
pub mod ledger;
pub mod module;
pub mod operator;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod rows;
pub mod wait;
