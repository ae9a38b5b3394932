//! Disks that are full, slow or broken, and clients by the thousand: nothing acknowledged is lost, and the others go on.
//!
//! Faults of a disk are real as far as a test can make them: a file system of its own that is full, in a name space of its own;
//! and a tracer that has system calls fail or take long. Where the machine has neither, the test says so and proves nothing;
//! `gateway/tests/log/` has the same faults behind the seam of the log's disk.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // a test fails by panicking, and says what it could not test

mod connections;
mod full;
mod syncs;

use tidegate_sdk::{
    Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions, ValueSpec,
};

const COUNTER: FunctionType = FunctionType::named("shop/counter");
const COUNT: ValueSpec<i64> = ValueSpec::named("count");

async fn count(ctx: &mut Context, _: Message) -> Result<(), Error> {
    let count = ctx.get(&COUNT)?.unwrap_or(0) + 1;
    ctx.set(&COUNT, &count)?;
    ctx.reply(&count)?;
    Ok(())
}

/// Counts its messages.
fn counters() -> StatefulFunctions {
    StatefulFunctions::new().with(FunctionSpec::new(COUNTER).value(&COUNT).handler(count))
}
