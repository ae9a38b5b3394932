//! Operators and kill -9: what is parked, paused and given up stays exactly as it was committed, and what is ordered about it is
//! done once, however often the gateway is killed meanwhile.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod log;
mod shop;

use std::time::Duration;

use integration_tests::chance::Chance;
use integration_tests::chaos::kill_again_and_again;
use integration_tests::functions::Functions;
use integration_tests::gateway::Gateway;
use integration_tests::operator::Operator;
use integration_tests::rows::read_all;
use integration_tests::wait::{PATIENCE, until, until_equal};
use serde_json::{Value, json};
use tidegate_core::partition::row::{Row, RowKey};

use self::shop::{Healed, Letters, Seen, module, send_all, serve};

const PARTITIONS: u16 = 8;
const KEEPERS: usize = 6;
const POSTMEN: usize = 4;
const KILLS: usize = 4;
/// What each keeper is sent: it is parked with the last three.
const TO_KEEPER: [&str; 4] = ["good 1", "bad 2", "good 3", "good 4"];
const TO_POSTMAN: [&str; 3] = ["good 1", "bad 2", "good 3"];
const TO_COUNTER: [&str; 3] = ["good 1", "good 2", "good 3"];

/// A gateway with its functions, and who looks after it.
struct World {
    gateway: Gateway,
    healed: Healed,
    ann: Operator,
    functions: Functions,
}

impl World {
    async fn new(flush_interval: &str) -> Self {
        let healed = Healed::default();
        let functions = serve(&healed).await;
        let mut gateway =
            Gateway::new(module(&functions)).with("store-flush-interval", flush_interval);
        gateway.start().await;
        let ann = Operator::new("ann", gateway.admin());
        Self { gateway, healed, ann, functions }
    }

    async fn see(&self) -> Seen {
        Seen::now(&self.gateway, &self.ann).await
    }

    /// Waits until what was ordered has taken its effect on an address.
    async fn total_becomes(&self, address: &str, expected: i64) {
        until_equal(address, Some(expected), async || {
            self.gateway.value::<i64>(address, "total").await
        })
        .await;
    }
}

fn keeper(number: usize) -> String {
    format!("shop/keeper/k{number}")
}

fn postman(number: usize) -> String {
    format!("post/man/p{number}")
}

fn letters() -> Vec<Letters> {
    let keepers = (0..KEEPERS).map(|number| (keeper(number), TO_KEEPER.to_vec()));
    let postmen = (0..POSTMEN).map(|number| (postman(number), TO_POSTMAN.to_vec()));
    keepers.chain(postmen).map(|(address, texts)| Letters { address, texts }).collect()
}

/// Everybody gets their messages while the gateway is killed: the keepers are parked, the postmen give up one message each.
async fn get_into_trouble(world: &mut World) {
    let ingress = world.gateway.ingress();
    tokio::join!(send_all(ingress, letters()), kill_again_and_again(&mut world.gateway, KILLS));
    until("everybody is in trouble", PATIENCE, async || {
        let seen = world.see().await;
        let receipts = KEEPERS + 2 * POSTMEN;
        let done = (seen.parked_addresses().len(), seen.dead.len(), seen.receipts.len());
        (done == (KEEPERS, POSTMEN, receipts)).then_some(())
    })
    .await;
}

/// Pauses a function and an ingress, each with a kill right after the answer, and has messages wait for the function.
async fn pause(world: &mut World) {
    for (kind, name) in [("function", "calm/counter"), ("ingress", shop::ORDERS)] {
        let done = world.ann.order(&["pause", kind, name], "too hot").await.done();
        assert_eq!(done, json!({"changed": true, "declared": true}));
        world.gateway.crash().await;
    }
    let texts = TO_COUNTER.to_vec();
    let letters = vec![Letters { address: "calm/counter/c".to_owned(), texts }];
    send_all(world.gateway.ingress(), letters).await;
}

fn check_trouble(seen: &Seen) {
    let keepers: Vec<String> = (0..KEEPERS).map(keeper).collect();
    assert_eq!(seen.parked_addresses(), keepers);
    for (number, address) in keepers.iter().enumerate() {
        assert_eq!(seen.waiting(address), TO_KEEPER[1..], "{address}");
        assert_eq!(seen.total(address), 1, "{address}");
        assert_eq!(seen.receipts_of(&format!("k{number}")), ["good 1"]);
        let why = &seen.details[address];
        assert_eq!(why["attempts"], json!(2), "{why}");
        // Until it is known what an endpoint understands, a failure is a status without words.
        let error = why["error"].as_str().unwrap();
        assert!(error.contains("cannot do that") || error.contains("status 500"), "{why}");
    }
    for number in 0..POSTMEN {
        assert_eq!(seen.receipts_of(&format!("p{number}")), ["good 1", "good 3"]);
        let from = json!(postman(number));
        let letters: Vec<_> = seen.dead.values().filter(|letter| letter["from"] == from).collect();
        let [letter] = letters[..] else { panic!("{from} gave up one message, not {letters:?}") };
        assert_eq!(letter["type"], json!("io.tidegate/dead-letter"));
        let given_up = &letter["value"];
        assert_eq!(given_up["address"], from, "{letter}");
        assert_eq!(given_up["attempts"], json!(2), "{letter}");
        assert_eq!(shop::text_in(given_up, "typename", "value"), TO_POSTMAN[1]);
    }
    assert_eq!(seen.receipts.len(), KEEPERS + 2 * POSTMEN, "nothing else was processed");
    assert!(seen.has_dense_numbers(), "{:?} {:?}", seen.receipts, seen.dead);
    let pauses = seen.pauses["pauses"].as_array().unwrap();
    let said = |member: &str| pauses.iter().map(|pause| pause[member].clone()).collect::<Value>();
    assert_eq!(said("name"), json!(["calm/counter", shop::ORDERS]));
    assert_eq!(said("operator"), json!(["ann", "ann"]));
    assert_eq!(said("reason"), json!(["too hot", "too hot"]));
    assert_eq!(said("partitions"), json!([PARTITIONS, PARTITIONS]));
}

