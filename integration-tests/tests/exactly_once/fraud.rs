//! The fraud-detection sample while gateway and functions are killed: the outcome is that of an undisturbed run.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use integration_tests::binaries::fraud_detection;
use integration_tests::chance::Chance;
use integration_tests::gateway::Gateway;
use integration_tests::module::BAD_NETWORK;
use integration_tests::ports;
use integration_tests::process::Process;
use integration_tests::proxy::{Fault, FaultProxy};
use integration_tests::rows::read_all;
use integration_tests::wait::{PATIENCE, until};
use serde_json::Value;
use tidegate_core::address::Address;
use tidegate_core::partition::row::{Row, RowKey, TimerTask};

const MODULE: &str = include_str!("../../../samples/fraud-detection/module.yaml");
const TRANSACTIONS: &str = "6000";
/// Few enough that feeding lasts longer than the kills.
const TRANSACTIONS_PER_SECOND: &str = "400";
/// Of a hundred requests.
const FAULTS: u64 = 20;
/// Longer than the gateway waits.
const HOLD: Duration = Duration::from_millis(1500);
const KILLS: usize = 12;
const KILLS_WHILE_FEEDING: usize = 8;

/// Functions, their third party, and data, in processes of their own.
struct Sample {
    scorer: SocketAddr,
    functions: SocketAddr,
    running: Vec<Process>,
}

impl Sample {
    fn command(arguments: &[&str], folder: &Path) -> Command {
        let mut command = Command::new(fraud_detection());
        command.args(arguments).current_dir(folder);
        command
    }

    fn start(folder: &Path) -> Self {
        let (scorer, functions) = (ports::free(), ports::free());
        let arguments = ["scorer", "--listen", &scorer.to_string()];
        let scoring = Process::start(
            "the scorer",
            Self::command(&arguments, folder),
            &folder.join("scorer.errors"),
        );
        let mut sample = Self { scorer, functions, running: vec![scoring] };
        sample.start_functions(folder);
        sample
    }

    fn start_functions(&mut self, folder: &Path) {
        let (listen, scorer) = (self.functions.to_string(), self.scorer.to_string());
        let arguments = ["functions", "--listen", &listen, "--scorer", &scorer];
        let command = Self::command(&arguments, folder);
        self.running.truncate(1);
        self.running.push(Process::start(
            "the functions",
            command,
            &folder.join("functions.errors"),
        ));
    }
}

async fn run_to_end(arguments: &[&str], folder: &Path) -> String {
    let command = Sample::command(arguments, folder);
    let mut process = Process::start(arguments[0], command, &folder.join("tool.errors"));
    let ended = process.wait().await;
    assert!(ended.success(), "{arguments:?}: {}", process.errors());
    process.output()
}

