//! One fixed value of every kind that is persisted, with every variant somewhere in it.

use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::address::{Address, Typename};
use tidegate_core::id::{Epoch, Lsn, PartitionId, Sequence, Ticket, Timestamp};
use tidegate_core::message::{
    ClientRequest, Envelope, Message, RequestId, RequestKey, RequestProgress, SourcePosition,
    TypedValue,
};
use tidegate_core::partition::group::{Expiration, Rejection, RejectionReason, ValueSpec};
use tidegate_core::partition::order::{Signature, Subject};
use tidegate_core::partition::record::{
    Commit, Delivery, DiscardReason, EgressEntry, Emitted, ExpiredValue, MailboxEntry, OutboxEntry,
    Provenance, Record, TimerOutcome, ValueChange,
};
use tidegate_core::partition::row::{Parked, RequestRow, Row, RowKey, Timer, TimerKey, TimerTask};
use tidegate_core::trace::TraceContext;

/// 2026-01-01T00:00:00Z.
const NOW: Timestamp = Timestamp(1_767_225_600_000);

fn typename(name: &str) -> Typename {
    Typename::new("example", name).unwrap()
}

fn address(id: &str) -> Address {
    Address::new(typename("counter"), id).unwrap()
}

fn value() -> TypedValue {
    TypedValue::new("example/bytes", Bytes::from_static(b"\x00\x01payload\xff"))
}

/// What differs from `value` in everything that may differ.
fn unusual_value() -> TypedValue {
    TypedValue {
        typename: "".into(),
        has_value: false,
        value: Bytes::new(),
        metadata: vec![Bytes::from_static(b"header"), Bytes::new()],
        trace: None,
    }
}

/// Values as they travel in a recorded trace, with a state and without.
fn traced_values() -> [TypedValue; 2] {
    let context = TraceContext {
        trace_id: *b"0123456789abcdef",
        span_id: *b"ABCDEFGH",
        flags: 1,
        sent_at: NOW,
        state: Some("vendor=opaque".into()),
    };
    let plain = TraceContext { flags: 0, state: None, ..context };
    [value().traced(Some(Arc::new(context))), unusual_value().traced(Some(Arc::new(plain)))]
}

fn request_key() -> RequestKey {
    RequestKey(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff)
}

fn client_request() -> Arc<ClientRequest> {
    Arc::new(ClientRequest { id: request_key(), key: "order-17".into(), body_hash: [0xab; 32] })
}

fn request_row() -> RequestRow {
    let progress = RequestProgress { consumed_at: Some(NOW), reply: Some(value()) };
    RequestRow { target: address("a"), request: client_request(), progress }
}

fn message() -> Message {
    Message {
        sequence: Sequence(300),
        caller: Some(address("b")),
        argument: value(),
        request: Some(client_request()),
    }
}

fn plain_message() -> Message {
    Message { sequence: Sequence(1), caller: None, argument: unusual_value(), request: None }
}

fn envelope() -> Envelope {
    Envelope { caller: Some(address("a")), target: address("ü\u{0}"), argument: value() }
}

fn emitted() -> Emitted {
    Emitted { sender: address("a"), at: NOW, argument: value() }
}

fn parked() -> Parked {
    Parked { at: NOW, failures: 8, text: "division by zero".into() }
}

fn timer_key() -> TimerKey {
    TimerKey { fire_at: NOW.plus_ms(60_000), id: Sequence(70_000) }
}

fn send_later() -> TimerTask {
    TimerTask::Send {
        sender: address("a"),
        target: address("b"),
        argument: value(),
        token: Some("reminder".into()),
    }
}

fn position() -> SourcePosition {
    SourcePosition { record: 49_590_338_271_490_256_608_559_692_538_361_571_095, part: 3 }
}

fn specs() -> Arc<[ValueSpec]> {
    let spec = |name: &str, expiration| ValueSpec {
        name: name.into(),
        typename: "example/bytes".into(),
        expiration,
    };
    Arc::new([
        spec("kept", Expiration::Never),
        spec("written", Expiration::AfterWrite(86_400_000)),
        spec("seen", Expiration::AfterInvoke(1)),
    ])
}

fn sends() -> Vec<Delivery> {
    let local = MailboxEntry { target: address("b"), message: plain_message().into() };
    let remote = OutboxEntry {
        destination: PartitionId(513),
        sequence: Sequence(u64::MAX),
        envelope: envelope(),
    };
    let reply = Delivery::Reply {
        request: RequestId::Waiting { epoch: Epoch(7), ticket: Ticket(900) },
        argument: value(),
    };
    let keyed =
        Delivery::Reply { request: RequestId::Keyed(request_key()), argument: unusual_value() };
    vec![
        Delivery::Local(local),
        Delivery::Remote(remote),
        reply,
        keyed,
        Delivery::Dropped(DiscardReason::RequestGone),
    ]
}

