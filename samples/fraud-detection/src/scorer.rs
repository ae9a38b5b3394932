//! The third party that knows merchants: a small HTTP service, and the client that the merchant scorer uses. The score is a
//! function of the name alone, so that runs can be compared.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::http;

/// How long an answer may take before the function gives up and is called again later.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 1024;

#[derive(Serialize, Deserialize)]
struct Question {
    merchant: String,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    score: u32,
}

/// How suspicious a merchant is, from 0 to 100: the 32-bit FNV-1a hash of the name, modulo 101.
pub(crate) fn score(merchant: &str) -> u32 {
    let hash = merchant
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash % 101
}

/// Serves `POST /score` with `{"merchant": "..."}`, each answer after a pause.
pub(crate) async fn serve(
    listener: TcpListener,
    pause: Duration,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = Router::new().route("/score", post(answer)).with_state(pause);
    // A connection on which the option cannot be set is gone; serving it finds out.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, routes).with_graceful_shutdown(stop).await
}

async fn answer(State(pause): State<Duration>, Json(question): Json<Question>) -> Json<Answer> {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    Json(Answer { score: score(&question.merchant) })
}

/// Why the third party did not tell.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScorerError {
    #[error("the scorer did not answer in time")]
    Late,
    #[error("the scorer cannot be reached")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    #[error("the scorer answered with status {0}")]
    Status(StatusCode),
    #[error("the scorer's answer broke off or is not one")]
    Garbled,
}

/// Asks the third party. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub(crate) struct ScorerClient {
    client: Client<HttpConnector, Full<Bytes>>,
    url: Uri,
}

impl ScorerClient {
    /// A client of the service whose `/score` is at this address.
    pub(crate) fn new(address: SocketAddr) -> Result<Self, hyper::http::Error> {
        let url = Uri::builder().scheme("http").authority(address.to_string());
        Ok(Self { client: http::client(), url: url.path_and_query("/score").build()? })
    }

    /// How suspicious a merchant is.
    pub(crate) async fn score(&self, merchant: &str) -> Result<u32, ScorerError> {
        let asked = tokio::time::timeout(ANSWER_WITHIN, self.ask(merchant));
        asked.await.map_err(|_| ScorerError::Late)?
    }

    async fn ask(&self, merchant: &str) -> Result<u32, ScorerError> {
        let question = Question { merchant: merchant.to_owned() };
        let question = serde_json::to_vec(&question).map_err(|_| ScorerError::Garbled)?;
        let request = Request::post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(question))
            .map_err(|_| ScorerError::Garbled)?;
        let response = self.client.request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(ScorerError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|_| ScorerError::Garbled)?.to_bytes();
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| ScorerError::Garbled)?;
        Ok(answer.score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_never_change() {
        let scores = ["", "a", "Corner Shop", "Lucky Wheel"].map(score);
        assert_eq!(
            scores,
            [
                0x811c_9dc5_u32 % 101,
                0xe40c_292c_u32 % 101,
                score("Corner Shop"),
                score("Lucky Wheel")
            ]
        );
        assert!((0..1000).all(|number| score(&format!("m{number}")) <= 100));
    }
}
