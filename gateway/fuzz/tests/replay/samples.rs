//! Valid inputs of each target, from which fuzzing begins.

use std::fs;
use std::path::Path;

use prost::Message as _;
use tidegate::ingress::http::cursor::Cursor;
use tidegate::log::frame::{encode, encode_seal};
use tidegate::log::{FrameNumber, Step};
use tidegate_core::address::Typename;
use tidegate_core::id::{Lsn, PartitionId, Sequence};
use tidegate_protocol::batch::group_response::Result as GroupResult;
use tidegate_protocol::batch::{BatchId, BatchResponse, GroupFailure, GroupResponse};
use tidegate_protocol::reqreply::from_function::persisted_value_mutation::MutationType;
use tidegate_protocol::reqreply::from_function::{
    EgressMessage, IncompleteInvocationContext, Invocation, InvocationResponse,
    PersistedValueMutation, PersistedValueSpec, Response,
};
use tidegate_protocol::reqreply::{Address, FromFunction, TypedValue};
use ulid::Ulid;

type Samples = Vec<(String, Vec<u8>)>;

/// Samples of a target, with names.
pub(crate) fn of(target: &str) -> Samples {
    let gateway = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = |texts: &[&str]| {
        let named = texts
            .iter()
            .enumerate()
            .map(|(number, text)| (format!("sample-{number}"), text.as_bytes().to_vec()));
        named.collect()
    };
    match target {
        "answer" => named(
            "answer",
            [
                FromFunction { response: Some(Response::InvocationResult(result())) }
                    .encode_to_vec(),
                incomplete(),
            ],
        ),
        "answer-batch" => named("answers", [batch()]),
        "cli-address" => text(&["shop.fns/cart/ann", "a/b/c/d", "a/b/", "shop/cart/\u{e4}"]),
        "cursor" => named("cursor", [cursor(0), cursor(200), cursor(u64::MAX)]),
        "frame" => named(
            "frame",
            [frame(&[0]), frame(&[0, 1, 1, 7]), encode_seal(ULID, FrameNumber(9)).to_vec()],
        ),
        "key" => golden(gateway, "key-", |bytes| bytes),
        "lines" => {
            text(&[LINES, "\u{7}{\"target\":\"shop/cart/ann\",\"value\":{\"a\":[1,2]}}\n\n \n"])
        }
        "module" => text(&[&shared(gateway, "whole.yaml"), &shared(gateway, "faulty.yaml")]),
        "node" => text(&[
            &shared(gateway, "golden/effective.toml"),
            "partitions = 7\n[ingress]\nlisten = 1\n",
        ]),
        "record" => text(&[
            "\u{2}{\"customer\":{\"id\":\"ann\"}}",
            "\u{7}ann{}",
            "\u{2}{\"customer\":{\"id\":17}}",
        ]),
        "recovery" => named(
            "damage",
            [
                vec![],
                vec![0, 0, 16, 4, 0, 1],
                vec![2, 1, 20, 0, 0, 0],
                vec![1, 0, 32, 0, 9, 0, 3, 1, 0, 0, 0, 0],
            ],
        ),
        "row" => rows(gateway),
        "step" => golden(gateway, "step-", unsealed),
        _ => panic!("{target} has no samples"),
    }
}

const ULID: Ulid = Ulid::from_bytes([1; 16]);
const LINES: &str = "\u{40}{\"target\":\"shop/cart/ann\",\"text\":\"hello\"}\nno line\n{\"target\":\"shop/cart/bob\",\"base64\":\"AAEC\",\"type\":\"a/b\"}\n";

fn named<const N: usize>(name: &str, samples: [Vec<u8>; N]) -> Samples {
    let name = |(number, sample)| (format!("{name}-{number}"), sample);
    samples.into_iter().enumerate().map(name).collect()
}

fn shared(gateway: &Path, name: &str) -> String {
    fs::read_to_string(gateway.join("tests/config").join(name)).unwrap()
}

/// The golden bytes of the core, which every version must read.
fn golden(gateway: &Path, prefix: &str, change: fn(Vec<u8>) -> Vec<u8>) -> Samples {
    let entries = fs::read_dir(gateway.join("core/tests/golden/v1")).unwrap();
    let entries = entries.map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let ours = entries.filter(|path| name(path).starts_with(prefix));
    ours.map(|path| (name(&path), change(fs::read(&path).unwrap()))).collect()
}

/// Without version and checksum, which the target adds.
fn unsealed(bytes: Vec<u8>) -> Vec<u8> {
    bytes[1..bytes.len() - 4].to_vec()
}

fn rows(gateway: &Path) -> Samples {
    let keys = golden(gateway, "key-", |bytes| bytes);
    let rows = golden(gateway, "row-", unsealed);
    let pairs = rows.into_iter().filter_map(|(name, row)| {
        let (_, key) = keys.iter().find(|(key, _)| key[4..] == name[4..])?;
        Some((name, [&[u8::try_from(key.len()).ok()?], &key[..], &row[..]].concat()))
    });
    pairs.collect()
}

fn cursor(sequence: u64) -> Vec<u8> {
    let mut cursor = Cursor::start(8);
    cursor.advance(PartitionId(3), Sequence(sequence));
    cursor.encode(&Typename::parse("shop/receipts").unwrap()).into_bytes()
}

fn frame(partitions: &[u16]) -> Vec<u8> {
    let step = |(number, &partition): (usize, &u16)| {
        let lsn = Lsn(number as u64 + 1);
        let records = vec![number as u8; 20].into();
        Step { partition: PartitionId(partition), first: lsn, last: lsn, records }
    };
    let mut frame = Vec::new();
    encode(ULID, FrameNumber(3), partitions.iter().enumerate().map(step).collect(), &mut frame);
    frame
}

fn value() -> TypedValue {
    TypedValue {
        typename: "a/b".to_owned(),
        has_value: true,
        value: b"value".to_vec().into(),
        ..TypedValue::default()
    }
}

fn result() -> InvocationResponse {
    let target =
        Some(Address { namespace: "a".to_owned(), r#type: "b".to_owned(), id: "c".to_owned() });
    InvocationResponse {
        state_mutations: vec![PersistedValueMutation {
            mutation_type: MutationType::Modify as i32,
            state_name: "seen".to_owned(),
            state_value: Some(value()),
        }],
        outgoing_messages: vec![Invocation { target, argument: Some(value()) }],
        outgoing_egresses: vec![EgressMessage {
            egress_namespace: "a".to_owned(),
            egress_type: "b".to_owned(),
            argument: Some(value()),
        }],
        ..InvocationResponse::default()
    }
}

fn incomplete() -> Vec<u8> {
    let spec = PersistedValueSpec {
        state_name: "seen".to_owned(),
        type_typename: "a/b".to_owned(),
        ..PersistedValueSpec::default()
    };
    let context = IncompleteInvocationContext { missing_values: vec![spec] };
    FromFunction { response: Some(Response::IncompleteInvocationContext(context)) }.encode_to_vec()
}

fn batch() -> Vec<u8> {
    let group = |number: u32, result| GroupResponse {
        batch: Some(BatchId { partition: number, epoch: 1, number: u64::from(number) }),
        attempt: 1,
        result: Some(result),
        causes: None,
    };
    let failure = GroupFailure { text: "no stock".to_owned() };
    let groups = vec![
        group(0, GroupResult::InvocationResult(result())),
        group(1, GroupResult::Failure(failure)),
    ];
    BatchResponse { groups }.encode_to_vec()
}
