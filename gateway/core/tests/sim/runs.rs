//! Runs of many seeds, or of one.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::plan::Plan;
use crate::world::World;

/// What a run was like.
pub struct Run {
    pub result: Result<(), String>,
    pub handled: u64,
    pub crashes: usize,
    pub coverage: BTreeMap<&'static str, u64>,
    pub lines: Vec<String>,
}

/// Runs one seed; a panic of the core is a broken promise too.
pub fn run(plan: Plan, tracing: bool) -> Run {
    let mut world = World::new(plan, tracing);
    let caught = catch_unwind(AssertUnwindSafe(|| world.run()));
    let result = caught.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()))
            .unwrap_or_default())
    });
    Run {
        result: result.map_err(|error| format!("step {}: {error}", world.step)),
        handled: world.handled,
        crashes: world.crashes,
        coverage: world.coverage,
        lines: world.trace.lines,
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

pub fn steps() -> usize {
    setting("SIM_STEPS", 1_200) as usize
}

/// What must have happened in some run, or the runs prove less than they claim.
const MUST_HAPPEN: [&str; 30] = [
    "a client repeated a request",
    "a commit waited for a token",
    "a door or a reply waited for a request",
    "a gap between partitions was reported",
    "a key came with another body",
    "a load crossed a flush",
    "a message left as a dead letter",
    "a message went ahead of the log",
    "a packet was repeated",
    "a partition was handed over",
    "a reply to a dead incarnation was dropped",
    "a source was refused",
    "a stale answer was refused",
    "a timer fired",
    "a turn was given back",
    "a turn was granted",
    "an address was parked",
    "an expired value was swept",
    "an order found its address not parked",
    "an order was given twice",
    "another message than ordered was at the head",
    "an unknown mailbox was read",
    "an unsynced tail survived a crash",
    "an unsynced tail was lost in a crash",
    "cold addresses were looked for",
    "something was paused",
    "messages of a parked address were dropped",
    "the tail of a mailbox was read",
    "the tail of an egress was read",
    "two logs or more were replayed",
];

#[test]
fn every_seed_keeps_its_promises() {
    if let Ok(seed) = std::env::var("SIM_SEED") {
        let run = run(Plan::of(seed.parse().expect("a number"), steps()), true);
        run.lines.iter().for_each(|line| println!("{line}"));
        return run.result.expect("the seed keeps its promises");
    }
    let (mut handled, mut crashes) = (0, 0);
    let mut coverage: BTreeMap<&str, u64> = BTreeMap::new();
    let seeds = setting("SIM_SEEDS", 1_000);
    let first = setting("SIM_FIRST", 1);
    let mut failures = Vec::new();
    for seed in first..first + seeds {
        let run = run(Plan::of(seed, steps()), false);
        if let Err(error) = run.result {
            failures.push(format!("{error}\n    make sim SEED={seed}"));
            if failures.len() > 5 {
                break;
            }
        }
        handled += run.handled;
        crashes += run.crashes;
        for (what, count) in run.coverage {
            *coverage.entry(what).or_default() += count;
        }
    }
    println!("{seeds} seeds, {handled} events, {crashes} crashes");
    coverage.iter().for_each(|(what, count)| println!("{count:>9} times {what}"));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    if seeds >= 500 {
        let missing: Vec<_> =
            MUST_HAPPEN.iter().filter(|what| !coverage.contains_key(*what)).collect();
        assert!(missing.is_empty(), "never happened: {missing:?}");
    }
}

#[test]
fn same_seed_same_trace() {
    for seed in [3, 17] {
        let (one, two) = (run(Plan::of(seed, 300), true), run(Plan::of(seed, 300), true));
        assert_eq!(one.lines, two.lines);
    }
}
