//! What an undisturbed run must lead to, computed without functions, messages or a gateway.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dataset::Dataset;
use crate::functions::model::{self, ALERT_FROM};
use crate::scorer;
use crate::types::{Alert, Features};

/// The outcome of a run in which no confirmed fraud has expired yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Expected {
    /// By transaction id.
    pub(crate) alerts: Vec<Alert>,
    /// The value `count` of `fraud/fraud-count` for each account that has one.
    pub(crate) counts: BTreeMap<String, u32>,
    /// How many delayed messages are pending: one for each confirmation.
    pub(crate) timers: usize,
}

/// Computes the outcome for a dataset.
pub(crate) fn expect(dataset: &Dataset) -> Expected {
    let mut counts = BTreeMap::new();
    for confirmation in &dataset.confirmations {
        *counts.entry(confirmation.account.clone()).or_insert(0) += 1;
    }
    let alert = |transaction: &crate::types::Transaction| {
        let score = model::score(&Features {
            amount_cents: transaction.amount_cents,
            fraud_count: counts.get(&transaction.account).copied().unwrap_or(0),
            merchant_score: scorer::score(&transaction.merchant),
        });
        (score >= ALERT_FROM).then(|| Alert::about(transaction.clone(), score))
    };
    let mut alerts: Vec<_> = dataset.transactions.iter().filter_map(alert).collect();
    alerts.sort();
    Expected { alerts, counts, timers: dataset.confirmations.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::generate;

    #[test]
    fn generated_data_raises_some_alerts_and_not_many() {
        let expected = expect(&generate(1, 10_000));
        assert!((100..1_000).contains(&expected.alerts.len()), "{}", expected.alerts.len());
        assert_eq!(expected.counts.values().sum::<u32>() as usize, expected.timers);
    }
}
