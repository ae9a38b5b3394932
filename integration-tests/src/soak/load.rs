//! The load: transfers whose outcome is exact, and notices that count once or, if nobody knows, at most once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use integration_tests::chance::Chance;
use integration_tests::gateway::TEXT;
use integration_tests::http::Http;
use integration_tests::ledger::{perform, transfers};

use super::report::{Seen, count};

const ACCOUNTS: u64 = 200;
const CLIENTS: usize = 16;
/// For one reply: on a busy machine the gateway is killed again before it has got far.
const PATIENCE: Duration = Duration::from_mins(10);
/// Transfers of one round.
const ROUND: u64 = 200;
/// How many of a hundred rounds are asked for once more.
const AGAIN: u64 = 20;
/// Accounts that get notices, and how many each.
pub(crate) const NOTICES_EACH: u64 = 200;
/// Between notices, so that the values that count them stay small.
const PAUSE: Duration = Duration::from_millis(20);

/// What balances must be at the end.
pub(crate) type Books = BTreeMap<String, i64>;

/// What became of notices, by account.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    /// These count once.
    pub(crate) accepted: BTreeMap<String, BTreeSet<String>>,
    /// All accounts that were told something.
    pub(crate) accounts: BTreeSet<String>,
}

/// Performs transfers, round after round.
pub(crate) async fn offer(
    ingress: SocketAddr,
    mut chance: Chance,
    deadline: Instant,
    seen: Arc<Seen>,
) -> Books {
    let mut books = Books::new();
    let mut next = 0;
    while Instant::now() < deadline && !seen.is_violated() {
        let round = transfers(&mut chance, ACCOUNTS, next..next + ROUND, &mut books);
        next += ROUND;
        let replies = perform(ingress, round.clone(), CLIENTS, PATIENCE).await;
        seen.transfers.fetch_add(ROUND, std::sync::atomic::Ordering::Relaxed);
        if chance.below(100) < AGAIN {
            let repeated = perform(ingress, round, CLIENTS, PATIENCE).await;
            seen.repeated.fetch_add(ROUND, std::sync::atomic::Ordering::Relaxed);
            if repeated != replies {
                seen.violation("a call that was repeated got another reply".to_owned());
            }
        }
    }
    books
}

/// The account that a notice goes to.
pub(crate) fn noted(number: u64) -> String {
    format!("n{}", number / NOTICES_EACH)
}

/// Sends notices without a key, each once.
pub(crate) async fn notify(ingress: SocketAddr, deadline: Instant, seen: Arc<Seen>) -> Notices {
    let http = Http::new();
    let mut notices = Notices::default();
    let mut number = 0;
    while Instant::now() < deadline && !seen.is_violated() {
        number += 1;
        let account = noted(number);
        let url = format!("http://{ingress}/v1/functions/bank/account/{account}/send");
        let sending = http.post(&url, &[TEXT], format!("notice {number}"));
        let answered = tokio::time::timeout(Duration::from_secs(30), sending).await;
        notices.accounts.insert(account.clone());
        if matches!(answered, Ok(Ok(answer)) if answer.status.as_u16() == 202) {
            count(&seen.notices);
            notices.accepted.entry(account).or_default().insert(number.to_string());
        } else {
            count(&seen.unknown);
        }
        tokio::time::sleep(PAUSE).await;
    }
    notices
}
