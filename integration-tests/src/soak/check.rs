//! The checks: what counts too much shows at once, what counts too little when nothing is under way any more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use integration_tests::gateway::Gateway;
use integration_tests::http::Http;
use integration_tests::ledger;
use integration_tests::wait::PATIENCE;
use tidegate_sdk::Value;

use super::load::{Books, Notices, noted};
use super::report::{Seen, count};

const PAUSE: Duration = Duration::from_millis(500);

/// Reads the account that gets notices at the moment, again and again.
pub(crate) async fn continuously(admin: SocketAddr, deadline: Instant, seen: Arc<Seen>) {
    let http = Http::new();
    while Instant::now() < deadline && !seen.is_violated() {
        tokio::time::sleep(PAUSE).await;
        let told = seen.notices.load(Ordering::Relaxed) + seen.unknown.load(Ordering::Relaxed);
        let account = noted(told);
        let url = format!("http://{admin}/v1/state/bank/account/{account}");
        // The gateway may be away.
        let Ok(answer) = http.get(&url).await else { continue };
        if answer.status.is_success() {
            let seen_there = notices(&answer.json());
            report_repeated(&account, &seen_there, &seen);
            count(&seen.checks);
        }
    }
}

fn notices(values: &serde_json::Value) -> ledger::Seen {
    let Some(value) = values["values"].get("seen") else { return ledger::Seen::default() };
    let bytes = BASE64_STANDARD.decode(value["base64"].as_str().unwrap()).unwrap();
    Value::new(value["type"].as_str().unwrap().to_owned(), bytes).get().unwrap()
}

fn report_repeated(account: &str, there: &ledger::Seen, seen: &Seen) {
    for (notice, times) in there.0.iter().filter(|(_, times)| **times > 1) {
        seen.violation(format!("notice {notice} counts {times} times in {account}"));
    }
}

/// Compares everything, after one more restart.
pub(crate) async fn at_the_end(
    gateway: &mut Gateway,
    books: &Books,
    notices: &Notices,
    seen: &Seen,
) {
    gateway.crash().await;
    count(&seen.gateway_kills);
    for (account, balance) in books {
        let address = format!("bank/account/{account}");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let kept = gateway.value::<i64>(&address, "balance").await.unwrap_or(0);
            if kept == *balance {
                break;
            }
            if Instant::now() > deadline {
                seen.violation(format!("{account} has {kept} instead of {balance}"));
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    for account in &notices.accounts {
        compare(gateway, account, notices, seen).await;
    }
}

async fn compare(gateway: &Gateway, account: &str, notices: &Notices, seen: &Seen) {
    let deadline = Instant::now() + PATIENCE;
    let address = format!("bank/account/{account}");
    let accepted = notices.accepted.get(account).cloned().unwrap_or_default();
    loop {
        let there = gateway.value::<ledger::Seen>(&address, "seen").await.unwrap_or_default();
        report_repeated(account, &there, seen);
        let lost: Vec<_> =
            accepted.iter().filter(|notice| !there.0.contains_key(*notice)).collect();
        if lost.is_empty() {
            return;
        }
        if Instant::now() > deadline {
            return seen.violation(format!("{account} has lost the notices {lost:?}"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