/// One address tries again, one gives up its head, one gives up everything; each time, the gateway is killed right after the
/// answer, and the order is given again.
async fn order_one_by_one(world: &mut World) {
    let [fixed, headless, empty] = [0, 1, 2].map(keeper);
    world.healed.heal("k0");
    let redriven = world.ann.order(&["parked", "redrive", &fixed], "fixed").await.done();
    assert_eq!(redriven, json!({"dropped": 0, "parked": false}));
    world.gateway.crash().await;
    world.total_becomes(&fixed, 4).await;
    let again = world.ann.order(&["parked", "redrive", &fixed], "fixed").await;
    assert!(again.is_refused_with("TG-0702"), "{again:?}");

    let head = world.see().await.head(&headless).to_string();
    let drop_head = ["parked", "drop", &headless, "--sequence", &head];
    let dropped = world.ann.order(&drop_head, "nonsense").await.done();
    assert_eq!(dropped, json!({"dropped": 1, "parked": true}));
    world.gateway.crash().await;
    let again = world.ann.order(&drop_head, "nonsense").await;
    assert!(again.is_refused_with("TG-0703"), "{again:?}");
    assert_eq!(world.see().await.waiting(&headless), TO_KEEPER[2..]);

    let drop_all = ["parked", "drop", &empty, "--all"];
    let dropped = world.ann.order(&drop_all, "all of it").await.done();
    assert_eq!(dropped, json!({"dropped": 3, "parked": false}));
    world.gateway.crash().await;
    let again = world.ann.order(&drop_all, "all of it").await;
    assert!(again.is_refused_with("TG-0702"), "{again:?}");
    let letters = vec![Letters { address: empty.clone(), texts: vec!["good 5"] }];
    send_all(world.gateway.ingress(), letters).await;
    world.total_becomes(&empty, 2).await;
}

/// All others try again while the gateway is killed at moments that nobody has chosen.
async fn order_all(world: &mut World) {
    (0..KEEPERS).for_each(|number| world.healed.heal(&format!("k{number}")));
    let mut chance = Chance::new();
    for _ in 0..KILLS {
        let (ann, life) = (world.ann.clone(), chance.between(Duration::ZERO, LONGEST_ORDER));
        let order = async {
            let said = ann.order(&["parked", "redrive", "--all"], "all fixed").await;
            // Cut short, refused because the node starts or stops, or done.
            assert!(matches!(said.exit, Some(0 | 1 | 3 | 4)), "{said:?}");
        };
        let kill = async {
            tokio::time::sleep(life).await;
            world.gateway.crash().await;
        };
        tokio::join!(order, kill);
    }
    let rest = world.ann.order(&["parked", "redrive", "--all"], "all fixed").await.done();
    assert!(rest["redriven"].is_u64(), "{rest}");
    for (kind, name) in [("ingress", shop::ORDERS), ("function", "calm/counter")] {
        let done = world.ann.order(&["resume", kind, name], "cool again").await.done();
        assert_eq!(done, json!({"changed": true, "declared": true}));
        world.gateway.crash().await;
    }
    assert_eq!(order_in(&world.gateway).await, 202);
}

/// About as long as a command takes.
const LONGEST_ORDER: Duration = Duration::from_millis(300);

