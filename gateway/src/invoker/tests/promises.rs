//! What holds whatever endpoints do.

use std::sync::Mutex;
use std::time::Duration;

use super::harness::{
    FakeEndpoint, Partition, Told, acted, config, crashed, failed, refused, served, threw,
};
use crate::invoker::fault::{Fault, InvokeError};
use crate::invoker::lane::Dialect;
use crate::invoker::pace::Jitter;
use crate::invoker::transport::Reply;
use crate::invoker::wire::double::Act;

/// Does anything that an endpoint can do, by the numbers of a seed, until it has been asked often enough.
fn erratic(seed: u64) -> std::sync::Arc<FakeEndpoint> {
    let state = Mutex::new((Jitter::new(seed), 0));
    FakeEndpoint::new(move |seen, body| {
        let mut state = state.lock().unwrap();
        state.1 += 1;
        if state.1 > 300 {
            return served(seen, body);
        }
        let numbers = [state.0.next(), state.0.next()];
        drop(state);
        let acts = [
            Act::Succeed,
            Act::Fail,
            Act::NotRun,
            Act::Forget,
            Act::SucceedTwice,
            Act::SucceedForAnother,
        ];
        match numbers[0] % 10 {
            0 => Err(threw()),
            1 => Err(crashed()),
            2 => Err(refused()),
            3 if seen.dialect == Dialect::Batch => Err(Fault::Dialect),
            4 => Ok(Reply { speaks_batch: true, body: bytes::Bytes::from_static(b"\xFF") }),
            5 => Err(Fault::Request(InvokeError::TimedOut { limit: Duration::from_secs(1) })),
            _ => acted(seen, body, |id| {
                let one = Jitter::new(numbers[1] ^ id.bytes().map(u64::from).sum::<u64>()).next();
                acts[usize::try_from(one % 6).unwrap()]
            }),
        }
    })
}

#[tokio::test(start_paused = true)]
async fn every_group_has_exactly_one_answer() {
    for seed in 0..200 {
        let endpoint = erratic(seed);
        let mut config = config();
        config.concurrency = 3.try_into().unwrap();
        config.groups_per_request = 16.try_into().unwrap();
        let mut partition = Partition::with(config, &endpoint);
        for number in 0..100 {
            partition.submit(&format!("{number}"));
            if number % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        assert_eq!(partition.all_told().await.len(), 100, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_defect_of_ours_fails_the_group_and_not_the_endpoint() {
    let endpoint = FakeEndpoint::new(|seen, body| {
        assert_ne!(seen.ids, ["cursed"], "on purpose");
        served(seen, body)
    });
    let mut partition = Partition::with(config(), &endpoint);
    partition.submit("cursed");
    partition.submit("good");
    let told = partition.all_told().await;
    assert_eq!(failed(&told), ["cursed"]);
    assert_eq!(
        told["cursed"],
        Told::Failed(
            "TG-0411 the gateway failed at the request: it panicked (endpoint `shop`)".into()
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_stopped_invoker_answers_nothing() {
    let endpoint = FakeEndpoint::new(served);
    endpoint.permits.forget_permits(usize::MAX);
    let mut partition = Partition::with(config(), &endpoint);
    partition.submit("under way");
    partition.submit("waiting");
    assert!(partition.silent(Duration::from_secs(1)).await);
    partition.invoker.stop();
    endpoint.permits.add_permits(10);
    partition.submit("late");
    assert!(partition.silent(Duration::from_secs(3600)).await);
    assert_eq!(endpoint.sizes(), [1]);
}
