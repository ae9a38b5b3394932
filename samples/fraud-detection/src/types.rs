//! What the functions say to each other, as JSON. Amounts are cents and scores are integers, so that equal input gives equal
//! output to the last bit.

use serde::{Deserialize, Serialize};
use tidegate_sdk::JsonType;

macro_rules! json_types {
    ($($type:ident => $typename:literal),* $(,)?) => {
        $(impl JsonType for $type {
            const TYPENAME: &'static str = $typename;
        })*
    };
}

json_types! {
    Transaction => "fraud.types/transaction",
    Confirmation => "fraud.types/confirmation",
    FraudExpired => "fraud.types/fraud-expired",
    FraudCountQuery => "fraud.types/fraud-count-query",
    FraudCount => "fraud.types/fraud-count",
    MerchantQuery => "fraud.types/merchant-query",
    MerchantScore => "fraud.types/merchant-score",
    Features => "fraud.types/features",
    Score => "fraud.types/score",
    Alert => "fraud.types/alert",
}

/// Somebody paid.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Transaction {
    /// Unique; the id of its transaction manager.
    pub(crate) id: String,
    pub(crate) account: String,
    /// Milliseconds since 1970.
    pub(crate) timestamp: u64,
    pub(crate) merchant: String,
    pub(crate) amount_cents: u64,
}

/// The owner of the account says that a transaction was a fraud.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Confirmation {
    pub(crate) id: String,
    pub(crate) account: String,
    /// Milliseconds since 1970.
    pub(crate) timestamp: u64,
}

/// A confirmed fraud is too old to count; the count sends it to itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct FraudExpired {
    pub(crate) confirmation: String,
}

/// Asks for a [`FraudCount`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct FraudCountQuery {}

/// How many frauds of an account were confirmed lately.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct FraudCount {
    pub(crate) count: u32,
}

/// Asks for a [`MerchantScore`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct MerchantQuery {}

/// How suspicious a merchant is, from 0 to 100.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct MerchantScore {
    pub(crate) score: u32,
}

/// What the model looks at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Features {
    pub(crate) amount_cents: u64,
    pub(crate) fraud_count: u32,
    pub(crate) merchant_score: u32,
}

/// How likely a transaction is a fraud, from 0 to 1000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct Score {
    pub(crate) per_mille: u32,
}

/// A transaction that its owner should look at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct Alert {
    pub(crate) transaction: String,
    pub(crate) account: String,
    pub(crate) merchant: String,
    pub(crate) amount_cents: u64,
    pub(crate) score_per_mille: u32,
}

impl Alert {
    /// The alert that a transaction with this score deserves.
    pub(crate) fn about(transaction: Transaction, score: Score) -> Self {
        let Transaction { id, account, merchant, amount_cents, .. } = transaction;
        Self { transaction: id, account, merchant, amount_cents, score_per_mille: score.per_mille }
    }
}
