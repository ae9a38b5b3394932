//! What follows from the end of a request: which groups have their answer, and which are sent again, how.

use std::time::Duration;

use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{Failure, FailureScope};
use tokio::time::Instant;
use tracing::{info, warn};

use super::carry::Answered;
use super::fault::{Fault, InvokeError};
use super::lane::Dialect;
use super::packing::{Form, Parcel, Pending};
use super::queue::{LaneKey, Queue, UnderWay};
use super::telemetry::Blamed;
use super::wire::GroupAnswer;

impl Queue {
    /// Every group of the request has its answer after this, or waits again.
    pub(super) fn settle(
        &mut self,
        request: UnderWay,
        outcome: Result<Answered, Fault>,
        now: Instant,
    ) {
        let UnderWay { lane: key, parcel, dialect, .. } = request;
        self.ended(&key);
        match outcome {
            Ok(answered) => {
                self.note_answered(&key, &answered, dialect, now);
                self.distribute(&key, parcel, answered, now);
            }
            Err(fault) => self.recover(&key, parcel, fault, now),
        }
    }

    fn note_answered(
        &mut self,
        key: &LaneKey,
        answered: &Answered,
        dialect: Dialect,
        now: Instant,
    ) {
        let progressed =
            answered.answer.results.iter().flatten().any(|it| *it != GroupAnswer::NotRun);
        if !progressed {
            return;
        }
        if self.lane(key).pace.failures() > 0 {
            info!(endpoint = %self.config.name, "the endpoint serves again");
        }
        self.lane(key).answered(now, dialect, answered.speaks_batch);
    }

    /// Gives the groups of an answered request their results. Those without one are sent again; if nothing came of the
    /// request at all, as after a failure.
    fn distribute(&mut self, key: &LaneKey, parcel: Parcel, answered: Answered, now: Instant) {
        if answered.answer.unmatched > 0 {
            self.meters.failed(Blamed::Unmatched);
            warn!(
                endpoint = %self.config.name, results = answered.answer.unmatched,
                "the endpoint answered for groups that were not in the request"
            );
        }
        let (mut not_run, mut without_result) = (Vec::new(), Vec::new());
        let total = parcel.groups.len();
        let (suspect_since, arrival) = (parcel.suspect_since, parcel.arrival);
        for (pending, result) in parcel.groups.into_iter().zip(answered.answer.results) {
            match result {
                Some(GroupAnswer::Succeeded(response)) => {
                    let batch = pending.group.batch;
                    self.answer(&pending, Event::InvocationSucceeded { batch, response });
                }
                Some(GroupAnswer::Incomplete(missing)) => {
                    let batch = pending.group.batch;
                    self.answer(&pending, Event::InvocationIncomplete { batch, missing });
                }
                Some(GroupAnswer::Failed(error)) => self.fail(&pending, &error),
                Some(GroupAnswer::NotRun) => not_run.push(pending),
                None => without_result.push(pending),
            }
        }
        let parcel_of = |groups| Parcel { groups, form: Form::Sealed, suspect_since, arrival };
        if not_run.len() == total {
            self.hold(key, &InvokeError::NoResult, None, now);
        } else if without_result.len() == total {
            self.recover(
                key,
                parcel_of(without_result),
                Fault::Request(InvokeError::NoResult),
                now,
            );
            return;
        }
        for pending in not_run.into_iter().chain(without_result) {
            let arrival = self.next_arrival();
            self.wait_again(key, Parcel::open(pending, arrival));
        }
    }

    /// Decides who is to blame for a failed request, and sends again what is not.
    fn recover(&mut self, key: &LaneKey, parcel: Parcel, fault: Fault, now: Instant) {
        match fault {
            Fault::Endpoint { error, retry_after } => {
                self.meters.failed(Blamed::Endpoint);
                self.hold(key, &error, retry_after, now);
                self.wait_again(key, parcel);
            }
            Fault::Unclear(error) => self.recover_unclear(key, parcel, &error, now),
            Fault::Request(error) => {
                self.meters.failed(Blamed::Request);
                self.narrow(key, parcel, &error);
            }
            Fault::Dialect => {
                self.meters.failed(Blamed::Dialect);
                info!(endpoint = %self.config.name, "the endpoint does not take batches; it gets one group per request");
                self.meters.waiting.increment(parcel.groups.len() as f64);
                self.lane(key).refused_batch(now, parcel);
            }
        }
    }

    /// The endpoint is given the blame, unless it has served others since it failed at these groups before. Then the cause is
    /// among them. Those that failed twice travel in halves, so that one group does not take others with it for ever.
    fn recover_unclear(
        &mut self,
        key: &LaneKey,
        mut parcel: Parcel,
        error: &InvokeError,
        now: Instant,
    ) {
        let served = self.lane(key).served();
        if parcel.suspect_since.is_some_and(|before| served > before) {
            self.meters.failed(Blamed::Request);
            parcel.suspect_since = Some(served);
            self.narrow(key, parcel, error);
            return;
        }
        self.meters.failed(Blamed::Endpoint);
        self.hold(key, error, None, now);
        let halve = parcel.suspect_since.is_some() && !parcel.is_alone();
        parcel.suspect_since = Some(served);
        if parcel.form == Form::Open && !parcel.is_alone() {
            parcel.form = Form::Sealed;
        }
        if halve {
            for half in parcel.halves() {
                self.wait_again(key, half);
            }
        } else {
            self.wait_again(key, parcel);
        }
    }

    /// The cause is in this parcel: halves it, or fails its only group.
    fn narrow(&mut self, key: &LaneKey, parcel: Parcel, error: &InvokeError) {
        if let [only] = parcel.groups.as_slice() {
            self.fail(only, error);
            return;
        }
        self.meters.waiting.increment(parcel.groups.len() as f64);
        self.lane(key).halve_first(parcel);
    }

    /// Leaves a URL alone for a while.
    fn hold(
        &mut self,
        key: &LaneKey,
        error: &InvokeError,
        retry_after: Option<Duration>,
        now: Instant,
    ) {
        self.has_paused = true;
        let pace = &mut self.lane(key).pace;
        let well_before = pace.failures() == 0;
        pace.failed(now, retry_after);
        if well_before {
            warn!(endpoint = %self.config.name, %error, "the endpoint does not serve; its groups wait");
        }
    }

    /// Lets a parcel wait behind all others, so that a request that keeps failing does not keep the others from being tried.
    fn wait_again(&mut self, key: &LaneKey, parcel: Parcel) {
        let parcel = Parcel { arrival: self.next_arrival(), ..parcel };
        self.meters.waiting.increment(parcel.groups.len() as f64);
        self.lane(key).enqueue(parcel);
    }

    fn fail(&mut self, pending: &Pending, error: &InvokeError) {
        self.meters.group_failed();
        let text = format!("{error} (endpoint `{}`)", self.config.name).into();
        let failure = Failure { scope: FailureScope::Group, text };
        self.answer(pending, Event::InvocationFailed { batch: pending.group.batch, failure });
    }

    fn answer(&mut self, pending: &Pending, event: Event) {
        self.told.push((pending.partition, event));
    }
}
