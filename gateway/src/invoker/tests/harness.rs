//! An endpoint in memory and a partition that collects its answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tidegate_core::address::{Address, FunctionType};
use tidegate_core::id::{BatchId, Epoch, PartitionId, Sequence};
use tidegate_core::message::{Message, TypedValue};
use tidegate_core::partition::event::Event;
use tidegate_core::partition::group::{FailureScope, Group};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout};

use crate::invoker::fault::{Fault, InvokeError};
use crate::invoker::lane::Dialect;
use crate::invoker::transport::{Reply, Request, Transport};
use crate::invoker::wire::double::{self, Act};
use crate::invoker::{Answers, EndpointConfig, FunctionPattern, Invoke, Invoker, UrlTemplate};

/// A request as the endpoint saw it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    pub(super) dialect: Dialect,
    pub(super) ids: Vec<String>,
    pub(super) at: Instant,
}

type Script = dyn Fn(&Seen, &Bytes) -> Result<Reply, Fault> + Send + Sync;

/// An endpoint in memory. Requests wait for a permit before they are answered.
pub(super) struct FakeEndpoint {
    script: Box<Script>,
    pub(super) seen: Mutex<Vec<Seen>>,
    pub(super) permits: Semaphore,
}

impl FakeEndpoint {
    pub(super) fn new(
        script: impl Fn(&Seen, &Bytes) -> Result<Reply, Fault> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let permits = Semaphore::new(Semaphore::MAX_PERMITS / 2);
        Arc::new(Self { script: Box::new(script), seen: Mutex::default(), permits })
    }

    /// The sizes of the requests so far.
    pub(super) fn sizes(&self) -> Vec<usize> {
        self.seen.lock().unwrap().iter().map(|seen| seen.ids.len()).collect()
    }

    pub(super) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

#[async_trait]
impl Transport for FakeEndpoint {
    async fn exchange(&self, request: Request) -> Result<Reply, Fault> {
        let ids = double::ids(request.dialect, &request.body);
        let seen = Seen { dialect: request.dialect, ids, at: Instant::now() };
        self.seen.lock().unwrap().push(seen.clone());
        self.permits.acquire().await.unwrap().forget();
        (self.script)(&seen, &request.body)
    }
}

/// A good answer to any request.
pub(super) fn served(seen: &Seen, body: &Bytes) -> Result<Reply, Fault> {
    acted(seen, body, |_| Act::Succeed)
}

/// An answer by what is done with each id; single requests always succeed.
pub(super) fn acted(seen: &Seen, body: &Bytes, act: impl Fn(&str) -> Act) -> Result<Reply, Fault> {
    let body = match seen.dialect {
        Dialect::Single => Bytes::new(),
        Dialect::Batch => double::answer_batch(body, act),
    };
    Ok(Reply { speaks_batch: true, body })
}

pub(super) fn crashed() -> Fault {
    Fault::Unclear(InvokeError::ConnectionLost { cause: "reset".into() })
}

pub(super) fn refused() -> Fault {
    Fault::Endpoint {
        error: InvokeError::Unreachable { cause: "refused".into() },
        retry_after: None,
    }
}

pub(super) fn threw() -> Fault {
    Fault::Request(InvokeError::Status { status: 500 })
}

/// An endpoint for all functions of the namespace `shop`, with one slot.
pub(super) fn config() -> EndpointConfig {
    let functions = vec![FunctionPattern::parse("shop/*").unwrap()];
    let url = UrlTemplate::parse("http://host/run").unwrap();
    let mut config = EndpointConfig::new("shop", functions, url);
    config.concurrency = 1.try_into().unwrap();
    config
}

/// An answer, in short.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Told {
    Succeeded,
    Failed(String),
}

/// A partition that submits groups and collects what it is told.
pub(super) struct Partition {
    pub(super) invoker: Arc<Invoker>,
    told: UnboundedReceiver<(BatchId, Told)>,
    submitted: u64,
    ids: BTreeMap<u64, String>,
}

impl Partition {
    pub(super) fn new(endpoints: Vec<(EndpointConfig, Arc<FakeEndpoint>)>) -> Self {
        let (teller, told) = unbounded_channel();
        let answers: Answers = Arc::new(move |partition, event| {
            assert_eq!(partition, PartitionId(3));
            teller.send(in_short(event)).ok();
        });
        let endpoints = endpoints
            .into_iter()
            .map(|(config, endpoint)| (config, endpoint as Arc<dyn Transport>));
        Self {
            invoker: Invoker::over(endpoints, answers, 7),
            told,
            submitted: 0,
            ids: BTreeMap::new(),
        }
    }

    pub(super) fn with(config: EndpointConfig, endpoint: &Arc<FakeEndpoint>) -> Self {
        Self::new(vec![(config, Arc::clone(endpoint))])
    }

    /// Submits a group with one message for `shop/cart` and an id.
    pub(super) fn submit(&mut self, id: &str) {
        self.submit_messages("shop/cart", id, 1);
    }

    pub(super) fn submit_messages(&mut self, function: &str, id: &str, messages: u64) {
        self.submitted += 1;
        self.ids.insert(self.submitted, id.into());
        let group = group(self.submitted, function, id, messages);
        self.invoker.submit(PartitionId(3), group);
    }

    /// The next answer: the id of its address, and what it says.
    pub(super) async fn told(&mut self) -> (String, Told) {
        let day = Duration::from_secs(24 * 3600);
        let (batch, told) =
            timeout(day, self.told.recv()).await.expect("an answer within a day").unwrap();
        (self.ids.remove(&batch.number).expect("a second answer for one group"), told)
    }

    /// As many answers as groups are open, by id; and no further one for a long time.
    pub(super) async fn all_told(&mut self) -> BTreeMap<String, Told> {
        let mut all = BTreeMap::new();
        while !self.ids.is_empty() {
            let (id, told) = self.told().await;
            all.insert(id, told);
        }
        assert!(self.silent(Duration::from_secs(3600)).await, "an answer too much");
        all
    }

    /// Whether nothing is told for that long.
    pub(super) async fn silent(&mut self, time: Duration) -> bool {
        timeout(time, self.told.recv()).await.is_err()
    }
}

/// A group of messages of 100 bytes.
pub(super) fn group(number: u64, function: &str, id: &str, messages: u64) -> Group {
    let message = |number| {
        Arc::new(Message {
            sequence: Sequence(number),
            caller: None,
            argument: TypedValue::new("shop/Item", Bytes::from_static(&[7; 100])),
            request: None,
        })
    };
    Group {
        batch: BatchId { epoch: Epoch(5), number },
        attempt: 1,
        address: Address::new(FunctionType::parse(function).unwrap(), id).unwrap(),
        values: Vec::new(),
        messages: (1..=messages).map(message).collect(),
    }
}

fn in_short(event: Event) -> (BatchId, Told) {
    match event {
        Event::InvocationSucceeded { batch, .. } => (batch, Told::Succeeded),
        Event::InvocationFailed { batch, failure } => {
            assert_eq!(failure.scope, FailureScope::Group);
            (batch, Told::Failed(failure.text.to_string()))
        }
        other => panic!("{other:?}"),
    }
}

/// The ids that failed.
pub(super) fn failed(told: &BTreeMap<String, Told>) -> Vec<&str> {
    told.iter().filter(|(_, told)| **told != Told::Succeeded).map(|(id, _)| id.as_str()).collect()
}
