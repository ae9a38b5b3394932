//! Makes up a dataset from a seed: the same seed gives the same file on every machine and in every version.

use crate::dataset::Dataset;
use crate::types::{Confirmation, Transaction};

/// 2026-01-01T00:00:00Z, when the first transaction happens.
const START_MS: u64 = 1_767_225_600_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const MERCHANTS: u64 = 100;

/// SplitMix64: small, and fixed for ever, which a library does not promise.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A dataset of so many transactions, with an account for every ten and a confirmed fraud for every twenty of them.
pub(crate) fn generate(seed: u64, transactions: u64) -> Dataset {
    let mut random = Random(seed);
    let accounts = (transactions / 10).max(5);
    let confirmations = transactions / 20;
    Dataset {
        confirmations: (0..confirmations)
            .map(|n| confirmation(seed, n, accounts, &mut random))
            .collect(),
        transactions: (0..transactions)
            .map(|n| transaction(seed, n, accounts, &mut random))
            .collect(),
    }
}

fn confirmation(seed: u64, number: u64, accounts: u64, random: &mut Random) -> Confirmation {
    Confirmation {
        id: format!("c{seed}-{number:07}"),
        // Frauds cluster: half of the accounts never see one.
        account: account(random.below(accounts.div_ceil(2))),
        timestamp: START_MS - DAY_MS + number,
    }
}

fn transaction(seed: u64, number: u64, accounts: u64, random: &mut Random) -> Transaction {
    // Small amounts are common, large ones rare.
    let largest = [5_000, 20_000, 100_000, 400_000][random.below(4) as usize];
    Transaction {
        id: format!("t{seed}-{number:07}"),
        account: account(random.below(accounts)),
        timestamp: START_MS + number * 10,
        merchant: format!("merchant-{:03}", random.below(MERCHANTS)),
        amount_cents: 100 + random.below(largest),
    }
}

fn account(number: u64) -> String {
    format!("account-{number:06}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_data_and_another_seed_other_data() {
        assert_eq!(generate(7, 500), generate(7, 500));
        assert_ne!(generate(7, 500).transactions, generate(8, 500).transactions);
    }
}
