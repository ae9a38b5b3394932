//! Accounts that send each other money: an application whose outcome is exact, whatever happens to its parts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tidegate_sdk::{
    Context, Error, FunctionSpec, FunctionType, JsonType, Message, StatefulFunctions, ValueSpec,
};

use crate::chance::Chance;
use crate::gateway::call_within;
use crate::http::Http;

/// An account, by its name.
pub const ACCOUNT: FunctionType = FunctionType::named("bank/account");
const BALANCE: ValueSpec<i64> = ValueSpec::named("balance");
const SEEN: ValueSpec<Seen> = ValueSpec::named("seen");

#[derive(Serialize, Deserialize)]
struct Deposit(i64);

impl JsonType for Deposit {
    const TYPENAME: &'static str = "bank/deposit";
}

/// How often each numbered notice was processed.
#[derive(Serialize, Deserialize, Default)]
pub struct Seen(pub BTreeMap<String, u32>);

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

/// The functions of the ledger.
#[must_use]
pub fn functions() -> StatefulFunctions {
    let account = FunctionSpec::new(ACCOUNT).value(&BALANCE).value(&SEEN).handler(account);
    StatefulFunctions::new().with(account)
}

/// An order to an account to send money to another one.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Unique among those of a run.
    pub number: u64,
    /// The account that is told.
    pub from: String,
    /// What it is told.
    pub text: String,
}

/// Draws transfers between so many accounts, numbered from `first` on, and adds what they will do to the balances.
pub fn transfers(
    chance: &mut Chance,
    accounts: u64,
    numbers: std::ops::Range<u64>,
    balances: &mut BTreeMap<String, i64>,
) -> Vec<Transfer> {
    let mut transfer = |number| {
        let mut account = || format!("a{}", chance.below(accounts));
        let (from, to) = (account(), account());
        let amount = 1 + chance.below(100) as i64;
        *balances.entry(from.clone()).or_default() -= amount;
        *balances.entry(to.clone()).or_default() += amount;
        Transfer { number, from, text: format!("{to} {amount}") }
    };
    numbers.map(&mut transfer).collect()
}

/// Calls until there is a reply, so many at the same time. Gives the replies by number.
pub async fn perform(
    ingress: SocketAddr,
    transfers: Vec<Transfer>,
    clients: usize,
    patience: Duration,
) -> BTreeMap<u64, String> {
    let http = Http::new();
    let calls = stream::iter(transfers).map(|transfer| {
        let http = http.clone();
        async move {
            let address = format!("{ACCOUNT}/{}", transfer.from);
            let key = format!("transfer {}", transfer.number);
            let answer =
                call_within(patience, &http, ingress, &address, &key, &transfer.text).await;
            (transfer.number, answer.text().to_owned())
        }
    });
    calls.buffer_unordered(clients).collect().await
}
