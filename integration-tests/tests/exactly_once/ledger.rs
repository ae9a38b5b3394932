//! Transfers between accounts while the gateway is killed: no money is lost or made, nothing is applied twice, and a call that
//! is repeated gets the reply that it got, or would have got, before.

use std::collections::BTreeMap;
use std::time::Duration;

use integration_tests::chance::Chance;
use integration_tests::chaos::kill_again_and_again;
use integration_tests::functions::Functions;
use integration_tests::gateway::{Gateway, TEXT};
use integration_tests::http::Http;
use integration_tests::ledger::{self, Seen, perform, transfers};
use integration_tests::module::Module;
use integration_tests::proxy::{Fault, FaultProxy};
use integration_tests::wait::{PATIENCE, until_equal};

const ACCOUNTS: u64 = 20;
const TRANSFERS: u64 = 600;
const KILLS: usize = 8;
const CLIENTS: usize = 8;
/// Of a hundred requests.
const FAULTS: u64 = 25;
/// Longer than the gateway waits.
const HOLD: Duration = Duration::from_millis(1500);

async fn started(module: impl Into<String>) -> Gateway {
    let mut gateway = Gateway::new(module).with("store-flush-interval", "300ms");
    gateway.start().await;
    gateway
}

/// Performs transfers while the gateway is killed, and once more afterwards, and checks what is left.
async fn transfer(gateway: &mut Gateway, mut chance: Chance) {
    let mut balances = BTreeMap::new();
    let transfers = transfers(&mut chance, ACCOUNTS, 0..TRANSFERS, &mut balances);
    let performing = perform(gateway.ingress(), transfers.clone(), CLIENTS, PATIENCE);
    let (replies, ()) = tokio::join!(performing, kill_again_and_again(gateway, KILLS));
    assert_eq!(replies.len() as u64, TRANSFERS);

    gateway.crash().await;
    let repeated = perform(gateway.ingress(), transfers, CLIENTS, PATIENCE).await;
    assert!(repeated == replies, "a repeated call got another reply");
    for (account, balance) in &balances {
        let address = format!("bank/account/{account}");
        until_equal(&address, Some(*balance), async || gateway.value(&address, "balance").await)
            .await;
    }
    assert_eq!(balances.values().sum::<i64>(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_are_applied_once_and_repeated_calls_get_the_same_reply() {
    let functions = Functions::serve(ledger::functions()).await;
    let mut gateway = started(Module::serving("bank", functions.address(), &[])).await;
    transfer(&mut gateway, Chance::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_loses_repeats_and_cuts_off_changes_no_balance() {
    let mut chance = Chance::new();
    let functions = Functions::serve(ledger::functions()).await;
    let proxy = FaultProxy::before(functions.address(), chance.fork(), FAULTS, HOLD).await;
    let mut gateway = started(Module::behind_a_bad_network("bank", proxy.address())).await;
    transfer(&mut gateway, chance).await;
    let done = proxy.done();
    assert_eq!(done.len(), Fault::ALL.len(), "not every fault was met: {done:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_what_was_accepted_is_applied_once_and_what_is_unknown_at_most_once() {
    let functions = Functions::serve(ledger::functions()).await;
    let mut gateway = started(Module::serving("bank", functions.address(), &[])).await;
    let url = gateway.url("/v1/functions/bank/account/noted/send");
    let (finish, finished) = tokio::sync::oneshot::channel::<()>();
    let noting = async move {
        let (http, mut accepted, mut finished) = (Http::new(), Vec::new(), finished);
        let mut number = 0;
        while finished.try_recv().is_err() {
            number += 1;
            let text = format!("notice {number}");
            if http
                .post(&url, &[TEXT], text)
                .await
                .is_ok_and(|answer| answer.status.as_u16() == 202)
            {
                accepted.push(number.to_string());
            }
        }
        accepted
    };
    let killing = async {
        kill_again_and_again(&mut gateway, KILLS).await;
        finish.send(()).unwrap();
    };
    let (accepted, ()) = tokio::join!(noting, killing);
    assert!(!accepted.is_empty());
    gateway.call("bank/account/noted", "last", "nobody 0").await;
    let Seen(seen) = gateway.value("bank/account/noted", "seen").await.unwrap();
    assert!(seen.values().all(|times| *times == 1), "applied twice: {seen:?}");
    let lost: Vec<_> = accepted.iter().filter(|number| !seen.contains_key(*number)).collect();
    assert!(lost.is_empty(), "accepted and lost: {lost:?}");
}
