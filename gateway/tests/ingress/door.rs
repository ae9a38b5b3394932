//! A door in memory. What it answers depends on the function type, so that a test says what it wants by whom it calls.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use tidegate::ingress::{Door, DoorError, EgressRecord, Inbound, Outcome, Sent, Visitor};
use tidegate::payload::{JSON, STRING, wrap_text};
use tidegate_core::address::{Address, EgressId, Typename};
use tidegate_core::id::{PartitionId, Sequence, Timestamp};
use tidegate_core::message::{RequestProgress, TypedValue};
use tidegate_core::partition::effect::ClientRefusal;
use tidegate_core::partition::record::Emitted;
use tokio::sync::{Notify, Semaphore, watch};

pub(crate) const PARTITIONS: u16 = 4;

/// Keys with the hash of the body that came first.
type Keys = BTreeMap<(Address, String), [u8; 32]>;

#[derive(Clone)]
pub(crate) struct FakeDoor(Arc<State>);

impl Deref for FakeDoor {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

pub(crate) struct State {
    /// Messages in the order in which they were taken over.
    arrived: Mutex<Vec<Inbound>>,
    /// Lets messages through; none while closed.
    gate: Semaphore,
    waiting: watch::Sender<usize>,
    waiting_most: Mutex<usize>,
    keys: Mutex<Keys>,
    pub(crate) timeouts: Mutex<Vec<Duration>>,
    records: Mutex<Vec<EgressRecord>>,
    pub(crate) acknowledged: Mutex<Vec<(PartitionId, Sequence)>>,
    emitted: Notify,
    /// Emitted into partition 0 while the last partition is being read.
    pub(crate) late: Mutex<Option<TypedValue>>,
    pub(crate) reads: watch::Sender<usize>,
}

impl FakeDoor {
    pub(crate) fn open() -> Self {
        Self::with_permits(Semaphore::MAX_PERMITS)
    }

    pub(crate) fn closed() -> Self {
        Self::with_permits(0)
    }

    fn with_permits(permits: usize) -> Self {
        Self(Arc::new(State {
            arrived: Mutex::default(),
            gate: Semaphore::new(permits),
            waiting: watch::Sender::new(0),
            waiting_most: Mutex::default(),
            keys: Mutex::default(),
            timeouts: Mutex::default(),
            records: Mutex::default(),
            acknowledged: Mutex::default(),
            emitted: Notify::new(),
            late: Mutex::default(),
            reads: watch::Sender::new(0),
        }))
    }

    pub(crate) fn let_through(&self, messages: usize) {
        self.gate.add_permits(messages);
    }

    pub(crate) fn arrived(&self) -> Vec<Inbound> {
        self.arrived.lock().unwrap().clone()
    }

    pub(crate) fn waiting_most(&self) -> usize {
        *self.waiting_most.lock().unwrap()
    }

    pub(crate) fn emit(&self, partition: u16, argument: TypedValue) {
        let mut records = self.records.lock().unwrap();
        let before = records.iter().filter(|record| record.partition.0 == partition).count();
        let sequence = Sequence(before as u64 + 1);
        let sender = Address::new(EgressId::parse("shop/cart").unwrap(), "ann").unwrap();
        let emitted = Emitted { sender, at: Timestamp(1_700_000_000_000), argument };
        records.push(EgressRecord { partition: PartitionId(partition), sequence, emitted });
        drop(records);
        self.emitted.notify_waiters();
    }

