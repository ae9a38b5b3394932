//! The cases: what each one measures, and the figures that it gives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidegate_sdk::FunctionType;
use tokio::time::sleep;

use super::functions::{CALL, COUNT, FAN, FAN_KEYS, FAN_OUT, LARGE, LINK, SLOW};
use super::load::{self, Calls, Quota, Stream};
use super::report::{Figure, quantile};
use super::setting::Setting;
use super::{Plan, Problem, machine, process};

/// Something to measure.
#[derive(Clone)]
pub(crate) struct Case {
    /// Its name on the command line and in the results.
    pub(crate) name: &'static str,
    /// Whether functions refuse the batch extension.
    plain: bool,
    /// The gateway's budget of memory, if it is not the default one.
    pub(super) memory: Option<&'static str>,
    work: Work,
}

#[derive(Clone)]
enum Work {
    OneWay { function: FunctionType, keys: u64 },
    FanOut,
    Calls { function: FunctionType, keys: u64, clients: u64 },
    Flood,
    Idle,
    ColdKeys,
    Restart { kill: bool },
}

/// How often the progress of the functions is looked at while messages are sent.
const WATCH: Duration = Duration::from_millis(10);
/// How long an idle node is left alone before its memory is read.
const SETTLE: Duration = Duration::from_secs(2);
/// Addresses with state when a node is restarted, or reads them from its disk.
const MANY_KEYS: u64 = 1_000_000;
/// Messages that streams may have accepted and not handled: four for each of 100,000 addresses, as behind a source that has a backlog.
const UNHANDLED_MAX: u64 = 400_000;
/// The same while many addresses come into being: those that wait for nothing yet only take memory.
const UNHANDLED_WHILE_WARMING_MAX: u64 = 50_000;
/// The budget of cases that are about memory.
const SMALL_MEMORY: &str = "256MiB";
/// The messages of a flood, all to one address.
const FLOOD: u64 = 1_000_000;
/// Clients that call other addresses during a flood, and how often each of them does: 2,000 calls a second together.
const BYSTANDERS: u64 = 40;
const BYSTANDERS_EVERY: Duration = Duration::from_millis(20);
/// The value of a counter that has seen one message, in base64.
const ONE: &str = "AAAAAAAAAAE=";
/// Instances that fan out.
const FANS: u64 = 100;

impl Case {
    /// All cases.
    pub(crate) fn all() -> Vec<Self> {
        let one_way = |function, keys| Work::OneWay { function, keys };
        let calls = |function, keys, clients| Work::Calls { function, keys, clients };
        let case = |name, plain, work| Self { name, plain, memory: None, work };
        let small = |name, work| Self { memory: Some(SMALL_MEMORY), ..case(name, false, work) };
        vec![
            case("oneway-100k-v3", true, one_way(COUNT, 100_000)),
            case("oneway-100k-batch", false, one_way(COUNT, 100_000)),
            case("oneway-1k-v3", true, one_way(COUNT, 1_000)),
            case("oneway-1-v3", true, one_way(COUNT, 1)),
            case("call-1", false, calls(CALL, 10_000, 1)),
            case("call-64", false, calls(CALL, 10_000, 64)),
            case("chain-10", false, calls(LINK, 10_000, 1)),
            case("fanout-100", false, Work::FanOut),
            case("state-64k", false, calls(LARGE, 1_000, 64)),
            small("flood", Work::Flood),
            case("rss-idle", false, Work::Idle),
            small("rss-1m", Work::ColdKeys),
            case("restart-clean", false, Work::Restart { kill: false }),
            case("restart-kill", false, Work::Restart { kill: true }),
        ]
    }

    /// The case of a name, for the command line.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let all = Self::all();
        let names: Vec<_> = all.iter().map(|case| case.name).collect();
        let unknown = format!("there are {}", names.join(", "));
        all.into_iter().find(|case| case.name == name).ok_or(unknown)
    }
}

