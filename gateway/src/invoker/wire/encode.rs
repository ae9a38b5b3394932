//! Groups to requests, written straight into the body: most of what a node does is to pass messages on, and the generated types
//! would copy every name of every message first. The tests hold the result against the generated types, byte for byte.

use bytes::Bytes;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use tidegate_core::address::Address;
use tidegate_core::id::{BatchId, PartitionId};
use tidegate_core::message::{Message, TypedValue};
use tidegate_core::partition::group::Group;
use tidegate_protocol::batch;

/// The body of a protocol v3 request.
pub(in crate::invoker) fn encode_single(group: &Group) -> Bytes {
    let mut out = Vec::with_capacity(nested(field::INVOCATION, group));
    put(field::INVOCATION, group, &mut out);
    out.into()
}

/// The body of a request with many groups.
pub(in crate::invoker) fn encode_batch<'a>(
    groups: impl Iterator<Item = (PartitionId, &'a Group)> + Clone,
) -> Bytes {
    let requests = groups.map(|(partition, group)| GroupRequest { partition, group });
    let bytes = requests.clone().map(|request| nested(1, &request)).sum();
    let mut out = Vec::with_capacity(bytes);
    requests.for_each(|request| put(1, &request, &mut out));
    out.into()
}

/// Most messages belong to no trace, and then this allocates nothing.
fn traces(group: &Group) -> Vec<batch::MessageTrace> {
    let traced = (0..).zip(&group.messages).filter_map(|(message, it)| {
        let trace = it.argument.trace.as_ref()?;
        let tracestate = trace.state.as_deref().unwrap_or_default().to_owned();
        Some(batch::MessageTrace { message, traceparent: trace.traceparent(), tracestate })
    });
    traced.collect()
}

/// What a result must repeat.
pub(super) fn batch_id(partition: PartitionId, batch: BatchId) -> batch::BatchId {
    batch::BatchId { epoch: batch.epoch.0, number: batch.number, partition: partition.0.into() }
}

mod field {
    /// In `ToFunction`.
    pub(super) const INVOCATION: u32 = 100;
}

/// A message of the wire, whose size is known before it is written, as nested ones need.
trait Part {
    fn size(&self) -> usize;
    fn write(&self, out: &mut Vec<u8>);
}

/// The size of a part as a field of another one.
fn nested(tag: u32, part: &impl Part) -> usize {
    let bytes = part.size();
    key_len(tag) + encoded_len_varint(bytes as u64) + bytes
}

fn put(tag: u32, part: &impl Part, out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(part.size() as u64, out);
    part.write(out);
}

/// A field of text or bytes. An empty one is left out unless it is one of a list.
struct Text<'a>(&'a [u8]);

impl Part for Text<'_> {
    fn size(&self) -> usize {
        self.0.len()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }
}

fn text_size(tag: u32, text: &[u8]) -> usize {
    if text.is_empty() { 0 } else { nested(tag, &Text(text)) }
}

fn put_text(tag: u32, text: &[u8], out: &mut Vec<u8>) {
    if !text.is_empty() {
        put(tag, &Text(text), out);
    }
}

fn number_size(tag: u32, number: u64) -> usize {
    if number == 0 { 0 } else { key_len(tag) + encoded_len_varint(number) }
}

fn put_number(tag: u32, number: u64, out: &mut Vec<u8>) {
    if number != 0 {
        encode_key(tag, WireType::Varint, out);
        encode_varint(number, out);
    }
}

/// `GroupRequest`.
struct GroupRequest<'a> {
    partition: PartitionId,
    group: &'a Group,
}

impl Part for GroupRequest<'_> {
    fn size(&self) -> usize {
        let id = batch_id(self.partition, self.group.batch);
        let traces = traces(self.group).iter().map(|trace| nested(4, trace)).sum::<usize>();
        nested(1, &id) + number_size(2, self.group.attempt.into()) + nested(3, self.group) + traces
    }

    fn write(&self, out: &mut Vec<u8>) {
        put(1, &batch_id(self.partition, self.group.batch), out);
        put_number(2, self.group.attempt.into(), out);
        put(3, self.group, out);
        for trace in traces(self.group) {
            put(4, &trace, out);
        }
    }
}

impl Part for batch::BatchId {
    fn size(&self) -> usize {
        number_size(1, self.epoch)
            + number_size(2, self.number)
            + number_size(3, self.partition.into())
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_number(1, self.epoch, out);
        put_number(2, self.number, out);
        put_number(3, self.partition.into(), out);
    }
}

impl Part for batch::MessageTrace {
    fn size(&self) -> usize {
        number_size(1, self.message.into())
            + text_size(2, self.traceparent.as_bytes())
            + text_size(3, self.tracestate.as_bytes())
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_number(1, self.message.into(), out);
        put_text(2, self.traceparent.as_bytes(), out);
        put_text(3, self.tracestate.as_bytes(), out);
    }
}

/// `InvocationBatchRequest`.
impl Part for Group {
    fn size(&self) -> usize {
        let values =
            self.values.iter().map(|(name, value)| nested(2, &Named(name, value.as_ref())));
        let messages = self.messages.iter().map(|message| nested(3, &**message));
        nested(1, &self.address) + values.sum::<usize>() + messages.sum::<usize>()
    }

    fn write(&self, out: &mut Vec<u8>) {
        put(1, &self.address, out);
        for (name, value) in &self.values {
            put(2, &Named(name, value.as_ref()), out);
        }
        for message in &self.messages {
            put(3, &**message, out);
        }
    }
}

/// `PersistedValue`. A registered value that is absent is sent by name alone, so that the function knows it is registered.
struct Named<'a>(&'a str, Option<&'a TypedValue>);

impl Part for Named<'_> {
    fn size(&self) -> usize {
        text_size(1, self.0.as_bytes()) + self.1.map_or(0, |value| nested(2, value))
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_text(1, self.0.as_bytes(), out);
        if let Some(value) = self.1 {
            put(2, value, out);
        }
    }
}

/// `Invocation`.
impl Part for Message {
    fn size(&self) -> usize {
        self.caller.as_ref().map_or(0, |caller| nested(1, caller)) + nested(2, &self.argument)
    }

    fn write(&self, out: &mut Vec<u8>) {
        if let Some(caller) = &self.caller {
            put(1, caller, out);
        }
        put(2, &self.argument, out);
    }
}

impl Part for Address {
    fn size(&self) -> usize {
        text_size(1, self.function.namespace().as_bytes())
            + text_size(2, self.function.name().as_bytes())
            + text_size(3, self.id.as_bytes())
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_text(1, self.function.namespace().as_bytes(), out);
        put_text(2, self.function.name().as_bytes(), out);
        put_text(3, self.id.as_bytes(), out);
    }
}

impl Part for TypedValue {
    fn size(&self) -> usize {
        let metadata = self.metadata.iter().map(|entry| nested(4, &Text(entry)));
        text_size(1, self.typename.as_bytes())
            + number_size(2, self.has_value.into())
            + text_size(3, &self.value)
            + metadata.sum::<usize>()
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_text(1, self.typename.as_bytes(), out);
        put_number(2, self.has_value.into(), out);
        put_text(3, &self.value, out);
        for entry in &self.metadata {
            put(4, &Text(entry), out);
        }
    }
}
