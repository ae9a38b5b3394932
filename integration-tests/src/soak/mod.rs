//! Load, faults and checks side by side, until the time is over; then calm, and a last and exact comparison.
//!
//! | who | does what | notices |
//! |---|---|---|
//! | `load` | transfers between accounts, each until it has its reply; numbered notices, each once, without a key | a repeated call with another reply |
//! | `trouble` | kills, stops and starts gateway and functions; the proxy between them hurts requests | a node that does not start |
//! | `check` | reads accounts while all of that goes on, and at the end | a notice that counts twice; at the end lost ones, and balances that differ |

mod check;
mod load;
pub(crate) mod report;
mod trouble;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use integration_tests::chance::Chance;
use integration_tests::gateway::Gateway;
use integration_tests::module::Module;
use integration_tests::ports;
use integration_tests::proxy::FaultProxy;

use self::report::{Seen, Summary};
use self::trouble::FunctionProcess;

/// Of a hundred requests to functions, how many are hurt.
const FAULTS: u64 = 10;
/// How long answers are held: longer than the gateway waits.
const HOLD: Duration = Duration::from_millis(1500);
const PROGRESS: Duration = Duration::from_secs(60);

/// What to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How long there is trouble.
    pub(crate) duration: Duration,
    /// Decides about load and trouble.
    pub(crate) seed: u64,
}

/// Runs to the end, or to the first violation that can be told at once.
pub(crate) async fn run(plan: Plan) -> Summary {
    let begin = Instant::now();
    let seen = Arc::new(Seen::default());
    // A failed expectation of the harness is a violation like any other.
    let ended = AssertUnwindSafe(endure(plan, Arc::clone(&seen))).catch_unwind().await;
    if let Err(panic) = ended {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        seen.violation(text.unwrap_or_else(|| "it ended without a word".to_owned()));
    }
    seen.summary(plan.seed, begin.elapsed())
}

async fn endure(plan: Plan, seen: Arc<Seen>) {
    let mut chance = Chance::seeded(plan.seed);
    let address = ports::free();
    let proxy = FaultProxy::before(address, chance.fork(), FAULTS, HOLD).await;
    let module = Module::behind_a_bad_network("bank", proxy.address());
    let mut gateway = Gateway::new(module)
        .with("store-flush-interval", "2s")
        .with("idempotency-retention", "1h")
        .with("memory-budget", "128MiB");
    let mut functions = FunctionProcess::start(address, gateway.path("functions.errors"));
    gateway.start().await;

    let deadline = Instant::now() + plan.duration;
    let (of_load, of_trouble) = (chance.fork(), chance.fork());
    let (ingress, admin) = (gateway.ingress(), gateway.admin());
    // Side by side in one task: what panics ends all of it.
    let (books, notices, (), (), ()) = tokio::join!(
        load::offer(ingress, of_load, deadline, Arc::clone(&seen)),
        load::notify(ingress, deadline, Arc::clone(&seen)),
        check::continuously(admin, deadline, Arc::clone(&seen)),
        progress(Arc::clone(&seen), deadline),
        async {
            trouble::make(&mut gateway, &mut functions, of_trouble, deadline, &seen).await;
            proxy.calm();
            seen.faults(proxy.done());
        },
    );
    if !seen.is_violated() {
        check::at_the_end(&mut gateway, &books, &notices, &seen).await;
    }
}

async fn progress(seen: Arc<Seen>, deadline: Instant) {
    while Instant::now() < deadline && !seen.is_violated() {
        tokio::time::sleep(PROGRESS.min(deadline.saturating_duration_since(Instant::now()))).await;
        println!("{}", seen.progress(deadline));
    }
}
