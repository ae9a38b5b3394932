//! Answers that are compressed, as servers may when they are told that they may.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::Response;
use http_body_util::Full;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::Mutation;
use tidegate_protocol::Message;
use tidegate_protocol::reqreply::from_function::{InvocationResponse, PersistedValueMutation};
use tidegate_protocol::reqreply::{FromFunction, TypedValue};

use crate::server::{Partition, Server};

/// An answer that sets one value of that many equal bytes.
fn plain(bytes: usize) -> Vec<u8> {
    let value = TypedValue::present("shop/Seen", vec![b'x'; bytes]);
    let mutation = PersistedValueMutation {
        mutation_type: 1,
        state_name: "seen".into(),
        state_value: Some(value),
    };
    let response =
        InvocationResponse { state_mutations: vec![mutation], ..InvocationResponse::default() };
    FromFunction::from(response).encode_to_vec()
}

fn gzip(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap().into()
}

fn deflate(plain: &[u8]) -> Bytes {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap().into()
}

fn answer(encoding: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let answer = Response::builder().header("content-encoding", encoding);
    answer.header("content-type", "application/octet-stream").body(Full::new(body)).unwrap()
}

#[tokio::test]
async fn gzip_and_deflate_are_allowed_and_read() {
    for encoding in ["gzip", "deflate"] {
        let body = plain(5000);
        let body = if encoding == "gzip" { gzip(&body) } else { deflate(&body) };
        assert!(body.len() < 200);
        let mut server = Server::start(move |_| answer(encoding, body.clone())).await;
        let mut partition = Partition::new(server.config());
        partition.submit("a");
        let Event::InvocationSucceeded { response, .. } = partition.told().await else { panic!() };
        assert!(
            matches!(&response.mutations[..], [Mutation::Modify(_, value)] if value.value.len() == 5000)
        );
        assert_eq!(server.seen().await.header("accept-encoding"), "gzip, deflate");
    }
}

#[tokio::test]
async fn a_few_bytes_that_become_many_are_too_large() {
    let body = gzip(&plain(10 << 20));
    assert!(body.len() < 20_000, "{}", body.len());
    let server = Server::start(move |_| answer("gzip", body.clone())).await;
    let mut config = server.config();
    config.payload_max_bytes = 1 << 20;
    let mut partition = Partition::new(config);
    partition.submit("a");
    let expected = "TG-0407 the answer is larger than 1048576 bytes (endpoint `shop`)";
    assert_eq!(partition.fails().await, expected);
}
