//! Streams of messages: `POST /v1/messages`, several at once, each as fast as the gateway takes it. What is accepted but not
//! handled is kept within bounds, as a source that is read would be, so that rates show processing and not queueing.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::try_join_all;
use futures::stream::unfold;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tidegate_sdk::FunctionType;
use tokio::time::sleep;

use crate::bench::Problem;
use crate::bench::http::Connection;

const STREAMS: u64 = 4;
const LINES_PER_PIECE: u64 = 128;
const PAUSE: Duration = Duration::from_millis(1);
/// How a line is answered whose message is durable.
const ACCEPTED: &[u8] = b"\"status\":\"accepted\"}";
/// Bytes of a message.
const MESSAGE_BYTES: usize = 100;

/// What is sent.
#[derive(Clone)]
pub(crate) struct Stream {
    /// To whom.
    pub(crate) function: FunctionType,
    /// To how many of them, in turn.
    pub(crate) keys: u64,
    /// How many messages are handled for each that is sent.
    pub(crate) amplification: u64,
    /// How many messages may be accepted and not handled.
    pub(crate) unhandled_max: u64,
    /// When to end.
    pub(crate) quota: Quota,
}

/// How much is sent.
#[derive(Clone, Copy)]
pub(crate) enum Quota {
    /// So many messages.
    Messages(u64),
    /// As many as go until then.
    Until(Instant),
}

struct Progress {
    stream: Stream,
    sent: AtomicU64,
    /// Handled by functions, as far as is known, since the stream began.
    handled: Arc<AtomicU64>,
}

/// Sends a stream of messages, and gives how many there were once all of them are accepted. `handled` is kept up to date by
/// the caller.
pub(crate) async fn send(
    ingress: SocketAddr,
    stream: Stream,
    handled: Arc<AtomicU64>,
) -> Result<u64, Problem> {
    let progress = Arc::new(Progress { stream, sent: AtomicU64::new(0), handled });
    let tasks = (0..STREAMS).map(|_| tokio::spawn(send_one(ingress, Arc::clone(&progress))));
    let mut accepted = 0;
    for one in try_join_all(tasks).await? {
        accepted += one?;
    }
    let sent = progress.sent.load(Ordering::Relaxed);
    if accepted == sent {
        Ok(sent)
    } else {
        Err(format!("{accepted} of {sent} messages were accepted").into())
    }
}

async fn send_one(ingress: SocketAddr, progress: Arc<Progress>) -> Result<u64, Problem> {
    let pieces = unfold(progress, async |progress| {
        let piece = progress.next().await?;
        Some((Ok(Frame::data(piece)), progress))
    });
    let mut connection = Connection::open(ingress).await?;
    let body = StreamBody::new(pieces).boxed_unsync();
    let mut answers = connection.send("POST", "/v1/messages", body).await?.into_body();
    let mut accepted = 0;
    let mut rest = Vec::new();
    while let Some(frame) = answers.frame().await.transpose()? {
        let Ok(piece) = frame.into_data() else { continue };
        rest.extend_from_slice(&piece);
        let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines = rest[..end].split(|byte| *byte == b'\n');
        accepted += lines.filter(|line| line.ends_with(ACCEPTED)).count() as u64;
        rest.drain(..end);
    }
    Ok(accepted)
}

impl Progress {
    async fn next(&self) -> Option<Bytes> {
        while self.unhandled() > self.stream.unhandled_max && !self.is_late() {
            sleep(PAUSE).await;
        }
        let first = self.sent.fetch_add(LINES_PER_PIECE, Ordering::Relaxed);
        let until = match self.stream.quota {
            Quota::Messages(most) => most.min(first + LINES_PER_PIECE),
            Quota::Until(_) if self.is_late() => first,
            Quota::Until(_) => first + LINES_PER_PIECE,
        };
        let unsent = first + LINES_PER_PIECE - until.max(first);
        self.sent.fetch_sub(unsent.min(LINES_PER_PIECE), Ordering::Relaxed);
        (until > first).then(|| self.lines(first, until))
    }

    fn unhandled(&self) -> u64 {
        let caused = self.sent.load(Ordering::Relaxed) * self.stream.amplification;
        caused.saturating_sub(self.handled.load(Ordering::Relaxed))
    }

    fn is_late(&self) -> bool {
        matches!(self.stream.quota, Quota::Until(end) if Instant::now() >= end)
    }

    fn lines(&self, from: u64, until: u64) -> Bytes {
        // Two of the bytes are quotes: a value is the text of its JSON.
        let filling = "x".repeat(MESSAGE_BYTES - 2);
        let function = self.stream.function.as_str();
        let mut lines = String::with_capacity(200 * (until - from) as usize);
        for number in from..until {
            let key = number % self.stream.keys;
            let _infallible = writeln!(
                lines,
                r#"{{"target":"{function}/{key}","type":"bench/payload","value":"{filling}"}}"#
            );
        }
        lines.into()
    }
}
