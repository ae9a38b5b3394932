//! Damaged logs: a torn tail is what a crash leaves, and the node starts; anything else is never started upon.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use integration_tests::functions::Functions;
use integration_tests::gateway::{Gateway, file_in};
use integration_tests::module::Module;
use tidegate::log::file::BLOCK_BYTES;
use tidegate::log::frame::FrameHeader;
use tidegate_sdk::{
    Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions, ValueSpec,
};

const COUNTER: FunctionType = FunctionType::named("shop/counter");
const COUNT: ValueSpec<i64> = ValueSpec::named("count");
const CALLS: i64 = 12;

async fn count(ctx: &mut Context, _: Message) -> Result<(), Error> {
    let count = ctx.get(&COUNT)?.unwrap_or(0) + 1;
    ctx.set(&COUNT, &count)?;
    ctx.reply(&count)?;
    Ok(())
}

/// A gateway that was killed after some calls, each of which was durable before the next one: a frame at least for each.
async fn killed() -> (Gateway, Functions) {
    let counter = FunctionSpec::new(COUNTER).value(&COUNT).handler(count);
    let functions = Functions::serve(StatefulFunctions::new().with(counter)).await;
    let module = Module::serving("shop", functions.address(), &[]);
    let mut gateway = Gateway::new(module).with("store-flush-interval", "1h");
    gateway.start().await;
    for number in 0..CALLS {
        gateway.call("shop/counter/ann", &format!("call {number}"), "one more").await;
    }
    gateway.kill();
    (gateway, functions)
}

async fn count_of(gateway: &Gateway) -> i64 {
    gateway.value("shop/counter/ann", "count").await.unwrap_or(0)
}

/// Where the frames of a segment begin.
fn frames(segment: &Path) -> Vec<u64> {
    let bytes = fs::read(segment).unwrap();
    let blocks = bytes.chunks(BLOCK_BYTES).enumerate().skip(1);
    let begun = blocks.filter(|(_, block)| FrameHeader::decode(block).is_ok());
    begun.map(|(number, _)| (number * BLOCK_BYTES) as u64).collect()
}

fn flip_byte(path: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x40], offset).unwrap();
}

#[tokio::test]
async fn a_damaged_frame_in_the_middle_of_a_log_is_refused_with_its_place() {
    let (mut gateway, _functions) = killed().await;
    let segment = file_in(&gateway.logs()[0], ".segment");
    let frames = frames(&segment);
    assert!(frames.len() >= CALLS as usize, "{frames:?}");
    let middle = frames[frames.len() / 2];
    flip_byte(&segment, middle + 100);
    let before = fs::read(&segment).unwrap();

    let (ended, said) = gateway.refuse().await;
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(said.contains("TG-0210"), "{said}");
    assert!(said.contains(&segment.file_name().unwrap().to_string_lossy().into_owned()), "{said}");
    assert!(said.contains(&format!("offset {middle}")), "{middle}: {said}");
    assert!(fs::read(&segment).unwrap() == before, "the damaged log was changed");

    flip_byte(&segment, middle + 100);
    gateway.start().await;
    assert_eq!(count_of(&gateway).await, CALLS, "nothing is lost");
}

#[tokio::test]
async fn a_torn_last_frame_is_the_end_of_the_log() {
    let (mut gateway, _functions) = killed().await;
    let segment = file_in(&gateway.logs()[0], ".segment");
    flip_byte(&segment, frames(&segment).last().unwrap() + 60);
    gateway.start().await;
    let answer = gateway.call("shop/counter/ann", "after", "one more").await;
    assert!(!answer.repeated);
    // What the lost frame held depends on what was synced together: at most the last call with its commit. If only the
    // commit is lost, the function runs again before it takes the new call.
    let count = count_of(&gateway).await;
    assert!((CALLS..=CALLS + 1).contains(&count), "{count}");
}

#[tokio::test]
async fn a_missing_log_is_refused() {
    let (mut gateway, _functions) = killed().await;
    let log = gateway.logs().remove(0);
    let aside = gateway.path("aside");
    fs::rename(&log, &aside).unwrap();
    let (ended, said) = gateway.refuse().await;
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(said.contains("TG-0211"), "{said}");

    fs::rename(&aside, &log).unwrap();
    gateway.start().await;
    assert_eq!(count_of(&gateway).await, CALLS);
}
