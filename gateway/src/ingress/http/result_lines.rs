//! Lines in, result lines out, both as streams: `application/x-ndjson` each way.
//!
//! The order of result lines is the order of lines, and lines are handed to the door one after another in that order. Reading goes
//! on only while the window has room, and the window empties only as the client takes result lines: a client must read while
//! it writes. When reading ends early (the client stalls, the node stops), a last result line says from which line on
//! nothing was looked at.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::stream::{self, StreamExt};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::App;
use super::body::Pieces;
use super::delivery::{self, Delivered};
use super::lines::{Line, Lines};
use super::problem::Problem;
use super::window::{Answered, Window};
use crate::ingress::Inbound;

/// The media type of lines of JSON.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// Result lines that are ready are sent together, up to so many.
const LINES_PER_PIECE: usize = 256;

/// What a line asks for: its messages, in order.
pub(super) type ReadLine = Box<dyn Fn(u64, &Bytes) -> Result<Vec<Inbound>, Problem> + Send>;

/// Answers a body of lines with a body of result lines.
pub(super) fn respond(app: App, body: Body, read_line: ReadLine) -> Response {
    let pieces = Pieces::new(body, app.limits.read_timeout);
    let exchange = Exchange {
        lines: Lines::new(&app, pieces),
        window: Window::new(&app.limits),
        reading: true,
        read_line,
        app,
    };
    let results = stream::unfold(exchange, async |mut exchange| {
        let line = exchange.next().await?;
        Some((line, exchange))
    });
    let pieces = results
        .ready_chunks(LINES_PER_PIECE)
        .map(|lines| Ok::<_, Infallible>(Bytes::from(lines.concat())));
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    response
}

struct Exchange {
    app: App,
    lines: Lines,
    window: Window,
    reading: bool,
    read_line: ReadLine,
}

impl Exchange {
    /// The next result line; nothing once all lines were answered.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            tokio::select! {
                biased;
                Some(answered) = self.window.next(), if !self.window.is_empty() => {
                    return Some(render(&answered));
                }
                () = self.app.stopping.cancelled(), if self.reading => {
                    self.stop_reading(Problem::Closed);
                }
                line = self.lines.next(), if self.reading && self.window.has_room() => {
                    self.take(line).await;
                }
                else => return None,
            }
        }
    }

    async fn take(&mut self, line: Result<Option<Line>, Problem>) {
        match line {
            Ok(Some(Line::Whole { number, text, share })) => {
                match (self.read_line)(number, &text) {
                    Ok(messages) => {
                        let begun = delivery::begin(self.app.door.clone(), messages).await;
                        self.window.push(number, text.len(), Some(share), begun);
                    }
                    Err(problem) => self.refuse(number, problem),
                }
            }
            Ok(Some(Line::TooLong { number })) => {
                self.refuse(number, Problem::TooLarge { limit: self.app.limits.message_bytes });
            }
            Ok(None) => self.reading = false,
            Err(problem) => self.stop_reading(problem),
        }
    }

    fn stop_reading(&mut self, problem: Problem) {
        self.reading = false;
        self.refuse(self.lines.next_number(), problem);
    }

    /// A refusal takes its turn like every other answer.
    fn refuse(&mut self, number: u64, problem: Problem) {
        self.window.push(number, 0, None, Box::pin(async { Err(problem) }));
    }
}

#[derive(Serialize)]
struct ResultLine<'a> {
    line: u64,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

fn render(answered: &Answered) -> Vec<u8> {
    let (status, problem) = match &answered.result {
        Ok(Delivered::Accepted) => ("accepted", None),
        Ok(Delivered::Repeated) => ("repeated", None),
        Err(problem) => ("refused", Some(problem)),
    };
    // Whoever only looks at the status must not take "nobody knows" for a refusal.
    let status = if problem == Some(&Problem::Unknown) { "unknown" } else { status };
    let line = ResultLine {
        line: answered.number,
        status,
        code: problem.map(Problem::code),
        message: problem.map(ToString::to_string),
    };
    let mut text = serde_json::to_vec(&line).expect("numbers and strings are always JSON");
    text.push(b'\n');
    text
}
