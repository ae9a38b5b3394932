//! Functions that live in the test's own process.

use std::net::SocketAddr;

use tidegate_sdk::StatefulFunctions;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::ports;

/// Functions that are being served.
#[derive(Debug)]
pub struct Functions {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Functions {
    /// Serves them at a free address.
    pub async fn serve(functions: StatefulFunctions) -> Self {
        Self::serve_at(ports::free(), functions).await
    }

    /// Serves them at an address.
    ///
    /// # Panics
    /// If it is taken.
    pub async fn serve_at(address: SocketAddr, functions: StatefulFunctions) -> Self {
        let server = functions.bind(address).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run_until(async { drop(stopped.await) }));
        Self { address, stop, running }
    }

    /// Where they listen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers what is under way, and ends.
    ///
    /// # Panics
    /// If serving failed.
    pub async fn stop(self) {
        drop(self.stop);
        self.running.await.unwrap();
    }
}
