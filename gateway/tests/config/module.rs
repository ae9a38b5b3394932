//! `module.yaml`: what is read, and what is said about what is wrong.

use std::num::NonZeroUsize;
use std::time::Duration;

use proptest::prelude::*;
use tidegate::config::fault::Faults;
use tidegate::config::module::{
    EgressKind, Endpoint, FunctionPattern, IngressKind, KeySource, ModuleConfig, TransportKind,
    read,
};
use tidegate_core::address::Typename;
use tidegate_core::policy::Exhausted;

use crate::summary;

const WHOLE: &str = include_str!("whole.yaml");

fn sound(text: &str) -> ModuleConfig {
    let mut faults = Faults::default();
    let module = read(text, "module.yaml", &mut faults);
    assert!(faults.is_empty(), "{faults}");
    module
}

fn faults(text: &str) -> Faults {
    let mut faults = Faults::default();
    read(text, "module.yaml", &mut faults);
    faults.sort();
    faults
}

fn endpoint(spec: &str) -> Endpoint {
    let text = format!(
        "kind: io.statefun.endpoints.v2/http\nspec:\n  functions: a/b\n  urlPathTemplate: http://h/\n{spec}"
    );
    sound(&text).endpoints.remove(0)
}

#[test]
fn a_whole_module_is_read() {
    let module = sound(WHOLE);
    let patterns: Vec<_> =
        module.endpoints.iter().map(|endpoint| endpoint.functions.clone()).collect();
    let cart = Typename::parse("shop.fns/cart").unwrap();
    assert_eq!(
        patterns,
        [FunctionPattern::Namespace("shop.fns".into()), FunctionPattern::One(cart.clone())]
    );
    assert_eq!(module.endpoints[0].url.of(&cart), "http://fns:8000/v1/cart");
    assert_eq!(module.endpoints[0].batch_messages, NonZeroUsize::new(500));
    assert_eq!(module.endpoints[1].batch_messages, None);
    assert!(!module.endpoints[0].treatment.speculative);

    let keys: Vec<_> = module
        .ingresses
        .iter()
        .filter_map(|ingress| match &ingress.kind {
            IngressKind::Http(http) => Some(http.key.clone()),
            IngressKind::Playground { .. } => None,
        })
        .collect();
    let header = KeySource::Header("x-customer".parse().unwrap());
    assert_eq!(keys, [KeySource::JsonPointer("/customer/id".to_owned()), KeySource::Path, header]);

    let EgressKind::Http(retention) = &module.egresses[0].kind else { panic!("not over HTTP") };
    assert_eq!((retention.age, retention.bytes), (Some(Duration::from_hours(168)), 2 << 30));
}

#[test]
fn the_core_learns_how_functions_are_treated() {
    let application = sound(WHOLE).application();
    let policy = |name: &str| application.policy(&Typename::parse(name).unwrap()).cloned();
    let other = policy("shop.fns/other").unwrap();
    assert_eq!((other.batch_messages, other.attempts, other.backoff_first_ms), (500, 5, 200));
    assert_eq!((other.backoff_longest_ms, other.batch_bytes), (60_000, 64 << 10));
    assert_eq!(policy("shop.fns/cart").unwrap().batch_messages, usize::MAX);
    assert_eq!(policy("shop.other/cart"), None);
    assert_eq!(application.egresses.len(), 2);
}

#[test]
fn transports_have_the_defaults_of_statefun() {
    let plain = endpoint("").transport;
    assert_eq!(plain.kind, TransportKind::Async);
    assert_eq!(plain.call_timeout, Duration::from_mins(2));
    assert_eq!(plain.connect_timeout, Duration::from_secs(20));
    assert_eq!((plain.read_timeout, plain.write_timeout), (None, None));
    assert_eq!((plain.pool_connections, plain.pool_idle), (1024, Duration::from_secs(4)));
    assert_eq!(plain.answer_bytes, Some(33_554_432));

    let timeouts =
        endpoint("  transport: {call: 90s, connect: 7s, timeouts: {connect: 500}}\n").transport;
    assert_eq!(timeouts.call_timeout, Duration::from_mins(1), "`timeouts` brings its own default");
    assert_eq!(timeouts.connect_timeout, Duration::from_millis(500));

    let okhttp = endpoint("  transport: {type: io.statefun.transports.v1/okhttp}\n").transport;
    assert_eq!(okhttp.kind, TransportKind::Okhttp);
    assert_eq!(okhttp.call_timeout, Duration::from_mins(1));
    assert_eq!(okhttp.read_timeout, Some(Duration::from_secs(10)));

    let v1 = "kind: io.statefun.endpoints.v1/http\nspec:\n  functions: a/b\n  urlPathTemplate: http://h/\n";
    let v1 = sound(&format!("{v1}  timeouts: {{call: 5s}}\n")).endpoints.remove(0).transport;
    assert_eq!((v1.kind, v1.call_timeout), (TransportKind::Okhttp, Duration::from_secs(5)));
    assert_eq!(v1.connect_timeout, Duration::from_secs(5), "never longer than the call");
}

