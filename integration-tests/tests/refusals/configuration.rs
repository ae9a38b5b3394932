//! A faulty module is refused as a whole, before anything is touched.

use std::net::TcpListener;

use integration_tests::gateway::Gateway;

const FAULTY: &str = "\
kind: io.statefun.endpoints.v2/http
spec:
  functions: shop/*
  urlPathTemplate: ftp://nowhere/
  maxNumBatchRequests: many
---
kind: io.tidegate.http.v1/ingress
spec:
  id: shop/orders
  path: orders
  valueType: shop/Order
  targets: [stop/cart]
  key: {jsonPointer: /id}
---
kind: io.tidegate.http.v1/egres
spec:
  id: shop/receipts
";

#[tokio::test]
async fn all_faults_of_a_module_are_reported_together_before_a_port_is_bound() {
    let mut gateway = Gateway::new(FAULTY);
    // Would the gateway bind its ports first, it would end with another code.
    let _taken = TcpListener::bind(gateway.ingress()).unwrap();
    let _taken_too = TcpListener::bind(gateway.admin()).unwrap();
    let (ended, said) = gateway.refuse().await;
    assert_eq!(ended.code(), Some(2), "{said}");
    for part in [
        "module.yaml:4:",  // another scheme
        "module.yaml:5:",  // not a number
        "module.yaml:10:", // a path without a slash
        "module.yaml:12:", // a target that nobody serves
        "module.yaml:15:", // a kind that nobody knows
        "TG-0104",
        "TG-0105",
        "TG-0108",
        "5 errors in the configuration",
    ] {
        assert!(said.contains(part), "{part} is missing: {said}");
    }
    assert!(!gateway.data().exists(), "nothing may be touched");
}

#[tokio::test]
async fn text_that_is_not_yaml_is_refused_with_its_place() {
    let (ended, said) = Gateway::new("kind: [open\nspec: {}\n").refuse().await;
    assert_eq!(ended.code(), Some(2), "{said}");
    assert!(said.contains("TG-0101") && said.contains("module.yaml:"), "{said}");
}

#[tokio::test]
async fn an_unknown_key_is_refused_with_the_nearest_one() {
    let module = "\
kind: io.statefun.endpoints.v2/http
spec:
  functions: shop/*
  urlPathTemplate: http://localhost:1/
  tidegate:
    atempts: 3
";
    let (ended, said) = Gateway::new(module).refuse().await;
    assert_eq!(ended.code(), Some(2), "{said}");
    assert!(said.contains("module.yaml:6:5"), "{said}");
    assert!(said.contains("TG-0102") && said.contains("did you mean `attempts`?"), "{said}");
}

#[tokio::test]
async fn an_unknown_key_of_statefun_is_a_warning_and_an_error_only_if_strict() {
    let module = "\
kind: io.statefun.endpoints.v2/http
spec:
  functions: shop/*
  urlPathTemplate: http://localhost:1/
  maxNumBatchRequest: 3
";
    let mut lenient = Gateway::new(module);
    lenient.start().await;
    assert!(
        lenient.errors().contains("did you mean `maxNumBatchRequests`?"),
        "{}",
        lenient.errors()
    );
    let mut strict = Gateway::new(module).with("strict", "true");
    let (ended, said) = strict.refuse().await;
    assert_eq!(ended.code(), Some(2), "{said}");
}

#[tokio::test]
async fn another_number_of_partitions_than_the_data_has_is_refused() {
    let module = "\
kind: io.statefun.endpoints.v2/http
spec:
  functions: shop/*
  urlPathTemplate: http://localhost:1/
";
    let mut gateway = Gateway::new(module);
    gateway.start().await;
    assert!(gateway.stop().await.success());
    let mut gateway = gateway.with("partitions", "16");
    let (ended, said) = gateway.refuse().await;
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(said.contains("TG-02") && said.contains("partitions"), "{said}");
}
