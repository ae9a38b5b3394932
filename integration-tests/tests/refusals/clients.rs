//! What clients are told when they ask for something wrong.

use integration_tests::functions::Functions;
use integration_tests::gateway::{Gateway, TEXT};
use integration_tests::module::Module;
use tidegate_sdk::{Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions};

const ECHO: FunctionType = FunctionType::named("shop/echo");

async fn echo(ctx: &mut Context, message: Message) -> Result<(), Error> {
    ctx.reply(&message.into_value())?;
    Ok(())
}

async fn started() -> (Gateway, Functions) {
    let echo = FunctionSpec::new(ECHO).handler(echo);
    let functions = Functions::serve(StatefulFunctions::new().with(echo)).await;
    let module = Module::serving("shop", functions.address(), &[]);
    let mut gateway = Gateway::new(module).with("ingress-body-limit", "64KiB");
    gateway.start().await;
    (gateway, functions)
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let (gateway, _functions) = started().await;
    let refused = gateway.send("shop/echo/ann", &"x".repeat((64 << 10) + 1)).await.unwrap();
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (413, "TG-0309"));
    let largest = "x".repeat(64 << 10);
    let answer = gateway.call("shop/echo/ann", "largest", &largest).await;
    assert_eq!(answer.text(), largest);
}

#[tokio::test]
async fn a_function_that_nobody_serves_is_unknown() {
    let (gateway, _functions) = started().await;
    let refused = gateway.send("stop/echo/ann", "hello").await.unwrap();
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (404, "TG-0303"));
}

#[tokio::test]
async fn a_key_that_comes_again_with_another_body_is_refused() {
    let (gateway, _functions) = started().await;
    let first = gateway.call("shop/echo/ann", "key", "one").await;
    assert_eq!((first.text(), first.repeated), ("one", false));
    let again = gateway.call("shop/echo/ann", "key", "one").await;
    assert_eq!((again.text(), again.repeated), ("one", true));
    let url = gateway.url("/v1/functions/shop/echo/ann/call");
    let refused =
        gateway.http().post(&url, &[TEXT, ("idempotency-key", "key")], "two").await.unwrap();
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "TG-0304"));
}

#[tokio::test]
async fn lines_that_are_no_messages_are_refused_one_by_one() {
    let (gateway, _functions) = started().await;
    let lines = "\
        {\"target\":\"shop/echo/ann\",\"text\":\"hello\"}\n\
        this is no message\n\
        {\"target\":\"stop/echo/ann\",\"text\":\"hello\"}\n\
        {\"target\":\"shop/echo/bob\",\"text\":\"hello\"}\n";
    let answer = gateway.http().post(&gateway.url("/v1/messages"), &[], lines).await.unwrap();
    let results: Vec<serde_json::Value> =
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = results.iter().map(|result| (result["status"].as_str(), result["code"].as_str()));
    let expected = [
        (Some("accepted"), None),
        (Some("refused"), Some("TG-0313")),
        (Some("refused"), Some("TG-0303")),
        (Some("accepted"), None),
    ];
    assert_eq!(summary.collect::<Vec<_>>(), expected);
}
