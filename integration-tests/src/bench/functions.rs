//! The functions of the benchmark, served by a process of their own. Beside them the server echoes bodies, which shows what
//! plain HTTP costs, and says how many messages its functions have handled.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tidegate_sdk::{
    Context, Error, FunctionSpec, FunctionType, JsonType, Message, StatefulFunctions, Type, Value,
    ValueSpec,
};
use tokio::net::{TcpListener, TcpStream};

use super::Problem;

/// Counts its messages in eight bytes.
pub(crate) const COUNT: FunctionType = FunctionType::named("bench/count");
/// Counts its messages, and replies.
pub(crate) const CALL: FunctionType = FunctionType::named("bench/call");
/// Passes a message on to its next link; the last one replies to the client.
pub(crate) const LINK: FunctionType = FunctionType::named("bench/link");
/// Sends a message to each of many counters.
pub(crate) const FAN: FunctionType = FunctionType::named("bench/fan");
/// Takes its time for each message.
pub(crate) const SLOW: FunctionType = FunctionType::named("bench/slow");
/// Writes a large value anew with each message, and replies.
pub(crate) const LARGE: FunctionType = FunctionType::named("bench/large");

/// Links of a chain.
pub(crate) const LINKS: u32 = 10;
/// Messages that one message to [`FAN`] causes.
pub(crate) const FAN_OUT: u64 = 100;
/// How long [`SLOW`] takes for a message.
const SLOWNESS: Duration = Duration::from_millis(1);
/// Counters that [`FAN`] sends to.
pub(crate) const FAN_KEYS: u64 = 100_000;
/// Bytes of the value of [`LARGE`].
const LARGE_BYTES: usize = 64 << 10;

/// The line by which the process says where it listens.
pub(crate) const LISTENING: &str = "listening on ";

const REPLY: FunctionType = FunctionType::named("tidegate/reply");
const SEEN: ValueSpec<Count> = ValueSpec::named("seen");
const BLOB: ValueSpec<Blob> = ValueSpec::named("blob");

type Handled = Arc<AtomicU64>;

/// Eight bytes, whatever the number.
struct Count(u64);

impl Type for Count {
    const TYPENAME: &'static str = "bench/u64";

    fn encode(&self) -> Result<Bytes, Error> {
        Ok(Bytes::copy_from_slice(&self.0.to_be_bytes()))
    }

    fn decode(bytes: &Bytes) -> Result<Self, Error> {
        Ok(Self(u64::from_be_bytes(bytes.as_ref().try_into()?)))
    }
}

struct Blob(Bytes);

impl Type for Blob {
    const TYPENAME: &'static str = "bench/blob";

    fn encode(&self) -> Result<Bytes, Error> {
        Ok(self.0.clone())
    }

    fn decode(bytes: &Bytes) -> Result<Self, Error> {
        Ok(Self(bytes.clone()))
    }
}

/// What travels along a chain.
#[derive(Serialize, Deserialize)]
struct Hop {
    left: u32,
    client: String,
}

impl JsonType for Hop {
    const TYPENAME: &'static str = "bench/hop";
}

fn count_one(handled: &Handled, context: &mut Context) -> Result<u64, Error> {
    let seen = context.get(&SEEN)?.map_or(0, |count| count.0) + 1;
    context.set(&SEEN, &Count(seen))?;
    handled.fetch_add(1, Ordering::Relaxed);
    Ok(seen)
}

async fn count(handled: Handled, context: &mut Context, _: Message) -> Result<(), Error> {
    count_one(&handled, context).map(drop)
}

async fn call(handled: Handled, context: &mut Context, message: Message) -> Result<(), Error> {
    count_one(&handled, context)?;
    context.reply(&message.into_value())?;
    Ok(())
}

async fn link(handled: Handled, context: &mut Context, message: Message) -> Result<(), Error> {
    count_one(&handled, context)?;
    let hop = match context.caller() {
        Some(client) if client.function() == &REPLY => {
            Hop { left: LINKS - 1, client: client.id().to_owned() }
        }
        _ => message.get()?,
    };
    if hop.left == 0 {
        context.send(REPLY.at(hop.client), "done")?;
    } else {
        let next = LINK.at(format!("link-{}", hop.left));
        context.send(next, &Value::of(&Hop { left: hop.left - 1, ..hop })?)?;
    }
    Ok(())
}

async fn fan(handled: Handled, context: &mut Context, message: Message) -> Result<(), Error> {
    let turn = count_one(&handled, context)?;
    let payload = message.into_value();
    // Instances are numbered; their turns together pass over all counters.
    let mine: u64 = context.address().id().parse()?;
    for number in 0..FAN_OUT {
        let key = (mine * 7919 + turn * FAN_OUT + number) % FAN_KEYS;
        context.send(COUNT.at(key.to_string()), &payload)?;
    }
    Ok(())
}

async fn slow(handled: Handled, context: &mut Context, _: Message) -> Result<(), Error> {
    tokio::time::sleep(SLOWNESS).await;
    count_one(&handled, context).map(drop)
}

async fn large(handled: Handled, context: &mut Context, message: Message) -> Result<(), Error> {
    let mut blob = context.get(&BLOB)?.map_or_else(|| vec![0; LARGE_BYTES], |it| it.0.to_vec());
    if let Some(first) = blob.first_mut() {
        *first = first.wrapping_add(1);
    }
    context.set(&BLOB, &Blob(blob.into()))?;
    context.reply(&message.into_value())?;
    handled.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

fn all(handled: &Handled) -> StatefulFunctions {
    let counting = |name| FunctionSpec::new(name).value(&SEEN);
    StatefulFunctions::new()
        .with(counting(COUNT).sharing(Arc::clone(handled), count))
        .with(counting(CALL).sharing(Arc::clone(handled), call))
        .with(counting(LINK).sharing(Arc::clone(handled), link))
        .with(counting(SLOW).sharing(Arc::clone(handled), slow))
        .with(counting(FAN).sharing(Arc::clone(handled), fan))
        .with(FunctionSpec::new(LARGE).value(&BLOB).sharing(Arc::clone(handled), large))
}

struct Served {
    functions: StatefulFunctions,
    handled: Handled,
    plain: bool,
}

/// Serves all functions until the process ends; `plain` refuses the batch extension.
pub(crate) async fn serve(plain: bool) -> Result<(), Problem> {
    let handled = Handled::default();
    let served = Arc::new(Served { functions: all(&handled), handled, plain });
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("{LISTENING}{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve_connection(stream, Arc::clone(&served)));
    }
}

async fn serve_connection(stream: TcpStream, served: Arc<Served>) {
    let service = service_fn(move |request| {
        let served = Arc::clone(&served);
        async move { served.answer(request).await }
    });
    // The gateway and the load close connections as they like.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

impl Served {
    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(match head.uri.path() {
            "/echo" => Response::new(Full::new(body)),
            "/handled" => {
                let handled = self.handled.load(Ordering::Relaxed).to_string();
                Response::new(Full::new(handled.into()))
            }
            _ => {
                if self.plain {
                    // Without this header the endpoint does not know that the gateway speaks batches.
                    head.headers.remove(ACCEPT);
                }
                self.functions.handle(Request::from_parts(head, body)).await.map(Full::new)
            }
        })
    }
}
