//! A small HTTP client.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// Keeps connections open between requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http(Client<HttpConnector, Full<Bytes>>);

/// An answer, read whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Whether the gateway says that it knew the message already.
    pub repeated: bool,
    /// Its body.
    pub body: Bytes,
}

/// No whole answer came: nobody listens, or the connection broke.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unanswered(pub String);

impl Http {
    /// A client without Nagle's delay.
    #[must_use]
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector))
    }

    /// Asks with GET.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub async fn get(&self, url: &str) -> Result<Answer, Unanswered> {
        self.ask(Method::GET, url, &[], Bytes::new()).await
    }

    /// Asks with POST.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Unanswered> {
        self.ask(Method::POST, url, headers, body.into()).await
    }

    /// Asks with PUT.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub async fn put(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Unanswered> {
        self.ask(Method::PUT, url, headers, body.into()).await
    }

    async fn ask(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, Unanswered> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).unwrap();
        let answer =
            self.0.request(request).await.map_err(|error| Unanswered(format!("{error:?}")))?;
        let status = answer.status();
        let repeated = answer.headers().get("tidegate-repeated").is_some();
        let body =
            answer.into_body().collect().await.map_err(|error| Unanswered(format!("{error:?}")))?;
        Ok(Answer { status, repeated, body: body.to_bytes() })
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

impl Answer {
    /// Its body as text.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Its body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The code of an error.
    ///
    /// # Panics
    /// If it is no error with a code.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }
}
