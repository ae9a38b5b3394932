//! The model: a logistic regression with fixed weights. It keeps no values.

use tidegate_sdk::{Context, Error, Function, FunctionSpec, Message};

use super::{MODEL, unexpected};
use crate::types::{Features, Score};

/// The lowest score that raises an alert.
pub(crate) const ALERT_FROM: Score = Score { per_mille: 800 };

/// Amounts count up to this many cents.
const AMOUNT_CENTS_MAX: u64 = 200_000;

pub(super) fn function() -> Function {
    FunctionSpec::new(MODEL).handler(answer)
}

async fn answer(ctx: &mut Context, message: Message) -> Result<(), Error> {
    if !message.is::<Features>() {
        return Err(unexpected(ctx, &message));
    }
    let score = score(&message.get()?);
    ctx.reply(&score)?;
    Ok(())
}

/// `1000 / (1 + e^-z)`, rounded, where `z = -6 + 1.1 * frauds + 0.04 * merchant score + 0.0015 * amount` with the amount in
/// whole units of the currency, at most 2000.
pub(crate) fn score(features: &Features) -> Score {
    let frauds = f64::from(features.fraud_count);
    let merchant = f64::from(features.merchant_score);
    let amount = (features.amount_cents.min(AMOUNT_CENTS_MAX) / 100) as f64;
    let z = -6.0 + 1.1 * frauds + 0.04 * merchant + 0.0015 * amount;
    Score { per_mille: (1000.0 / (1.0 + (-z).exp())).round() as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(amount_cents: u64, fraud_count: u32, merchant_score: u32) -> u32 {
        score(&Features { amount_cents, fraud_count, merchant_score }).per_mille
    }

    #[test]
    fn scores_follow_the_documented_formula() {
        assert_eq!(of(0, 0, 0), 2);
        assert_eq!(of(100_000, 1, 85), 500);
        assert_eq!(of(200_000, 2, 100), 961);
        assert_eq!(of(200_000, 2, 100), of(900_000, 2, 100));
        assert_eq!(of(0, 100, 0), 1000);
    }
}
