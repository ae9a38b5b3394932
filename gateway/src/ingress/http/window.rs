//! The lines of one stream that are under way: answered in the order of the lines, bounded in number and bytes.

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesOrdered;

use super::budget::Share;
use super::delivery::{Delivered, Delivery};
use super::limits::HttpLimits;
use super::problem::Problem;

/// What became of a line.
pub(super) struct Answered {
    pub(super) number: u64,
    pub(super) result: Result<Delivered, Problem>,
    bytes: usize,
}

/// The lines under way.
pub(super) struct Window {
    deliveries: FuturesOrdered<BoxFuture<'static, Answered>>,
    bytes: usize,
    lines_max: usize,
    bytes_max: usize,
}

impl Window {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        Self {
            deliveries: FuturesOrdered::new(),
            bytes: 0,
            lines_max: limits.lines_in_flight.max(1),
            bytes_max: limits.line_bytes_in_flight,
        }
    }

    /// Whether another line may be read. One line of any size always may.
    pub(super) fn has_room(&self) -> bool {
        self.deliveries.is_empty()
            || (self.deliveries.len() < self.lines_max && self.bytes < self.bytes_max)
    }

    /// Whether every line was answered.
    pub(super) fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// Adds a line whose delivery has begun. It holds its share until the door has answered, and its place in the window until
    /// the answer was taken out.
    pub(super) fn push(
        &mut self,
        number: u64,
        bytes: usize,
        share: Option<Share>,
        delivery: Delivery,
    ) {
        self.bytes += bytes;
        self.deliveries.push_back(
            async move {
                let result = delivery.await;
                drop(share);
                Answered { number, result, bytes }
            }
            .boxed(),
        );
    }

    /// The answer to the oldest line, as soon as there is one.
    pub(super) async fn next(&mut self) -> Option<Answered> {
        let answered = self.deliveries.next().await?;
        self.bytes -= answered.bytes;
        Some(answered)
    }
}
