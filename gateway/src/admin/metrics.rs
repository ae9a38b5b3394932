//! Where counters and histograms of the whole process go, and how they are shown.

use std::time::Duration;

use super::process;
use crate::telemetry;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::{MissedTickBehavior, interval};

/// Histograms whose names end so hold seconds, and get these buckets: from a loopback call to a slow function.
const SECONDS_SUFFIX: &str = "_seconds";
const SECONDS_BUCKETS: [f64; 14] =
    [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0];

/// Histograms of sizes: from a small message to the largest request.
const BYTES_SUFFIX: &str = "_bytes";
const BYTES_BUCKETS: [f64; 10] = [
    256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0, 67108864.0,
];

/// Histograms of how many groups or messages travel together.
const COUNT_BUCKETS: [f64; 12] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];

const UPKEEP: Duration = Duration::from_secs(5);

/// Makes a recorder the one of this process, once.
///
/// # Errors
/// Another one is installed already.
pub fn install_recorder() -> Result<PrometheusHandle, BuildError> {
    let handle = builder()?.install_recorder()?;
    telemetry::describe();
    process::introduce();
    Ok(handle)
}

/// Everything in Prometheus' text format.
#[must_use]
pub fn render(handle: &PrometheusHandle) -> String {
    process::refresh();
    handle.render()
}

/// A recorder's handle for tests and tools that must not touch the process.
///
/// # Errors
/// None is known; the builder reports one all the same.
pub fn detached_handle() -> Result<PrometheusHandle, BuildError> {
    Ok(builder()?.build_recorder().handle())
}

/// Empties the buffers of histograms, which otherwise grow until somebody asks for metrics. Never returns.
pub async fn upkeep(handle: PrometheusHandle) {
    let mut ticks = interval(UPKEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    let buckets: [(&str, &[f64]); 4] = [
        (SECONDS_SUFFIX, &SECONDS_BUCKETS),
        (BYTES_SUFFIX, &BYTES_BUCKETS),
        ("_groups", &COUNT_BUCKETS),
        ("_messages", &COUNT_BUCKETS),
    ];
    buckets.into_iter().try_fold(PrometheusBuilder::new(), |builder, (suffix, buckets)| {
        builder.set_buckets_for_metric(Matcher::Suffix(suffix.to_owned()), buckets)
    })
}
