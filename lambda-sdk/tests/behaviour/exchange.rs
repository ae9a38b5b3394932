//! Statuses, media types and the agreement on the batch extension.

use http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use proptest::prelude::*;
use tidegate_protocol::reqreply::ToFunction;
use tidegate_protocol::{Message as _, media};
use tidegate_sdk::Bytes;

use crate::support::{COUNTER, counters, group, post, state, text, typed};

fn body() -> Bytes {
    let group = group(&COUNTER, "a", vec![state("count", None)], vec![typed(&1_i64)]);
    ToFunction::from(group).encode_to_vec().into()
}

#[tokio::test]
async fn a_gateway_that_offers_batches_is_told_that_they_are_understood() {
    let mut request = post(media::OCTET_STREAM, body());
    request.headers_mut().insert(ACCEPT, media::ACCEPT.parse().unwrap());
    let response = counters().handle(request).await;
    assert_eq!(response.headers()[media::BATCH_HEADER], media::BATCH_HEADER_V1);
    assert_eq!(response.headers()[CONTENT_TYPE], media::OCTET_STREAM);
}

#[tokio::test]
async fn other_gateways_see_nothing_of_the_extension() {
    let response = counters().handle(post(media::OCTET_STREAM, body())).await;
    assert!(!response.headers().contains_key(media::BATCH_HEADER));
}

#[tokio::test]
async fn a_body_without_media_type_or_with_parameters_is_an_ordinary_request() {
    let request = Request::post("/").body(body()).unwrap();
    assert_eq!(counters().handle(request).await.status(), StatusCode::OK);
    let request = post("Application/Octet-Stream; charset=binary", body());
    assert_eq!(counters().handle(request).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn other_methods_and_media_types_are_refused() {
    let mut request = post(media::OCTET_STREAM, body());
    *request.method_mut() = Method::GET;
    let response = counters().handle(request).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[ALLOW], "POST");
    let response = counters().handle(post("application/json", "{}")).await;
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(text(&response).starts_with("TG-0614"));
}

#[tokio::test]
async fn bodies_that_are_no_requests_are_refused() {
    let nameless = group(&COUNTER, "a", Vec::new(), Vec::new());
    let nameless = tidegate_protocol::reqreply::to_function::InvocationBatchRequest {
        target: None,
        ..nameless
    };
    let lacking = ToFunction::from(nameless).encode_to_vec();
    for body in [Bytes::from_static(b"\xff"), Bytes::new(), lacking.into()] {
        for media_type in [media::OCTET_STREAM, media::BATCH] {
            let response = counters().handle(post(media_type, body.clone())).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{media_type} {body:?}");
            assert!(text(&response).starts_with("TG-0612"), "{}", text(&response));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(body: Vec<u8>, batch: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let media_type = if batch { media::BATCH } else { media::OCTET_STREAM };
        let response = runtime.block_on(counters().handle(post(media_type, body)));
        let refused = [StatusCode::BAD_REQUEST, StatusCode::INTERNAL_SERVER_ERROR];
        prop_assert!(response.status() == StatusCode::OK || text(&response).starts_with("TG-06"));
        prop_assert!(response.status() == StatusCode::OK || refused.contains(&response.status()));
    }
}
