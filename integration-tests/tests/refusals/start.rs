//! What is in use by somebody else is left to them.

use std::net::TcpListener;

use integration_tests::functions::Functions;
use integration_tests::gateway::Gateway;
use integration_tests::module::Module;
use tidegate_sdk::StatefulFunctions;

async fn gateway() -> (Gateway, Functions) {
    let functions = Functions::serve(StatefulFunctions::new()).await;
    (Gateway::new(Module::serving("shop", functions.address(), &[])), functions)
}

#[tokio::test]
async fn a_port_for_messages_that_is_taken_is_named() {
    let (mut gateway, _functions) = gateway().await;
    let _taken = TcpListener::bind(gateway.ingress()).unwrap();
    let (ended, said) = gateway.refuse().await;
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(said.contains("TG-0230") && said.contains(&gateway.ingress().to_string()), "{said}");
}

#[tokio::test]
async fn a_port_for_operators_that_is_taken_is_named() {
    let (mut gateway, _functions) = gateway().await;
    let _taken = TcpListener::bind(gateway.admin()).unwrap();
    let (ended, said) = gateway.refuse().await;
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(said.contains("TG-0") && said.contains(&gateway.admin().to_string()), "{said}");
}

#[tokio::test]
async fn a_second_gateway_keeps_away_from_the_data_of_the_first() {
    let (mut first, functions) = gateway().await;
    first.start().await;
    let data = first.data().display().to_string();
    let module = Module::serving("shop", functions.address(), &[]);
    let mut second = Gateway::new(module).with("data", &data);
    let (ended, said) = second.refuse().await;
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(said.contains("TG-0200") && said.contains(&data), "{said}");
    let holder = format!("process {}", first.process().id());
    assert!(said.contains(&holder), "{holder}: {said}");
    assert!(first.process().ended().is_none(), "the first goes on");
    assert!(first.stop().await.success());
}
