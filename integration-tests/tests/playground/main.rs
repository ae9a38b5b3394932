//! An application of StateFun's playground, with the module that it has there: messages in at one port, records out at another.
#![allow(clippy::unwrap_used)] // a test fails by panicking

use integration_tests::functions::Functions;
use integration_tests::gateway::Gateway;
use integration_tests::ports;
use integration_tests::wait::{PATIENCE, until};
use serde::{Deserialize, Serialize};
use tidegate_sdk::{
    Context, EgressId, Error, FunctionSpec, FunctionType, JsonType, Message, StatefulFunctions,
    ValueSpec,
};

const PERSON: FunctionType = FunctionType::named("example/person");
const VISITS: ValueSpec<i32> = ValueSpec::named("visits");
const EGRESS: EgressId = EgressId::named("io.statefun.playground/egress");
const VISITORS: usize = 10;
const EACH: usize = 5;

#[derive(Serialize, Deserialize)]
struct GreetRequest {
    name: String,
}

impl JsonType for GreetRequest {
    const TYPENAME: &'static str = "example/GreetRequest";
}

#[derive(Serialize, Deserialize)]
struct EgressRecord {
    topic: String,
    payload: String,
}

impl JsonType for EgressRecord {
    const TYPENAME: &'static str = "io.statefun.playground/EgressRecord";
}

/// Greets a visitor, in the topic of greetings; and notes in others, one of which nobody declared.
async fn greet(ctx: &mut Context, message: Message) -> Result<(), Error> {
    let name = match message.is::<GreetRequest>() {
        true => message.get::<GreetRequest>()?.name,
        false => message.get::<String>()?,
    };
    let visits = ctx.get(&VISITS)?.unwrap_or(0) + 1;
    ctx.set(&VISITS, &visits)?;
    for (topic, payload) in
        [("greetings", format!("{name} {visits}")), ("visits", name), ("nowhere", String::new())]
    {
        ctx.egress(&EGRESS, &EgressRecord { topic: topic.to_owned(), payload })?;
    }
    Ok(())
}

struct Playground {
    gateway: Gateway,
    _functions: Functions,
    ingress: u16,
    egress: u16,
}

async fn playground() -> Playground {
    let person = FunctionSpec::new(PERSON).value(&VISITS).handler(greet);
    let functions = Functions::serve(StatefulFunctions::new().with(person)).await;
    let (ingress, egress) = (ports::free().port(), ports::free().port());
    let module = include_str!("../../../gateway/tests/config/statefun/playground-greeter.yaml");
    let module = module
        .replace("functions:8000", &functions.address().to_string())
        .replace("8090", &ingress.to_string())
        .replace("8091", &egress.to_string())
        .replace("- greetings", "- greetings\n    - visits");
    let mut gateway = Gateway::new(module);
    gateway.start().await;
    Playground { gateway, _functions: functions, ingress, egress }
}

impl Playground {
    async fn visit(&self, id: &str, content_type: &str, body: &str) -> u16 {
        let url = format!("http://127.0.0.1:{}/example/person/{id}", self.ingress);
        let headers = [("content-type", content_type)];
        self.gateway.http().put(&url, &headers, body.to_owned()).await.unwrap().status.as_u16()
    }

    /// The oldest record of a topic, if there is one.
    async fn next(&self, topic: &str) -> Option<String> {
        let url = format!("http://127.0.0.1:{}/{topic}", self.egress);
        let answer = self.gateway.http().get(&url).await.unwrap();
        match answer.status.as_u16() {
            200 => Some(answer.text().to_owned()),
            404 => None,
            other => panic!("{other}: {}", answer.text()),
        }
    }

    async fn next_of(&self, topic: &str) -> String {
        until("there is a record", PATIENCE, async || self.next(topic).await).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_record_is_given_to_one_reader_in_the_order_of_its_sender() {
    let playground = playground().await;
    assert_eq!(playground.next("greetings").await, None);
    for _ in 0..EACH {
        for visitor in 0..VISITORS {
            let (id, kind) = (format!("v{visitor}"), "application/vnd.example/GreetRequest");
            let body = format!("{{\"name\": \"{id}\"}}");
            assert_eq!(playground.visit(&id, kind, &body).await, 200);
        }
    }
    // Two readers, and a topic that nobody reads meanwhile.
    let read = async || {
        let mut read = Vec::new();
        for _ in 0..VISITORS * EACH / 2 {
            read.push(playground.next_of("greetings").await);
        }
        read
    };
    let (one, other) = tokio::join!(read(), read());
    for visitor in 0..VISITORS {
        let prefix = format!("v{visitor} ");
        let of = |records: &[String]| -> Vec<usize> {
            let of = records.iter().filter_map(|record| record.strip_prefix(&prefix)?.parse().ok());
            of.collect()
        };
        let (one, other) = (of(&one), of(&other));
        assert!(one.is_sorted() && other.is_sorted(), "{one:?} {other:?}");
        let mut both = [one, other].concat();
        both.sort_unstable();
        assert_eq!(both, (1..=EACH).collect::<Vec<_>>());
    }
    assert_eq!(playground.next("greetings").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_survive_a_kill_and_what_was_given_away_does_not_come_again() {
    let mut playground = playground().await;
    for name in ["ann", "bob", "cid"] {
        assert_eq!(playground.visit("all", "text/plain", name).await, 200);
    }
    assert_eq!(playground.next_of("visits").await, "ann");
    assert_eq!(playground.next_of("visits").await, "bob");
    assert!(playground.gateway.stop().await.success());
    playground.gateway.start().await;
    assert_eq!(playground.next_of("visits").await, "cid");
    assert_eq!(playground.next("visits").await, None);
    playground.gateway.crash().await;
    for expected in ["ann 1", "bob 2", "cid 3"] {
        assert_eq!(playground.next_of("greetings").await, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_told() {
    let playground = playground().await;
    let http = playground.gateway.http();
    let at = |port: u16, path: &str| format!("http://127.0.0.1:{port}{path}");
    let status = async |url: String| http.put(&url, &[], "x").await.unwrap().status.as_u16();
    assert_eq!(status(at(playground.ingress, "/example/person")).await, 404);
    assert_eq!(status(at(playground.ingress, "/other/person/a")).await, 404);
    assert_eq!(status(at(playground.ingress, "/example/person/a")).await, 200);
    assert_eq!(http.get(&at(playground.ingress, "/example/person/a")).await.unwrap().status, 405);
    assert_eq!(http.get(&at(playground.egress, "/nowhere")).await.unwrap().status, 405);
    // A record for a topic that is not declared is rejected, and the rest of the answer is not.
    assert_eq!(playground.next_of("visits").await, "x");
    let rejected = "subject=io.statefun.playground.topics/nowhere";
    until("it is reported", PATIENCE, async || {
        playground.gateway.errors().contains(rejected).then_some(())
    })
    .await;
}
