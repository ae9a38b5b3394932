//! Bodies to typed values and back.
//!
//! `Tidegate-Type` names the type outright and leaves the body as it is; without it the content type stands for one of three
//! types. Replies go the way back and always carry `Tidegate-Type`, so that nothing has to be guessed.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::de::IgnoredAny;
use tidegate_core::limits::NAME_BYTES_MAX;
use tidegate_core::message::TypedValue;

use super::problem::Problem;
use crate::payload::{BYTES, JSON, is_json_type, text_of, wrap_text};

/// The type of a value, in requests and replies.
pub(super) const TYPE: HeaderName = HeaderName::from_static("tidegate-type");

const OCTETS: &str = "application/octet-stream";

/// The value that a body holds.
pub(super) fn from_body(headers: &HeaderMap, body: Bytes) -> Result<TypedValue, Problem> {
    if let Some(typename) = headers.get(TYPE) {
        return Ok(TypedValue::new(&type_header(typename)?, body));
    }
    let content_type = media_type(headers)?.unwrap_or_else(|| OCTETS.to_owned());
    match content_type.as_str() {
        "text/plain" => {
            let text = std::str::from_utf8(&body)
                .map_err(|_| Problem::Malformed("the text is not UTF-8".to_owned()))?;
            Ok(TypedValue::new(crate::payload::STRING, wrap_text(text)))
        }
        OCTETS => Ok(TypedValue::new(BYTES, body)),
        json if json == "application/json" || json.ends_with("+json") => {
            serde_json::from_slice::<IgnoredAny>(&body)
                .map_err(|error| Problem::Malformed(not_json(&error)))?;
            Ok(TypedValue::new(JSON, body))
        }
        other => Err(Problem::ContentType(other.to_owned())),
    }
}

/// The response that holds a reply.
pub(super) fn to_response(reply: TypedValue) -> Response {
    let (content_type, body) = match text_of(&reply) {
        Some(text) => ("text/plain; charset=utf-8", reply.value.slice_ref(text.as_bytes())),
        None if is_json_type(&reply.typename) => ("application/json", reply.value),
        None => (OCTETS, reply.value),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(TYPE, typename_header(&reply.typename));
    response
}

/// The content type in lower case without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(header) = headers.get(CONTENT_TYPE) else { return Ok(None) };
    let text = header.to_str().map_err(|_| Problem::Header {
        name: "Content-Type",
        reason: "it must be visible ASCII".to_owned(),
    })?;
    let essence = text.split(';').next().unwrap_or_default().trim();
    Ok((!essence.is_empty()).then(|| essence.to_ascii_lowercase()))
}

/// Where JSON stops being JSON, without a piece of it.
pub(super) fn not_json(error: &serde_json::Error) -> String {
    format!("not JSON at line {} column {}", error.line(), error.column())
}

/// Checks a typename: any text, since functions may call their types anything, but neither empty nor without bound.
pub(super) fn check_typename(typename: &str) -> Result<&str, String> {
    match typename.len() {
        0 => Err("it must not be empty".to_owned()),
        1..=NAME_BYTES_MAX => Ok(typename),
        _ => Err(format!("at most {NAME_BYTES_MAX} bytes are allowed")),
    }
}

fn type_header(header: &HeaderValue) -> Result<String, Problem> {
    let invalid = |reason: String| Problem::Header { name: "Tidegate-Type", reason };
    let typename = std::str::from_utf8(header.as_bytes())
        .map_err(|_| invalid("it must be UTF-8".to_owned()))?;
    check_typename(typename).map(str::to_owned).map_err(invalid)
}

/// Functions may call their types anything; what no header can hold is escaped.
fn typename_header(typename: &str) -> HeaderValue {
    HeaderValue::from_str(typename)
        .or_else(|_| HeaderValue::from_bytes(typename.as_bytes()))
        .or_else(|_| HeaderValue::from_str(&typename.escape_default().to_string()))
        .expect("escaped text is visible ASCII")
}
