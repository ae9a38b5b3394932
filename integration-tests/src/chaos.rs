//! Kills a gateway at moments that nobody has chosen, while work is being done.

use std::time::Duration;

use crate::chance::Chance;
use crate::gateway::Gateway;

const SHORTEST_LIFE: Duration = Duration::from_millis(50);
const LONGEST_LIFE: Duration = Duration::from_millis(700);

/// Kills and restarts the gateway so many times, each time after a life of a random length.
pub async fn kill_again_and_again(gateway: &mut Gateway, times: usize) {
    let mut chance = Chance::new();
    for _ in 0..times {
        tokio::time::sleep(chance.between(SHORTEST_LIFE, LONGEST_LIFE)).await;
        gateway.crash().await;
    }
}
