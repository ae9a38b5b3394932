//! How much memory the core uses for addresses and for waiting messages, beside what it counts for them.
//!
//! `cargo bench -p tidegate-core --bench memory`, on Linux. Each line is a process of its own, so that none finds memory that
//! another one left behind. Messages have 100 bytes, which they share; values have 8.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be taken has failed")]

mod workload;

use std::env;
use std::process::Command;

use tidegate_core::address::Address;
use workload::{ROUND, Workload};

const PAGE_BYTES: usize = 4096;
const CASES: [&str; 3] = ["idle", "changed", "waiting"];
/// Keys of which each case has so many.
const KEYS: u64 = 100_000;
/// Of each key, in the last case.
const WAITING: u64 = 4;
/// Set for the process that measures a case.
const CASE: &str = "MEASURED_CASE";

fn main() {
    if let Ok(case) = env::var(CASE) {
        return measure(&case);
    }
    println!("   case  resident MB  dirty MB  really MB  really bytes per key");
    for case in CASES {
        let me = env::current_exe().unwrap();
        assert!(Command::new(me).env(CASE, case).status().unwrap().success());
    }
}

fn measure(case: &str) {
    let before = resident_set();
    let mut workload = Workload::cold(KEYS);
    match case {
        // Every address is in memory with its value, and nothing else.
        "idle" => workload.warm(),
        // Besides, every value has changed since the last flush.
        "changed" => {
            workload.warm();
            (0..KEYS / ROUND).for_each(|_| workload.round());
        }
        // Messages wait at every address, and none was flushed.
        _ => (0..KEYS * WAITING / ROUND).for_each(|_| workload.fill(ROUND)),
    }
    // The list of addresses is the benchmark's; their names belong to the partition.
    let really = resident_set() - before - KEYS as usize * size_of::<Address>();
    let memory = workload.memory();
    let mb = |bytes: usize| bytes as f64 / 1e6;
    println!(
        "{case:>7} {:12.1} {:9.1} {:10.1} {:21}",
        mb(memory.resident),
        mb(memory.dirty),
        mb(really),
        really / KEYS as usize
    );
}

fn resident_set() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * PAGE_BYTES
}