#[test]
fn all_faults_are_reported_together_with_their_places() {
    let found = summary(faults(include_str!("faulty.yaml")));
    let expected = [
        "TG-0104 Error 4:20",  // urlPathTemplate: another placeholder
        "TG-0104 Error 5:24",  // maxNumBatchRequests: not a number
        "TG-0104 Error 7:11",  // transport.call: an unknown unit
        "TG-0102 Warning 8:5", // transport.pool_sise
        "TG-0102 Error 10:5",  // tidegate.attemps: ours, even in a kind of StateFun
        "TG-0102 Error 14:3",  // vlaueType
        "TG-0103 Error 14:3",  // ... so valueType is missing
        "TG-0104 Error 16:9",  // path: no slash
        "TG-0108 Error 17:13", // a target that nobody serves
        "TG-0104 Error 18:8",  // two sources of the key
        "TG-0105 Error 20:7",  // a kind that nobody knows
        "TG-0106 Error 22:7",  // a kind that does not work yet
        "TG-0103 Error 25:1",  // no kind
        "TG-0107 Error 32:7",  // the second egress of one id
        "TG-0103 Error 35:7",  // no spec
    ];
    assert_eq!(found, expected, "{}", faults(include_str!("faulty.yaml")));
}

#[test]
fn faults_say_what_would_be_right() {
    let text = faults(include_str!("faulty.yaml")).to_string();
    for part in [
        "module.yaml:14:3 (document 2)",
        "did you mean `valueType`?",
        "did you mean `pool_size`?",
        "did you mean `attempts`?",
        "did you mean `io.tidegate.http.v1/egress`?",
        "the kind io.statefun.kafka.v1/ingress is not yet served by this node",
        "`shop.fns/cart` is not served by any endpoint",
        "did you mean `shop.fns/crat`?",
        "there are two egresses `shop/out`",
        "the first is in line 28",
    ] {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
}

#[test]
fn kinds_that_are_not_served_yet_are_told_from_unknown_ones() {
    for kind in tidegate::config::module::NOT_YET {
        let text = format!("kind: {kind}\nspec: {{id: a/b, functions: a/*}}\n");
        let found = faults(&text);
        assert!(found.to_string().contains("is not yet served by this node"), "{kind}: {found}");
        assert!(summary(found).contains(&"TG-0106 Error 1:7".to_owned()));
    }
    let unknown = faults("kind: io.statefun.pulsar.v1/ingress\nspec: {id: a/b}\n");
    assert_eq!(summary(unknown)[1..], ["TG-0105 Error 1:7"]);
}

#[test]
fn the_functions_of_an_endpoint_that_does_not_work_yet_are_still_declared() {
    let text = "kind: io.tidegate.lambda.v1/endpoint\nspec: {functions: a/*}\n---\n\
        kind: io.tidegate.http.v1/ingress\n\
        spec: {id: a/in, path: /in, valueType: a/T, targets: [a/b], key: {path: true}}\n";
    assert_eq!(summary(faults(text)), ["TG-0106 Error 1:7"]);
}

#[test]
fn an_endpoint_that_cannot_be_read_is_the_only_fault() {
    let text = "kind: io.statefun.endpoints.v2/http\nspec: {functions: a, urlPathTemplate: http://h/}\n---\n\
        kind: io.tidegate.http.v1/ingress\n\
        spec: {id: a/in, path: /in, valueType: a/T, targets: [a/b], key: {path: true}}\n";
    assert_eq!(summary(faults(text)), ["TG-0104 Error 2:19"]);
}

#[test]
fn nothing_is_declared_twice() {
    let endpoint = "kind: io.statefun.endpoints.v2/http\nspec: {functions: a/*, urlPathTemplate: http://h/}\n---\n";
    let ingress = "kind: io.tidegate.http.v1/ingress\n\
        spec: {id: a/in, path: /in, valueType: a/T, targets: [a/b], key: {path: true}}\n---\n";
    let file = "kind: io.tidegate.file.v1/egress\nspec: {id: a/out, path: out}\n---\n";
    let found = faults(&format!("{endpoint}{endpoint}{ingress}{ingress}{file}{file}"));
    let places = ["5:19", "11:12", "11:24", "17:12", "17:25"];
    assert_eq!(summary(found), places.map(|place| format!("TG-0107 Error {place}")));
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    let spec = |rest: &str| {
        format!(
            "kind: io.statefun.endpoints.v2/http\nspec:\n  functions: a/b\n  urlPathTemplate: http://h/\n  {rest}\n"
        )
    };
    for rest in [
        "transport: {client_cert: cert.pem}",
        "transport: {type: io.statefun.transports.v1/okhttp, timeouts: {call: 1s, read: 2s}}",
        "tidegate: {backoff: {first: 2s, longest: 1s}}",
    ] {
        let found = summary(faults(&spec(rest)));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("TG-0109 Error"), "{rest}: {found:?}");
    }
}

