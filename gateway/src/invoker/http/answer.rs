//! What the head of an answer means: statuses, media types, and what an endpoint says of itself.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use http::{HeaderName, StatusCode};

use crate::invoker::fault::{Fault, InvokeError};
use crate::invoker::lane::Dialect;
use crate::invoker::wire::media;

/// What a status other than 2xx means.
pub(super) fn refusal(
    status: StatusCode,
    dialect: Dialect,
    retry_after: Option<Duration>,
) -> Fault {
    let code = status.as_u16();
    match code {
        400 | 406 | 415 if dialect == Dialect::Batch => Fault::Dialect,
        401 | 403 | 407 | 429 | 503 => {
            Fault::Endpoint { error: InvokeError::Unavailable { status: code }, retry_after }
        }
        408 | 409 | 420 | 499 | 501..=599 => {
            Fault::Unclear(InvokeError::Unavailable { status: code })
        }
        _ => Fault::Request(InvokeError::Status { status: code }),
    }
}

/// A batch must be answered as one. Protocol v3 is read leniently, since some SDKs set no type at all, but a page of a proxy
/// or a login form is not an answer, even if it could be taken for an empty one.
pub(super) fn check_media_type(headers: &HeaderMap, dialect: Dialect) -> Result<(), Fault> {
    let media_type = media_type(headers);
    match dialect {
        Dialect::Batch if !media_type.eq_ignore_ascii_case(media::BATCH) => Err(Fault::Dialect),
        Dialect::Single if is_not_protobuf(media_type) => {
            let cause = format!("its content-type is `{}`", media_type.to_ascii_lowercase());
            Err(Fault::Request(InvokeError::InvalidAnswer { cause }))
        }
        Dialect::Batch | Dialect::Single => Ok(()),
    }
}

/// The media type without parameters; empty if there is none.
fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

fn is_not_protobuf(media_type: &str) -> bool {
    let text = media_type.get(..5).is_some_and(|family| family.eq_ignore_ascii_case("text/"));
    let other = ["application/json", "application/xml", media::BATCH];
    text || other.iter().any(|other| media_type.eq_ignore_ascii_case(other))
}

pub(super) fn speaks_batch(headers: &HeaderMap) -> bool {
    const BATCH_HEADER: HeaderName = HeaderName::from_static(media::BATCH_HEADER);
    headers.get(BATCH_HEADER).is_some_and(|value| value == media::BATCH_HEADER_V1)
}

/// `Retry-After`: seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_date_to_retry_after_counts_from_now() {
        let now = httpdate::parse_http_date("Fri, 31 Dec 1999 23:59:00 GMT").unwrap();
        let after = |text| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]), now)
        };
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(after("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::from_secs(59)));
        assert_eq!(after("Fri, 31 Dec 1999 23:58:00 GMT"), None);
        assert_eq!(after("soon"), None);
    }

    #[test]
    fn each_status_has_its_reach() {
        let of = |status, dialect| refusal(StatusCode::from_u16(status).unwrap(), dialect, None);
        for status in [401, 403, 407, 429, 503] {
            assert!(matches!(of(status, Dialect::Single), Fault::Endpoint { .. }), "{status}");
        }
        for status in [408, 409, 420, 499, 501, 502, 504, 520, 599] {
            assert!(matches!(of(status, Dialect::Batch), Fault::Unclear(_)), "{status}");
        }
        for status in [301, 404, 405, 410, 413, 500] {
            assert!(matches!(of(status, Dialect::Batch), Fault::Request(_)), "{status}");
        }
        for status in [400, 406, 415] {
            assert_eq!(of(status, Dialect::Batch), Fault::Dialect);
            assert_eq!(of(status, Dialect::Single), Fault::Request(InvokeError::Status { status }));
        }
    }
}
