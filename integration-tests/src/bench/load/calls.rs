//! Clients that call a function, wait for its reply, and call again: at once, or at a fixed rate.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::try_join_all;
use tidegate_sdk::FunctionType;
use tokio::time::sleep_until;

use crate::bench::Problem;
use crate::bench::http::Connection;

/// What is called.
#[derive(Clone)]
pub(crate) struct Calls {
    /// Whom.
    pub(crate) function: FunctionType,
    /// How many of them, in turn.
    pub(crate) keys: u64,
    /// How many clients there are.
    pub(crate) clients: u64,
    /// How often each of them calls, at most. A call that begins late because the one before took so long has waited since its time.
    pub(crate) every: Duration,
    /// When to end.
    pub(crate) until: Instant,
}

/// Calls until the end, and gives how long each call took, in milliseconds and sorted.
pub(crate) async fn call(ingress: SocketAddr, calls: &Calls) -> Result<Vec<f64>, Problem> {
    let tasks = (0..calls.clients).map(|client| {
        let calls = calls.clone();
        tokio::spawn(async move { call_as(client, ingress, &calls).await })
    });
    let mut milliseconds = Vec::new();
    for one in try_join_all(tasks).await? {
        milliseconds.extend(one?);
    }
    milliseconds.sort_by(f64::total_cmp);
    Ok(milliseconds)
}

async fn call_as(client: u64, ingress: SocketAddr, calls: &Calls) -> Result<Vec<f64>, Problem> {
    let mut connection = Connection::open(ingress).await?;
    let body = Bytes::from_static(&[b'x'; 100]);
    let mut milliseconds = Vec::new();
    // The clients spread over the time between two calls.
    let mut next = Instant::now() + calls.every.mul_f64(client as f64 / calls.clients as f64);
    for turn in 0.. {
        sleep_until(next.into()).await;
        let begun = if calls.every.is_zero() { Instant::now() } else { next };
        next = begun + calls.every;
        if begun >= calls.until {
            break;
        }
        let key = (client + turn * calls.clients) % calls.keys;
        let path = format!("/v1/functions/{}/{key}/call", calls.function);
        connection.exchange("POST", &path, body.clone()).await?;
        milliseconds.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(milliseconds)
}
