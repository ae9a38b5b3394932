//! The merchant scorer, one instance for each merchant: asks a third party how suspicious the merchant is, and remembers the
//! answer for an hour.

use std::time::Duration;

use tidegate_sdk::{Context, Error, Function, FunctionSpec, Message, ValueSpec};

use super::{MERCHANT_SCORER, unexpected};
use crate::scorer::ScorerClient;
use crate::types::{MerchantQuery, MerchantScore};

pub(super) const SCORE: ValueSpec<MerchantScore> =
    ValueSpec::named("score").expire_after_write(Duration::from_secs(3_600));

pub(super) fn function(scorer: ScorerClient) -> Function {
    FunctionSpec::new(MERCHANT_SCORER).value(&SCORE).sharing(scorer, score)
}

async fn score(scorer: ScorerClient, ctx: &mut Context, message: Message) -> Result<(), Error> {
    if !message.is::<MerchantQuery>() {
        return Err(unexpected(ctx, &message));
    }
    let score = match ctx.get(&SCORE)? {
        Some(score) => score,
        None => MerchantScore { score: scorer.score(ctx.address().id()).await? },
    };
    ctx.reply(&score)?;
    ctx.set(&SCORE, &score)?;
    Ok(())
}
