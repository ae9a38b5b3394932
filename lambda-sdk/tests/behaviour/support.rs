//! Functions under test, and short ways to ask them.

use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use tidegate_protocol::reqreply::from_function::{
    InvocationResponse, PersistedValueSpec, Response as Answer,
};
use tidegate_protocol::reqreply::to_function::{
    Invocation, InvocationBatchRequest, PersistedValue,
};
use tidegate_protocol::reqreply::{Address, FromFunction, ToFunction, TypedValue};
use tidegate_protocol::{Message as _, media};
use tidegate_sdk::{
    Bytes, Context, Error, Function, FunctionSpec, FunctionType, Message, StatefulFunctions,
    ToValue, ValueSpec,
};

pub(crate) const COUNTER: FunctionType = FunctionType::named("test/counter");
pub(crate) const LOG: FunctionType = FunctionType::named("test/log");
pub(crate) const COUNT: ValueSpec<i64> = ValueSpec::named("count");

/// Adds what it receives to its count and tells the log the sum; texts are commands.
async fn count(ctx: &mut Context, message: Message) -> Result<(), Error> {
    if message.is::<String>() {
        return match message.get::<String>()?.as_str() {
            "forget" => Ok(ctx.remove(&COUNT)?),
            "look" => ctx.get(&COUNT).map(|_| ()).map_err(Into::into),
            "panic" => panic!("asked to"),
            other => Err(format!("no such command of {} bytes", other.len()).into()),
        };
    }
    let sum = ctx.get(&COUNT)?.unwrap_or(0) + message.get::<i64>()?;
    ctx.set(&COUNT, &sum)?;
    ctx.send(LOG.at("all"), &sum)?;
    Ok(())
}

pub(crate) fn counter() -> Function {
    FunctionSpec::new(COUNTER).value(&COUNT).handler(count)
}

pub(crate) fn counters() -> StatefulFunctions {
    StatefulFunctions::new().with(counter())
}

pub(crate) fn typed<V: ToValue + ?Sized>(value: &V) -> TypedValue {
    let value = value.to_value().unwrap();
    TypedValue::present(value.typename(), value.bytes().clone())
}

pub(crate) fn long(value: &TypedValue) -> i64 {
    tidegate_sdk::Value::new(value.typename.clone(), value.value.clone()).get().unwrap()
}

pub(crate) fn state(name: &str, value: Option<TypedValue>) -> PersistedValue {
    PersistedValue { state_name: name.to_owned(), state_value: value }
}

pub(crate) fn from_nobody(argument: TypedValue) -> Invocation {
    Invocation { caller: None, argument: Some(argument) }
}

pub(crate) fn group(
    function: &FunctionType,
    id: &str,
    state: Vec<PersistedValue>,
    messages: Vec<TypedValue>,
) -> InvocationBatchRequest {
    InvocationBatchRequest {
        target: Some(Address::new(function.namespace(), function.name(), id)),
        state,
        invocations: messages.into_iter().map(from_nobody).collect(),
    }
}

pub(crate) fn post(media_type: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let request = Request::post("/any/path").header(CONTENT_TYPE, media_type);
    request.body(body.into()).unwrap()
}

pub(crate) async fn ask(
    functions: &StatefulFunctions,
    request: InvocationBatchRequest,
) -> Response<Bytes> {
    let body = ToFunction::from(request).encode_to_vec();
    functions.handle(post(media::OCTET_STREAM, body)).await
}

pub(crate) async fn done(
    functions: &StatefulFunctions,
    request: InvocationBatchRequest,
) -> InvocationResponse {
    match answer(&ask(functions, request).await) {
        Answer::InvocationResult(response) => response,
        Answer::IncompleteInvocationContext(_) => panic!("values were missing"),
    }
}

pub(crate) async fn missing(
    functions: &StatefulFunctions,
    request: InvocationBatchRequest,
) -> Vec<PersistedValueSpec> {
    match answer(&ask(functions, request).await) {
        Answer::IncompleteInvocationContext(context) => context.missing_values,
        Answer::InvocationResult(_) => panic!("no value was missing"),
    }
}

pub(crate) async fn failure(
    functions: &StatefulFunctions,
    request: InvocationBatchRequest,
) -> String {
    let response = ask(functions, request).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    text(&response)
}

pub(crate) fn text(response: &Response<Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).unwrap()
}

fn answer(response: &Response<Bytes>) -> Answer {
    assert_eq!(response.status(), StatusCode::OK, "{}", text(response));
    FromFunction::decode(response.body().clone()).unwrap().response.unwrap()
}
