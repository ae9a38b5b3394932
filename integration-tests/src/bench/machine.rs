//! The machine's own limits, measured beside each case: what a disk sync costs, and how fast plain HTTP goes to the same
//! function server. Figures of a case are best read as ratios to these.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::try_join_all;

use super::Problem;
use super::http::Connection;
use super::report::{Figure, quantile};

const RUN: Duration = Duration::from_secs(1);
const SYNC_BYTES: usize = 4096;
/// The file is as large as this, and written in turn: like a log segment, it does not grow.
const SYNC_FILE_BYTES: usize = 16 << 20;
const CONNECTIONS: usize = 64;
const ECHO: &str = "/echo";

/// Measures all limits.
pub(crate) async fn limits(
    directory: &Path,
    functions: SocketAddr,
) -> Result<Vec<Figure>, Problem> {
    let directory = directory.to_owned();
    let mut figures = tokio::task::spawn_blocking(move || syncs(&directory)).await??;
    let alone = echo(functions, 1).await?;
    let together = echo(functions, CONNECTIONS).await?;
    let rate = together.len() as f64 / RUN.as_secs_f64();
    figures.extend([
        Figure::new("machine_echo_p50_ms", quantile(&alone, 0.5), "ms"),
        Figure::new("machine_echoes_per_second", rate, "requests/s"),
        Figure::new("machine_load_average", load_average()?, "processes"),
    ]);
    Ok(figures)
}

fn syncs(directory: &Path) -> Result<Vec<Figure>, Problem> {
    let mut file: File = tempfile::tempfile_in(directory)?;
    file.write_all(&vec![1; SYNC_FILE_BYTES])?;
    file.sync_all()?;
    let block = [7; SYNC_BYTES];
    let mut milliseconds = Vec::new();
    let start = Instant::now();
    while start.elapsed() < RUN {
        let at = milliseconds.len() * SYNC_BYTES % SYNC_FILE_BYTES;
        let begun = Instant::now();
        file.seek(SeekFrom::Start(at as u64))?;
        file.write_all(&block)?;
        file.sync_data()?;
        milliseconds.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let rate = milliseconds.len() as f64 / start.elapsed().as_secs_f64();
    milliseconds.sort_by(f64::total_cmp);
    Ok(vec![
        Figure::new("machine_fdatasync_p50_ms", quantile(&milliseconds, 0.5), "ms"),
        Figure::new("machine_fdatasyncs_per_second", rate, "syncs/s"),
    ])
}

/// How long requests took, in milliseconds and sorted, with so many connections at once.
async fn echo(functions: SocketAddr, connections: usize) -> Result<Vec<f64>, Problem> {
    let tasks = (0..connections).map(|_| tokio::spawn(echo_on_one(functions)));
    let mut milliseconds = Vec::new();
    for one in try_join_all(tasks).await? {
        milliseconds.extend(one?);
    }
    milliseconds.sort_by(f64::total_cmp);
    Ok(milliseconds)
}

async fn echo_on_one(functions: SocketAddr) -> Result<Vec<f64>, Problem> {
    let mut connection = Connection::open(functions).await?;
    let body = Bytes::from_static(&[b'x'; 100]);
    let mut milliseconds = Vec::new();
    let start = Instant::now();
    while start.elapsed() < RUN {
        let begun = Instant::now();
        connection.exchange("POST", ECHO, body.clone()).await?;
        milliseconds.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(milliseconds)
}

/// Processes that wanted to run in the last minute, ours and others'.
fn load_average() -> Result<f64, Problem> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    let first = text.split_ascii_whitespace().next().ok_or("an empty load average")?;
    Ok(first.parse()?)
}