#[test]
fn values_outside_of_what_is_allowed_are_refused() {
    let of = |key: &str, value: &str| {
        let mut spec = vec![("functions", "a/b"), ("urlPathTemplate", "http://h/")];
        spec.retain(|(name, _)| *name != key);
        spec.push((key, value));
        let lines: String =
            spec.iter().map(|(name, value)| format!("  {name}: {value}\n")).collect();
        summary(faults(&format!("kind: io.statefun.endpoints.v2/http\nspec:\n{lines}")))
    };
    for (key, value) in [
        ("functions", "nothing"),
        ("functions", "a/b*"),
        ("functions", "'*/*'"),
        ("functions", "tidegate/reply"),
        ("functions", "[a/b]"),
        ("urlPathTemplate", "ftp://h/"),
        ("urlPathTemplate", "http+unix:///s.sock/x"),
        ("urlPathTemplate", "http://"),
        ("urlPathTemplate", "'http://h/{function.id}'"),
        ("transport", "7"),
        ("tidegate", "{speculative: maybe}"),
        ("tidegate", "{concurrency: 0}"),
        ("tidegate", "{batchBytes: 0}"),
    ] {
        let found = of(key, value);
        assert_eq!(found.len(), 1, "{key}: {value}: {found:?}");
        assert!(found[0].starts_with("TG-0104 Error"), "{key}: {value}: {found:?}");
    }
}

#[test]
fn keys_without_effect_are_warned_about() {
    let spec = "  transport: {type: io.statefun.transports.v1/okhttp, pool_size: 3}\n";
    let text = format!(
        "kind: io.statefun.endpoints.v2/http\nspec:\n  functions: a/b\n  urlPathTemplate: http://h/\n{spec}"
    );
    assert_eq!(summary(faults(&text)), ["TG-0102 Warning 5:66"]);
}

#[test]
fn an_empty_module_is_only_a_warning() {
    assert_eq!(summary(faults("---\n---\n")), ["TG-0110 Warning 1:1"]);
}

proptest! {
    /// Whatever stands in a file: it is read or refused.
    #[test]
    fn no_text_stops_the_reader(text in "\\PC*", at in 0..WHOLE.len(), cut in 0..40_usize) {
        faults(&text);
        let whole: String = WHOLE.chars().take(at).chain(text.chars()).chain(WHOLE.chars().skip(at + cut)).collect();
        faults(&whole);
    }
}

#[test]
fn a_message_that_is_given_up_leaves_only_to_a_declared_egress() {
    let module = |block: &str, egress: &str| {
        format!(
            "kind: io.statefun.endpoints.v2/http\nspec:\n  functions: a/b\n  urlPathTemplate: http://h/\n  tidegate: {block}\n---\nkind: io.tidegate.http.v1/egress\nspec:\n  id: {egress}\n"
        )
    };
    let drop = "{exhausted: drop, deadLetter: a/letters, backoff: {factor: 1.5}}";
    let sound = sound(&module(drop, "a/letters"));
    let function = Typename::parse("a/b").unwrap();
    let application = sound.application();
    let policy = application.policy(&function).unwrap();
    assert_eq!(policy.exhausted, Exhausted::Drop(Typename::parse("a/letters").unwrap()));
    assert_eq!(policy.backoff_factor_percent, 150);
    for (block, egress, code) in [
        (drop, "a/other", "TG-0108"),
        ("{exhausted: drop}", "a/letters", "TG-0109"),
        ("{deadLetter: a/letters}", "a/letters", "TG-0109"),
        ("{exhausted: throw}", "a/letters", "TG-0104"),
        ("{backoff: {factor: 0.5}}", "a/letters", "TG-0104"),
        ("{messagesPerSecond: 0}", "a/letters", "TG-0104"),
    ] {
        let found = faults(&module(block, egress)).to_string();
        assert!(found.contains(code), "{block}: {found}");
    }
}

#[test]
fn a_group_uses_up_no_more_than_a_second_of_the_rate() {
    let limited = endpoint("  tidegate: {messagesPerSecond: 2.5, groupsPerPartition: 7}\n");
    let module = ModuleConfig { endpoints: vec![limited], ..ModuleConfig::default() };
    let application = module.application();
    let policy = application.policy(&Typename::parse("a/b").unwrap()).unwrap();
    assert_eq!((policy.batch_messages, policy.groups_in_flight, policy.by_turns), (3, 7, true));
}
