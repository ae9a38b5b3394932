//! Sends the dataset as NDJSON through the ingresses that `module.yaml` declares. Every request has an idempotency key and is
//! repeated until all its lines are accepted, so each record counts once whatever breaks.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response, StatusCode, body::Incoming};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{Event, FeedError};
use crate::dataset::Dataset;
use crate::http::{HttpClient, Lines};

const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_LONGEST: Duration = Duration::from_secs(2);
const ERROR_TEXT_BYTES_MAX: usize = 4096;

pub(super) struct Feeder {
    pub(super) client: HttpClient,
    pub(super) gateway: String,
    pub(super) run: String,
    pub(super) lines: usize,
    pub(super) connections: usize,
    pub(super) rate: Option<u32>,
    pub(super) patience: Duration,
    pub(super) events: mpsc::Sender<Event>,
}

/// One request: some records of one ingress.
struct Chunk {
    path: &'static str,
    key: String,
    ids: Vec<String>,
    body: Bytes,
}

/// What the gateway says about one line.
#[derive(Deserialize)]
struct LineResult {
    status: String,
    code: Option<String>,
    message: Option<String>,
}

/// Why an attempt did not do.
enum Setback {
    /// It may go better later.
    Passing(String),
    Final(FeedError),
}

impl Feeder {
    /// Confirmations first, all accepted before the first transaction is sent.
    pub(super) async fn feed(&self, dataset: &Dataset) -> Result<(), FeedError> {
        let confirmations = self.chunks("confirmations", &dataset.confirmations, |it| &it.id);
        self.send_all(confirmations, None).await?;
        let transactions = self.chunks("transactions", &dataset.transactions, |it| &it.id);
        self.send_all(transactions, self.pause()).await?;
        self.tell(Event::Fed).await
    }

    fn chunks<T: Serialize>(
        &self,
        path: &'static str,
        records: &[T],
        id: impl Fn(&T) -> &String,
    ) -> Vec<Chunk> {
        let chunk = |(number, records): (usize, &[T])| {
            let json = |record| {
                serde_json::to_string(record).expect("structs of texts and numbers are JSON") + "\n"
            };
            let body: String = records.iter().map(json).collect();
            let key = format!("{}-{path}-{number}", self.run);
            Chunk {
                path,
                key,
                ids: records.iter().map(|it| id(it).clone()).collect(),
                body: body.into(),
            }
        };
        records.chunks(self.lines).enumerate().map(chunk).collect()
    }

    /// The time from one request to the next that gives the wanted rate.
    fn pause(&self) -> Option<Duration> {
        let rate = self.rate?;
        Some(Duration::from_secs_f64(self.lines as f64 / f64::from(rate)))
    }

    async fn send_all(&self, chunks: Vec<Chunk>, pause: Option<Duration>) -> Result<(), FeedError> {
        let start = tokio::time::Instant::now();
        let sending = chunks.into_iter().enumerate().map(|(number, chunk)| async move {
            if let Some(pause) = pause {
                tokio::time::sleep_until(start + pause.mul_f64(number as f64)).await;
            }
            self.send(chunk).await
        });
        futures::stream::iter(sending).buffer_unordered(self.connections).try_collect().await
    }

    async fn send(&self, chunk: Chunk) -> Result<(), FeedError> {
        let ids = chunk.ids.clone();
        self.tell(Event::Sent { ids, at: Instant::now() }).await?;
        let begun = Instant::now();
        let mut backoff = BACKOFF_FIRST;
        loop {
            match self.attempt(&chunk).await {
                Ok(()) => return self.tell(Event::Accepted(chunk.ids.len() as u64)).await,
                Err(Setback::Final(error)) => return Err(error),
                Err(Setback::Passing(reason)) if begun.elapsed() > self.patience => {
                    return Err(FeedError::GaveUp(reason, self.patience));
                }
                Err(Setback::Passing(_)) => tokio::time::sleep(backoff).await,
            }
            backoff = (backoff * 2).min(BACKOFF_LONGEST);
        }
    }

    async fn attempt(&self, chunk: &Chunk) -> Result<(), Setback> {
        let url = format!("{}/{}", self.gateway, chunk.path);
        let request = Request::post(&url)
            .header(CONTENT_TYPE, "application/x-ndjson")
            .header("idempotency-key", &chunk.key)
            .body(Full::new(chunk.body.clone()))
            .map_err(|_| Setback::Final(FeedError::Url(url)))?;
        let passing = |error: &dyn std::error::Error| Setback::Passing(error.to_string());
        let response = self.client.request(request).await.map_err(|error| passing(&error))?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        let mut lines = Lines::of(response.into_body());
        let mut accepted = 0;
        while let Some(line) = lines.next().await.map_err(|error| passing(&error))? {
            check(&line)?;
            accepted += 1;
        }
        if accepted < chunk.ids.len() {
            return Err(Setback::Passing("the gateway's answer ended early".to_owned()));
        }
        Ok(())
    }

    async fn tell(&self, event: Event) -> Result<(), FeedError> {
        self.events.send(event).await.map_err(|_| FeedError::Ended)
    }
}

fn check(line: &[u8]) -> Result<(), Setback> {
    let result: LineResult = serde_json::from_slice(line)
        .map_err(|error| Setback::Final(FeedError::Line(error.to_string())))?;
    match result.status.as_str() {
        "accepted" | "repeated" => Ok(()),
        _ => {
            let (code, message) =
                (result.code.unwrap_or_default(), result.message.unwrap_or_default());
            Err(Setback::Passing(format!("a line was refused: {code} {message}")))
        }
    }
}

async fn refused(response: Response<Incoming>) -> Setback {
    let status = response.status();
    let body = Limited::new(response.into_body(), ERROR_TEXT_BYTES_MAX).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let text = String::from_utf8_lossy(&body).into_owned();
    let passes = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    if passes || status.is_server_error() {
        return Setback::Passing(format!("the gateway answered with status {status}"));
    }
    Setback::Final(FeedError::Refused { status, text })
}
