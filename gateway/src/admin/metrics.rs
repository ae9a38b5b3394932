//! Where counters and histograms of the whole process go, and how they are shown.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::{MissedTickBehavior, interval};

/// Histograms whose names end so hold seconds, and get these buckets: from a loopback call to a slow function.
const SECONDS_SUFFIX: &str = "_seconds";
const SECONDS_BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

const UPKEEP: Duration = Duration::from_secs(5);

/// Makes a recorder the one of this process, once.
///
/// # Errors
/// Another one is installed already.
pub fn install_recorder() -> Result<PrometheusHandle, BuildError> {
    builder()?.install_recorder()
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
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix(SECONDS_SUFFIX.to_owned()), &SECONDS_BUCKETS)
}
