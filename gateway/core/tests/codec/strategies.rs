//! Arbitrary values of everything that is persisted, without regard to whether the core would ever produce them.

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
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

/// Numbers of all lengths, with both ends.
pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), 0..200_u64, any::<u64>()]
}

fn wide_number() -> impl Strategy<Value = u128> {
    prop_oneof![Just(0), Just(u128::MAX), any::<u128>(), number().prop_map(u128::from)]
}

/// Short texts of few characters, so that equal texts, common beginnings and zero bytes are frequent.
pub(crate) fn text() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![
        3 => "[\u{0}\u{1}ab\u{ff}\u{10ffff}]{0,4}",
        1 => "\\PC{0,20}",
    ]
    .prop_map(Arc::from)
}

/// Valid names, some of which begin others.
pub(crate) fn typename() -> impl Strategy<Value = Typename> {
    "[a-c.é]{1,3}/[a-c.é]{1,3}".prop_map(|name| Typename::parse(&name).unwrap())
}

pub(crate) fn address() -> impl Strategy<Value = Address> {
    (typename(), text()).prop_map(|(function, id)| Address { function, id })
}

fn partition() -> impl Strategy<Value = PartitionId> {
    any::<u16>().prop_map(PartitionId)
}

fn epoch() -> impl Strategy<Value = Epoch> {
    number().prop_map(Epoch)
}

pub(crate) fn sequence() -> impl Strategy<Value = Sequence> {
    number().prop_map(Sequence)
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    number().prop_map(Timestamp)
}

fn position() -> impl Strategy<Value = SourcePosition> {
    (wide_number(), any::<u32>()).prop_map(|(record, part)| SourcePosition { record, part })
}

fn payload() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn value() -> impl Strategy<Value = TypedValue> {
    (text(), any::<bool>(), payload(), vec(payload(), 0..3), option::of(trace())).prop_map(
        |(typename, has_value, value, metadata, trace)| TypedValue {
            typename,
            has_value,
            value,
            metadata,
            trace: trace.map(Arc::new),
        },
    )
}

fn trace() -> impl Strategy<Value = TraceContext> {
    let state = option::of("[a-z0-9=,]{1,40}".prop_map(String::into_boxed_str));
    (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>(), timestamp(), state).prop_map(
        |(trace_id, span_id, flags, sent_at, state)| TraceContext {
            trace_id,
            span_id,
            flags,
            sent_at,
            state,
        },
    )
}

fn request_key() -> impl Strategy<Value = RequestKey> {
    wide_number().prop_map(RequestKey)
}

fn request_id() -> impl Strategy<Value = RequestId> {
    prop_oneof![
        (epoch(), number())
            .prop_map(|(epoch, ticket)| RequestId::Waiting { epoch, ticket: Ticket(ticket) }),
        request_key().prop_map(RequestId::Keyed),
    ]
}

fn client_request() -> impl Strategy<Value = Arc<ClientRequest>> {
    (request_key(), text(), any::<[u8; 32]>())
        .prop_map(|(id, key, body_hash)| Arc::new(ClientRequest { id, key, body_hash }))
}

