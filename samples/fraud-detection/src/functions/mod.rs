//! The four functions of the application.

pub(crate) mod fraud_count;
pub(crate) mod manager;
pub(crate) mod merchant;
pub(crate) mod model;

use std::time::Duration;

use tidegate_sdk::{Context, Error, FunctionType, Message, StatefulFunctions};

use crate::scorer::ScorerClient;

pub(crate) const TRANSACTION_MANAGER: FunctionType =
    FunctionType::named("fraud/transaction-manager");
pub(crate) const FRAUD_COUNT: FunctionType = FunctionType::named("fraud/fraud-count");
pub(crate) const MERCHANT_SCORER: FunctionType = FunctionType::named("fraud/merchant-scorer");
pub(crate) const MODEL: FunctionType = FunctionType::named("fraud/model");

/// All four, ready to be served.
pub(crate) fn all(fraud_counts_for: Duration, scorer: ScorerClient) -> StatefulFunctions {
    StatefulFunctions::new()
        .with(manager::function())
        .with(fraud_count::function(fraud_counts_for))
        .with(merchant::function(scorer))
        .with(model::function())
}

/// For a message that a function has no use for: somebody misunderstands it, which an operator should see.
fn unexpected(ctx: &Context, message: &Message) -> Error {
    let caller = ctx.caller().map_or_else(|| "an ingress".to_owned(), ToString::to_string);
    format!("a `{}` from {caller} is not expected now", message.typename()).into()
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod town;