/// Kills one or both again and again, and starts them again at once. Gives how often that was while feeding.
async fn kill_them(gateway: &mut Gateway, sample: &mut Sample, feed: &mut Process) -> usize {
    let mut chance = Chance::new();
    let folder = gateway.path("");
    let mut while_feeding = 0;
    for _ in 0..KILLS {
        let life = chance.between(Duration::from_millis(50), Duration::from_millis(700));
        tokio::time::sleep(life).await;
        while_feeding += usize::from(feed.ended().is_none());
        let victims = chance.below(4);
        if victims != 1 {
            gateway.kill();
        }
        if victims != 0 {
            sample.start_functions(&folder);
        }
        if victims != 1 {
            gateway.start().await;
        }
    }
    while_feeding
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_counts_and_timers_are_those_of_an_undisturbed_run() {
    run_while_parts_are_killed(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_loses_repeats_and_cuts_off_changes_no_outcome() {
    run_while_parts_are_killed(Some(FAULTS)).await;
}

/// Runs the sample to its end, with so many of a hundred requests to functions hurt on their way.
async fn run_while_parts_are_killed(faults: Option<u64>) {
    let mut gateway = Gateway::new("").with("store-flush-interval", "500ms");
    let folder = gateway.path("");
    let mut sample = Sample::start(&folder);
    let proxy = match faults {
        Some(percent) => {
            Some(FaultProxy::before(sample.functions, Chance::new(), percent, HOLD).await)
        }
        None => None,
    };
    let endpoint = proxy.as_ref().map_or(sample.functions, FaultProxy::address);
    let module = MODULE.replace("127.0.0.1:8081", &endpoint.to_string());
    let network = if proxy.is_some() { BAD_NETWORK } else { "" };
    gateway.declare(module.replacen("/\n---", &format!("/{network}\n---"), 1));
    run_to_end(
        &["generate", "--seed", "7", "--transactions", TRANSACTIONS, "--file", "data.csv"],
        &folder,
    )
    .await;
    let expected: Value =
        serde_json::from_str(&run_to_end(&["expect", "--file", "data.csv"], &folder).await)
            .unwrap();
    gateway.start().await;

    let (url, admin) = (gateway.url(""), format!("http://{}", gateway.admin()));
    let arguments = ["feed", "--file", "data.csv", "--gateway", &url, "--admin", &admin];
    let pace = ["--rate", TRANSACTIONS_PER_SECOND, "--lines", "50"];
    let command = Sample::command(&[&arguments[..], &pace[..]].concat(), &folder);
    let mut feed = Process::start("the feed", command, &folder.join("feed.errors"));
    let kills = kill_them(&mut gateway, &mut sample, &mut feed).await;
    assert!(kills >= KILLS_WHILE_FEEDING, "only {kills} kills hit the feed");

    if let Some(proxy) = &proxy {
        let done = proxy.done();
        assert_eq!(done.len(), Fault::ALL.len(), "not every fault was met: {done:?}");
    }
    // The feed succeeds only if exactly the expected alerts have come, each once.
    let ended = feed.wait().await;
    assert!(ended.success(), "{}", feed.errors());
    assert_eq!(feed.output().lines().count(), expected["alerts"].as_array().unwrap().len());
    for (account, count) in expected["counts"].as_object().unwrap() {
        let kept = gateway.value::<i64>(&format!("fraud/fraud-count/{account}"), "count").await;
        assert_eq!(kept, count.as_i64(), "{account}");
    }
    settle(&gateway).await;
    assert!(gateway.stop().await.success());
    nothing_else_is_left(&gateway.data(), &expected).await;
}

/// Transactions without an alert may be under way when the last alert has come.
async fn settle(gateway: &Gateway) {
    until("nothing is under way", PATIENCE, async || {
        let before = gateway.metric("tidegate_invoker_requests_total", "").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let after = gateway.metric("tidegate_invoker_requests_total", "").await;
        (before == after).then_some(())
    })
    .await;
}

async fn nothing_else_is_left(data: &Path, expected: &Value) {
    let rows = read_all(data, 8).await;
    let timers = rows.iter().filter(
        |(_, row)| matches!(row, Row::Timer(task) if matches!(**task, TimerTask::Send { .. })),
    );
    assert_eq!(timers.count() as u64, expected["timers"].as_u64().unwrap(), "pending timers");
    let waiting =
        rows.iter().filter(|(key, _)| matches!(key, RowKey::Mailbox(..) | RowKey::Outbox(..)));
    assert_eq!(waiting.count(), 0, "messages wait that nobody processes");
    let is_manager =
        |address: &Address| address.function.to_string() == "fraud/transaction-manager";
    let remembered = rows
        .iter()
        .filter(|(key, _)| matches!(key, RowKey::Value(address, _) if is_manager(address)));
    assert_eq!(remembered.count(), 0, "transactions that were not concluded");
    let counts =
        rows.iter().filter(|(key, _)| matches!(key, RowKey::Value(_, name) if &**name == "count"));
    assert_eq!(counts.count(), expected["counts"].as_object().unwrap().len());
}