fn request_row() -> impl Strategy<Value = RequestRow> {
    (address(), client_request(), option::of(timestamp()), option::of(value())).prop_map(
        |(target, request, consumed_at, reply)| RequestRow {
            target,
            request,
            progress: RequestProgress { consumed_at, reply },
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    (sequence(), option::of(address()), value(), option::of(client_request())).prop_map(
        |(sequence, caller, argument, request)| Message { sequence, caller, argument, request },
    )
}

fn envelope() -> impl Strategy<Value = Envelope> {
    (option::of(address()), address(), value()).prop_map(|(caller, target, argument)| Envelope {
        caller,
        target,
        argument,
    })
}

fn emitted() -> impl Strategy<Value = Emitted> {
    (address(), timestamp(), value()).prop_map(|(sender, at, argument)| Emitted {
        sender,
        at,
        argument,
    })
}

fn parked() -> impl Strategy<Value = Parked> {
    (timestamp(), any::<u32>(), text()).prop_map(|(at, failures, text)| Parked {
        at,
        failures,
        text,
    })
}

fn timer_key() -> impl Strategy<Value = TimerKey> {
    (timestamp(), sequence()).prop_map(|(fire_at, id)| TimerKey { fire_at, id })
}

fn timer_task() -> impl Strategy<Value = TimerTask> {
    prop_oneof![
        (address(), address(), value(), option::of(text())).prop_map(
            |(sender, target, argument, token)| TimerTask::Send { sender, target, argument, token }
        ),
        request_key().prop_map(TimerTask::Forget),
    ]
}

fn timer() -> impl Strategy<Value = Timer> {
    (timer_key(), timer_task()).prop_map(|(key, task)| Timer { key, task })
}

fn specs() -> impl Strategy<Value = Arc<[ValueSpec]>> {
    let expiration = prop_oneof![
        Just(Expiration::Never),
        number().prop_map(Expiration::AfterWrite),
        number().prop_map(Expiration::AfterInvoke),
    ];
    let spec = (text(), text(), expiration).prop_map(|(name, typename, expiration)| ValueSpec {
        name,
        typename,
        expiration,
    });
    vec(spec, 0..4).prop_map(Arc::from)
}

fn provenance() -> impl Strategy<Value = Provenance> {
    prop_oneof![
        (partition(), sequence())
            .prop_map(|(partition, sequence)| Provenance::Peer { partition, sequence }),
        (text(), epoch(), position()).prop_map(|(source, epoch, position)| Provenance::Source {
            source,
            epoch,
            position
        }),
        option::of(number()).prop_map(|keys| Provenance::Client { keys }),
    ]
}

fn discard_reason() -> impl Strategy<Value = DiscardReason> {
    prop_oneof![Just(DiscardReason::RequestGone), Just(DiscardReason::UnknownFunction)]
}

fn rejection() -> impl Strategy<Value = Rejection> {
    let reason = prop_oneof![
        Just(RejectionReason::UnknownFunction),
        Just(RejectionReason::UnknownEgress),
        Just(RejectionReason::InvalidAddress),
        Just(RejectionReason::DuplicateToken),
        Just(RejectionReason::InvalidToken),
        Just(RejectionReason::NegativeDelay),
        Just(RejectionReason::TooLarge),
        Just(RejectionReason::RequestGone),
    ];
    (reason, text()).prop_map(|(reason, subject)| Rejection { reason, subject })
}

fn mailbox_entry() -> impl Strategy<Value = MailboxEntry> {
    (address(), message())
        .prop_map(|(target, message)| MailboxEntry { target, message: message.into() })
}

fn delivery() -> impl Strategy<Value = Delivery> {
    let remote =
        (partition(), sequence(), envelope()).prop_map(|(destination, sequence, envelope)| {
            OutboxEntry { destination, sequence, envelope }
        });
    prop_oneof![
        mailbox_entry().prop_map(Delivery::Local),
        remote.prop_map(Delivery::Remote),
        (request_id(), value())
            .prop_map(|(request, argument)| Delivery::Reply { request, argument }),
        discard_reason().prop_map(Delivery::Dropped),
    ]
}

fn timer_outcome() -> impl Strategy<Value = TimerOutcome> {
    prop_oneof![
        delivery().prop_map(TimerOutcome::Delivered),
        (request_key(), number())
            .prop_map(|(request, keys)| TimerOutcome::Forgotten { request, keys }),
    ]
}

fn value_change() -> impl Strategy<Value = ValueChange> {
    prop_oneof![
        (value(), timestamp(), any::<bool>()).prop_map(|(value, expires_at, refreshable)| {
            ValueChange::Put { value, expires_at, refreshable }
        }),
        timestamp().prop_map(|expires_at| ValueChange::Refresh { expires_at }),
        any::<bool>().prop_map(|refreshable| ValueChange::Delete { refreshable }),
    ]
}

fn egress_entry() -> impl Strategy<Value = EgressEntry> {
    (typename(), sequence(), emitted()).prop_map(|(egress, sequence, emitted)| EgressEntry {
        egress,
        sequence,
        emitted,
    })
}

fn commit() -> impl Strategy<Value = Commit> {
    let inputs = (address(), timestamp(), vec(sequence(), 0..5));
    let state = (vec((text(), value_change()), 0..3), vec(timer(), 0..3));
    let cancelled = vec((timer_key(), text()), 0..3);
    let outputs = (vec(delivery(), 0..3), vec(egress_entry(), 0..3));
    let rest = (cancelled, vec(request_row(), 0..3), vec(rejection(), 0..3));
    (inputs, state, outputs, rest).prop_map(
        |(
            (address, at, consumed),
            (values, timers),
            (sends, egress),
            (cancelled, completed, rejected),
        )| {
            Commit {
                address,
                at,
                consumed,
                values,
                sends,
                timers,
                cancelled,
                egress,
                completed,
                rejected,
            }
        },
    )
}

fn given_up() -> impl Strategy<Value = Record> {
    let completed = || (request_row(), timer());
    let dropped = (address(), vec(sequence(), 0..4), vec(completed(), 0..3), signature());
    let dropped = dropped.prop_map(|(address, sequences, completed, signature)| {
        Record::MessagesDropped { address, sequences, completed, signature }
    });
    let sent = (address(), sequence(), egress_entry(), option::of(completed()));
    let sent = sent.prop_map(|(address, sequence, entry, completed)| Record::DeadLettered {
        address,
        sequence,
        entry,
        completed,
    });
    prop_oneof![dropped, sent]
}

fn timer_fired() -> impl Strategy<Value = Record> {
    (timer_key(), option::of((address(), text())), timer_outcome())
        .prop_map(|(timer, token, outcome)| Record::TimerFired { timer, token, outcome })
}

fn expired_value() -> impl Strategy<Value = ExpiredValue> {
    (address(), text(), any::<bool>()).prop_map(|(address, name, refreshable)| ExpiredValue {
        address,
        name,
        refreshable,
    })
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![typename().prop_map(Subject::Function), typename().prop_map(Subject::Ingress)]
}

fn signature() -> impl Strategy<Value = Signature> {
    (timestamp(), text(), text()).prop_map(|(at, by, reason)| Signature { at, by, reason })
}

/// Any record.
pub(crate) fn record() -> BoxedStrategy<Record> {
    let trim = || (sequence(), sequence());
    prop_oneof![
        epoch().prop_map(|epoch| Record::PartitionAdopted { epoch }),
        (text(), epoch(), position()).prop_map(|(source, epoch, watermark)| {
            Record::SourceOpened { source, epoch, watermark }
        }),
        (provenance(), delivery())
            .prop_map(|(provenance, delivery)| Record::MessageAccepted { provenance, delivery }),
        (address(), sequence(), option::of(request_row()))
            .prop_map(|(address, consumed, row)| Record::ReplyRecorded { address, consumed, row }),
        (typename(), specs())
            .prop_map(|(function, specs)| Record::ValuesRegistered { function, specs }),
        commit().prop_map(|commit| Record::BatchCommitted(Box::new(commit))),
        timer_fired(),
        (partition(), trim()).prop_map(|(destination, (from, through))| Record::OutboxTrimmed {
            destination,
            from,
            through
        }),
        (typename(), trim()).prop_map(|(egress, (from, through))| Record::EgressTrimmed {
            egress,
            from,
            through
        }),
        (address(), parked(), number()).prop_map(|(address, why, parked)| Record::AddressParked {
            address,
            why,
            parked
        }),
        (address(), number(), signature()).prop_map(|(address, parked, signature)| {
            Record::AddressReleased { address, parked, signature }
        }),
        given_up(),
        vec(expired_value(), 0..3).prop_map(Record::ValuesExpired),
        (subject(), signature())
            .prop_map(|(subject, signature)| Record::Paused { subject, signature }),
        (subject(), signature())
            .prop_map(|(subject, signature)| Record::Resumed { subject, signature }),
    ]
    .boxed()
}

/// Any step.
pub(crate) fn step() -> impl Strategy<Value = Vec<Record>> {
    vec(record(), 0..5)
}

/// Any key.
pub(crate) fn key() -> BoxedStrategy<RowKey> {
    prop_oneof![
        Just(RowKey::Applied),
        Just(RowKey::Epoch),
        Just(RowKey::NextSequence),
        Just(RowKey::Keys),
        partition().prop_map(RowKey::Peer),
        text().prop_map(RowKey::Source),
        typename().prop_map(RowKey::Specs),
        partition().prop_map(RowKey::OutboxNext),
        partition().prop_map(RowKey::OutboxTrimmed),
        typename().prop_map(RowKey::EgressNext),
        typename().prop_map(RowKey::EgressTrimmed),
        subject().prop_map(RowKey::Pause),
        Just(RowKey::ParkedCount),
        address().prop_map(RowKey::Parked),
        (address(), sequence()).prop_map(|(address, number)| RowKey::Mailbox(address, number)),
        timer_key().prop_map(RowKey::Timer),
        (address(), text()).prop_map(|(address, token)| RowKey::Token(address, token)),
        (partition(), sequence()).prop_map(|(partition, number)| RowKey::Outbox(partition, number)),
        (typename(), sequence()).prop_map(|(egress, number)| RowKey::Egress(egress, number)),
        request_key().prop_map(RowKey::Request),
        (address(), text()).prop_map(|(address, name)| RowKey::Value(address, name)),
        (address(), text()).prop_map(|(address, name)| RowKey::Expiry(address, name)),
    ]
    .boxed()
}

/// A row that may stand under the key.
fn row_of(key: &RowKey) -> BoxedStrategy<Row> {
    match key {
        RowKey::Applied => number().prop_map(|lsn| Row::Lsn(Lsn(lsn))).boxed(),
        RowKey::Epoch => epoch().prop_map(Row::Epoch).boxed(),
        RowKey::Keys | RowKey::ParkedCount => number().prop_map(Row::Count).boxed(),
        RowKey::Pause(_) => signature().prop_map(Row::Pause).boxed(),
        RowKey::NextSequence
        | RowKey::Peer(_)
        | RowKey::OutboxNext(_)
        | RowKey::OutboxTrimmed(_)
        | RowKey::EgressNext(_)
        | RowKey::EgressTrimmed(_) => sequence().prop_map(Row::Sequence).boxed(),
        RowKey::Source(_) => (epoch(), position())
            .prop_map(|(epoch, watermark)| Row::Source(epoch, watermark))
            .boxed(),
        RowKey::Specs(_) => specs().prop_map(Row::Specs).boxed(),
        RowKey::Mailbox(_, Sequence::NONE) | RowKey::Parked(_) => {
            parked().prop_map(Row::Parked).boxed()
        }
        RowKey::Mailbox(..) => message().prop_map(|message| Row::Message(message.into())).boxed(),
        RowKey::Timer(_) => timer_task().prop_map(|row| Row::Timer(Box::new(row))).boxed(),
        RowKey::Token(..) => timer_key().prop_map(Row::Token).boxed(),
        RowKey::Outbox(..) => envelope().prop_map(|row| Row::Envelope(Box::new(row))).boxed(),
        RowKey::Egress(..) => emitted().prop_map(|row| Row::Emitted(Box::new(row))).boxed(),
        RowKey::Request(_) => request_row().prop_map(|row| Row::Request(Box::new(row))).boxed(),
        RowKey::Value(..) => (value(), timestamp())
            .prop_map(|(value, expires_at)| Row::Value(value, expires_at))
            .boxed(),
        RowKey::Expiry(..) => timestamp().prop_map(Row::Expiry).boxed(),
    }
}

/// A key with a row that may stand under it.
pub(crate) fn entry() -> impl Strategy<Value = (RowKey, Row)> {
    key().prop_flat_map(|key| {
        let row = row_of(&key);
        (Just(key), row)
    })
}
