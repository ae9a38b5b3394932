//! A conversation byte for byte, built without the generated code: what a StateFun gateway sends and must get.

use std::time::Duration;

use http::StatusCode;
use tidegate_protocol::media;
use tidegate_sdk::{
    Context, EgressId, Error, FunctionSpec, FunctionType, Message, StatefulFunctions, ValueSpec,
};

use crate::support::post;

const GREETER: FunctionType = FunctionType::named("a/b");
const EGRESS: EgressId = EgressId::named("e/f");
const SEEN: ValueSpec<i32> = ValueSpec::named("n").expire_after_invoke(Duration::from_millis(300));
const NAME: ValueSpec<String> = ValueSpec::named("s");

async fn greet(ctx: &mut Context, message: Message) -> Result<(), Error> {
    let seen = ctx.get(&SEEN)?.unwrap_or(0) + 1;
    ctx.set(&SEEN, &seen)?;
    ctx.remove(&NAME)?;
    ctx.reply(&message.get::<String>()?)?;
    ctx.send_after_with_token(Duration::from_millis(5), "t", GREETER.at("j"), &true)?;
    ctx.cancel("u")?;
    ctx.egress(&EGRESS, &0_i32)?;
    Ok(())
}

fn functions() -> StatefulFunctions {
    let greeter = FunctionSpec::new(GREETER).value(&SEEN).value(&NAME).handler(greet);
    StatefulFunctions::new().with(greeter)
}

/// A length-delimited field: its number, then the bytes of its parts.
fn field(number: u8, parts: &[&[u8]]) -> Vec<u8> {
    let payload = parts.concat();
    let tag = (u16::from(number) << 3) | 2;
    let mut bytes = varint(tag.into());
    bytes.extend(varint(payload.len()));
    bytes.extend(payload);
    bytes
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn address(id: &str) -> Vec<u8> {
    [field(1, &[b"a"]), field(2, &[b"b"]), field(3, &[id.as_bytes()])].concat()
}

fn value(typename: &str, bytes: &[u8]) -> Vec<u8> {
    let present = [0x10, 1];
    let content = if bytes.is_empty() { Vec::new() } else { field(3, &[bytes]) };
    [field(1, &[typename.as_bytes()]), present.to_vec(), content].concat()
}

fn request(states: &[&[u8]]) -> Vec<u8> {
    let argument = value("io.statefun.types/string", b"\x0a\x02hi");
    let invocation = field(3, &[&field(1, &[&address("j")]), &field(2, &[&argument])]);
    let states: Vec<_> = states.iter().flat_map(|state| field(2, &[state])).collect();
    field(100, &[&field(1, &[&address("i")]), &states, &invocation])
}

#[tokio::test]
async fn the_handshake_names_missing_values_only() {
    let known = field(1, &[b"s"]);
    let response = functions().handle(post(media::OCTET_STREAM, request(&[&known]))).await;
    let expiration = [&[0x08, 2, 0x10][..], &varint(300)].concat();
    let spec = [field(1, &[b"n"]), field(2, &[&expiration]), field(3, &[b"io.statefun.types/int"])];
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], media::OCTET_STREAM);
    assert_eq!(response.body()[..2], [0xaa, 0x06]);
    assert_eq!(response.body()[..], field(101, &[&field(1, &[&spec.concat()])]));
}

#[tokio::test]
async fn a_processed_group_is_answered_with_its_effects() {
    let seen = value("io.statefun.types/int", &[0x0d, 6, 0, 0, 0]);
    let seen = [field(1, &[b"n"]), field(2, &[&seen])].concat();
    let name = field(1, &[b"s"]);
    let response = functions().handle(post(media::OCTET_STREAM, request(&[&seen, &name]))).await;

    let seven = value("io.statefun.types/int", &[0x0d, 7, 0, 0, 0]);
    let modify = field(1, &[&[0x08, 1], &field(2, &[b"n"]), &field(3, &[&seven])]);
    let delete = field(1, &[&field(2, &[b"s"])]);
    let hi = value("io.statefun.types/string", b"\x0a\x02hi");
    let reply = field(2, &[&field(1, &[&address("j")]), &field(2, &[&hi])]);
    let truth = value("io.statefun.types/bool", &[0x08, 1]);
    let send_body = [field(2, &[&address("j")]), field(3, &[&truth]), field(11, &[b"t"])];
    let send = field(3, &[&[0x08, 5], &send_body.concat()]);
    let cancel = field(3, &[&[0x50, 1], &field(11, &[b"u"])]);
    let zero = value("io.statefun.types/int", &[]);
    let egress = field(4, &[&field(1, &[b"e"]), &field(2, &[b"f"]), &field(3, &[&zero])]);
    let expected = field(100, &[&modify, &delete, &reply, &send, &cancel, &egress]);
    assert_eq!(response.body()[..2], [0xa2, 0x06]);
    assert_eq!(response.body()[..], expected);
}
