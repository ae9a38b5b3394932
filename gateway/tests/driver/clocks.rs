//! A wall clock that is set forward and back: timers are neither early nor late for it, and never lost.

use std::time::Duration;

use tidegate::log::memory::SyncMode;
use tidegate_core::partition::group::{Delayed, Response};
use tokio::time::sleep;

use crate::world::{Deployment, Life, Living, address, id_in, settle, value};

const DAY: i64 = 24 * 60 * 60;
/// How far the clock may be drawn within the delay of a minute: half a percent, and what is read in milliseconds.
const SLEW: Duration = Duration::from_millis(310);
const MINUTE: Duration = Duration::from_secs(60);

fn automatic() -> Life {
    Life { sync: SyncMode::Automatic, ..Life::default() }
}

/// Has a function send a message in a minute. Gives to whom.
async fn delay(node: &Living) -> String {
    let (from, to) = (id_in(0), id_in(1));
    node.send(&from, "1").await.unwrap().unwrap();
    settle().await;
    let (target, argument) = (address(&to), value("later"));
    let delayed =
        Delayed::Send { delay_ms: MINUTE.as_millis() as i64, target, argument, token: None };
    node.functions.answer(0, Response { delayed: vec![delayed], ..Response::default() });
    settle().await;
    to
}

#[tokio::test(start_paused = true)]
async fn a_timer_keeps_its_time_whatever_the_wall_clock_does() {
    for jump in [DAY, -DAY, 400 * DAY, -400 * DAY] {
        let deployment = Deployment::new();
        let node = deployment.start(automatic()).await;
        let to = delay(&node).await;
        deployment.set_clock(jump);
        sleep(MINUTE - SLEW).await;
        assert!(node.functions.processed(&to).is_empty(), "early after a jump of {jump} seconds");
        sleep(2 * SLEW).await;
        assert_eq!(node.functions.processed(&to), ["later"], "after a jump of {jump} seconds");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_trembles_neither_loses_nor_repeats_a_timer() {
    let deployment = Deployment::new();
    let node = deployment.start(automatic()).await;
    let to = delay(&node).await;
    for second in 0..90 {
        deployment.set_clock(if second % 2 == 0 { 7 * DAY } else { -7 * DAY });
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(node.functions.processed(&to), ["later"]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_with_the_clock_set_back_does_not_delay_a_timer() {
    for jump in [-DAY, -400 * DAY] {
        let deployment = Deployment::new();
        let node = deployment.start(automatic()).await;
        let to = delay(&node).await;
        drop(node);
        deployment.set_clock(jump);
        let node = deployment.start(automatic()).await;
        sleep(MINUTE - SLEW).await;
        assert!(node.functions.processed(&to).is_empty(), "early after a jump of {jump} seconds");
        sleep(2 * SLEW).await;
        assert_eq!(node.functions.processed(&to), ["later"], "after a jump of {jump} seconds");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_with_the_clock_set_forward_has_timers_come_that_are_due_by_it() {
    let deployment = Deployment::new();
    let node = deployment.start(automatic()).await;
    let to = delay(&node).await;
    drop(node);
    deployment.set_clock(DAY);
    let node = deployment.start(automatic()).await;
    assert_eq!(node.functions.processed(&to), ["later"]);
}
