//! The thread on which databases write, merge and tidy up. Whoever answers a client does not stand in line behind a file that is
//! being written.

use std::io;

use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

/// How much these threads step back (`nice`): of two that want the same processor, they have a quarter of it. If rows are not
/// written fast enough, the doors narrow until they are.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 6;

/// One thread for all databases: what they do in the background may take its time, and each file that is written at once takes
/// memory.
pub(super) struct Background(Option<Runtime>);

impl Background {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("tidegate-store")
            .on_thread_start(step_back)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Does work there until this is dropped; what it spawns stays there.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let Some(runtime) = &self.0 else { return work.await };
        // The runtime lives longer than who waits.
        let done = AbortOnDropHandle::new(runtime.spawn(work)).await;
        done.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
    }
}

#[cfg(target_os = "linux")]
fn step_back() {
    // On Linux each thread has a priority of its own.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread of the state store keeps its priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn step_back() {}

impl Drop for Background {
    fn drop(&mut self) {
        // Waiting for it is not allowed on the threads of another runtime, and nothing that it does still matters.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
