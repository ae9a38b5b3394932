//! All functions together in memory, for tests.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_sdk::testing::Instance;
use tidegate_sdk::{Address, Function, FunctionType, Value};
use tokio::net::TcpListener;

use super::manager::ALERT_USER;
use super::{fraud_count, manager, merchant, model};
use crate::scorer::{self, ScorerClient};
use crate::types::Alert;

pub(crate) const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A client of a third party of its own.
pub(crate) async fn scorer_client() -> ScorerClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(scorer::serve(listener, Duration::ZERO, std::future::pending()));
    ScorerClient::new(address).unwrap()
}

/// A gateway of a few lines: delivers until nothing is under way.
pub(crate) struct Town {
    functions: [(FunctionType, Function); 4],
    pub(crate) instances: BTreeMap<Address, Instance>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) timers: usize,
}

impl Town {
    pub(crate) async fn new() -> Self {
        let functions = [
            manager::function(),
            fraud_count::function(MONTH),
            merchant::function(scorer_client().await),
            model::function(),
        ];
        let functions = functions.map(|function| (function.name().clone(), function));
        Self { functions, instances: BTreeMap::new(), alerts: Vec::new(), timers: 0 }
    }

    pub(crate) fn instance(&mut self, address: &Address) -> &mut Instance {
        let known = self.functions.iter().find(|(name, _)| name == address.function());
        let function = &known.expect("the function is served").1;
        let create = || Instance::of(function, address.id());
        self.instances.entry(address.clone()).or_insert_with(create)
    }

    pub(crate) async fn deliver(&mut self, target: Address, message: Value) {
        let effects = self.instance(&target).receive(&message).await.unwrap();
        self.alerts.extend(effects.emitted::<Alert>(&ALERT_USER));
        self.timers += effects.delayed().len();
        let mut waiting: Vec<_> = self.queue(&target, effects.sends());
        while let Some((caller, target, message)) = waiting.pop() {
            let effects = self.instance(&target).receive_from(caller, &message).await.unwrap();
            self.alerts.extend(effects.emitted::<Alert>(&ALERT_USER));
            waiting.extend(self.queue(&target, effects.sends()));
        }
    }

    fn queue(
        &self,
        sender: &Address,
        sends: &[(Address, Value)],
    ) -> Vec<(Address, Address, Value)> {
        sends.iter().map(|(to, value)| (sender.clone(), to.clone(), value.clone())).collect()
    }
}
