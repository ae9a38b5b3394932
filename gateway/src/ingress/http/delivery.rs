//! What became of a line or a record with all its messages.

use std::ops::Range;

use super::problem::Problem;
use crate::ingress::{Door, DoorError, Exceptions, Inbound, Outcome, Visitor};

/// What became of a line or a record with all its messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Delivered {
    /// All messages are durable, at least one of them new.
    Accepted,
    /// All messages were accepted before.
    Repeated,
}

/// Sends the messages of one record.
pub(super) async fn deliver(door: &dyn Door, messages: Vec<Inbound>) -> Result<Delivered, Problem> {
    let places = 0..messages.len();
    let exceptions = door.send(&Visitor::new(), messages).await;
    combine(&places, &mut exceptions.into_iter().peekable())
}

/// Takes what is said of a line out of what is said of all that was sent, given the places of its messages. Lines come one
/// after another.
///
/// The first failure stands for all. What was accepted stays accepted, so "nothing was accepted" is then not said.
pub(super) fn combine(
    places: &Range<usize>,
    exceptions: &mut std::iter::Peekable<<Exceptions as IntoIterator>::IntoIter>,
) -> Result<Delivered, Problem> {
    let (mut repeated, mut failed, mut failure) = (0, 0, None);
    while let Some((_, outcome)) = exceptions.next_if(|(place, _)| places.contains(place)) {
        match outcome {
            Ok(Outcome::Repeated(_)) => repeated += 1,
            Ok(_) => {}
            Err(error) => {
                failed += 1;
                failure = failure.or(Some(error));
            }
        }
    }
    let fresh = places.len() - repeated - failed;
    match failure {
        Some(DoorError::Closed) if fresh + repeated > 0 => Err(Problem::Unknown),
        Some(error) => Err(error.into()),
        None if fresh > 0 => Ok(Delivered::Accepted),
        None => Ok(Delivered::Repeated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_core::message::RequestProgress;
    use tidegate_core::partition::effect::ClientRefusal;

    fn combined(lines: &[Range<usize>], exceptions: Exceptions) -> Vec<Result<Delivered, Problem>> {
        let mut exceptions = exceptions.into_iter().peekable();
        lines.iter().map(|places| combine(places, &mut exceptions)).collect()
    }

    #[test]
    fn every_line_has_its_own_exceptions() {
        let repeated = || Ok(Outcome::Repeated(RequestProgress { consumed_at: None, reply: None }));
        let refused = || Err(DoorError::Refused(ClientRefusal::UnknownFunction));
        let exceptions =
            vec![(1, repeated()), (2, repeated()), (3, repeated()), (5, refused()), (6, refused())];
        let lines = [0..1, 1..3, 3..5, 5..6, 6..8, 8..9];
        let expected = [
            Ok(Delivered::Accepted),
            Ok(Delivered::Repeated),
            Ok(Delivered::Accepted),
            Err(Problem::UnknownFunction),
            Err(Problem::UnknownFunction),
            Ok(Delivered::Accepted),
        ];
        assert_eq!(combined(&lines, exceptions), expected);
    }

    #[test]
    fn a_line_of_which_a_part_was_accepted_is_not_said_to_be_refused() {
        let closed = |place| (place, Err(DoorError::Closed));
        let outcomes = combined(&[0..2, 2..4], vec![closed(1), closed(2), closed(3)]);
        assert_eq!(outcomes, [Err(Problem::Unknown), Err(Problem::Closed)]);
    }
}
