//! Reads endpoints: which functions, where, and how they are treated.

use std::num::NonZeroUsize;
use std::sync::Arc;

use http::Uri;
use tidegate_core::address::{EgressId, Typename};

use super::fields::{Fields, count, flag};
use super::ingress::typename;
use super::model::{Endpoint, FunctionPattern, Transport, Treatment, UrlTemplate};
use crate::config::duration::parse_positive;
use crate::config::fault::{Code, Place};
use crate::config::size;

/// StateFun's default of `maxNumBatchRequests`.
const BATCH_MESSAGES: i64 = 1000;

/// The namespace of addresses that the gateway itself answers at.
const RESERVED: &str = "tidegate";

/// What an endpoint declares: the functions even if other fields are wrong, so that targets can be judged.
pub(super) struct Read {
    pub(super) functions: Option<(FunctionPattern, Place)>,
    /// The egress that it names, with the place.
    pub(super) egress: Option<(EgressId, Place)>,
    pub(super) endpoint: Option<Endpoint>,
}

/// Reads the `spec` of an endpoint.
pub(super) fn read(spec: &Fields<'_>, transport: fn(&Fields<'_>) -> Transport) -> Read {
    let functions = spec.read_needed("functions", pattern);
    let url = spec.read_needed("urlPathTemplate", url);
    let batch_messages = batch_messages(spec.read_or("maxNumBatchRequests", BATCH_MESSAGES, whole));
    let transport = transport(spec);
    let ours = spec.child("tidegate");
    let treatment = ours.as_ref().map_or_else(Treatment::default, treatment);
    let place = ours.and_then(|fields| fields.get("deadLetter")).map(|node| node.place);
    let egress = treatment.dead_letter.clone().zip(place);
    let endpoint = functions.clone().zip(url).map(|((functions, _), (url, _))| Endpoint {
        functions,
        url,
        batch_messages,
        transport,
        treatment,
    });
    Read { functions, egress, endpoint }
}

/// `namespace/name` or `namespace/*`.
pub(super) fn pattern(text: &str) -> Result<FunctionPattern, String> {
    let name = Typename::parse(text).map_err(|error| format!("is not a function: {error}"))?;
    if name.namespace() == RESERVED {
        return Err(format!("is in the namespace `{RESERVED}`, which is reserved"));
    }
    match name.name() {
        "*" if !name.namespace().contains('*') => {
            Ok(FunctionPattern::Namespace(name.namespace().into()))
        }
        plain if !plain.contains('*') && !name.namespace().contains('*') => {
            Ok(FunctionPattern::One(name))
        }
        _ => Err("may have a `*` only in place of the whole name, as in `namespace/*`".to_owned()),
    }
}

fn url(text: &str) -> Result<UrlTemplate, String> {
    let filled = text.replace(UrlTemplate::FUNCTION_NAME, "name");
    if filled.contains(['{', '}']) {
        return Err(format!("may have no other placeholder than `{}`", UrlTemplate::FUNCTION_NAME));
    }
    let uri: Uri = filled.parse().map_err(|error| format!("is not a URL: {error}"))?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.host().is_some_and(|host| !host.is_empty()) => {
            Ok(UrlTemplate(Arc::from(text)))
        }
        Some("http+unix" | "https+unix") => {
            Err("asks for a Unix socket, which Tidegate does not support; use http or https"
                .to_owned())
        }
        _ => Err("must begin with http:// or https:// and name a host".to_owned()),
    }
}

fn whole(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "must be a whole number; zero or less is without a limit".to_owned())
}

fn batch_messages(number: i64) -> Option<NonZeroUsize> {
    NonZeroUsize::new(usize::try_from(number).unwrap_or(0))
}

fn treatment(fields: &Fields<'_>) -> Treatment {
    let defaults = Treatment::default();
    let backoff = fields.child("backoff");
    let wait = |key: &str| backoff.as_ref().and_then(|fields| fields.read(key, parse_positive));
    let treatment = Treatment {
        speculative: fields.read_or("speculative", defaults.speculative, flag),
        concurrency: fields.read_or("concurrency", defaults.concurrency, count),
        attempts: fields.read_or("attempts", defaults.attempts, count),
        dead_letter: dead_letter(fields),
        backoff_first: wait("first").unwrap_or(defaults.backoff_first),
        backoff_factor_percent: backoff
            .as_ref()
            .and_then(|fields| fields.read("factor", factor_percent))
            .unwrap_or(defaults.backoff_factor_percent),
        backoff_longest: wait("longest").unwrap_or(defaults.backoff_longest),
        batch_bytes: fields.read_or("batchBytes", defaults.batch_bytes, bytes),
        groups_per_partition: fields.read("groupsPerPartition", count),
        groups: fields.read("groups", count),
        messages_per_second: fields.read("messagesPerSecond", rate),
    };
    if treatment.backoff_first > treatment.backoff_longest {
        let text = "`tidegate.backoff.first` must not be longer than `tidegate.backoff.longest`";
        fields.error("backoff", Code::Contradiction, text);
    }
    treatment
}

/// Where messages go that are given up, if that is what is wanted.
fn dead_letter(fields: &Fields<'_>) -> Option<EgressId> {
    let drops = fields.read_or("exhausted", false, exhausted);
    let egress = fields.read("deadLetter", typename);
    if drops && fields.get("deadLetter").is_none() {
        let text =
            "`tidegate.exhausted: drop` needs `tidegate.deadLetter`: messages are not thrown away";
        fields.error("exhausted", Code::Contradiction, text);
    }
    if !drops && egress.is_some() {
        let text = "`tidegate.deadLetter` has no effect without `tidegate.exhausted: drop`";
        fields.error("deadLetter", Code::Contradiction, text);
    }
    egress.filter(|_| drops)
}

fn exhausted(text: &str) -> Result<bool, String> {
    match text {
        "park" => Ok(false),
        "drop" => Ok(true),
        _ => Err("must be park or drop".to_owned()),
    }
}

/// The longest factor is one with which ten failures reach any wait.
fn factor_percent(text: &str) -> Result<u32, String> {
    let factor: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    if !(1.0..=100.0).contains(&factor) {
        return Err("must be at least 1 and at most 100".to_owned());
    }
    // In bounds by the check before.
    Ok((factor * 100.0).round() as u32)
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..=1e9).contains(&rate) => Ok(rate),
        _ => Err("must be a number of messages per second, at least 0.001".to_owned()),
    }
}

/// A size of at least one byte.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    match size::parse(text)? {
        0 => Err("must be more than zero".to_owned()),
        bytes => Ok(bytes),
    }
}
