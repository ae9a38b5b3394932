//! State that is many times larger than the memory that may hold it.

use bytes::Bytes;
use futures::{StreamExt, stream};
use integration_tests::functions::Functions;
use integration_tests::gateway::call;
use integration_tests::module::Module;
use tidegate_sdk::{
    Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions, Type, ValueSpec,
};

use crate::{BUDGET_MIB, TURN, assert_bounded, small};

const SHELF: FunctionType = FunctionType::named("depot/shelf");
const BOX: ValueSpec<Box> = ValueSpec::named("box");
const BOX_BYTES: usize = 256 << 10;
/// How many times the memory there is of state.
const TIMES: u64 = 10;
const BOXES: u64 = TIMES * BUDGET_MIB * (1 << 20) / BOX_BYTES as u64;

struct Box(Bytes);

impl Type for Box {
    const TYPENAME: &'static str = "depot/box";

    fn encode(&self) -> Result<Bytes, Error> {
        Ok(self.0.clone())
    }

    fn decode(bytes: &Bytes) -> Result<Self, Error> {
        Ok(Self(bytes.clone()))
    }
}

/// Bytes that nobody can compress, and that are others for every shelf.
fn content(id: &str) -> Bytes {
    let mut state = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    }) | 1;
    let mut words = Vec::with_capacity(BOX_BYTES);
    while words.len() < BOX_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        words.extend_from_slice(&state.to_le_bytes());
    }
    words.into()
}

/// `fill` puts the box there; anything else says whether the right one is there.
async fn shelf(ctx: &mut Context, message: Message) -> Result<(), Error> {
    let wanted = content(ctx.address().id());
    if message.get::<String>()? == "fill" {
        ctx.set(&BOX, &Box(wanted))?;
        ctx.reply("filled")?;
    } else {
        let found = ctx.get(&BOX)?;
        ctx.reply(if found.is_some_and(|found| found.0 == wanted) { "right" } else { "wrong" })?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_of_many_times_the_memory_is_kept_and_found_again() {
    let _turn = TURN.lock().await;
    let shelf = FunctionSpec::new(SHELF).value(&BOX).handler(shelf);
    let functions = Functions::serve(StatefulFunctions::new().with(shelf)).await;
    let mut gateway = small(Module::serving("depot", functions.address(), &[]));
    gateway.start().await;
    let (http, ingress) = (gateway.http().clone(), gateway.ingress());
    let ask = |what: &'static str, number: u64| {
        let http = &http;
        async move {
            let answer = call(
                http,
                ingress,
                &format!("depot/shelf/{number}"),
                &format!("{what} {number}"),
                what,
            )
            .await;
            answer.text().to_owned()
        }
    };
    let filled = stream::iter(0..BOXES).map(|number| ask("fill", number)).buffer_unordered(16);
    assert!(filled.all(async |reply| reply == "filled").await);
    let looked =
        stream::iter((0..BOXES).step_by(17)).map(|number| ask("look", number)).buffer_unordered(8);
    assert!(looked.all(async |reply| reply == "right").await);
    assert_bounded(&mut gateway);

    gateway.crash().await;
    let looked = stream::iter((5..BOXES).step_by(67))
        .map(|number| ask("look again", number))
        .buffer_unordered(8);
    assert!(looked.all(async |reply| reply == "right").await);
    assert_bounded(&mut gateway);
}
