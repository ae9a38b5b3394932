//! How a gateway says that it refuses: `application/problem+json` (RFC 9457) with a stable code.

use std::fmt;

use http::StatusCode;
use serde::Deserialize;

/// Longest part of an answer that is not a problem document which is shown.
const EXCERPT_CHARS: usize = 200;

/// A refusal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: Option<String>,
    pub(super) title: String,
    pub(super) detail: Option<String>,
    /// All that was answered.
    pub(super) body: Vec<u8>,
}

#[derive(Deserialize)]
struct Document {
    code: Option<String>,
    title: Option<String>,
    detail: Option<String>,
}

impl Problem {
    /// Reads a refusal; an answer of something that is not a gateway is shown in part.
    pub(super) fn of(status: StatusCode, body: &[u8]) -> Self {
        let document = serde_json::from_slice(body).unwrap_or_else(|_| Document {
            code: None,
            title: None,
            detail: Some(excerpt(body)).filter(|text| !text.is_empty()),
        });
        let reason = status.canonical_reason().unwrap_or("refused");
        let title = document.title.unwrap_or_else(|| format!("{} {reason}", status.as_u16()));
        Self { status, code: document.code, title, detail: document.detail, body: body.to_vec() }
    }

    /// Whether the gateway, or something before it, gave up waiting.
    pub(super) fn is_timeout(&self) -> bool {
        matches!(self.status, StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT)
    }
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(EXCERPT_CHARS).collect()
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.title)?;
        if let Some(detail) = &self.detail {
            write!(out, "\n  {detail}")?;
        }
        match &self.code {
            Some(code) => write!(out, "\n   = help: docs/errors/{code}.md"),
            None => Ok(()),
        }
    }
}
