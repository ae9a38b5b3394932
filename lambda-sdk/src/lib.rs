//! Write stateful functions in Rust, for Tidegate and for every gateway that speaks the StateFun protocol.
//!
//! A function is plain `async` code. It is called with a message to one of its instances, reads and writes the values of
//! that instance, and sends messages. The gateway keeps the values, delivers every message once, and calls an
//! instance for one group of messages at a time; values and messages of a group become true together or not at all.
//!
//! ```
//! use std::time::Duration;
//! use tidegate_sdk::{Context, Error, FunctionSpec, FunctionType, Message, StatefulFunctions, ValueSpec};
//!
//! const GREETER: FunctionType = FunctionType::named("demo/greeter");
//! const MAILER: FunctionType = FunctionType::named("demo/mailer");
//! const SEEN: ValueSpec<i64> = ValueSpec::named("seen").expire_after_write(Duration::from_secs(86_400));
//!
//! async fn greet(ctx: &mut Context, message: Message) -> Result<(), Error> {
//!     let name: String = message.get()?;
//!     let seen = ctx.get(&SEEN)?.unwrap_or(0) + 1;
//!     ctx.set(&SEEN, &seen)?;
//!     ctx.reply(&format!("Hello {name}, for the {seen}. time"))?;
//!     ctx.send_after(Duration::from_secs(3_600), MAILER.at(&name), "come back")?;
//!     Ok(())
//! }
//!
//! # async fn serve() -> Result<(), Error> {
//! let functions =
//!     StatefulFunctions::new().with(FunctionSpec::new(GREETER).value(&SEEN).handler(greet));
//! functions.serve("127.0.0.1:8081".parse()?).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What a handler may rely on:
//!
//! - Messages of one instance are processed one after another, in the order in which each sender sent them.
//! - If a handler fails or panics, nothing of its whole group counts, and the group is tried again.
//! - A handler may run more than once for a message (after a crash, for example), but what it asked for counts once. Effects
//!   outside, such as calls of other services, should therefore be idempotent; [`Context::batch_id`] helps.
//!
//! Functions are tried out without a gateway by [`testing`]. [`StatefulFunctions::handle`] answers a single request for
//! platforms that bring their own server.

mod address;
mod batch;
mod context;
mod effects;
mod error;
mod exchange;
mod function;
mod functions;
mod invocation;
mod message;
mod server;
mod spec;
pub mod testing;
mod trace;
mod types;
mod value;
mod values;
mod wire;

pub use address::{Address, EgressId, FunctionType, InvalidName};
pub use bytes::Bytes;
pub use context::{BatchId, Context};
pub use error::{EncodeError, Error, ReadError, SendError, UndeclaredValue, WriteError};
pub use function::{Function, FunctionSpec, Handler, SharingHandler};
pub use functions::StatefulFunctions;
pub use message::Message;
pub use server::{ServeError, Server, stop_signal};
pub use spec::{Expiration, ValueSpec};
pub use trace::TraceContext;
pub use types::{JsonType, Type};
pub use value::{ToValue, Value};
