//! Modules as the published examples and tests of StateFun have them, with what they mean here.

use std::time::Duration;

use tidegate::config::fault::Faults;
use tidegate::config::module::{
    EgressKind, IngressKind, ModuleConfig, Playground, TransportKind, read,
};
use tidegate_core::address::Typename;

use crate::summary;

fn read_text(text: &str) -> (ModuleConfig, Vec<String>) {
    let mut faults = Faults::default();
    let module = read(text, "module.yaml", &mut faults);
    (module, summary(faults))
}

#[test]
fn applications_of_the_playground_are_read_as_they_are() {
    let (module, faults) = read_text(include_str!("statefun/playground-greeter.yaml"));
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(module.ingresses[0].kind, IngressKind::Playground { port: 8090 });
    let topics = vec!["greetings".to_owned()];
    let playground = Playground { port: 8091, topics };
    assert_eq!(module.egresses[0].kind, EgressKind::Playground(playground));
    assert_eq!(module.egresses[0].id.as_str(), "io.statefun.playground/egress");
    let inside: Vec<_> = module.application().egresses.into_iter().collect();
    assert_eq!(inside, [Playground::topic_id("greetings").unwrap()]);
    assert_eq!(read_text(include_str!("statefun/showcase.yaml")).1, Vec::<String>::new());
}

#[test]
fn what_the_playground_needs_is_checked() {
    let ingress = |spec: &str| {
        read_text(&format!("kind: io.statefun.playground.v1/ingress\nspec: {spec}\n")).1
    };
    let egress = |spec: &str| {
        read_text(&format!("kind: io.statefun.playground.v1/egress\nspec: {spec}\n")).1
    };
    for port in ["0", "65536", "http", "-1"] {
        assert!(ingress(&format!("{{port: {port}}}")).contains(&"TG-0104 Error 2:14".to_owned()));
    }
    assert!(ingress("{prot: 1}").contains(&"TG-0102 Warning 2:8".to_owned()), "as StateFun has it");
    assert!(ingress("{}").contains(&"TG-0103 Error 2:7".to_owned()));
    assert!(egress("{port: 1, topics: []}").contains(&"TG-0104 Error 2:25".to_owned()));
    assert!(egress("{port: 1, topics: [a/b]}").contains(&"TG-0104 Error 2:26".to_owned()));
    let once = "kind: io.statefun.playground.v1/ingress\nspec: {port: 1}\n---\n";
    let (_, twice) = read_text(&format!(
        "{once}{once}kind: io.statefun.playground.v1/egress\nspec: {{port: 1, topics: [a]}}\n"
    ));
    let expected =
        ["TG-0110 Warning 1:1", "TG-0107 Error 5:7", "TG-0107 Error 5:14", "TG-0107 Error 8:14"];
    assert_eq!(twice, expected, "two ingresses, and three listeners at one port");
    let inside = "kind: io.tidegate.http.v1/egress\nspec: {id: io.statefun.playground.topics/a}\n";
    assert!(read_text(inside).1.contains(&"TG-0104 Error 2:12".to_owned()));
}

#[test]
fn what_needs_kafka_is_named_and_nothing_else_is_wrong() {
    let (_, faults) = read_text(include_str!("statefun/kafka-greeter.yaml"));
    assert_eq!(faults, ["TG-0106 Error 7:7", "TG-0106 Error 18:7"]);
}

#[test]
fn each_transport_has_its_own_options() {
    let (module, faults) = read_text(include_str!("statefun/smoke-tls.yaml"));
    assert_eq!(faults, ["TG-0102 Warning 13:5"], "unknown keys are only warned about");
    let [secure, okhttp, v1] = &module.endpoints[..] else { panic!("{module:?}") };
    let tls = &secure.transport.tls;
    assert_eq!(tls.trust_cacerts.as_deref().unwrap().to_str(), Some("/certs/a_ca.pem"));
    assert_eq!(tls.client_cert.as_deref().unwrap().to_str(), Some("/certs/a_client.crt"));
    assert_eq!(tls.client_key.as_deref().unwrap().to_str(), Some("/certs/a_client.key.p8"));
    assert_eq!(
        tls.client_key_password.as_deref().unwrap().to_str(),
        Some("/certs/key_password.txt")
    );
    assert_eq!(okhttp.transport.kind, TransportKind::Okhttp);
    assert_eq!(okhttp.transport.connect_timeout, Duration::from_secs(15));
    assert_eq!(okhttp.transport.read_timeout, Some(Duration::from_mins(1)));
    assert_eq!(okhttp.transport.write_timeout, Some(Duration::from_millis(500)));
    assert_eq!(v1.transport.call_timeout, Duration::from_hours(1));
}

#[test]
fn there_is_no_class_path_to_look_in() {
    let text = "kind: io.statefun.endpoints.v2/http\nspec:\n  functions: a/b\n  urlPathTemplate: https://h/\n  \
        transport: {trust_cacerts: 'classpath:ca.pem'}\n";
    let mut faults = Faults::default();
    read(text, "module.yaml", &mut faults);
    assert!(faults.to_string().contains("names a class path, and Tidegate has none"), "{faults}");
    assert_eq!(summary(faults), ["TG-0104 Error 5:30"]);
}

#[test]
fn a_name_of_its_own_goes_before_its_namespace() {
    let endpoint = |functions: &str, most: usize| {
        format!(
            "kind: io.statefun.endpoints.v2/http\nspec: {{functions: {functions}, urlPathTemplate: 'http://h/', maxNumBatchRequests: {most}}}\n"
        )
    };
    let both = [("a/*", 1), ("a/b", 2), ("a/c", 3)];
    for order in [[0, 1, 2], [2, 1, 0]] {
        let text = order.map(|at| endpoint(both[at].0, both[at].1)).join("---\n");
        let application = read_text(&text).0.application();
        let most = |name: &str| {
            application.policy(&Typename::parse(name).unwrap()).map(|policy| policy.batch_messages)
        };
        assert_eq!((most("a/b"), most("a/c")), (Some(2), Some(3)));
        assert_eq!((most("a/anything"), most("b/b")), (Some(1), None));
    }
}
