//! Keeps the books of a run: what was sent and accepted, which alerts came, and whether these are the right ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::display::Display;
use super::metrics::Difference;
use super::{Event, FeedError};
use crate::types::Alert;

/// How long after the last expected alert repeated ones are looked for.
const SETTLE: Duration = Duration::from_secs(1);

pub(super) struct Report {
    display: Display,
    begun: Instant,
    fed_after: Option<Duration>,
    accepted: u64,
    sent_at: BTreeMap<String, Instant>,
    missing: BTreeSet<Alert>,
    seen: BTreeSet<Alert>,
    wrong: u64,
    latencies: Vec<Duration>,
}

impl Report {
    pub(super) fn new(expected: Vec<Alert>, display: Display) -> Self {
        Self {
            display,
            begun: Instant::now(),
            fed_after: None,
            accepted: 0,
            sent_at: BTreeMap::new(),
            missing: expected.into_iter().collect(),
            seen: BTreeSet::new(),
            wrong: 0,
            latencies: Vec::new(),
        }
    }

    /// Takes events in until everything was fed and every expected alert came, and then a little longer, so that an alert that
    /// comes twice is noticed. Gives up if nothing comes for too long after feeding.
    pub(super) async fn collect(
        &mut self,
        mut inbox: mpsc::Receiver<Event>,
        patience: Duration,
    ) -> Result<(), FeedError> {
        loop {
            let complete = self.fed_after.is_some() && self.missing.is_empty();
            let wait = if complete { patience.min(SETTLE) } else { patience };
            match tokio::time::timeout(wait, inbox.recv()).await {
                Ok(event) => self.take(event.ok_or(FeedError::Ended)?)?,
                // While records are being sent, the sender knows when to give up.
                Err(_) if self.fed_after.is_none() => {}
                Err(_) => return Ok(()),
            }
        }
    }

    fn take(&mut self, event: Event) -> Result<(), FeedError> {
        match event {
            Event::Sent { ids, at } => self.sent_at.extend(ids.into_iter().map(|id| (id, at))),
            Event::Accepted(records) => {
                self.accepted += records;
                self.display.accepted(records)?;
            }
            Event::Alerted { alert, at } => self.alerted(alert, at)?,
            Event::Fed => self.fed_after = Some(self.begun.elapsed()),
        }
        Ok(())
    }

    fn alerted(&mut self, alert: Alert, at: Instant) -> Result<(), FeedError> {
        self.display.alert(&alert)?;
        if !self.missing.remove(&alert) {
            self.wrong += 1;
        } else if let Some(sent_at) = self.sent_at.get(&alert.transaction) {
            self.latencies.push(at.saturating_duration_since(*sent_at));
        }
        self.seen.insert(alert);
        Ok(())
    }

    /// Prints the summary; an error if an alert is missing, came twice, or should not have come.
    pub(super) fn finish(mut self, metrics: Difference) -> Result<(), FeedError> {
        self.latencies.sort();
        let summary = self.summary(metrics);
        self.display.finish(&summary)?;
        if self.missing.is_empty() && self.wrong == 0 { Ok(()) } else { Err(FeedError::Unexpected) }
    }

    fn summary(&self, metrics: Difference) -> String {
        let fed_after = self.fed_after.unwrap_or_else(|| self.begun.elapsed()).as_secs_f64();
        let rate = self.accepted as f64 / fed_after.max(f64::EPSILON);
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name:<22}{value}");
        };
        line("messages", format!("{} in {fed_after:.2} s, {rate:.0} per second", self.accepted));
        let (seen, missing, wrong) = (self.seen.len(), self.missing.len(), self.wrong);
        line("alerts", format!("{seen} seen, {missing} missing, {wrong} unexpected or repeated"));
        let at = |part| percentile(&self.latencies, part);
        line("sending to alert", format!("p50 {}, p99 {}", at(0.5), at(0.99)));
        let unknown = || "not told by the gateway".to_owned();
        line("log syncs", metrics.log_syncs.map_or_else(unknown, |syncs| format!("{syncs:.0}")));
        let per_request = metrics.messages_per_request;
        line(
            "messages per request",
            per_request.map_or_else(unknown, |ratio| format!("{ratio:.1}")),
        );
        text
    }
}

fn percentile(sorted: &[Duration], part: f64) -> String {
    let place = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted
        .get(place)
        .map_or_else(|| "-".to_owned(), |latency| format!("{:.1} ms", latency.as_secs_f64() * 1e3))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn alert(transaction: &str) -> Alert {
        let (account, merchant) = ("a".to_owned(), "m".to_owned());
        let transaction = transaction.to_owned();
        Alert { transaction, account, merchant, amount_cents: 1, score_per_mille: 900 }
    }

    async fn outcome(came: &[&str]) -> Result<(), FeedError> {
        let mut report = Report::new(vec![alert("t1"), alert("t2")], Display::new(2));
        let (events, inbox) = mpsc::channel(10);
        for transaction in came {
            let alert = alert(transaction);
            events.send(Event::Alerted { alert, at: Instant::now() }).await.unwrap();
        }
        events.send(Event::Fed).await.unwrap();
        report.collect(inbox, Duration::from_secs(60)).await.unwrap();
        report.finish(Difference::default())
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_expected_alerts_once_each_are_a_success() {
        assert!(outcome(&["t2", "t1"]).await.is_ok());
        assert!(matches!(outcome(&["t1", "t1", "t2"]).await, Err(FeedError::Unexpected)));
        assert!(matches!(outcome(&["t1", "t2", "t2"]).await, Err(FeedError::Unexpected)));
        assert!(matches!(outcome(&["t1", "t3", "t2"]).await, Err(FeedError::Unexpected)));
    }

    #[test]
    fn percentiles_of_few_values_are_values() {
        let sorted: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(
            (percentile(&sorted, 0.5), percentile(&sorted, 0.99)),
            ("51.0 ms".into(), "99.0 ms".into())
        );
        assert_eq!(percentile(&[], 0.5), "-");
    }
}
