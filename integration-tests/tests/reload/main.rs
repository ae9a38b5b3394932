//! A node reads its module anew while messages flow: functions and files come and go, and every message counts once.
#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use integration_tests::binaries;
use integration_tests::functions::Functions;
use integration_tests::gateway::{Gateway, TEXT};
use integration_tests::http::Http;
use integration_tests::wait::{PATIENCE, until, until_equal};
use serde_json::{Value, json};
use tidegate_sdk::{
    Context, EgressId, Error, FunctionSpec, FunctionType, Message, StatefulFunctions, ValueSpec,
};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

const ALWAYS: FunctionType = FunctionType::named("shop/always");
const GOES: FunctionType = FunctionType::named("shop/goes");
const COMES: FunctionType = FunctionType::named("shop/comes");
const COUNT: ValueSpec<i64> = ValueSpec::named("count");
const BOOK: EgressId = EgressId::named("shop/book");
const IDS: usize = 12;

fn increment(ctx: &mut Context) -> Result<i64, Error> {
    let count = ctx.get(&COUNT)?.unwrap_or(0) + 1;
    ctx.set(&COUNT, &count)?;
    Ok(count)
}

/// Counts, and writes each count down.
async fn count_and_write(ctx: &mut Context, _: Message) -> Result<(), Error> {
    let count = increment(ctx)?;
    let note = format!("{} {count}", ctx.address().id());
    Ok(ctx.egress(&BOOK, &note)?)
}

/// Counts as long as it may.
async fn count(may_run: Arc<Semaphore>, ctx: &mut Context, _: Message) -> Result<(), Error> {
    drop(may_run.acquire().await);
    increment(ctx).map(drop)
}

/// Counts.
async fn only_count(ctx: &mut Context, _: Message) -> Result<(), Error> {
    increment(ctx).map(drop)
}

async fn functions(may_run: &Arc<Semaphore>) -> Functions {
    let goes = FunctionSpec::new(GOES).value(&COUNT);
    let all = StatefulFunctions::new()
        .with(FunctionSpec::new(ALWAYS).value(&COUNT).handler(count_and_write))
        .with(goes.sharing(Arc::clone(may_run), count))
        .with(FunctionSpec::new(COMES).value(&COUNT).handler(only_count));
    Functions::serve(all).await
}

/// A module that serves functions, and writes the book to a file.
fn module(at: SocketAddr, functions: &[&str], book: &Path) -> String {
    let endpoint = |name: &&str| {
        format!(
            "kind: io.statefun.endpoints.v2/http\nspec: {{functions: {name}, urlPathTemplate: 'http://{at}/'}}\n---\n"
        )
    };
    let endpoints: String = functions.iter().map(endpoint).collect();
    format!(
        "{endpoints}kind: io.tidegate.file.v1/egress\nspec: {{id: shop/book, path: '{}'}}\n",
        book.display()
    )
}

/// How many messages the gateway has accepted, by address.
type Accepted = BTreeMap<String, i64>;

/// Sends messages to the instances of a function, one after the other, until it is told to stop.
fn load(gateway: &Gateway, function: &str, stop: &Arc<AtomicBool>) -> JoinHandle<Accepted> {
    let (http, stop) = (Http::new(), Arc::clone(stop));
    let (function, ingress) = (function.to_owned(), gateway.ingress());
    tokio::spawn(async move {
        let mut accepted = Accepted::new();
        for number in 0.. {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            let address = format!("{function}/i{}", number % IDS);
            let url = format!("http://{ingress}/v1/functions/{address}/send");
            let answer = http.post(&url, &[TEXT], "one more").await.unwrap();
            match answer.status.as_u16() {
                202 => *accepted.entry(address).or_default() += 1,
                404 => assert_eq!(answer.code(), "TG-0303"),
                _ => panic!("{}", answer.text()),
            }
        }
        accepted
    })
}

async fn counts(gateway: &Gateway, accepted: &Accepted) -> Accepted {
    let mut counts = Accepted::new();
    for address in accepted.keys() {
        counts.insert(address.clone(), gateway.value(address, "count").await.unwrap_or(0));
    }
    counts
}

async fn is_declared(gateway: &Gateway, function: &str) -> bool {
    // An address that the load does not use.
    let answer = gateway.send(&format!("{function}/probe"), "one more").await.unwrap();
    answer.status.as_u16() == 202
}

