//! The module format with a `version`, in which StateFun 3.0 nests all components.

use std::num::NonZeroUsize;
use std::time::Duration;

use tidegate::config::fault::Faults;
use tidegate::config::module::{FunctionPattern, ModuleConfig, TransportKind, read};

use crate::summary;

const MODULE: &str = include_str!("statefun/format-3.0.yaml");

fn read_text(text: &str) -> (ModuleConfig, Vec<String>) {
    let mut faults = Faults::default();
    let module = read(text, "module.yaml", &mut faults);
    (module, summary(faults))
}

#[test]
fn a_module_of_format_3_0_means_the_same_components() {
    let (module, faults) = read_text(MODULE);
    assert_eq!(faults, Vec::<String>::new());
    let [all, cart] = &module.endpoints[..] else { panic!("{module:?}") };
    assert_eq!(all.functions, FunctionPattern::Namespace("shop.fns".into()));
    assert_eq!(all.transport.kind, TransportKind::Okhttp, "`http` is the endpoint of version 1");
    assert_eq!(all.transport.call_timeout, Duration::from_mins(2));
    assert_eq!(all.batch_messages, NonZeroUsize::new(10));
    assert_eq!(cart.url.as_str(), "http://cart:8000/statefun");
    assert_eq!(module.ingresses[0].id.as_str(), "shop/orders");
    assert_eq!(module.egresses[0].id.as_str(), "shop/receipts");
}

#[test]
fn its_short_kinds_mean_those_of_the_other_format() {
    let component = |list: &str, one: &str, kind: &str| {
        format!(
            "version: \"3.0\"\nmodule:\n  meta: {{type: remote}}\n  spec:\n    {list}:\n      - {one}:\n          meta: {{type: {kind}, id: a/b}}\n          spec: {{}}\n"
        )
    };
    for (list, one, kind) in [
        ("ingresses", "ingress", "io.statefun.kafka/ingress"),
        ("egresses", "egress", "io.statefun.kafka/egress"),
        ("ingresses", "ingress", "io.statefun.kinesis/ingress"),
        ("egresses", "egress", "io.statefun.kinesis/egress"),
    ] {
        let (_, faults) = read_text(&component(list, one, kind));
        assert!(faults.contains(&"TG-0106 Error 7:24".to_owned()), "{kind}: {faults:?}");
    }
    let (_, faults) = read_text(&component("egresses", "egress", "io.statefun.pulsar/egress"));
    assert!(faults.contains(&"TG-0105 Error 7:24".to_owned()), "{faults:?}");
}

#[test]
fn its_faults_have_the_places_of_the_nested_fields() {
    let text = MODULE.replace("call: 2min", "call: soon").replacen("shop.fns/cart", "cart", 1);
    let (_, faults) = read_text(&text);
    assert_eq!(faults, ["TG-0104 Error 15:21", "TG-0104 Error 20:24"]);
    let nested = "version: \"3.0\"\nmodule:\n  meta: {type: embedded}\n  spec:\n    functions: []\n    endpoints:\n      - endpoint: {spec: {}}\n";
    let (_, faults) = read_text(nested);
    let expected =
        ["TG-0110 Warning 1:1", "TG-0104 Error 3:16", "TG-0102 Warning 5:5", "TG-0103 Error 7:19"];
    assert_eq!(faults, expected);
}

#[test]
fn other_versions_cannot_be_read() {
    for version in ["1.0", "2.0", "\"3.1\"", "4"] {
        let (_, faults) = read_text(&format!("version: {version}\nmodule: {{spec: {{}}}}\n"));
        assert!(faults.contains(&"TG-0111 Error 1:10".to_owned()), "{version}: {faults:?}");
    }
    let beside = format!("{MODULE}---\nkind: io.tidegate.http.v1/egress\nspec: {{id: shop/out}}\n");
    assert_eq!(read_text(&beside).1, ["TG-0111 Error 2:1"], "it stands alone");
}
