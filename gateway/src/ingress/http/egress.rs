//! `GET /v1/egress/{namespace}/{name}`: what functions emitted, as lines, in order per partition.
//!
//! `after=<cursor>` says how far the reader has come: what lies before is acknowledged and removed, and reading goes on from
//! there. A record comes again until it was acknowledged so. `wait=30s` waits for a first record, `follow=true` never ends,
//! `limit=n` bounds the answer; `limit=0` only acknowledges, which is how a follower lets the gateway forget while it goes on reading.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use futures::future::{BoxFuture, FutureExt, try_join_all};
use futures::stream::{self, StreamExt};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use tidegate_core::address::EgressId;
use tidegate_core::id::PartitionId;
use tokio::time::{Instant, sleep_until};

use super::cursor::Cursor;
use super::problem::Problem;
use super::request::duration;
use super::result_lines::NDJSON;
use super::{App, Shared};
use crate::ingress::{DoorError, EgressRecord};
use crate::payload::write_egress_line;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reading {
    after: Option<String>,
    #[serde(default)]
    follow: bool,
    wait: Option<String>,
    limit: Option<usize>,
}

/// Answers with lines of records.
pub(super) async fn read(
    State(app): State<App>,
    name: Result<Path<(String, String)>, PathRejection>,
    reading: Result<Query<Reading>, QueryRejection>,
) -> Result<Response, Problem> {
    let Path((namespace, name)) = name.map_err(|rejection| Problem::Path(rejection.body_text()))?;
    let Query(reading) = reading.map_err(|rejection| Problem::Query(rejection.body_text()))?;
    let egress = EgressId::new(&namespace, &name)?;
    if !app.declared.load().egresses.contains(&egress) {
        return Err(Problem::UnknownEgress);
    }
    let mut reader = Reader::new(app, egress, &reading)?;
    if reading.after.is_some() {
        acknowledge(&reader.app, &reader.egress, &reader.cursor).await?;
    }
    if reading.follow {
        return Ok(respond(None, reader));
    }
    // Waiting for the first piece before answering lets an error have its status.
    let first = reader.next().await?;
    Ok(respond(first, reader))
}

async fn acknowledge(app: &Shared, egress: &EgressId, cursor: &Cursor) -> Result<(), DoorError> {
    let known = cursor.iter().filter(|(_, through)| through.0 > 0);
    try_join_all(known.map(|(partition, through)| {
        app.door.acknowledge_egress(egress.clone(), partition, through)
    }))
    .await?;
    Ok(())
}

/// An error in the middle breaks the connection off, so that nobody takes the records so far for all.
fn respond(first: Option<Bytes>, reader: Reader) -> Response {
    let rest = stream::try_unfold(reader, async |mut reader| {
        let piece = reader.next().await.map_err(|problem| io::Error::other(problem.to_string()))?;
        Ok::<_, io::Error>(piece.map(|piece| (piece, reader)))
    });
    let pieces = stream::iter(first.map(Ok)).chain(rest);
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    response
}

struct Reader {
    app: App,
    egress: EgressId,
    cursor: Cursor,
    follow: bool,
    /// How long to wait for a first record.
    patience: Instant,
    /// Records that may still be sent.
    remaining: usize,
    /// The partition whose turn it is; readers go round.
    turn: u16,
    /// Whether this round found a record.
    found: bool,
    /// Whether any record was sent.
    any: bool,
    /// Listens for records that come during and after this round.
    changed: BoxFuture<'static, ()>,
    heartbeat_at: Instant,
}

impl Reader {
    fn new(app: App, egress: EgressId, reading: &Reading) -> Result<Self, Problem> {
        let partitions = app.door.partitions();
        let cursor = match &reading.after {
            Some(text) => Cursor::decode(text, &egress, partitions).ok_or(Problem::Cursor)?,
            None => Cursor::start(partitions),
        };
        let wait = reading.wait.as_deref().map(|text| duration(text, app.limits.wait_max));
        let wait = wait
            .transpose()
            .map_err(|reason| Problem::Query(format!("wait: {reason}")))?
            .unwrap_or(Duration::ZERO);
        let default = if reading.follow { usize::MAX } else { app.limits.egress_records };
        Ok(Self {
            cursor,
            follow: reading.follow,
            patience: Instant::now() + wait,
            remaining: reading.limit.unwrap_or(default),
            turn: 0,
            found: false,
            any: false,
            changed: futures::future::pending().boxed(),
            heartbeat_at: Instant::now() + app.limits.egress_heartbeat,
            egress,
            app,
        })
    }

    /// The next lines; nothing at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        while self.remaining > 0 {
            if let Some(lines) = self.round().await? {
                self.heartbeat_at = Instant::now() + self.app.limits.egress_heartbeat;
                return Ok(Some(lines));
            }
            self.turn = 0;
            if std::mem::take(&mut self.found) {
                continue;
            }
            if !self.follow && (self.any || Instant::now() >= self.patience) {
                return Ok(None);
            }
            match self.wait().await {
                Woken::Look => {}
                Woken::Heartbeat => return Ok(Some(Bytes::from_static(b"\n"))),
                Woken::Stop => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Looks at each partition in turn, from where the last look ended to the last partition.
    async fn round(&mut self) -> Result<Option<Bytes>, Problem> {
        if self.turn == 0 {
            self.listen();
        }
        while self.turn < self.app.door.partitions() {
            let partition = PartitionId(self.turn);
            self.turn += 1;
            let after = self.cursor.get(partition);
            let records = self.app.door.read_egress(self.egress.clone(), partition, after).await?;
            if !records.is_empty() {
                return Ok(Some(self.render(&records)));
            }
        }
        Ok(None)
    }

    /// Begins to listen before the first look, so that no record falls between a look and the wait.
    fn listen(&mut self) {
        let (door, egress) = (Arc::clone(&self.app.door), self.egress.clone());
        let mut changed = async move { door.egress_changed(&egress).await }.boxed();
        if changed.as_mut().now_or_never().is_some() {
            changed = futures::future::ready(()).boxed();
        }
        self.changed = changed;
    }

    fn render(&mut self, records: &[EgressRecord]) -> Bytes {
        (self.found, self.any) = (true, true);
        let mut lines = Vec::new();
        for record in records.iter().take(self.remaining) {
            let place = (record.partition, record.sequence);
            self.cursor.advance(record.partition, record.sequence);
            let cursor = self.cursor.encode(&self.egress);
            write_egress_line(&mut lines, Some(&cursor), place, &record.emitted)
                .expect("numbers, strings and checked JSON are always JSON");
            self.remaining -= 1;
        }
        lines.into()
    }

    async fn wait(&mut self) -> Woken {
        let poll_at = Instant::now() + self.app.limits.egress_poll;
        let poll_at = if self.follow { poll_at } else { poll_at.min(self.patience) };
        tokio::select! {
            () = self.app.stopping.cancelled() => Woken::Stop,
            () = &mut self.changed => Woken::Look,
            () = sleep_until(self.heartbeat_at), if self.follow => {
                self.heartbeat_at = Instant::now() + self.app.limits.egress_heartbeat;
                Woken::Heartbeat
            }
            () = sleep_until(poll_at) => Woken::Look,
        }
    }
}

/// Why a wait is over.
enum Woken {
    Look,
    Heartbeat,
    Stop,
}