/// The texts in a book; none is there twice.
fn notes(book: &Path) -> BTreeSet<String> {
    let mut notes = BTreeSet::new();
    for line in std::fs::read_to_string(book).unwrap_or_default().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let note = line["text"].as_str().unwrap().to_owned();
        assert!(notes.insert(note), "a note stands there twice: {line}");
    }
    notes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_and_files_come_and_go_under_load_and_every_message_counts_once() {
    let may_run = Arc::new(Semaphore::new(1));
    let functions = functions(&may_run).await;
    let mut gateway = Gateway::new("").with("store-flush-interval", "300ms");
    let (first, second) = (gateway.path("first.jsonl"), gateway.path("second.jsonl"));
    let serve = |names: &[&str], book: &Path| module(functions.address(), names, book);
    gateway.declare(serve(&["shop/always", "shop/goes"], &first));
    gateway.start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let loads: Vec<_> = ["shop/always", "shop/goes", "shop/comes"]
        .map(|function| load(&gateway, function, &stop))
        .into_iter()
        .collect();
    until("notes are written", PATIENCE, async || (notes(&first).len() > 50).then_some(())).await;

    // One function comes, one goes while it is running and others wait for it, and the book is another one.
    let running = may_run.acquire().await.unwrap();
    until("a call is under way", PATIENCE, async || {
        (gateway.metric("tidegate_invoker_groups_under_way", "shop/goes").await > 0.0).then_some(())
    })
    .await;
    gateway.declare(serve(&["shop/always", "shop/comes"], &second));
    let reloaded = gateway.reload().await;
    assert_eq!(reloaded.status.as_u16(), 200, "{}", reloaded.text());
    let expected = json!({
        "added": ["endpoint shop/comes"], "removed": ["endpoint shop/goes"],
        "changed": ["egress shop/book"], "unchanged": 1, "warnings": [],
    });
    assert_eq!(reloaded.json(), expected);
    assert!(!is_declared(&gateway, "shop/goes").await);
    assert!(is_declared(&gateway, "shop/comes").await);
    drop(running);
    until("notes are written", PATIENCE, async || (notes(&second).len() > 50).then_some(())).await;

    a_bad_file_changes_nothing(&mut gateway).await;
    assert!(is_declared(&gateway, "shop/comes").await && !is_declared(&gateway, "shop/goes").await);

    // What went returns with a signal, and goes on with what waited for it.
    gateway.declare(serve(&["shop/always", "shop/comes", "shop/goes"], &second));
    gateway.process().hang_up();
    until("the function is back", PATIENCE, async || {
        is_declared(&gateway, "shop/goes").await.then_some(())
    })
    .await;
    stop.store(true, Ordering::SeqCst);
    let mut accepted = Accepted::new();
    for load in loads {
        accepted.extend(load.await.unwrap());
    }
    assert!(accepted.len() == 3 * IDS && accepted.values().all(|count| *count > 1), "{accepted:?}");
    until_equal("everything is counted", accepted.clone(), async || {
        counts(&gateway, &accepted).await
    })
    .await;
    let written = accepted.iter().filter(|(address, _)| address.starts_with("shop/always"));
    let written = written.map(|(_, count)| *count as usize).sum::<usize>();
    until_equal("every note is in one of the books", written, async || {
        let (first, second) = (notes(&first), notes(&second));
        assert!(first.is_disjoint(&second));
        first.len() + second.len()
    })
    .await;
    // The next life finds the same.
    gateway.crash().await;
    assert_eq!(counts(&gateway, &accepted).await, accepted);
}

/// With all its faults in the answer, and in the log after a signal.
async fn a_bad_file_changes_nothing(gateway: &mut Gateway) {
    gateway.declare("kind: io.statefun.endpoints.v2/http\nspec: {functions: shop, urlPathTemplate: 'http://h/'}\n---\nkind: io.tidegate.http.v1/egres\n");
    let refused = gateway.reload().await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "TG-0780"));
    let faults = refused.json()["faults"].clone();
    let place = |fault: &Value| {
        [fault["document"].as_u64(), fault["line"].as_u64(), fault["column"].as_u64()]
    };
    let found: Vec<_> = faults
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| (fault["code"].clone(), place(fault)))
        .collect();
    let at = |document, line, column| [Some(document), Some(line), Some(column)];
    assert_eq!(found, [(json!("TG-0104"), at(1, 2, 19)), (json!("TG-0105"), at(2, 4, 7))]);

    let admin = format!("--admin-url=http://{}", gateway.admin());
    let command = async |json: &[&str]| {
        let mut command = tokio::process::Command::new(binaries::tidegate());
        command.args(["reload", &admin]).args(json).env_clear().output().await.unwrap()
    };
    let said = command(&[]).await;
    assert_eq!(said.status.code(), Some(3));
    let text = String::from_utf8(said.stderr).unwrap();
    assert!(
        text.contains("error[TG-0780]") && text.contains("TG-0105") && text.contains(":2:19"),
        "{text}"
    );
    let said = command(&["--json"]).await;
    let document: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(document["faults"], faults);

    gateway.process().hang_up();
    until("the faults are in the log", PATIENCE, async || {
        let said = gateway.errors();
        (said.contains("TG-0780") && said.contains("TG-0105")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_change_without_a_restart_is_named() {
    let playground =
        |port: u16| format!("kind: io.statefun.playground.v1/ingress\nspec: {{port: {port}}}\n");
    let (one, other) =
        (integration_tests::ports::free().port(), integration_tests::ports::free().port());
    let mut gateway = Gateway::new(playground(one));
    gateway.start().await;
    let egress = "---\nkind: io.tidegate.http.v1/egress\nspec: {id: shop/out}\n";
    gateway.declare(playground(other) + egress);
    let refused = gateway.reload().await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "TG-0781"));
    assert_eq!(refused.json()["components"], json!(["ingress io.statefun.playground/ingress"]));
    // What cannot be opened is found before anything changes, too.
    let broken =
        "---\nkind: io.tidegate.file.v1/egress\nspec: {id: shop/out, path: no/such/folder/x}\n";
    gateway.declare(playground(one) + broken);
    let refused = gateway.reload().await;
    assert_eq!(refused.code(), "TG-0782");
    assert!(refused.text().contains("TG-0505"), "{}", refused.text());

    gateway.declare(playground(one) + egress);
    let reloaded = gateway.reload().await.json();
    assert_eq!(
        (reloaded["added"].clone(), reloaded["unchanged"].clone()),
        (json!(["egress shop/out"]), json!(1))
    );
    let again = gateway.reload().await.json();
    assert_eq!((again["added"].clone(), again["unchanged"].clone()), (json!([]), json!(2)));
    assert!(gateway.stop().await.success());
}
