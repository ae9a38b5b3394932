//! What the core computes for a message: accepting it, committing what its function answers, encoding both records, learning
//! that they are durable, and flushing what changed, all in memory.
//!
//! `cargo bench -p tidegate-core --bench step`. Messages have 100 bytes, values 8. Where the system tells it (Linux), time is
//! the thread's own, so that other programs on the machine disturb little.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be taken has failed")]

mod workload;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use workload::{ROUND, Workload};

/// Rounds between two flushes.
const ROUNDS: u64 = 400;

fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(ROUNDS * ROUND));
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    for keys in [1, 1_000, 100_000] {
        let mut workload = Workload::new(keys);
        group.bench_function(BenchmarkId::new("keys", keys), |bencher| {
            bencher.iter_custom(|iterations| {
                let begun = computed();
                (0..iterations).for_each(|_| workload.measured(ROUNDS));
                computed() - begun
            });
        });
    }
}

/// The time that this thread has computed; where nobody knows, the time that has passed.
fn computed() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = stat.and_then(|stat| stat.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

criterion_group!(benches, step);
criterion_main!(benches);
