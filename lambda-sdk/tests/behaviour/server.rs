//! The server over a real connection.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tidegate_protocol::reqreply::ToFunction;
use tidegate_protocol::{Message as _, media};
use tidegate_sdk::{Bytes, Context, Error, FunctionSpec, Message, ServeError, StatefulFunctions};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::support::{COUNTER, counters, group, state, typed};

async fn start(functions: StatefulFunctions) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let server = functions.bind("127.0.0.1:0".parse().unwrap()).await.unwrap().body_bytes_max(1024);
    let (stop, stopped) = oneshot::channel::<()>();
    let address = server.address();
    let running = tokio::spawn(server.run_until(async { drop(stopped.await) }));
    (address, stop, running)
}

async fn call(address: SocketAddr, h2: bool, body: Vec<u8>) -> (StatusCode, Bytes) {
    let client = Client::builder(TokioExecutor::new()).http2_only(h2).build_http();
    let request = Request::post(format!("http://{address}/statefun/counter"))
        .header(CONTENT_TYPE, media::OCTET_STREAM)
        .body(Full::new(Bytes::from(body)));
    let response = client.request(request.unwrap()).await.unwrap();
    (response.status(), response.into_body().collect().await.unwrap().to_bytes())
}

fn counting(messages: usize) -> Vec<u8> {
    let messages = vec![typed(&1_i64); messages];
    let group = group(&COUNTER, "a", vec![state("count", None)], messages);
    ToFunction::from(group).encode_to_vec()
}

#[tokio::test]
async fn functions_answer_over_http1_and_http2() {
    let (address, stop, running) = start(counters()).await;
    for h2 in [false, true] {
        let (status, body) = call(address, h2, counting(1)).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body[..2], [0xa2, 0x06]);
    }
    stop.send(()).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let (address, _stop, _running) = start(counters()).await;
    let (status, text) = call(address, false, counting(100)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(text, "TG-0615: the body is larger than 1024 bytes");
}

#[tokio::test]
async fn stopping_waits_for_what_is_under_way() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (entering, leaving) = (Arc::clone(&entered), Arc::clone(&leave));
    let handler = move |_: &mut Context, _: Message| {
        let (entering, leaving) = (Arc::clone(&entering), Arc::clone(&leaving));
        async move {
            entering.notify_one();
            leaving.notified().await;
            Ok::<(), Error>(())
        }
    };
    let functions = StatefulFunctions::new().with(FunctionSpec::new(COUNTER).handler(handler));
    let (address, stop, running) = start(functions).await;
    let calling = tokio::spawn(call(address, false, counting(1)));
    entered.notified().await;
    stop.send(()).unwrap();
    leave.notify_one();
    assert_eq!(calling.await.unwrap().0, StatusCode::OK);
    running.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_address_that_is_taken_is_told() {
    let (address, _stop, _running) = start(counters()).await;
    let error = counters().bind(address).await.unwrap_err();
    assert!(matches!(error, ServeError::Bind { address: told, .. } if told == address));
}
