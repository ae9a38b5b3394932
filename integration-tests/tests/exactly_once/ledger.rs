//! Transfers between accounts while the gateway is killed: no money is lost or made, nothing is applied twice, and a call that
//! is repeated gets the reply that it got, or would have got, before.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use futures::{StreamExt, stream};
use integration_tests::chance::Chance;
use integration_tests::chaos::kill_again_and_again;
use integration_tests::functions::Functions;
use integration_tests::gateway::{Gateway, TEXT, call};
use integration_tests::http::Http;
use integration_tests::module::Module;
use integration_tests::wait::until_equal;
use serde::{Deserialize, Serialize};
use tidegate_sdk::{
    Context, Error, FunctionSpec, FunctionType, JsonType, Message, StatefulFunctions, ValueSpec,
};

const ACCOUNT: FunctionType = FunctionType::named("bank/account");
const BALANCE: ValueSpec<i64> = ValueSpec::named("balance");
const SEEN: ValueSpec<Seen> = ValueSpec::named("seen");
const ACCOUNTS: u64 = 20;
const TRANSFERS: usize = 600;
const KILLS: usize = 8;
const CLIENTS: usize = 8;

#[derive(Serialize, Deserialize)]
struct Deposit(i64);

impl JsonType for Deposit {
    const TYPENAME: &'static str = "bank/deposit";
}

/// How often each numbered notice was processed.
#[derive(Serialize, Deserialize, Default)]
struct Seen(BTreeMap<String, u32>);

impl JsonType for Seen {
    const TYPENAME: &'static str = "bank/seen";
}

/// Takes `<to> <amount>` from clients, deposits from other accounts, and `notice <number>`.
async fn account(ctx: &mut Context, message: Message) -> Result<(), Error> {
    let balance = ctx.get(&BALANCE)?.unwrap_or(0);
    if message.is::<Deposit>() {
        let Deposit(amount) = message.get()?;
        return Ok(ctx.set(&BALANCE, &(balance + amount))?);
    }
    let text: String = message.get()?;
    let (to, rest) = text.split_once(' ').ok_or("two words are expected")?;
    if to == "notice" {
        let mut seen = ctx.get(&SEEN)?.unwrap_or_default();
        *seen.0.entry(rest.to_owned()).or_default() += 1;
        return Ok(ctx.set(&SEEN, &seen)?);
    }
    let amount: i64 = rest.parse()?;
    ctx.set(&BALANCE, &(balance - amount))?;
    ctx.send(ACCOUNT.at(to), &Deposit(amount))?;
    // Says what nobody could say again who processed the transfer once more.
    ctx.reply(&format!("{text}: {} are left", balance - amount))?;
    Ok(())
}

async fn started() -> (Gateway, Functions) {
    let account = FunctionSpec::new(ACCOUNT).value(&BALANCE).value(&SEEN).handler(account);
    let functions = Functions::serve(StatefulFunctions::new().with(account)).await;
    let module = Module::serving("bank", functions.address(), &[]);
    let mut gateway = Gateway::new(module).with("store-flush-interval", "300ms");
    gateway.start().await;
    (gateway, functions)
}

#[derive(Clone)]
struct Transfer {
    number: usize,
    from: String,
    text: String,
}

fn transfers(chance: &mut Chance, balances: &mut BTreeMap<String, i64>) -> Vec<Transfer> {
    let mut transfer = |number| {
        let (from, to) =
            (format!("a{}", chance.below(ACCOUNTS)), format!("a{}", chance.below(ACCOUNTS)));
        let amount = 1 + chance.below(100) as i64;
        *balances.entry(from.clone()).or_default() -= amount;
        *balances.entry(to.clone()).or_default() += amount;
        Transfer { number, from, text: format!("{to} {amount}") }
    };
    (0..TRANSFERS).map(&mut transfer).collect()
}

/// Calls until there is a reply, many at the same time. Gives the replies by number.
async fn perform(ingress: SocketAddr, transfers: Vec<Transfer>) -> BTreeMap<usize, String> {
    let http = Http::new();
    let calls = stream::iter(transfers).map(|transfer| {
        let http = http.clone();
        async move {
            let address = format!("bank/account/{}", transfer.from);
            let key = format!("transfer {}", transfer.number);
            let answer = call(&http, ingress, &address, &key, &transfer.text).await;
            (transfer.number, answer.text().to_owned())
        }
    });
    calls.buffer_unordered(CLIENTS).collect().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_are_applied_once_and_repeated_calls_get_the_same_reply() {
    let (mut gateway, _functions) = started().await;
    let mut balances = BTreeMap::new();
    let transfers = transfers(&mut Chance::new(), &mut balances);
    let performing = perform(gateway.ingress(), transfers.clone());
    let (replies, ()) = tokio::join!(performing, kill_again_and_again(&mut gateway, KILLS));
    assert_eq!(replies.len(), TRANSFERS);

    gateway.crash().await;
    let repeated = perform(gateway.ingress(), transfers).await;
    assert!(repeated == replies, "a repeated call got another reply");
    for (account, balance) in &balances {
        let address = format!("bank/account/{account}");
        until_equal(&address, Some(*balance), async || gateway.value(&address, "balance").await)
            .await;
    }
    assert_eq!(balances.values().sum::<i64>(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_what_was_accepted_is_applied_once_and_what_is_unknown_at_most_once() {
    let (mut gateway, _functions) = started().await;
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
