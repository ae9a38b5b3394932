//! The transaction manager, one instance for each transaction: gathers what the model needs, asks it, raises the alarm, and
//! forgets everything.

use tidegate_sdk::{Context, EgressId, Error, Function, FunctionSpec, Message, ValueSpec};

use super::model::ALERT_FROM;
use super::{FRAUD_COUNT, MERCHANT_SCORER, MODEL, TRANSACTION_MANAGER, unexpected};
use crate::types::{
    Alert, Features, FraudCount, FraudCountQuery, MerchantQuery, MerchantScore, Score, Transaction,
};

pub(crate) const ALERT_USER: EgressId = EgressId::named("fraud/alert-user");

pub(super) const TRANSACTION: ValueSpec<Transaction> = ValueSpec::named("transaction");
pub(super) const COUNT: ValueSpec<FraudCount> = ValueSpec::named("fraud-count");
pub(super) const MERCHANT: ValueSpec<MerchantScore> = ValueSpec::named("merchant-score");

pub(super) fn function() -> Function {
    FunctionSpec::new(TRANSACTION_MANAGER)
        .value(&TRANSACTION)
        .value(&COUNT)
        .value(&MERCHANT)
        .handler(manage)
}

async fn manage(ctx: &mut Context, message: Message) -> Result<(), Error> {
    let Some(transaction) = ctx.get(&TRANSACTION)? else {
        return begin(ctx, &message);
    };
    if message.is::<Transaction>() {
        // The client repeated itself while the transaction is being looked at.
        return Ok(());
    }
    if message.is::<FraudCount>() {
        ctx.set(&COUNT, &message.get()?)?;
        ask_model(ctx, &transaction)
    } else if message.is::<MerchantScore>() {
        ctx.set(&MERCHANT, &message.get()?)?;
        ask_model(ctx, &transaction)
    } else if message.is::<Score>() {
        conclude(ctx, transaction, message.get()?)
    } else {
        Err(unexpected(ctx, &message))
    }
}

fn begin(ctx: &mut Context, message: &Message) -> Result<(), Error> {
    if !message.is::<Transaction>() {
        return Err(unexpected(ctx, message));
    }
    let transaction: Transaction = message.get()?;
    ctx.send(FRAUD_COUNT.at(&transaction.account), &FraudCountQuery {})?;
    ctx.send(MERCHANT_SCORER.at(&transaction.merchant), &MerchantQuery {})?;
    ctx.set(&TRANSACTION, &transaction)?;
    Ok(())
}

/// Asks once both answers are there, whichever came first.
fn ask_model(ctx: &mut Context, transaction: &Transaction) -> Result<(), Error> {
    let (Some(count), Some(merchant)) = (ctx.get(&COUNT)?, ctx.get(&MERCHANT)?) else {
        return Ok(());
    };
    let features = Features {
        amount_cents: transaction.amount_cents,
        fraud_count: count.count,
        merchant_score: merchant.score,
    };
    // The model keeps nothing; by the transaction's id it runs in the partition where its answer is awaited.
    ctx.send(MODEL.at(&transaction.id), &features)?;
    Ok(())
}

fn conclude(ctx: &mut Context, transaction: Transaction, score: Score) -> Result<(), Error> {
    if score >= ALERT_FROM {
        ctx.egress(&ALERT_USER, &Alert::about(transaction, score))?;
    }
    ctx.remove(&TRANSACTION)?;
    ctx.remove(&COUNT)?;
    ctx.remove(&MERCHANT)?;
    Ok(())
}