fn rejected() -> Vec<Rejection> {
    [
        RejectionReason::UnknownFunction,
        RejectionReason::UnknownEgress,
        RejectionReason::InvalidAddress,
        RejectionReason::DuplicateToken,
        RejectionReason::InvalidToken,
        RejectionReason::NegativeDelay,
        RejectionReason::TooLarge,
        RejectionReason::RequestGone,
    ]
    .map(|reason| Rejection { reason, subject: "example/nobody".into() })
    .into()
}

fn value_changes() -> Vec<(Arc<str>, ValueChange)> {
    let put = ValueChange::Put { value: value(), expires_at: Timestamp::NEVER, refreshable: false };
    vec![
        ("kept".into(), put),
        ("seen".into(), ValueChange::Refresh { expires_at: NOW }),
        ("written".into(), ValueChange::Delete { refreshable: true }),
    ]
}

fn commit() -> Commit {
    let forget = Timer {
        key: TimerKey { fire_at: Timestamp::NEVER, id: Sequence(2) },
        task: TimerTask::Forget(request_key()),
    };
    Commit {
        address: address("a"),
        at: NOW,
        consumed: [300, 301, 500, 70_000].map(Sequence).into(),
        values: value_changes(),
        sends: sends(),
        timers: vec![Timer { key: timer_key(), task: send_later() }, forget],
        cancelled: vec![(timer_key(), "reminder".into())],
        egress: vec![EgressEntry {
            egress: typename("audit"),
            sequence: Sequence(128),
            emitted: emitted(),
        }],
        completed: vec![request_row()],
        rejected: rejected(),
    }
}

/// An accepted message from another partition with a payload of that many bytes.
pub(crate) fn accepted_message(bytes: usize) -> Record {
    let message = Message {
        sequence: Sequence(1_000_000),
        caller: Some(address("sender")),
        argument: TypedValue::new("example/bytes", vec![b'x'; bytes].into()),
        request: None,
    };
    let provenance = Provenance::Peer { partition: PartitionId(5), sequence: Sequence(1_000_000) };
    Record::MessageAccepted {
        provenance,
        delivery: Delivery::Local(MailboxEntry {
            target: address("receiver"),
            message: message.into(),
        }),
    }
}

/// A step for each kind of record, with a name; the last one holds several.
pub(crate) fn steps() -> Vec<(&'static str, Vec<Record>)> {
    let peer = Provenance::Peer { partition: PartitionId(200), sequence: Sequence(128) };
    let source = Provenance::Source {
        source: "orders/shardId-0".into(),
        epoch: Epoch(2),
        position: position(),
    };
    let accepted = |provenance, message: Message| Record::MessageAccepted {
        provenance,
        delivery: Delivery::Local(MailboxEntry { target: address("a"), message: message.into() }),
    };
    let fired = |token, outcome| Record::TimerFired { timer: timer_key(), token, outcome };
    vec![
        ("empty", vec![]),
        ("partition-adopted", vec![Record::PartitionAdopted { epoch: Epoch(7) }]),
        (
            "source-opened",
            vec![Record::SourceOpened {
                source: "orders/shardId-0".into(),
                epoch: Epoch(2),
                watermark: position(),
            }],
        ),
        (
            "message-accepted",
            vec![
                accepted(peer.clone(), plain_message()),
                accepted(source, message()),
                accepted(Provenance::Client { keys: None }, plain_message()),
                accepted(Provenance::Client { keys: Some(1 << 20) }, message()),
            ],
        ),
        (
            "message-traced",
            traced_values()
                .map(|argument| {
                    let message = Message { argument, ..plain_message() };
                    accepted(Provenance::Client { keys: None }, message)
                })
                .into(),
        ),
        (
            "message-dropped",
            vec![Record::MessageAccepted {
                provenance: peer,
                delivery: Delivery::Dropped(DiscardReason::UnknownFunction),
            }],
        ),
        (
            "reply-recorded",
            vec![
                Record::ReplyRecorded {
                    address: address("reply"),
                    consumed: Sequence(300),
                    row: Some(request_row()),
                },
                Record::ReplyRecorded {
                    address: address("reply"),
                    consumed: Sequence(1),
                    row: None,
                },
            ],
        ),
        (
            "values-registered",
            vec![Record::ValuesRegistered { function: typename("counter"), specs: specs() }],
        ),
        ("batch-committed", vec![Record::BatchCommitted(Box::new(commit()))]),
        (
            "timer-fired",
            vec![
                fired(
                    Some((address("a"), "reminder".into())),
                    TimerOutcome::Delivered(sends().remove(1)),
                ),
                fired(
                    None,
                    TimerOutcome::Delivered(Delivery::Dropped(DiscardReason::UnknownFunction)),
                ),
                fired(None, TimerOutcome::Forgotten { request: request_key(), keys: 41 }),
            ],
        ),
        (
            "outbox-trimmed",
            vec![Record::OutboxTrimmed {
                destination: PartitionId(200),
                from: Sequence(1),
                through: Sequence(300),
            }],
        ),
        (
            "egress-trimmed",
            vec![Record::EgressTrimmed {
                egress: typename("audit"),
                from: Sequence(1),
                through: Sequence(300),
            }],
        ),
        (
            "address-parked",
            vec![Record::AddressParked { address: address("a"), why: parked(), parked: 300 }],
        ),
        (
            "address-released",
            vec![Record::AddressReleased {
                address: address("a"),
                parked: 299,
                signature: signature(),
            }],
        ),
        (
            "messages-dropped",
            vec![Record::MessagesDropped {
                address: address("a"),
                sequences: vec![Sequence(300), Sequence(302)],
                completed: vec![completed()],
                signature: signature(),
            }],
        ),
        (
            "dead-lettered",
            vec![Record::DeadLettered {
                address: address("a"),
                sequence: Sequence(300),
                entry: EgressEntry {
                    egress: typename("letters"),
                    sequence: Sequence(7),
                    emitted: emitted(),
                },
                completed: Some(completed()),
            }],
        ),
        (
            "values-expired",
            vec![Record::ValuesExpired(vec![
                ExpiredValue { address: address("a1"), name: "note".into(), refreshable: false },
                ExpiredValue { address: address("a2"), name: "visit".into(), refreshable: true },
            ])],
        ),
        ("paused", vec![Record::Paused { subject: paused(), signature: signature() }]),
        ("resumed", vec![Record::Resumed { subject: paused(), signature: signature() }]),
    ]
}

