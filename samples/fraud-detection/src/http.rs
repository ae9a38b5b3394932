//! HTTP as all parts of the sample use it: one kind of client, and bodies read line by line.

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// A client with a pool of connections.
pub(crate) type HttpClient = Client<HttpConnector, Full<Bytes>>;

const LINE_BYTES_MAX: usize = 1 << 20;

/// A client without Nagle's delay.
pub(crate) fn client() -> HttpClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector)
}

/// Why a body cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    #[error("the answer broke off")]
    BrokeOff(#[from] hyper::Error),
    #[error("the answer has a line of more than {LINE_BYTES_MAX} bytes")]
    TooLong,
}

/// The lines of a body, as they arrive.
pub(crate) struct Lines {
    body: Incoming,
    rest: BytesMut,
}

impl Lines {
    pub(crate) fn of(body: Incoming) -> Self {
        Self { body, rest: BytesMut::new() }
    }

    /// The next line that is not empty; nothing at the end. An end without a line break ends the last line.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, LineError> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(end + 1).freeze().slice(..end);
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(line));
                }
                continue;
            }
            if self.rest.len() > LINE_BYTES_MAX {
                return Err(LineError::TooLong);
            }
            match self.body.frame().await.transpose()? {
                Some(frame) => {
                    frame.data_ref().iter().for_each(|data| self.rest.extend_from_slice(data));
                }
                None if self.rest.trim_ascii().is_empty() => return Ok(None),
                None => return Ok(Some(self.rest.split().freeze())),
            }
        }
    }
}
