//! Endpoints that are declared anew while requests wait for them and are under way.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tidegate::invoker::{EndpointConfig, FunctionPattern, UrlTemplate};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::server::{Partition, Server};

/// A server that holds each answer until it gets a permit, and tells of each request.
async fn holding() -> (Server, Arc<Semaphore>, UnboundedReceiver<()>) {
    let permits = Arc::new(Semaphore::new(0));
    let (tell, told) = unbounded_channel();
    let held = Arc::clone(&permits);
    let server = Server::start(move |_| {
        tell.send(()).unwrap();
        while held.try_acquire().map(|permit| permit.forget()).is_err() {
            // The server answers synchronously, one connection on one thread.
            std::thread::yield_now();
        }
        Response::new(Full::<Bytes>::default())
    })
    .await;
    (server, permits, told)
}

fn at(server: &Server, functions: &str) -> EndpointConfig {
    let url = UrlTemplate::parse(&format!("http://{}/run", server.address)).unwrap();
    let functions = vec![FunctionPattern::parse(functions).unwrap()];
    let mut config = EndpointConfig::new("shop", functions, url);
    config.concurrency = 1.try_into().unwrap();
    config
}

fn change(partition: &Partition, endpoints: Vec<EndpointConfig>) {
    let invoker = partition.invoker();
    let introduced = invoker.introduce(invoker.prepare(endpoints).unwrap());
    invoker.retire(introduced);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_is_under_way_ends_and_what_waits_goes_to_the_new_endpoint() {
    let (old, permits, mut asked) = holding().await;
    let mut partition = Partition::new(at(&old, "shop/*"));
    let under_way = partition.submit("a");
    asked.recv().await.unwrap();
    let waiting = partition.submit("b");

    let mut new = Server::start(|_| Response::new(Full::default())).await;
    change(&partition, vec![at(&new, "shop/*")]);
    assert_eq!(partition.succeeds().await, waiting, "the new endpoint has it");
    new.seen().await;
    permits.add_permits(1);
    assert_eq!(partition.succeeds().await, under_way, "the old endpoint has answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_waits_for_a_function_that_nobody_serves_any_more_is_given_back() {
    let (old, permits, mut asked) = holding().await;
    let mut partition = Partition::new(at(&old, "shop/*"));
    let under_way = partition.submit("a");
    asked.recv().await.unwrap();
    partition.submit("b");
    change(&partition, Vec::new());
    let text = partition.fails().await;
    assert_eq!(text, "TG-0409 function `shop/cart` is declared by no endpoint");
    permits.add_permits(1);
    assert_eq!(partition.succeeds().await, under_way);
}

#[tokio::test]
async fn an_endpoint_that_is_declared_as_before_keeps_its_connections() {
    let server = Server::start(|_| Response::new(Full::default())).await;
    let mut partition = Partition::new(at(&server, "shop/*"));
    for id in ["a", "b", "c"] {
        partition.submit(id);
        partition.succeeds().await;
        change(&partition, vec![at(&server, "shop/*"), at(&server, "other/*")]);
    }
    let connections = server.connections.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(connections, 1);
}

#[tokio::test]
async fn a_name_of_its_own_goes_before_its_namespace_and_back() {
    let mut all = Server::start(|_| Response::new(Full::default())).await;
    let mut one = Server::start(|_| Response::new(Full::default())).await;
    let mut partition = Partition::new(at(&all, "shop/*"));
    partition.submit("a");
    partition.succeeds().await;
    all.seen().await;
    change(&partition, vec![at(&all, "shop/*"), at(&one, "shop/cart")]);
    partition.submit("b");
    partition.succeeds().await;
    one.seen().await;
    change(&partition, vec![at(&all, "shop/*")]);
    partition.submit("c");
    partition.succeeds().await;
    all.seen().await;
}
