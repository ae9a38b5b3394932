//! What encoding and decoding cost: the step of an accepted message, the step of a commit, a row and its key.
//!
//! `cargo bench -p tidegate-core --bench codec`. Messages have 100 bytes, values 8.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be taken has failed")]

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate_core::address::{Address, FunctionType};
use tidegate_core::codec::record::{decode_step, encode_step, encode_step_to_bytes};
use tidegate_core::codec::row::{decode_key, decode_row, encode_key, encode_row};
use tidegate_core::id::{Sequence, Timestamp};
use tidegate_core::message::{Message, TypedValue};
use tidegate_core::partition::record::{
    Commit, Delivery, MailboxEntry, Provenance, Record, ValueChange,
};
use tidegate_core::partition::row::{Row, RowKey};

fn target() -> Address {
    Address::new(FunctionType::parse("bench/count").unwrap(), "customer-12345").unwrap()
}

fn message() -> Arc<Message> {
    Arc::new(Message {
        sequence: Sequence(1_000_000),
        caller: None,
        argument: TypedValue::new("bench/payload", Bytes::from_static(&[b'x'; 100])),
        request: None,
    })
}

fn accepted() -> Record {
    let entry = MailboxEntry { target: target(), message: message() };
    Record::MessageAccepted {
        provenance: Provenance::Client { keys: None },
        delivery: Delivery::Local(entry),
    }
}

fn committed() -> Record {
    let put = ValueChange::Put {
        value: TypedValue::new("bench/u64", Bytes::from_static(&[0; 8])),
        expires_at: Timestamp::NEVER,
        refreshable: false,
    };
    Record::BatchCommitted(Box::new(Commit {
        address: target(),
        at: Timestamp(1_700_000_000_000),
        consumed: vec![Sequence(1_000_000)],
        values: vec![("seen".into(), put)],
        sends: Vec::new(),
        timers: Vec::new(),
        cancelled: Vec::new(),
        egress: Vec::new(),
        completed: Vec::new(),
        rejected: Vec::new(),
    }))
}

fn steps(criterion: &mut Criterion) {
    for (name, record) in [("accepted", accepted()), ("committed", committed())] {
        let records = [record];
        let bytes = encode_step_to_bytes(&records);
        let mut group = criterion.benchmark_group(format!("codec/step/{name}"));
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        let mut buffer = Vec::new();
        group.bench_function("encode", |bencher| {
            bencher.iter(|| {
                buffer.clear();
                encode_step(black_box(&records), &mut buffer);
            });
        });
        group.bench_function("decode", |bencher| {
            bencher.iter(|| decode_step(black_box(bytes.clone())).unwrap());
        });
    }
}

fn rows(criterion: &mut Criterion) {
    let key = RowKey::Mailbox(target(), Sequence(1_000_000));
    let row = Row::Message(message());
    let (key_bytes, row_bytes) = (encode_key(&key), Bytes::from(encode_row(&row)));
    let mut group = criterion.benchmark_group("codec/row");
    group.bench_function("encode", |bencher| bencher.iter(|| encode_row(black_box(&row))));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| decode_row(&key, black_box(row_bytes.clone())).unwrap());
    });
    group.bench_function("encode key", |bencher| bencher.iter(|| encode_key(black_box(&key))));
    group.bench_function("decode key", |bencher| {
        bencher.iter(|| decode_key(black_box(&key_bytes)).unwrap());
    });
}

criterion_group!(benches, steps, rows);
criterion_main!(benches);
