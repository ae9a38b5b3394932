//! Reads the few counters of the gateway that the summary shows. A gateway without them is no error: the summary says so.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;

use crate::http::HttpClient;

const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 16 << 20;

const LOG_SYNCS: &str = "tidegate_log_syncs_total";
/// The two halves of one histogram, so that both count the same requests.
const REQUESTS: &str = "tidegate_invoker_request_messages_count";
const MESSAGES: &str = "tidegate_invoker_request_messages_sum";

/// The counters at one time; absent ones are not offered by the gateway.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Counters {
    log_syncs: Option<f64>,
    requests: Option<f64>,
    messages: Option<f64>,
}

/// How the counters changed.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Difference {
    pub(super) log_syncs: Option<f64>,
    pub(super) messages_per_request: Option<f64>,
}

/// Reads the counters from the gateway's admin port.
pub(super) async fn read(client: &HttpClient, admin: &str) -> Counters {
    let asked = tokio::time::timeout(ANSWER_WITHIN, text(client, admin)).await;
    asked.ok().flatten().map(|text| Counters::parse(&text)).unwrap_or_default()
}

async fn text(client: &HttpClient, admin: &str) -> Option<String> {
    let request = Request::get(format!("{admin}/metrics")).body(Full::default()).ok()?;
    let response = client.request(request).await.ok()?;
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.ok()?;
    String::from_utf8(body.to_bytes().to_vec()).ok()
}

impl Counters {
    fn parse(text: &str) -> Self {
        Self {
            log_syncs: sum(text, LOG_SYNCS),
            requests: sum(text, REQUESTS),
            messages: sum(text, MESSAGES),
        }
    }
}

/// The sum over all labels; nothing if there is no such line.
fn sum(text: &str, name: &str) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let labels_end = rest.rfind('}').map_or(0, |end| end + 1);
        let (labels, value) = rest.split_at(labels_end);
        let is_name = labels.starts_with('{') || value.starts_with(' ');
        is_name.then(|| value.split_whitespace().next()?.parse::<f64>().ok()).flatten()
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

impl Difference {
    /// A counter that went down was reset by a restart; what it counts since is the least that happened.
    pub(super) fn between(before: Counters, after: Counters) -> Self {
        let grown = |before: Option<f64>, after: Option<f64>| {
            let (before, after) = (before.unwrap_or(0.0), after?);
            Some(if after < before { after } else { after - before })
        };
        let requests = grown(before.requests, after.requests).filter(|requests| *requests > 0.0);
        let messages = grown(before.messages, after.messages);
        Self {
            log_syncs: grown(before.log_syncs, after.log_syncs),
            messages_per_request: messages
                .zip(requests)
                .map(|(messages, requests)| messages / requests),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE tidegate_log_syncs_total counter\n\
        tidegate_log_syncs_total 40\n\
        tidegate_log_syncs_total_created 9\n\
        tidegate_invoker_request_messages_count{endpoint=\"a b\"} 10\n\
        tidegate_invoker_request_messages_count{endpoint=\"c\"} 10\n\
        tidegate_invoker_request_messages_sum{endpoint=\"c\"} 100\n";

    #[test]
    fn counters_are_summed_over_labels_and_compared() {
        let before = Counters { log_syncs: Some(10.0), ..Counters::default() };
        let expected = Difference { log_syncs: Some(30.0), messages_per_request: Some(5.0) };
        assert_eq!(Difference::between(before, Counters::parse(TEXT)), expected);
    }

    #[test]
    fn a_gateway_without_metrics_gives_none() {
        let none = Counters::parse("nothing 1\n");
        assert_eq!(Difference::between(none, none), Difference::default());
    }
}
