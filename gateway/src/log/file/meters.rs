//! What the writer of the log counts.

use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};

/// The instruments, found once.
pub(super) struct Meters {
    sync: Histogram,
    frame_bytes: Histogram,
    syncs: Counter,
    frames: Counter,
    steps: Counter,
    bytes: Counter,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            sync: histogram!("tidegate_log_sync_seconds"),
            frame_bytes: histogram!("tidegate_log_frame_bytes"),
            syncs: counter!("tidegate_log_syncs_total"),
            frames: counter!("tidegate_log_frames_total"),
            steps: counter!("tidegate_log_steps_total"),
            bytes: counter!("tidegate_log_bytes_total"),
        }
    }

    /// A frame was written and synced.
    pub(super) fn written(&self, steps: usize, bytes: usize, took: Duration) {
        self.sync.record(took);
        self.frame_bytes.record(bytes as f64);
        self.syncs.increment(1);
        self.frames.increment(1);
        self.steps.increment(steps as u64);
        self.bytes.increment(bytes as u64);
    }
}
