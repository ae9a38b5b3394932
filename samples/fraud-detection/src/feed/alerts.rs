//! Follows the egress `fraud/alert-user`. After a break it goes on behind the last alert, which also lets the gateway forget
//! what was read.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{Event, FeedError};
use crate::functions::manager::ALERT_USER;
use crate::http::{HttpClient, Lines};
use crate::types::Alert;

const PAUSE_AFTER_BREAK: Duration = Duration::from_millis(200);

/// A record as the gateway shows it: JSON as it is, anything else as base64.
#[derive(Deserialize)]
struct Line {
    cursor: Option<String>,
    value: Option<Alert>,
    base64: Option<String>,
}

/// Goes on until it fails; a gateway that is away is waited for.
pub(super) async fn follow(
    client: &HttpClient,
    gateway: &str,
    events: &mpsc::Sender<Event>,
) -> Result<(), FeedError> {
    let mut cursor = None;
    loop {
        read(client, gateway, &mut cursor, events).await?;
        tokio::time::sleep(PAUSE_AFTER_BREAK).await;
    }
}

/// Reads until the connection ends. Only what will not pass by itself is an error.
async fn read(
    client: &HttpClient,
    gateway: &str,
    cursor: &mut Option<String>,
    events: &mpsc::Sender<Event>,
) -> Result<(), FeedError> {
    let after = cursor.as_ref().map_or_else(String::new, |cursor| format!("&after={cursor}"));
    let url = format!("{gateway}/v1/egress/{ALERT_USER}?follow=true{after}");
    let request = Request::get(&url).body(Full::default());
    let request = request.map_err(|_| FeedError::Url(url))?;
    let Ok(response) = client.request(request).await else {
        return Ok(());
    };
    let status = response.status();
    if status.is_client_error() {
        let text = format!("the egress {ALERT_USER} cannot be read");
        return Err(FeedError::Refused { status, text });
    }
    if !status.is_success() {
        return Ok(());
    }
    let mut lines = Lines::of(response.into_body());
    while let Ok(Some(line)) = lines.next().await {
        let at = Instant::now();
        let (alert, place) = parse(&line)?;
        if let Some(alert) = alert {
            let told = events.send(Event::Alerted { alert, at }).await;
            told.map_err(|_| FeedError::Ended)?;
        }
        *cursor = place.or_else(|| cursor.take());
    }
    Ok(())
}

fn parse(line: &Bytes) -> Result<(Option<Alert>, Option<String>), FeedError> {
    let failed = |error: &dyn std::error::Error| FeedError::Line(error.to_string());
    let line: Line = serde_json::from_slice(line).map_err(|error| failed(&error))?;
    let alert = match (line.value, line.base64) {
        (Some(alert), _) => Some(alert),
        (None, Some(text)) => {
            let bytes = BASE64_STANDARD.decode(text).map_err(|error| failed(&error))?;
            Some(serde_json::from_slice(&bytes).map_err(|error| failed(&error))?)
        }
        (None, None) => None,
    };
    Ok((alert, line.cursor))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn a_record_is_json_or_base64() {
        let alert = r#"{"transaction":"t","account":"a","merchant":"m","amount_cents":1,"score_per_mille":900}"#;
        let encoded = BASE64_STANDARD.encode(alert);
        let plain =
            format!(r#"{{"cursor":"7","partition":3,"sequence":17,"type":"x","value":{alert}}}"#);
        let other = format!(r#"{{"cursor":"7","base64":"{encoded}"}}"#);
        let (first, cursor) = parse(&plain.into()).unwrap();
        assert_eq!((first.clone().unwrap().score_per_mille, cursor.as_deref()), (900, Some("7")));
        assert_eq!(parse(&other.into()).unwrap().0, first);
        assert!(parse(&Bytes::from_static(b"{\"value\":1}")).is_err());
    }
}
