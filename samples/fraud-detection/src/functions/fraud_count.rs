//! The fraud count, one instance for each account: how many frauds were confirmed lately. Each confirmation counts for a
//! while; then a delayed message takes it back.

use std::time::Duration;

use tidegate_sdk::{Context, Error, Function, FunctionSpec, Message, ValueSpec};

use super::{FRAUD_COUNT, unexpected};
use crate::types::{Confirmation, FraudCount, FraudCountQuery, FraudExpired};

pub(super) const COUNT: ValueSpec<i64> = ValueSpec::named("count");

pub(super) fn function(fraud_counts_for: Duration) -> Function {
    FunctionSpec::new(FRAUD_COUNT).value(&COUNT).sharing(fraud_counts_for, keep_count)
}

async fn keep_count(
    counts_for: Duration,
    ctx: &mut Context,
    message: Message,
) -> Result<(), Error> {
    let count = ctx.get(&COUNT)?.unwrap_or(0);
    if message.is::<FraudCountQuery>() {
        ctx.reply(&FraudCount { count: u32::try_from(count)? })?;
        Ok(())
    } else if message.is::<Confirmation>() {
        let Confirmation { id: confirmation, .. } = message.get()?;
        let myself = ctx.address().clone();
        ctx.send_after(counts_for, myself, &FraudExpired { confirmation })?;
        Ok(ctx.set(&COUNT, &(count + 1))?)
    } else if message.is::<FraudExpired>() {
        match count - 1 {
            ..=0 => Ok(ctx.remove(&COUNT)?),
            rest => Ok(ctx.set(&COUNT, &rest)?),
        }
    } else {
        Err(unexpected(ctx, &message))
    }
}
