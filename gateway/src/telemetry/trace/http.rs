//! The collector is called by the same HTTP client as functions, so that there is one TLS stack.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry_http::{HttpClient, HttpError};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

/// How long the collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than this is no answer of a collector.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// The encryption of the way to the collector cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the encryption cannot be set up: {0}")]
pub struct ClientError(#[from] rustls::Error);

/// Carries batches of spans.
pub(super) struct OtlpClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl OtlpClient {
    /// Trusts whom the system trusts.
    pub(super) fn new() -> Result<Self, ClientError> {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_nodelay(true);
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(plain);
        let client =
            Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self(client))
    }
}

#[async_trait]
impl HttpClient for OtlpClient {
    async fn send_bytes(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, HttpError> {
        timeout(PATIENCE, async {
            let answer = self.0.request(request.map(Full::new)).await?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
            Ok(http::Response::from_parts(head, body))
        })
        .await?
    }
}

impl fmt::Debug for OtlpClient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("OtlpClient")
    }
}
