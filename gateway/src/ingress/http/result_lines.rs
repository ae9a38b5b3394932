//! Lines in, result lines out, both as streams: `application/x-ndjson` each way.
//!
//! The order of result lines is the order of lines, and lines are handed to the door in that order: those that have arrived together
//! are sent together, and nothing waits for company. Reading goes on only while the window has room, and the window empties
//! only as the client takes result lines: a client must read while it writes. When reading ends early (the client stalls,
//! the node stops), a last result line says from which line on nothing was looked at.

use std::convert::Infallible;
use std::io::Write;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::App;
use super::body::Pieces;
use super::delivery::Delivered;
use super::lines::{Line, Lines};
use super::problem::Problem;
use super::window::{Answered, LineResult, Portion, Window};
use crate::ingress::Inbound;

/// The media type of lines of JSON.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// A result line of a message that was accepted, at most.
const RESULT_BYTES_USUAL: usize = 48;

/// Adds the messages that a line asks for, in order.
pub(super) type ReadLine =
    Box<dyn FnMut(u64, &Bytes, &mut Vec<Inbound>) -> Result<(), Problem> + Send>;

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
        let answered = exchange.next().await?;
        Some((Ok::<_, Infallible>(render(&answered)), exchange))
    });
    let mut response = Response::new(Body::from_stream(results.fuse()));
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
    /// What became of the next lines; nothing once all were answered.
    async fn next(&mut self) -> Option<Answered> {
        loop {
            tokio::select! {
                biased;
                Some(answered) = self.window.next(), if !self.window.is_empty() => {
                    return Some(answered);
                }
                () = self.app.stopping.cancelled(), if self.reading => {
                    self.stop_reading(Problem::Closed);
                }
                line = self.lines.next(), if self.reading && self.window.has_room(&Portion::default()) => {
                    self.take(line);
                }
                else => return None,
            }
        }
    }

    /// Takes a line with those that have arrived behind it, and sends them.
    fn take(&mut self, first: Result<Option<Line>, Problem>) {
        let mut portion = Portion::default();
        let mut next = Some(first);
        while let Some(line) = next.take() {
            self.read(line, &mut portion);
            if self.reading && !portion.is_full() && self.window.has_room(&portion) {
                next = self.lines.next().now_or_never();
            }
        }
        self.send(portion);
    }

    fn read(&mut self, line: Result<Option<Line>, Problem>, portion: &mut Portion) {
        match line {
            Ok(Some(Line::Whole { number, text, share })) => {
                let read = |messages: &mut _| (self.read_line)(number, &text, messages);
                portion.push(number, text.len(), share, read);
            }
            Ok(Some(Line::TooLong { number })) => {
                let limit = self.app.limits.message_bytes;
                portion.refuse(number, Problem::TooLarge { limit });
            }
            Ok(None) => self.reading = false,
            Err(problem) => {
                self.reading = false;
                portion.refuse(self.lines.next_number(), problem);
            }
        }
    }

    fn stop_reading(&mut self, problem: Problem) {
        self.reading = false;
        let mut portion = Portion::default();
        portion.refuse(self.lines.next_number(), problem);
        self.send(portion);
    }

    fn send(&mut self, portion: Portion) {
        if !portion.is_empty() {
            self.window.send(&*self.app.door, portion);
        }
    }
}

/// What is said of a line that was not accepted.
#[derive(Serialize)]
struct ResultLine<'a> {
    line: u64,
    status: &'a str,
    code: &'a str,
    message: String,
}

fn render(answered: &Answered) -> Bytes {
    let mut text = Vec::with_capacity(answered.lines.len() * RESULT_BYTES_USUAL);
    for (number, result) in &answered.lines {
        render_line(*number, result, &mut text);
        text.push(b'\n');
    }
    text.into()
}

fn render_line(number: u64, result: &LineResult, text: &mut Vec<u8>) {
    let (status, problem) = match result {
        Ok(Delivered::Accepted) => ("accepted", None),
        Ok(Delivered::Repeated) => ("repeated", None),
        Err(problem) => ("refused", Some(problem)),
    };
    // Whoever only looks at the status must not take "nobody knows" for a refusal.
    let status = if problem == Some(&Problem::Unknown) { "unknown" } else { status };
    let Some(problem) = problem else {
        // What nearly every line gets needs no serialiser.
        let written = write!(text, r#"{{"line":{number},"status":"{status}"}}"#);
        return written.expect("a vector takes everything");
    };
    let line =
        ResultLine { line: number, status, code: problem.code(), message: problem.to_string() };
    serde_json::to_writer(text, &line).expect("numbers and strings are always JSON");
}
