//! The feed against a gateway that refuses each request once, breaks off once, and never forgets a key.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde::Serialize;
use tidegate_sdk::{JsonType, Value};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::{FeedArgs, FeedError, run};
use crate::functions::town::Town;
use crate::functions::{FRAUD_COUNT, TRANSACTION_MANAGER};
use crate::types::{Alert, Confirmation, Transaction};

struct Gateway {
    town: Town,
    attempts: BTreeMap<String, u32>,
    /// Shows one alert less than there are.
    loses_alerts: bool,
}

type Shared = Arc<Mutex<Gateway>>;

async fn take(
    State(gateway): State<Shared>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, String) {
    let mut gateway = gateway.lock().await;
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let attempt = gateway.attempts.entry(key).or_default();
    *attempt += 1;
    let lines = body.lines().count();
    match *attempt {
        1 => return (StatusCode::SERVICE_UNAVAILABLE, "starting".to_owned()),
        2 => {}
        _ => return (StatusCode::OK, answers(lines, "repeated")),
    }
    for line in body.lines() {
        let (target, message) = match path.as_str() {
            "confirmations" => {
                let it: Confirmation = parse(line);
                (FRAUD_COUNT.at(&it.account), Value::of(&it).unwrap())
            }
            _ => {
                let it: Transaction = parse(line);
                (TRANSACTION_MANAGER.at(&it.id), Value::of(&it).unwrap())
            }
        };
        gateway.town.deliver(target, message).await;
    }
    (StatusCode::OK, answers(lines / 2, "accepted"))
}

fn parse<T: JsonType>(line: &str) -> T {
    serde_json::from_str(line).unwrap()
}

fn answers(lines: usize, status: &str) -> String {
    (1..=lines).fold(String::new(), |mut text, line| {
        writeln!(text, r#"{{"line":{line},"status":"{status}"}}"#).unwrap();
        text
    })
}

#[derive(Serialize)]
struct Record<'a> {
    cursor: String,
    value: &'a Alert,
}

/// Ends after what there is, so that the reader has to come back with its cursor.
async fn read(
    State(gateway): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> String {
    assert_eq!(query["follow"], "true");
    let gateway = gateway.lock().await;
    let known = gateway.town.alerts.len()
        - usize::from(gateway.loses_alerts).min(gateway.town.alerts.len());
    let after: usize = query.get("after").map_or(0, |after| after.parse().unwrap());
    let records = gateway.town.alerts[..known].iter().enumerate().skip(after);
    let line = |(number, value)| {
        let cursor = format!("{}", number + 1);
        serde_json::to_string(&Record { cursor, value }).unwrap() + "\n"
    };
    records.map(line).collect()
}

async fn feed(loses_alerts: bool) -> (Result<(), FeedError>, BTreeMap<String, u32>) {
    let town = Town::new().await;
    let gateway = Gateway { town, attempts: BTreeMap::new(), loses_alerts };
    let gateway = Arc::new(Mutex::new(gateway));
    let routes = Router::new()
        .route("/{path}", post(take))
        .route("/v1/egress/fraud/alert-user", get(read))
        .with_state(Arc::clone(&gateway));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, routes).await });
    let outcome = run(FeedArgs {
        file: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/example.csv")),
        gateway: url.clone(),
        admin: url,
        run: Some("test".to_owned()),
        lines: 30,
        connections: 2,
        rate: Some(100_000),
        patience: 2,
    });
    let outcome = outcome.await;
    let attempts = gateway.lock().await.attempts.clone();
    (outcome, attempts)
}

#[tokio::test]
async fn a_dataset_arrives_once_through_refusals_and_broken_answers() {
    let (outcome, attempts) = feed(false).await;
    outcome.unwrap();
    let keys: Vec<_> = attempts.keys().map(String::as_str).collect();
    let expected = ["test-confirmations-0", "test-transactions-0", "test-transactions-1"];
    assert_eq!(keys[..3], expected);
    assert!(attempts.values().all(|attempts| *attempts == 3), "{attempts:?}");
}

#[tokio::test]
async fn an_alert_that_never_comes_is_a_failure() {
    assert!(matches!(feed(true).await.0, Err(FeedError::Unexpected)));
}