/// Measures a case once, on a node of its own.
pub(crate) async fn measure(case: &Case, plan: &Plan) -> Result<Vec<Figure>, Problem> {
    let mut setting = Setting::start(plan, case.plain, case.memory).await?;
    let mut figures = machine::limits(&plan.directory, setting.functions.address).await?;
    figures.extend(match &case.work {
        Work::OneWay { function, keys } => one_way(&mut setting, plan, function, *keys, 1).await?,
        Work::FanOut => fan_out(&mut setting, plan).await?,
        Work::Calls { function, keys, clients } => {
            calls(&mut setting, plan, function, *keys, *clients).await?
        }
        Work::Idle => {
            let ready = setting.gateway.became_ready.as_secs_f64();
            sleep(SETTLE).await;
            vec![Figure::new("ready_seconds", ready, "s")]
        }
        Work::Flood => flood(&mut setting, plan).await?,
        Work::ColdKeys => {
            let (restarted, figures) = cold_keys(setting, plan).await?;
            setting = restarted;
            figures
        }
        Work::Restart { kill } => {
            let (restarted, figures) = restart(setting, plan, *kill).await?;
            setting = restarted;
            figures
        }
    });
    let megabytes = setting.gateway.resident_bytes()? as f64 / f64::from(1 << 20);
    figures.push(Figure::new("rss_mb", megabytes, "MiB"));
    match case.work {
        // What is left of a flood would take its time.
        Work::Flood => setting.gateway.kill().await?,
        _ => setting.gateway.stop().await?,
    }
    Ok(figures)
}

/// Sends one message to each key, so that its state exists and is in memory.
async fn warm(setting: &mut Setting, function: &FunctionType, keys: u64) -> Result<(), Problem> {
    let quota = Quota::Messages(keys);
    let stream = Stream {
        function: function.clone(),
        keys,
        amplification: 1,
        unhandled_max: UNHANDLED_WHILE_WARMING_MAX,
        quota,
    };
    stream_and_drain(setting, stream).await.map(drop)
}

/// Sends a stream, waits until all messages that it causes are handled, and gives how many of them there were.
async fn stream_and_drain(setting: &mut Setting, stream: Stream) -> Result<u64, Problem> {
    let amplification = stream.amplification;
    let before = setting.functions.handled().await?;
    let handled = Arc::new(AtomicU64::new(0));
    let mut sending =
        tokio::spawn(load::send(setting.gateway.ingress, stream, Arc::clone(&handled)));
    let sent = loop {
        tokio::select! {
            sent = &mut sending => break sent??,
            () = sleep(WATCH) => {
                handled.store(setting.functions.handled().await? - before, Ordering::Relaxed);
            }
        }
    };
    setting.drain(before + sent * amplification).await?;
    Ok(sent * amplification)
}

async fn one_way(
    setting: &mut Setting,
    plan: &Plan,
    function: &FunctionType,
    keys: u64,
    amplification: u64,
) -> Result<Vec<Figure>, Problem> {
    if amplification == 1 {
        warm(setting, function, keys).await?;
    }
    let effort = Effort::begin(setting)?;
    let quota = Quota::Until(Instant::now() + plan.duration);
    let stream = Stream {
        function: function.clone(),
        keys,
        amplification,
        unhandled_max: UNHANDLED_MAX,
        quota,
    };
    let syncs = setting.gateway.metric("tidegate_log_syncs_total").await?;
    let requests = setting.gateway.metric("tidegate_invoker_requests_total").await?;
    let messages = stream_and_drain(setting, stream).await? as f64;
    let seconds = effort.begun.elapsed().as_secs_f64();
    let mut figures = vec![Figure::new("messages_per_second", messages / seconds, "messages/s")];
    figures.extend(effort.end(setting, messages)?);
    let syncs = setting.gateway.metric("tidegate_log_syncs_total").await? - syncs;
    let requests = setting.gateway.metric("tidegate_invoker_requests_total").await? - requests;
    figures.extend([
        Figure::new("log_syncs_per_second", syncs / seconds, "syncs/s"),
        Figure::new("messages_per_request", messages / requests, "messages"),
    ]);
    Ok(figures)
}

async fn fan_out(setting: &mut Setting, plan: &Plan) -> Result<Vec<Figure>, Problem> {
    warm(setting, &COUNT, FAN_KEYS).await?;
    one_way(setting, plan, &FAN, FANS, FAN_OUT + 1).await
}

async fn calls(
    setting: &mut Setting,
    plan: &Plan,
    function: &FunctionType,
    keys: u64,
    clients: u64,
) -> Result<Vec<Figure>, Problem> {
    let every = Duration::ZERO;
    let calls = |until| Calls { function: function.clone(), keys, clients, every, until };
    // The first calls teach the gateway what the function declares, and open connections.
    let warming = calls(Instant::now() + plan.duration / 10);
    load::call(setting.gateway.ingress, &warming).await?;
    let effort = Effort::begin(setting)?;
    let until = Instant::now() + plan.duration;
    let milliseconds = load::call(setting.gateway.ingress, &calls(until)).await?;
    let count = milliseconds.len() as f64;
    let rate = count / effort.begun.elapsed().as_secs_f64();
    let mut figures = vec![
        Figure::new("calls_per_second", rate, "calls/s"),
        Figure::new("p50_ms", quantile(&milliseconds, 0.5), "ms"),
        Figure::new("p99_ms", quantile(&milliseconds, 0.99), "ms"),
    ];
    figures.extend(effort.end(setting, count)?);
    Ok(figures)
}

