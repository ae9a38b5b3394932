//! Waiting for what must become true: by polling, until a deadline.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Longer than anything takes here on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer.
///
/// # Panics
/// If there is none in time.
pub async fn until<T>(
    what: &str,
    patience: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks again and again until the answer is the expected one.
///
/// # Panics
/// If it is another one until the end; shows it.
pub async fn until_equal<T: PartialEq + Debug>(
    what: &str,
    expected: T,
    mut ask: impl AsyncFnMut() -> T,
) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask().await;
        if answer == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: {answer:?} instead of {expected:?}");
        tokio::time::sleep(PAUSE).await;
    }
}