fn completed() -> (RequestRow, Timer) {
    (request_row(), Timer { key: timer_key(), task: TimerTask::Forget(request_key()) })
}

fn paused() -> Subject {
    Subject::Function(typename("counter"))
}

fn signature() -> Signature {
    Signature { at: NOW, by: "ada".into(), reason: "the model is wrong".into() }
}

/// A row of each table with its key, and a name.
pub(crate) fn rows() -> Vec<(&'static str, RowKey, Row)> {
    let odd = || address("a\u{0}b");
    let source = Row::Source(Epoch(2), position());
    let mailbox = RowKey::Mailbox(odd(), Sequence(300));
    let number = || Row::Sequence(Sequence(300));
    let later = value();
    vec![
        ("applied", RowKey::Applied, Row::Lsn(Lsn(1 << 40))),
        ("epoch", RowKey::Epoch, Row::Epoch(Epoch(7))),
        ("next-sequence", RowKey::NextSequence, number()),
        ("keys", RowKey::Keys, Row::Count(41)),
        ("peer", RowKey::Peer(PartitionId(200)), number()),
        ("source", RowKey::Source("orders/shardId-0".into()), source),
        ("specs", RowKey::Specs(typename("counter")), Row::Specs(specs())),
        ("outbox-next", RowKey::OutboxNext(PartitionId(200)), number()),
        ("outbox-trimmed", RowKey::OutboxTrimmed(PartitionId(200)), number()),
        ("egress-next", RowKey::EgressNext(typename("audit")), number()),
        ("egress-trimmed", RowKey::EgressTrimmed(typename("audit")), number()),
        ("pause-function", RowKey::Pause(paused()), Row::Pause(signature())),
        (
            "pause-ingress",
            RowKey::Pause(Subject::Ingress(typename("orders"))),
            Row::Pause(signature()),
        ),
        ("parked-count", RowKey::ParkedCount, Row::Count(300)),
        ("parked", RowKey::Parked(odd()), Row::Parked(parked())),
        ("mailbox", mailbox, Row::Message(message().into())),
        ("mailbox-parked", RowKey::parked(odd()), Row::Parked(parked())),
        ("timer", RowKey::Timer(timer_key()), Row::Timer(Box::new(send_later()))),
        (
            "timer-forget",
            RowKey::Timer(timer_key()),
            Row::Timer(Box::new(TimerTask::Forget(request_key()))),
        ),
        ("token", RowKey::Token(odd(), "reminder".into()), Row::Token(timer_key())),
        (
            "outbox",
            RowKey::Outbox(PartitionId(200), Sequence(300)),
            Row::Envelope(Box::new(envelope())),
        ),
        (
            "egress",
            RowKey::Egress(typename("audit"), Sequence(300)),
            Row::Emitted(Box::new(emitted())),
        ),
        ("request", RowKey::Request(request_key()), Row::Request(Box::new(request_row()))),
        ("value", RowKey::Value(odd(), "kept".into()), Row::Value(later, Timestamp::NEVER)),
        ("expiry", RowKey::Expiry(odd(), "seen".into()), Row::Expiry(NOW)),
    ]
}