/// Has everybody else call while one address is flooded.
async fn flood(setting: &mut Setting, plan: &Plan) -> Result<Vec<Figure>, Problem> {
    warm(setting, &CALL, 1_000).await?;
    let stream = Stream {
        function: SLOW,
        keys: 1,
        amplification: 1,
        unhandled_max: FLOOD,
        quota: Quota::Messages(FLOOD),
    };
    let ingress = setting.gateway.ingress;
    let flooding = tokio::spawn(async move { load::send(ingress, stream, Arc::default()).await });
    let calls = Calls {
        function: CALL,
        keys: 1_000,
        clients: BYSTANDERS,
        every: BYSTANDERS_EVERY,
        until: Instant::now() + plan.duration,
    };
    let milliseconds = load::call(ingress, &calls).await?;
    let accepted = setting.gateway.metric("tidegate_messages_received_total").await?;
    flooding.abort();
    Ok(vec![
        Figure::new(
            "calls_per_second",
            milliseconds.len() as f64 / plan.duration.as_secs_f64(),
            "calls/s",
        ),
        Figure::new("p50_ms", quantile(&milliseconds, 0.5), "ms"),
        Figure::new("p99_ms", quantile(&milliseconds, 0.99), "ms"),
        Figure::new("flood_accepted", accepted - milliseconds.len() as f64, "messages"),
    ])
}

/// Has all of many addresses read from the disk.
async fn cold_keys(mut setting: Setting, plan: &Plan) -> Result<(Setting, Vec<Figure>), Problem> {
    warm(&mut setting, &COUNT, MANY_KEYS).await?;
    let (mut setting, _) = setting.restart(plan, false).await?;
    let begun = Instant::now();
    warm(&mut setting, &COUNT, MANY_KEYS).await?;
    let rate = MANY_KEYS as f64 / begun.elapsed().as_secs_f64();
    Ok((setting, vec![Figure::new("messages_per_second", rate, "messages/s")]))
}

async fn restart(
    mut setting: Setting,
    plan: &Plan,
    kill: bool,
) -> Result<(Setting, Vec<Figure>), Problem> {
    warm(&mut setting, &COUNT, MANY_KEYS).await?;
    // Once this is accepted, everything that was committed before is durable.
    warm(&mut setting, &CALL, 1).await?;
    let (mut setting, stopped) = setting.restart(plan, kill).await?;
    let ready = setting.gateway.became_ready;
    // Everything is still there, or the figure is worth nothing.
    let last = (MANY_KEYS - 1).to_string();
    let seen = setting.gateway.value(&COUNT, &last, "seen").await?;
    if seen.as_deref() != Some(ONE) {
        return Err(format!("a counter is at {seen:?} after the restart").into());
    }
    let mut figures = vec![Figure::new("ready_seconds", ready.as_secs_f64(), "s")];
    if !kill {
        figures.push(Figure::new("stop_seconds", stopped.as_secs_f64(), "s"));
    }
    Ok((setting, figures))
}

/// The time that the three processes compute, which other programs on the machine disturb less than they do rates.
struct Effort {
    begun: Instant,
    gateway: Duration,
    functions: Duration,
    load: Duration,
}

impl Effort {
    fn begin(setting: &Setting) -> Result<Self, Problem> {
        Ok(Self {
            gateway: setting.gateway.computed()?,
            functions: setting.functions.computed()?,
            load: process::computed(std::process::id())?,
            begun: Instant::now(),
        })
    }

    fn end(&self, setting: &Setting, messages: f64) -> Result<[Figure; 3], Problem> {
        let now = Self::begin(setting)?;
        let each = |metric, after: Duration, before: Duration| {
            Figure::new(metric, (after - before).as_secs_f64() * 1e6 / messages, "us/message")
        };
        Ok([
            each("gateway_cpu", now.gateway, self.gateway),
            each("functions_cpu", now.functions, self.functions),
            each("load_cpu", now.load, self.load),
        ])
    }
}
