//! The trouble: gateway and functions are killed, stopped and started again at moments that a seed has chosen.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use integration_tests::chance::Chance;
use integration_tests::gateway::Gateway;
use integration_tests::process::Process;

use super::report::{Seen, count};

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(12);
/// How long functions may be away.
const AWAY: Duration = Duration::from_secs(3);

/// The functions, in a process of their own.
pub(crate) struct FunctionProcess {
    address: SocketAddr,
    errors: PathBuf,
    process: Process,
}

impl FunctionProcess {
    pub(crate) fn start(address: SocketAddr, errors: PathBuf) -> Self {
        let process = launch(address, &errors);
        Self { address, errors, process }
    }

    fn kill(&mut self) {
        self.process.kill();
    }

    fn restart(&mut self) {
        self.process = launch(self.address, &self.errors);
    }
}

fn launch(address: SocketAddr, errors: &std::path::Path) -> Process {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["functions", "--listen", &address.to_string()]);
    Process::start("the functions", command, errors)
}

/// Makes trouble until the deadline, and leaves everything running.
pub(crate) async fn make(
    gateway: &mut Gateway,
    functions: &mut FunctionProcess,
    mut chance: Chance,
    deadline: Instant,
    seen: &Seen,
) {
    while Instant::now() < deadline && !seen.is_violated() {
        tokio::time::sleep(chance.between(SHORTEST, LONGEST)).await;
        match chance.below(10) {
            0..=4 => {
                count(&seen.gateway_kills);
                gateway.crash().await;
            }
            5 => {
                count(&seen.gateway_stops);
                let ended = gateway.stop().await;
                assert!(ended.success(), "it did not stop in order: {}", gateway.errors());
                gateway.start().await;
            }
            6 | 7 => {
                count(&seen.function_kills);
                functions.kill();
                tokio::time::sleep(chance.between(Duration::ZERO, AWAY)).await;
                functions.restart();
            }
            8 => {
                // While it starts, it is killed once more.
                count(&seen.gateway_kills);
                gateway.kill();
                gateway.launch();
                tokio::time::sleep(chance.between(Duration::ZERO, SHORTEST * 4)).await;
                count(&seen.gateway_kills);
                gateway.crash().await;
            }
            _ => {
                count(&seen.gateway_kills);
                count(&seen.function_kills);
                functions.kill();
                gateway.kill();
                functions.restart();
                gateway.start().await;
            }
        }
    }
}
