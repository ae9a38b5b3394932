//! What all commands for operators share: where the node is inspected, who gives orders, and how a request is made.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use serde_json::{Value, json};

use super::client::{Access, ClientError, exchange};
use super::failure::Failure;
use super::parse;

/// Orders for many addresses take their time, and so does a module with many files.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Where a node is inspected, and how.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct AdminArgs {
    /// Where the gateway can be inspected
    #[arg(
        long,
        value_name = "URL",
        env = "TIDEGATE_ADMIN_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:9090",
        value_parser = parse::url,
    )]
    admin_url: Uri,
    #[command(flatten)]
    access: Access,
    /// Write JSON, for scripts
    #[arg(long)]
    pub(super) json: bool,
}

/// Who gives an order, and why; both are kept with it.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct SignArgs {
    /// Who gives the order
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    operator: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl SignArgs {
    /// The body of an order with further members.
    pub(super) fn sign(&self, mut order: Value) -> Value {
        for (name, word) in [("operator", &self.operator), ("reason", &self.reason)] {
            if let Some(word) = word {
                order[name] = json!(word);
            }
        }
        order
    }
}

impl AdminArgs {
    /// What is at a path.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// What became of an order.
    pub(super) async fn post(&self, path: &str, order: &Value) -> Result<Value, Failure> {
        self.ask(Method::POST, path, order.to_string().into()).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Value, Failure> {
        Ok(answer_to(self.request(method, path, body)?).await?)
    }

    /// A request for what is at a path, of somebody who may ask.
    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let url: Uri = parse::join(&self.admin_url, path)
            .parse()
            .map_err(|error| Failure::usage(format!("the request cannot be written: {error}")))?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = url;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        self.access.authorize(&mut request)?;
        Ok(request)
    }
}

/// The document that a request is answered with.
pub(super) async fn answer_to(request: Request<Full<Bytes>>) -> Result<Value, ClientError> {
    let url = request.uri().clone();
    let answer = exchange(request, TIMEOUT).await?;
    let why = "it is not JSON".to_owned();
    serde_json::from_slice(&answer.body).map_err(|_| ClientError::NotUnderstood { url, why })
}

/// A member as a text; a number as its digits.
pub(super) fn text_of(value: &Value, member: &str) -> String {
    match value.get(member) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// The elements of a member that is a list.
pub(super) fn list_of<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Rows of texts as columns; the last column is as wide as it is.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(columns(&rows), "a     1\nlong");
    }
}
