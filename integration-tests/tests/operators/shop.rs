//! The application of these tests: functions that fail until they are healed, and everything that can be seen of them from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::{StreamExt, stream};
use integration_tests::functions::Functions;
use integration_tests::gateway::{Gateway, TEXT};
use integration_tests::http::Http;
use integration_tests::module::Module;
use integration_tests::operator::Operator;
use integration_tests::wait::{PATIENCE, until};
use serde_json::{Value, json};
use tidegate_sdk::{
    Context, EgressId, Error, FunctionSpec, FunctionType, JsonType, Message, StatefulFunctions,
    ValueSpec,
};

/// Its messages that fail too often park their address.
pub(crate) const KEEPER: FunctionType = FunctionType::named("shop/keeper");
/// Its messages that fail too often leave to an egress.
pub(crate) const POSTMAN: FunctionType = FunctionType::named("post/man");
/// Never fails; is paused.
pub(crate) const COUNTER: FunctionType = FunctionType::named("calm/counter");
/// How many messages of an address were processed.
pub(crate) const TOTAL: ValueSpec<i64> = ValueSpec::named("total");
/// One record for each processed message.
pub(crate) const RECEIPTS: EgressId = EgressId::named("shop/receipts");
/// Where messages of postmen go that are given up.
pub(crate) const DEAD: EgressId = EgressId::named("post/dead");
/// The ingress that leads to the counter.
pub(crate) const ORDERS: &str = "calm/orders";

/// A text that comes in by the declared ingress.
#[derive(serde::Serialize, serde::Deserialize)]
struct Ordered {
    id: String,
}

impl JsonType for Ordered {
    const TYPENAME: &'static str = "calm/ordered";
}

/// The ids whose bad messages succeed.
#[derive(Clone, Default)]
pub(crate) struct Healed(Arc<Mutex<BTreeSet<String>>>);

impl Healed {
    /// From now on, nothing fails at this id.
    pub(crate) fn heal(&self, id: &str) {
        self.0.lock().unwrap().insert(id.to_owned());
    }

    fn is(&self, id: &str) -> bool {
        self.0.lock().unwrap().contains(id)
    }
}

/// Counts, and writes a receipt for what it did. Bad messages fail until their address is healed.
async fn work(healed: Healed, ctx: &mut Context, message: Message) -> Result<(), Error> {
    let id = ctx.address().id().to_owned();
    let text = match message.is::<Ordered>() {
        true => "ordered".to_owned(),
        false => message.get::<String>()?,
    };
    if text.starts_with("bad") && !healed.is(&id) {
        return Err(format!("{id} cannot do that").into());
    }
    ctx.set(&TOTAL, &(ctx.get(&TOTAL)?.unwrap_or(0) + 1))?;
    ctx.egress(&RECEIPTS, &format!("{id}: {text}"))?;
    Ok(())
}

/// Serves the functions.
pub(crate) async fn serve(healed: &Healed) -> Functions {
    let spec = |function| FunctionSpec::new(function).value(&TOTAL).sharing(healed.clone(), work);
    let functions = [KEEPER, POSTMAN, COUNTER].into_iter().map(spec);
    Functions::serve(functions.fold(StatefulFunctions::new(), StatefulFunctions::with)).await
}

/// What the gateway is told of them.
pub(crate) fn module(functions: &Functions) -> Module {
    let tries = ["attempts: 2", "backoff: {first: 10ms, longest: 20ms}"];
    let gives_up = [&tries[..], &["exhausted: drop", "deadLetter: post/dead"]].concat();
    Module::serving("shop", functions.address(), &tries)
        .endpoint("post", functions.address(), &gives_up)
        .endpoint("calm", functions.address(), &tries)
        .http_ingress(ORDERS, "/orders", "calm/ordered", "calm/counter")
        .http_egress("shop/receipts")
        .http_egress("post/dead")
}

/// What is sent to one address, in order.
pub(crate) struct Letters {
    /// To whom.
    pub(crate) address: String,
    /// What.
    pub(crate) texts: Vec<&'static str>,
}

/// Sends texts to many addresses at the same time, and to each in order: each text until it is accepted, under a key.
pub(crate) async fn send_all(ingress: std::net::SocketAddr, letters: Vec<Letters>) {
    let http = Http::new();
    stream::iter(letters)
        .for_each_concurrent(None, |letters| {
            let http = http.clone();
            async move {
                for text in letters.texts {
                    send(&http, ingress, &letters.address, text).await;
                }
            }
        })
        .await;
}

async fn send(http: &Http, ingress: std::net::SocketAddr, address: &str, text: &str) {
    let url = format!("http://{ingress}/v1/functions/{address}/send");
    until(&format!("{text} is accepted for {address}"), PATIENCE, async || {
        let headers = [TEXT, ("idempotency-key", text)];
        let sending = http.post(&url, &headers, text.to_owned());
        let answer = tokio::time::timeout(Duration::from_secs(10), sending).await.ok()?.ok()?;
        match answer.status.as_u16() {
            202 => Some(()),
            503 => None,
            _ => panic!("{address}: {}", answer.text()),
        }
    })
    .await;
}

