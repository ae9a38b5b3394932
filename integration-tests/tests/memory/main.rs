//! More than fits into memory: it goes through all the same, and memory stays bounded. One after the other, so that each test
//! has the machine for itself.
#![allow(clippy::unwrap_used)] // a test fails by panicking

mod backlog;
mod egress;
mod state;

use std::fs;

use integration_tests::gateway::Gateway;
use tokio::sync::Mutex;

/// Held by the test that runs.
static TURN: Mutex<()> = Mutex::const_new(());

/// What the gateways here may use.
const BUDGET_MIB: u64 = 64;
/// The most that a process may have used: the budget does not count code, stacks, buffers of the log and of sockets, blocks
/// that are being compacted, and what the allocator keeps.
const RESIDENT_MIB_MAX: u64 = 5 * BUDGET_MIB;

fn small(module: impl Into<String>) -> Gateway {
    Gateway::new(module).with("memory-budget", "64MiB").with("store-cache", "8MiB")
}

/// The most memory that the process has had so far, in MiB.
fn peak_mib(gateway: &mut Gateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.process().id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

fn assert_bounded(gateway: &mut Gateway) {
    let peak = peak_mib(gateway);
    assert!(peak < RESIDENT_MIB_MAX, "{peak} MiB with a budget of {BUDGET_MIB} MiB");
}
