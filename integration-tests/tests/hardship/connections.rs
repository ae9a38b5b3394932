//! Ten thousand connections that ask for nothing: they cost some memory each, and the others nothing.

use std::fs;

use integration_tests::functions::Functions;
use integration_tests::gateway::Gateway;
use integration_tests::module::Module;
use integration_tests::wait::{PATIENCE, until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;

use crate::counters;

const CONNECTIONS: u64 = 10_000;
/// Files of this process beside its connections.
const OTHERS: u64 = 500;
/// What a resting connection may cost: its task, its buffers, its timers.
const BYTES_EACH_MAX: u64 = 24 << 10;

/// As many connections as this process may have.
fn affordable() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(CONNECTIONS + OTHERS, |maximum| maximum.min(CONNECTIONS + OTHERS));
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).unwrap();
    if wanted < CONNECTIONS + OTHERS {
        eprintln!("tested with fewer connections: only {wanted} files may be open");
    }
    wanted - OTHERS
}

fn resident_bytes(gateway: &mut Gateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.process().id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

fn open_sockets(gateway: &mut Gateway) -> u64 {
    let files = fs::read_dir(format!("/proc/{}/fd", gateway.process().id())).unwrap();
    files.count() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_that_rest_cost_the_others_nothing() {
    let connections = affordable();
    let functions = Functions::serve(counters()).await;
    let mut gateway = Gateway::new(Module::serving("shop", functions.address(), &[]))
        .with("ingress-connections", &(connections + 100).to_string())
        .with("ingress-header-timeout", "1h");
    gateway.start().await;
    gateway.call("shop/counter/ann", "before", "one").await;
    let before = resident_bytes(&mut gateway);
    let mut resting = Vec::new();
    for _ in 0..connections {
        resting.push(TcpStream::connect(gateway.ingress()).await.unwrap());
    }
    until("all are accepted", PATIENCE, async || {
        (open_sockets(&mut gateway) >= connections).then_some(())
    })
    .await;
    for number in 0..100 {
        gateway.call("shop/counter/ann", &number.to_string(), "one more").await;
    }
    let each = (resident_bytes(&mut gateway).saturating_sub(before)) / connections;
    eprintln!("{connections} connections, {each} bytes each");
    assert!(each < BYTES_EACH_MAX, "{each} bytes for each connection");
    drop(resting);
    until("all are gone", PATIENCE, async || (open_sockets(&mut gateway) < OTHERS).then_some(()))
        .await;
    assert!(gateway.stop().await.success());
}
