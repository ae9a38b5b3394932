//! The input as a file: CSV with the columns that README.md describes.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::types::{Confirmation, Transaction};

/// All input of a run. Confirmations are fed first and accepted before the first transaction is sent; that is what makes the
/// alerts a function of the file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Dataset {
    pub(crate) confirmations: Vec<Confirmation>,
    pub(crate) transactions: Vec<Transaction>,
}

/// Why a file is not a dataset.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatasetError {
    #[error("cannot open {path}")]
    Open { path: String, source: std::io::Error },
    #[error("not a dataset")]
    Format(#[from] csv::Error),
    #[error("transaction `{0}` lacks merchant or amount_cents")]
    Lacks(String),
    #[error("cannot write the dataset")]
    Write(#[from] std::io::Error),
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Confirmation,
    Transaction,
}

#[derive(Serialize, Deserialize)]
struct Row {
    kind: Kind,
    id: String,
    account: String,
    timestamp: u64,
    merchant: Option<String>,
    amount_cents: Option<u64>,
}

impl Dataset {
    /// Reads a file.
    pub(crate) fn open(path: &Path) -> Result<Self, DatasetError> {
        let opened = File::open(path);
        let failed = |source| DatasetError::Open { path: path.display().to_string(), source };
        Self::read(opened.map_err(failed)?)
    }

    /// Reads rows in any order.
    pub(crate) fn read(source: impl Read) -> Result<Self, DatasetError> {
        let mut dataset = Self::default();
        for row in csv::Reader::from_reader(source).into_deserialize() {
            dataset.push(row?)?;
        }
        Ok(dataset)
    }

    fn push(&mut self, row: Row) -> Result<(), DatasetError> {
        let Row { kind, id, account, timestamp, merchant, amount_cents } = row;
        match (kind, merchant, amount_cents) {
            (Kind::Confirmation, ..) => {
                self.confirmations.push(Confirmation { id, account, timestamp });
            }
            (Kind::Transaction, Some(merchant), Some(amount_cents)) => {
                let transaction = Transaction { id, account, timestamp, merchant, amount_cents };
                self.transactions.push(transaction);
            }
            (Kind::Transaction, ..) => return Err(DatasetError::Lacks(id)),
        }
        Ok(())
    }

    /// Writes confirmations, then transactions.
    pub(crate) fn write(&self, target: impl Write) -> Result<(), DatasetError> {
        let mut writer = csv::Writer::from_writer(target);
        for Confirmation { id, account, timestamp } in self.confirmations.clone() {
            let (merchant, amount_cents) = (None, None);
            let kind = Kind::Confirmation;
            writer.serialize(Row { kind, id, account, timestamp, merchant, amount_cents })?;
        }
        for transaction in self.transactions.clone() {
            let Transaction { id, account, timestamp, merchant, amount_cents } = transaction;
            let (merchant, amount_cents) = (Some(merchant), Some(amount_cents));
            let kind = Kind::Transaction;
            writer.serialize(Row { kind, id, account, timestamp, merchant, amount_cents })?;
        }
        Ok(writer.flush()?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::generate::generate;

    #[test]
    fn a_file_comes_back_as_it_was_written() {
        let dataset = generate(3, 200);
        let mut file = Vec::new();
        dataset.write(&mut file).unwrap();
        assert_eq!(Dataset::read(&file[..]).unwrap(), dataset);
    }

    #[test]
    fn the_committed_example_is_what_seed_1_gives() {
        let example = Dataset::read(&include_bytes!("../example.csv")[..]).unwrap();
        assert_eq!(example, generate(1, 100));
    }

    #[test]
    fn a_transaction_needs_merchant_and_amount() {
        let file = "kind,id,account,timestamp,merchant,amount_cents\ntransaction,t,a,1,,5\n";
        assert!(
            matches!(Dataset::read(file.as_bytes()), Err(DatasetError::Lacks(id)) if id == "t")
        );
    }
}
