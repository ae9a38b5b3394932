//! Kind `io.statefun.playground.v1/egress`: functions send records that name a topic, and each topic is an egress of its own
//! inside, so that a topic that nobody fetches holds up no other.
//!
//! A record for a topic that is not declared, or one that is no record, is rejected like one for any egress that is not
//! declared; the rest of the function's answer is committed.

use serde::Deserialize;
use tidegate_core::message::TypedValue;
use tidegate_core::partition::group::Response;

use crate::config::module::Playground;
use crate::payload::{STRING, wrap_text};

/// The type of the records that functions send.
const RECORD: &str = "io.statefun.playground/EgressRecord";

/// What a function sends: text for a topic, as JSON.
#[derive(Deserialize)]
struct Record {
    topic: String,
    payload: String,
}

/// Hands what a function sends to the playground's egress to the topics that it names.
pub fn hand_to_topics(response: &mut Response) {
    let playground = Playground::egress_id();
    for (egress, argument) in response.egress.iter_mut().filter(|(egress, _)| *egress == playground)
    {
        if let Some(record) = record(argument)
            && let Some(topic) = Playground::topic_id(&record.topic)
        {
            *egress = topic;
            *argument = TypedValue::new(STRING, wrap_text(&record.payload));
        }
    }
}

fn record(argument: &TypedValue) -> Option<Record> {
    if &*argument.typename == RECORD { serde_json::from_slice(&argument.value).ok() } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use bytes::Bytes;
    use tidegate_core::address::EgressId;

    use super::*;
    use crate::payload::text_of;

    fn handed(egress: &str, typename: &str, json: &'static str) -> (EgressId, TypedValue) {
        let argument = TypedValue::new(typename, Bytes::from_static(json.as_bytes()));
        let egress = vec![(EgressId::parse(egress).unwrap(), argument)];
        let mut response = Response { egress, ..Response::default() };
        hand_to_topics(&mut response);
        response.egress.remove(0)
    }

    #[test]
    fn a_record_goes_to_the_topic_that_it_names() {
        let json = r#"{"topic": "greetings", "payload": "hello\n", "more": 1}"#;
        let (egress, argument) = handed("io.statefun.playground/egress", RECORD, json);
        assert_eq!(Some(egress), Playground::topic_id("greetings"));
        assert_eq!(text_of(&argument), Some("hello\n"));
    }

    #[test]
    fn what_is_no_record_is_left_to_be_rejected() {
        for (typename, json) in [
            (RECORD, r#"{"topic": "greetings"}"#),
            (RECORD, r#"{"topic": "a/b", "payload": ""}"#),
            (RECORD, "greetings"),
            ("shop/Order", r#"{"topic": "greetings", "payload": ""}"#),
        ] {
            let (egress, _) = handed("io.statefun.playground/egress", typename, json);
            assert_eq!(egress, Playground::egress_id(), "{json}");
        }
        let json = r#"{"topic": "greetings", "payload": ""}"#;
        assert_eq!(handed("shop/out", RECORD, json).0.as_str(), "shop/out");
    }
}
