//! One group: order, shared values, what travels back, and what makes it fail.

use std::sync::Arc;
use std::time::Duration;

use tidegate_protocol::reqreply::from_function::expiration_spec::ExpireMode;
use tidegate_protocol::reqreply::from_function::persisted_value_mutation::MutationType;
use tidegate_sdk::{
    Context, Error, FunctionSpec, FunctionType, Message, SendError, StatefulFunctions, ValueSpec,
};

use crate::support::{COUNT, COUNTER, counters, done, failure, group, long, missing, state, typed};

#[tokio::test]
async fn messages_run_in_order_on_shared_values_and_a_value_travels_back_once() {
    let messages = vec![typed(&1_i64), typed(&10_i64), typed(&100_i64)];
    let known = vec![state("count", Some(typed(&1000_i64)))];
    let response = done(&counters(), group(&COUNTER, "a", known, messages)).await;
    let sums = response.outgoing_messages.iter().map(|send| long(send.argument.as_ref().unwrap()));
    assert_eq!(sums.collect::<Vec<_>>(), [1001, 1011, 1111]);
    let [mutation] = &response.state_mutations[..] else { panic!("one value changed") };
    assert_eq!(mutation.mutation_type(), MutationType::Modify);
    assert_eq!(long(mutation.state_value.as_ref().unwrap()), 1111);
}

#[tokio::test]
async fn an_untouched_value_does_not_travel_back() {
    let known = vec![state("count", Some(typed(&5_i64)))];
    let response = done(&counters(), group(&COUNTER, "a", known, vec![typed("look")])).await;
    assert_eq!(response, Default::default());
}

#[tokio::test]
async fn a_removed_value_is_deleted_and_seen_as_absent() {
    let known = vec![state("count", Some(typed(&5_i64)))];
    let messages = vec![typed("forget"), typed(&2_i64), typed("forget")];
    let response = done(&counters(), group(&COUNTER, "a", known, messages)).await;
    assert_eq!(long(response.outgoing_messages[0].argument.as_ref().unwrap()), 2);
    let [mutation] = &response.state_mutations[..] else { panic!("one value changed") };
    assert_eq!(mutation.mutation_type(), MutationType::Delete);
    assert_eq!((mutation.state_name.as_str(), &mutation.state_value), ("count", &None));
}

#[tokio::test]
async fn a_value_that_is_not_declared_any_more_is_ignored() {
    let known = vec![state("count", None), state("old", Some(typed("x")))];
    let response = done(&counters(), group(&COUNTER, "a", known, vec![typed(&1_i64)])).await;
    assert_eq!(response.state_mutations.len(), 1);
}

const KEPT: ValueSpec<bool> = ValueSpec::named("kept");
const WRITTEN: ValueSpec<f64> =
    ValueSpec::named("written").expire_after_write(Duration::from_secs(60));
const INVOKED: ValueSpec<f32> =
    ValueSpec::named("invoked").expire_after_invoke(Duration::from_secs(7));

