//! Holds what the core counts for addresses and messages against the memory that it really takes.
//!
//! `cargo bench -p tidegate-core --bench memory` prints both, on Linux, and fails if they are further apart than
//! [`TOLERANCE_PERCENT`]; `cargo test` does so too. Each case is a process of its own, so that none finds memory that another
//! one left behind. Messages have 100 bytes, values 8; each has its payload for itself, as those that arrive have.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be taken has failed")]

mod workload;

use std::env;
use std::process::{Command, ExitCode};

use tidegate_core::address::Address;
use workload::{ROUND, Workload};

/// How far the count may be off.
const TOLERANCE_PERCENT: usize = 15;
const PAGE_BYTES: usize = 4096;
const CASES: [&str; 5] = ["idle", "changed", "waiting", "flushed", "deep"];
/// Keys of which each case has so many. Without optimisation, as many as take a few seconds.
const KEYS: u64 = if cfg!(debug_assertions) { 51_200 } else { 102_400 };
const REHEARSED_KEYS: u64 = 1024;
/// Messages for each key where messages wait.
const WAITING: u64 = 4;
const FLUSHED_AT_ONCE: u64 = 4096;
/// Set for the process that measures a case.
const CASE: &str = "MEASURED_CASE";

fn main() -> ExitCode {
    if let Ok(case) = env::var(CASE) {
        return measure(&case);
    }
    if !cfg!(target_os = "linux") {
        println!("memory was not measured: how much a process has is only known on Linux");
        return ExitCode::SUCCESS;
    }
    println!("   case  resident MB  dirty MB  counted MB  really MB  really bytes per key");
    let passed = CASES.map(|case| {
        let mut measuring = Command::new(env::current_exe().unwrap());
        // Large pieces go back to the system as soon as they are free, so that what is left is what is in use.
        measuring.env("MALLOC_MMAP_THRESHOLD_", "65536").env("MALLOC_TRIM_THRESHOLD_", "65536");
        measuring.env(CASE, case).status().unwrap().success()
    });
    if passed.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn measure(case: &str) -> ExitCode {
    // Code that runs takes memory too, much of it without optimisation: it has run before.
    drop(filled(case, REHEARSED_KEYS));
    let before = resident_set();
    let workload = filled(case, KEYS);
    let keys = workload.keys();
    // The list of addresses is the benchmark's; their names belong to the partition.
    let really = resident_set() - before - keys * size_of::<Address>();
    let memory = workload.memory();
    let counted = memory.resident + memory.dirty + memory.doors;
    let off = counted.abs_diff(really) * 100 / really;
    let mb = |bytes: usize| bytes as f64 / 1e6;
    println!(
        "{case:>7} {:12.1} {:9.1} {:11.1} {:10.1} {:21}",
        mb(memory.resident),
        mb(memory.dirty),
        mb(counted),
        mb(really),
        really / keys
    );
    if off > TOLERANCE_PERCENT {
        println!("the count is off by {off} %, {TOLERANCE_PERCENT} % are allowed");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// A partition as the case wants it, on the scale of so many keys.
fn filled(case: &str, scale: u64) -> Workload {
    let mut workload = Workload::cold(if case == "deep" { 1 } else { scale });
    workload.own_payloads = true;
    match case {
        // Every address is in memory with its value, and nothing else.
        "idle" => workload.warm(),
        // Besides, every value has changed since the last flush.
        "changed" => {
            workload.warm();
            (0..scale / ROUND).for_each(|_| workload.round());
        }
        // Messages wait at every address, or at a single one, and none was flushed.
        "waiting" | "deep" => workload.crowd(scale * WAITING),
        // All were flushed, and are in memory still. Flushed now and then, so that memory which is free is used again.
        _ => {
            for _ in 0..scale * WAITING / FLUSHED_AT_ONCE {
                workload.crowd(FLUSHED_AT_ONCE);
                workload.flush();
            }
        }
    }
    workload
}

fn resident_set() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * PAGE_BYTES
}
