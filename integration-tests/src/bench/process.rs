//! What the operating system knows of a process: its memory and the time that it computed.

use std::time::Duration;

use super::Problem;

/// Ticks per second in `/proc`: a constant of Linux' interface to programs.
const TICKS_PER_SECOND: u64 = 100;

/// The memory that a process holds, in bytes.
pub(crate) fn resident_bytes(process: u32) -> Result<u64, Problem> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kilobytes.ok_or("a process without VmRSS")? << 10)
}

/// The time that all threads of a process have computed together.
pub(crate) fn computed(process: u32) -> Result<Duration, Problem> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program stands in brackets and may hold anything.
    let (_, fields) = stat.rsplit_once(')').ok_or("a process without a name")?;
    let ticks = |at: usize| fields.split_ascii_whitespace().nth(at)?.parse::<u64>().ok();
    let (user, system) = ticks(11).zip(ticks(12)).ok_or("a process without times")?;
    Ok(Duration::from_millis((user + system) * 1000 / TICKS_PER_SECOND))
}
