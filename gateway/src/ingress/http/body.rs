//! Reading bodies from clients that may be slow, large, or gone.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::Shared;
use super::budget::Share;
use super::problem::Problem;

/// The pieces of a body, each in time.
pub(super) struct Pieces {
    body: Body,
    read_timeout: Duration,
}

impl Pieces {
    pub(super) fn new(body: Body, read_timeout: Duration) -> Self {
        Self { body, read_timeout }
    }

    /// The next piece; nothing at the end. Nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let frame = timeout(self.read_timeout, self.body.frame())
                .await
                .map_err(|_| Problem::Body("the client sent nothing for too long"))?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|_| Problem::Body("the client broke off"))?;
            // Trailers say nothing here.
            if let Ok(piece) = frame.into_data()
                && !piece.is_empty()
            {
                return Ok(Some(piece));
            }
        }
    }
}

/// Reads a body that is one message, with the share of the budget that it holds.
pub(super) async fn read_whole(
    app: &Shared,
    head: &Parts,
    body: Body,
) -> Result<(Bytes, Share), Problem> {
    let limit = app.limits.message_bytes;
    let length = head.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|text| text.to_str().ok()?.parse::<usize>().ok());
    // A body without a length could have any up to the limit.
    let expected = length.unwrap_or(limit);
    if expected > limit {
        return Err(Problem::TooLarge { limit });
    }
    let mut share = app.budget.share(expected).await;
    let reading = read_up_to(limit, Pieces::new(body, app.limits.read_timeout));
    let whole = timeout(app.limits.body_timeout, reading)
        .await
        .map_err(|_| Problem::Body("the client took too long"))??;
    share.shrink(whole.len());
    Ok((whole, share))
}

async fn read_up_to(limit: usize, mut pieces: Pieces) -> Result<Bytes, Problem> {
    let Some(first) = pieces.next().await? else { return Ok(Bytes::new()) };
    let mut whole = BytesMut::from(first);
    while whole.len() <= limit {
        let Some(piece) = pieces.next().await? else { return Ok(whole.freeze()) };
        whole.extend_from_slice(&piece);
    }
    Err(Problem::TooLarge { limit })
}