/// Everything that can be seen of an application from outside.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Seen {
    /// What `tidegate parked list` says.
    pub(crate) parked: Value,
    /// What `tidegate parked show` says of each.
    pub(crate) details: BTreeMap<String, Value>,
    /// What `tidegate pauses` says.
    pub(crate) pauses: Value,
    /// The records of the egress of receipts, by partition and number.
    pub(crate) receipts: BTreeMap<(u64, u64), Value>,
    /// Those of the egress of dead letters.
    pub(crate) dead: BTreeMap<(u64, u64), Value>,
}

impl Seen {
    /// Looks at everything.
    pub(crate) async fn now(gateway: &Gateway, operator: &Operator) -> Self {
        let parked = operator.look(&["parked", "list"]).await.done();
        let mut details = BTreeMap::new();
        for one in parked["parked"].as_array().unwrap() {
            let address = one["address"].as_str().unwrap();
            let shown = operator.look(&["parked", "show", address, "--payloads"]).await.done();
            details.insert(address.to_owned(), shown);
        }
        Self {
            parked,
            details,
            pauses: operator.look(&["pauses"]).await.done(),
            receipts: records(gateway, &RECEIPTS.to_string()).await,
            dead: records(gateway, &DEAD.to_string()).await,
        }
    }

    /// The parked addresses, in order.
    pub(crate) fn parked_addresses(&self) -> Vec<&str> {
        let parked = self.parked["parked"].as_array().unwrap();
        let mut addresses: Vec<_> =
            parked.iter().map(|one| one["address"].as_str().unwrap()).collect();
        addresses.sort_unstable();
        addresses
    }

    /// The texts that wait for a parked address, in order.
    pub(crate) fn waiting(&self, address: &str) -> Vec<String> {
        let messages = self.details[address]["messages"].as_array().unwrap();
        messages.iter().map(text_of).collect()
    }

    /// The number of the message at the head of a parked address.
    pub(crate) fn head(&self, address: &str) -> u64 {
        self.details[address]["messages"][0]["sequence"].as_u64().unwrap()
    }

    /// The value of a parked address.
    pub(crate) fn total(&self, address: &str) -> i64 {
        let value = &self.details[address]["values"][0];
        assert_eq!(value["name"], json!("total"));
        typed(value, "type", "base64").get().unwrap()
    }

    /// The receipts of an id, in the order of their numbers.
    pub(crate) fn receipts_of(&self, id: &str) -> Vec<String> {
        let texts = self.receipts.values().map(|record| record["text"].as_str().unwrap());
        let of_id = |text: &str| Some(text.strip_prefix(id)?.strip_prefix(": ")?.to_owned());
        texts.filter_map(of_id).collect()
    }

    /// The numbers of each egress are those of as many records as there are: none is missing, none came twice.
    pub(crate) fn has_dense_numbers(&self) -> bool {
        [&self.receipts, &self.dead].into_iter().all(|records| {
            let mut next = BTreeMap::new();
            records.keys().all(|(partition, number)| {
                let next = next.entry(partition).or_insert(0);
                *next += 1;
                *next == *number
            })
        })
    }
}

/// The text in what was shown with its payload.
fn text_of(shown: &Value) -> String {
    typed(shown, "type", "base64").get().unwrap()
}

/// The text of which one member is the type and another one the bytes.
pub(crate) fn text_in(shown: &Value, typename: &str, base64: &str) -> String {
    typed(shown, typename, base64).get().unwrap()
}

fn typed(shown: &Value, typename: &str, base64: &str) -> tidegate_sdk::Value {
    let bytes = BASE64_STANDARD.decode(shown[base64].as_str().unwrap()).unwrap();
    tidegate_sdk::Value::new(shown[typename].as_str().unwrap().to_owned(), bytes)
}

/// What an egress holds. Fails if a record comes twice in one answer.
async fn records(gateway: &Gateway, egress: &str) -> BTreeMap<(u64, u64), Value> {
    let url = gateway.url(&format!("/v1/egress/{egress}?limit=100000"));
    let answer = gateway.http().get(&url).await.unwrap();
    assert!(answer.status.is_success(), "{}", answer.text());
    let mut records = BTreeMap::new();
    for line in answer.text().lines() {
        let mut record: Value = serde_json::from_str(line).unwrap();
        record.as_object_mut().unwrap().remove("cursor");
        let number = |name: &str| record[name].as_u64().unwrap();
        let id = (number("partition"), number("sequence"));
        assert_eq!(records.insert(id, record), None, "{id:?} came twice");
    }
    records
}
