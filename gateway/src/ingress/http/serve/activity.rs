//! What a connection does, and when that is too little or too much.
//!
//! Between requests a connection may rest for a while. From the first byte of a request on, its head must come in time; so
//! must the very first one. Clients that give up most of their requests as soon as they have sent them (HTTP/2 makes that
//! cheap for them, and not for us) are sent away.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// So many requests may be given up on a connection before anything is made of it.
const ABANDONED_MAX: u64 = 256;

/// Why a connection is ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Overdue {
    /// The head of a request did not come in time.
    Head,
    /// Nothing was asked for too long.
    Idle,
    /// Most requests are given up as soon as they are sent.
    Abusive,
}

/// The activity of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    begin: Instant,
    /// Requests that are being answered.
    open: AtomicU64,
    requests: AtomicU64,
    abandoned: AtomicU64,
    /// The head of a request has begun, or the first one is awaited.
    in_head: AtomicBool,
    /// When that was, or when the last request ended: milliseconds since the begin.
    since_ms: AtomicU64,
    abused: Notify,
}

impl Activity {
    pub(super) fn begin() -> Arc<Self> {
        Arc::new(Self {
            begin: Instant::now(),
            open: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
            in_head: AtomicBool::new(true),
            since_ms: AtomicU64::new(0),
            abused: Notify::new(),
        })
    }

    /// A request has come whole but for its body.
    pub(super) fn request(self: &Arc<Self>) -> OpenRequest {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_head.store(false, Ordering::Relaxed);
        OpenRequest { activity: Arc::clone(self), answered: false }
    }

    /// Resolves when the connection should end.
    pub(super) async fn overdue(&self, head: Duration, idle: Duration) -> Overdue {
        loop {
            let in_head = self.in_head.load(Ordering::Relaxed);
            let patience = if in_head { head } else { idle };
            let left = match self.open.load(Ordering::Relaxed) {
                0 => (self.since() + patience).saturating_duration_since(Instant::now()),
                _ => head.min(idle),
            };
            match (left.is_zero(), in_head) {
                (true, true) => return Overdue::Head,
                (true, false) => return Overdue::Idle,
                _ => {}
            }
            tokio::select! {
                () = sleep(left.min(head)) => {}
                () = self.abused.notified() => return Overdue::Abusive,
            }
        }
    }

    fn since(&self) -> Instant {
        self.begin + Duration::from_millis(self.since_ms.load(Ordering::Relaxed))
    }

    fn restart(&self) {
        let elapsed = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since_ms.store(elapsed, Ordering::Relaxed);
    }

    /// Bytes have come. What comes while a request is being answered is its body, or waits for its turn.
    fn received(&self) {
        if self.open.load(Ordering::Relaxed) == 0 && !self.in_head.swap(true, Ordering::Relaxed) {
            self.restart();
        }
    }

    fn abandon(&self) {
        let abandoned = self.abandoned.fetch_add(1, Ordering::Relaxed) + 1;
        let requests = self.requests.load(Ordering::Relaxed);
        if abandoned > ABANDONED_MAX && abandoned > requests / 2 {
            self.abused.notify_one();
        }
    }
}

/// A request that is being answered, until the last byte of the response is handed out.
pub(super) struct OpenRequest {
    activity: Arc<Activity>,
    answered: bool,
}

impl OpenRequest {
    /// The body of the response, which ends the request when it ends.
    pub(super) fn answered(mut self, body: Body) -> AnsweringBody {
        self.answered = true;
        AnsweringBody { body, _open: self }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        if !self.answered {
            self.activity.abandon();
        }
        self.activity.restart();
        self.activity.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of a response with the request that it ends.
pub(super) struct AnsweringBody {
    body: Body,
    _open: OpenRequest,
}

impl HttpBody for AnsweringBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that tells when bytes come.
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.received();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
