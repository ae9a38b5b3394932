//! Counts the instructions that the core executes for a message, and compares them with the committed figures.
//!
//! `make instructions` prints and compares, `make instructions UPDATE=1` rewrites `instructions.json`. The counts come from
//! `valgrind --tool=callgrind`: unlike times, they do not depend on what else the machine does. They do depend on the
//! compiler, so the figures name theirs, and under another one a difference is only shown.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be taken has failed")]

mod workload;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::process::{Command, ExitCode};

use workload::{ROUND, Workload};

/// What is measured is this much work, after every key was used once.
const ROUNDS: u64 = 100;
const KEYS: [u64; 3] = [1, 1_000, 100_000];
const TOLERANCE_PERCENT: u64 = 10;
const FIGURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.json");
/// Set for the process that runs under valgrind: how many keys.
const CHILD: &str = "COUNTED_KEYS";

fn main() -> ExitCode {
    if let Ok(keys) = env::var(CHILD) {
        Workload::new(keys.parse().unwrap()).measured(ROUNDS);
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!(
            "instructions were not counted: valgrind is not installed (apt-get install valgrind)"
        );
        return ExitCode::SUCCESS;
    }
    let measured = Figures {
        rustc: rustc_version(),
        per_message: KEYS.into_iter().map(|keys| (keys, count(keys))).collect(),
    };
    if env::args().any(|argument| argument == "--update") {
        fs::write(FIGURES, measured.to_json()).unwrap();
        println!("{FIGURES} was rewritten");
        return ExitCode::SUCCESS;
    }
    let committed = Figures::from_json(&fs::read_to_string(FIGURES).unwrap());
    compare(&committed, &measured)
}

/// What is committed: the compiler, and instructions per message by number of keys.
#[derive(Default)]
struct Figures {
    rustc: String,
    per_message: BTreeMap<u64, u64>,
}

impl Figures {
    fn to_json(&self) -> String {
        let counts =
            self.per_message.iter().map(|(keys, count)| (keys.to_string(), (*count).into()));
        let counts: serde_json::Map<_, _> = counts.collect();
        let figures =
            serde_json::json!({ "rustc": self.rustc, "instructions_per_message": counts });
        serde_json::to_string_pretty(&figures).unwrap() + "\n"
    }

    fn from_json(text: &str) -> Self {
        let figures: serde_json::Value = serde_json::from_str(text).unwrap();
        let counts = figures["instructions_per_message"].as_object().unwrap();
        let counts =
            counts.iter().map(|(keys, count)| (keys.parse().unwrap(), count.as_u64().unwrap()));
        Self { rustc: figures["rustc"].as_str().unwrap().into(), per_message: counts.collect() }
    }
}

/// Instructions per message, with so many keys.
fn count(keys: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--toggle-collect=*Workload*measured*", "--collect-atstart=no"])
        .arg(env::current_exe().unwrap())
        .env(CHILD, keys.to_string())
        .output()
        .unwrap();
    let report = String::from_utf8(output.stderr).unwrap();
    let collected = report.lines().find_map(|line| line.split_once("Collected : "));
    let collected: u64 = collected.expect(&report).1.trim().parse().unwrap();
    assert!(collected > 0, "the measured function was not found:\n{report}");
    collected / (ROUNDS * ROUND)
}

fn rustc_version() -> String {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().into()
}

fn compare(committed: &Figures, measured: &Figures) -> ExitCode {
    let mut exceeded = false;
    println!("   keys  committed   measured  instructions per message");
    for (keys, count) in &measured.per_message {
        let before = committed.per_message.get(keys).copied().unwrap_or_default();
        let most = before + before * TOLERANCE_PERCENT / 100;
        let least = before - before * TOLERANCE_PERCENT / 100;
        let verdict = match *count {
            count if count > most => "slower",
            count if count < least => {
                "faster: `make instructions UPDATE=1` makes it the figure to keep"
            }
            _ => "",
        };
        exceeded |= *count > most;
        println!("{keys:7} {before:10} {count:10}  {verdict}");
    }
    if committed.rustc != measured.rustc {
        println!("the figures were taken with {}, this is {}", committed.rustc, measured.rustc);
        println!("the difference is only shown; `make instructions UPDATE=1` takes them anew");
        return ExitCode::SUCCESS;
    }
    if exceeded { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