    fn accept(&self, message: &Inbound) -> Result<Option<Outcome>, DoorError> {
        match message.target.function.name() {
            "missing" => return Err(DoorError::Refused(ClientRefusal::UnknownFunction)),
            "full" => return Err(DoorError::Refused(ClientRefusal::TooManyKeys)),
            "closed" => return Err(DoorError::Closed),
            "unknown" => return Err(DoorError::Unknown),
            _ => {}
        }
        let Some((key, hash)) = &message.idempotency else { return Ok(None) };
        let mut keys = self.keys.lock().unwrap();
        match keys.insert((message.target.clone(), key.clone()), *hash) {
            None => Ok(None),
            Some(before) if before == *hash => {
                let reply =
                    (message.target.function.name() == "echo").then(|| message.argument.clone());
                Ok(Some(Outcome::Repeated(RequestProgress {
                    consumed_at: Some(Timestamp(1)),
                    reply,
                })))
            }
            Some(_) => Err(DoorError::Refused(ClientRefusal::KeyReused)),
        }
    }
}

#[async_trait]
impl Door for FakeDoor {
    fn send(&self, _: &Visitor, messages: Vec<Inbound>) -> Sent {
        self.arrived.lock().unwrap().extend(messages.iter().cloned());
        self.waiting.send_modify(|waiting| *waiting += messages.len());
        {
            let mut most = self.waiting_most.lock().unwrap();
            *most = (*most).max(*self.waiting.borrow());
        }
        let door = self.clone();
        async move {
            let mut exceptions = Vec::new();
            for (place, message) in messages.iter().enumerate() {
                door.gate.acquire().await.unwrap().forget();
                door.waiting.send_modify(|waiting| *waiting -= 1);
                match door.accept(message) {
                    Ok(None) => {}
                    Ok(Some(repeated)) => exceptions.push((place, Ok(repeated))),
                    Err(error) => exceptions.push((place, Err(error))),
                }
            }
            exceptions
        }
        .boxed()
    }

    async fn call(&self, message: Inbound, timeout: Duration) -> Result<Outcome, DoorError> {
        self.timeouts.lock().unwrap().push(timeout);
        self.arrived.lock().unwrap().push(message.clone());
        if let Some(repeated) = self.accept(&message)? {
            return Ok(repeated);
        }
        Ok(match message.target.function.name() {
            "silent" => Outcome::NoReply,
            _ => Outcome::Replied(message.argument),
        })
    }

    async fn values(&self, address: Address) -> Result<Vec<(String, TypedValue)>, DoorError> {
        if &*address.id == "closed" {
            return Err(DoorError::Closed);
        }
        let absent = TypedValue { has_value: false, ..TypedValue::new("a/b", Bytes::new()) };
        Ok(vec![
            ("name".to_owned(), TypedValue::new(STRING, wrap_text("Ann"))),
            ("cart".to_owned(), TypedValue::new(JSON, Bytes::from_static(b"{\"items\":2}"))),
            (
                "seen".to_owned(),
                TypedValue::new("io.statefun.types/int", Bytes::from_static(b"\x0d1234")),
            ),
            ("gone".to_owned(), absent),
        ])
    }

    async fn read_egress(
        &self,
        egress: EgressId,
        partition: PartitionId,
        after: Sequence,
    ) -> Result<Vec<EgressRecord>, DoorError> {
        self.reads.send_modify(|reads| *reads += 1);
        if egress.name() == "broken" {
            return Err(DoorError::Closed);
        }
        let records = self.records.lock().unwrap().clone();
        let wanted =
            |record: &EgressRecord| record.partition == partition && record.sequence > after;
        if partition.0 == PARTITIONS - 1
            && let Some(late) = self.late.lock().unwrap().take()
        {
            self.emit(0, late);
        }
        Ok(records.into_iter().filter(wanted).take(2).collect())
    }

    async fn acknowledge_egress(
        &self,
        _egress: EgressId,
        partition: PartitionId,
        through: Sequence,
    ) -> Result<(), DoorError> {
        self.acknowledged.lock().unwrap().push((partition, through));
        Ok(())
    }

    fn partitions(&self) -> u16 {
        PARTITIONS
    }

    fn is_paused(&self, ingress: &Typename) -> bool {
        ingress.name() == "paused"
    }

    async fn egress_changed(&self, _egress: &EgressId) {
        self.emitted.notified().await;
    }
}