#[tokio::test]
async fn the_handshake_tells_expiration_and_runs_no_code() {
    async fn never(_: &mut Context, _: Message) -> Result<(), Error> {
        panic!("must not run")
    }
    let function = FunctionSpec::new(COUNTER).value(&KEPT).value(&WRITTEN).value(&INVOKED);
    let functions = StatefulFunctions::new().with(function.handler(never));
    let specs = missing(&functions, group(&COUNTER, "a", Vec::new(), vec![typed("x")])).await;
    let told = specs.iter().map(|spec| {
        let expiration = spec.expiration_spec.as_ref().unwrap();
        (spec.state_name.as_str(), expiration.mode(), expiration.expire_after_millis)
    });
    let expected = [
        ("kept", ExpireMode::None, 0),
        ("written", ExpireMode::AfterWrite, 60_000),
        ("invoked", ExpireMode::AfterInvoke, 7_000),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_failing_message_fails_the_whole_group() {
    let known = vec![state("count", None)];
    let messages = vec![typed(&1_i64), typed("secret command")];
    let text = failure(&counters(), group(&COUNTER, "a", known, messages)).await;
    assert_eq!(text, "TG-0610: test/counter/a failed: no such command of 14 bytes");
}

#[tokio::test]
async fn a_panic_is_a_failure() {
    let known = vec![state("count", None)];
    let text = failure(&counters(), group(&COUNTER, "a", known, vec![typed("panic")])).await;
    assert_eq!(text, "TG-0611: test/counter/a panicked: asked to");
}

#[tokio::test]
async fn an_unknown_function_is_told_which_are_known() {
    let other = FunctionType::named("test/other");
    let text = failure(&counters(), group(&other, "a", Vec::new(), vec![typed("x")])).await;
    assert_eq!(
        text,
        "TG-0609: function `test/other` is not served here; known functions: test/counter"
    );
}

#[tokio::test]
async fn a_value_or_message_of_another_type_is_told() {
    let known = vec![state("count", Some(typed("five")))];
    let text = failure(&counters(), group(&COUNTER, "a", known, vec![typed("look")])).await;
    assert!(text.contains("TG-0601"), "{text}");
    let known = vec![state("count", None)];
    let text = failure(&counters(), group(&COUNTER, "a", known, vec![typed(&1_i32)])).await;
    assert!(text.ends_with(
        "expected a value of type `io.statefun.types/long`, found `io.statefun.types/int`"
    ));
}

#[tokio::test]
async fn a_value_that_the_function_does_not_declare_is_refused() {
    async fn forgetful(ctx: &mut Context, _: Message) -> Result<(), Error> {
        Ok(ctx.set(&COUNT, &1)?)
    }
    let functions = StatefulFunctions::new().with(FunctionSpec::new(COUNTER).handler(forgetful));
    let text = failure(&functions, group(&COUNTER, "a", Vec::new(), vec![typed("x")])).await;
    assert!(
        text.contains("TG-0603: function `test/counter` does not declare a value `count`"),
        "{text}"
    );
}

#[tokio::test]
async fn a_message_without_an_id_or_a_token_without_text_is_refused() {
    async fn careless(ctx: &mut Context, _: Message) -> Result<(), Error> {
        assert!(matches!(ctx.send(COUNTER.at(""), &1), Err(SendError::EmptyId { .. })));
        assert!(matches!(ctx.cancel(""), Err(SendError::EmptyToken)));
        assert!(!ctx.reply("nobody asked")?);
        assert_eq!((ctx.attempt(), ctx.batch_id()), (None, None));
        Ok(())
    }
    let functions = StatefulFunctions::new().with(FunctionSpec::new(COUNTER).handler(careless));
    let response = done(&functions, group(&COUNTER, "a", Vec::new(), vec![typed("x")])).await;
    assert_eq!(response, Default::default());
}

#[test]
#[should_panic(expected = "TG-0608: `test/counter` is declared twice")]
fn a_function_is_declared_once() {
    let _ = counters().with(crate::support::counter());
}

#[tokio::test]
async fn a_handler_may_share_something_with_all_its_calls() {
    async fn add(step: Arc<i64>, ctx: &mut Context, _: Message) -> Result<(), Error> {
        let sum = ctx.get(&COUNT)?.unwrap_or(0) + *step;
        Ok(ctx.set(&COUNT, &sum)?)
    }
    let function = FunctionSpec::new(COUNTER).value(&COUNT).sharing(Arc::new(3), add);
    let functions = StatefulFunctions::new().with(function);
    let messages = vec![typed("x"), typed("x")];
    let response =
        done(&functions, group(&COUNTER, "a", vec![state("count", None)], messages)).await;
    assert_eq!(long(response.state_mutations[0].state_value.as_ref().unwrap()), 6);
}