async fn order_in(gateway: &Gateway) -> u16 {
    let answer = gateway.http().post(&gateway.url("/orders"), &[], r#"{"id": "c"}"#).await.unwrap();
    answer.status.as_u16()
}

async fn check_outcome(world: &World) {
    let totals = [4, 3, 2, 4, 4, 4];
    for (number, total) in totals.into_iter().enumerate() {
        world.total_becomes(&keeper(number), total).await;
    }
    world.total_becomes("calm/counter/c", 4).await;
    let seen = world.see().await;
    assert_eq!(seen.parked, json!({"parked": []}));
    assert_eq!(seen.pauses, json!({"pauses": []}));
    assert_eq!(seen.receipts_of("k1"), ["good 1", "good 3", "good 4"]);
    assert_eq!(seen.receipts_of("k2"), ["good 1", "good 5"]);
    for whole in ["k0", "k3", "k4", "k5"] {
        assert_eq!(seen.receipts_of(whole), TO_KEEPER, "{whole}");
    }
    assert_eq!(seen.receipts_of("c"), [&TO_COUNTER[..], &["ordered"]].concat());
    assert_eq!(seen.dead.len(), POSTMEN);
    assert!(seen.has_dense_numbers());
}

/// Each order that was carried out has left a line that says who gave it.
fn check_lines(said: &str) {
    let orders: Vec<&str> =
        said.lines().filter(|line| line.contains("an operator's order")).collect();
    for (order, reason) in [
        ("pause", "too hot"),
        ("redrive", "fixed"),
        ("drop-head", "nonsense"),
        ("drop-all", "all of it"),
        ("redrive", "all fixed"),
        ("resume", "cool again"),
    ] {
        let found = orders
            .iter()
            .any(|line| line.contains(order) && line.contains(reason) && line.contains("ann"));
        assert!(found, "{order}: {orders:?}");
    }
}

/// Each order is in the log once, with who gave it and why.
fn check_log(world: &World) {
    let orders = log::orders(&world.gateway.data(), PARTITIONS);
    let count = |what: &str, on: &str, reason: &str| {
        let same = orders.iter().filter(|(done, to, by, why)| {
            *done == what && to.contains(on) && by == "ann" && why == reason
        });
        same.count()
    };
    let everywhere = usize::from(PARTITIONS);
    assert_eq!(count("paused", "calm/counter", "too hot"), everywhere);
    assert_eq!(count("paused", shop::ORDERS, "too hot"), everywhere);
    assert_eq!(count("resumed", "calm/counter", "cool again"), everywhere);
    assert_eq!(count("resumed", shop::ORDERS, "cool again"), everywhere);
    assert_eq!(count("released", "k0", "fixed"), 1);
    assert_eq!(count("dropped", "k1", "nonsense"), 1);
    assert_eq!(count("dropped", "k2", "all of it"), 1);
    for number in [1, 3, 4, 5] {
        assert_eq!(count("released", &keeper(number), "all fixed"), 1, "{number}: {orders:?}");
    }
}

async fn nothing_waits(world: &mut World) {
    assert!(world.gateway.stop().await.success());
    for (key, row) in read_all(&world.gateway.data(), PARTITIONS).await {
        match key {
            RowKey::Mailbox(..) | RowKey::Parked(_) | RowKey::Pause(_) => panic!("{key:?} is left"),
            RowKey::ParkedCount => assert_eq!(row, Row::Count(0)),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_and_orders_survive_kills_before_anything_was_flushed() {
    let mut world = World::new("1h").await;
    get_into_trouble(&mut world).await;
    pause(&mut world).await;
    let seen = world.see().await;
    check_trouble(&seen);
    world.gateway.crash().await;
    assert_eq!(world.see().await, seen);
    assert_eq!(order_in(&world.gateway).await, 503);
    order_one_by_one(&mut world).await;
    order_all(&mut world).await;
    check_outcome(&world).await;
    check_lines(&world.gateway.errors());
    world.gateway.kill();
    check_log(&world);
    world.gateway.start().await;
    check_outcome(&world).await;
    nothing_waits(&mut world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_and_orders_survive_kills_when_only_the_store_remembers() {
    let mut world = World::new("100ms").await;
    get_into_trouble(&mut world).await;
    pause(&mut world).await;
    let seen = world.see().await;
    check_trouble(&seen);
    for _ in 0..2 {
        until("earlier logs are not needed any more", PATIENCE, async || {
            (world.gateway.logs().len() == 1).then_some(())
        })
        .await;
        world.gateway.crash().await;
        assert_eq!(world.see().await, seen);
    }
    order_one_by_one(&mut world).await;
    order_all(&mut world).await;
    check_outcome(&world).await;
    check_lines(&world.gateway.errors());
    nothing_waits(&mut world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_pauses_what_the_module_does_not_declare_is_told_so() {
    let mut world = World::new("1h").await;
    let misspelt = ["pause", "function", "elsewhere/counter"];
    let said = world.ann.order(&misspelt, "too hot").await;
    assert_eq!(said.done(), json!({"changed": true, "declared": false}));
    assert!(said.errors.contains("TG-0707"), "{}", said.errors);
    let declared = async |world: &World| {
        let pauses = world.ann.look(&["pauses"]).await.done();
        pauses["pauses"][0]["declared"].clone()
    };
    assert_eq!(declared(&world).await, json!(false));
    let warned = |world: &World| world.gateway.errors().matches("TG-0707").count();
    assert_eq!(warned(&world), 1);
    // It is said again by each start that finds it so, and by no other.
    world.gateway.crash().await;
    until_equal("it is said", 2, async || warned(&world)).await;
    let address = world.functions.address();
    world.gateway.declare(module(&world.functions).endpoint("elsewhere", address, &[]));
    assert!(world.gateway.reload().await.status.is_success());
    assert_eq!(declared(&world).await, json!(true));
    world.gateway.crash().await;
    until_equal("it is paused", json!(true), async || declared(&world).await).await;
    assert_eq!(warned(&world), 2);
}
