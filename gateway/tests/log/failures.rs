//! Writes and syncs that fail: never tried again, told once, and decided by recovery.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use tidegate::log::faulty::WriteFault;
use tidegate::log::file::FileLog;
use tidegate::log::{AppendTicket, LogFailure, NodeLog};

use crate::support::{Data, INCARNATION, append_durably, step, steps};

struct Failing {
    data: Data,
    log: FileLog,
    told: Arc<Mutex<Vec<&'static str>>>,
}

/// A log with two durable steps, of which the third then fails.
async fn failing(plan: impl FnOnce(&Data)) -> Failing {
    let data = Data::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut options = data.options();
    let tell = Arc::clone(&told);
    options.on_failure = Arc::new(move |failure| tell.lock().unwrap().push(failure.code()));
    let log = FileLog::create(&data.lock, INCARNATION, &options).unwrap();
    for step in steps(2) {
        append_durably(&log, step).await;
    }
    plan(&data);
    log.append(step(0, 3, 5000));
    let mut durable = log.durable();
    while durable.changed().await.is_ok() {}
    Failing { data, log, told }
}

impl Failing {
    async fn assert_failed(&self) {
        assert!(matches!(self.log.failure(), Some(LogFailure::Unknown(_))));
        assert_eq!(*self.told.lock().unwrap(), ["TG-0221"]);
        assert_eq!(self.log.durable().borrow().through, AppendTicket(2));
        assert!(self.log.room().now_or_never().is_none(), "a failed log has no room");
        self.log.append(step(0, 4, 10));
        assert!(self.log.close().await.is_err());
    }
}

#[tokio::test]
async fn a_refused_write_ends_the_log() {
    let failing = failing(|data| data.disk.fail_next_write(WriteFault::Refused)).await;
    failing.assert_failed().await;
    drop(failing.log);
    assert_eq!(failing.data.recovered(0), steps(2));
}

#[tokio::test]
async fn a_torn_write_ends_the_log_before_it() {
    for bytes in [1, 47, 48, 80, 4096, 5000] {
        let failing = failing(|data| data.disk.fail_next_write(WriteFault::Torn(bytes))).await;
        failing.assert_failed().await;
        drop(failing.log);
        assert_eq!(failing.data.recovered(0), steps(2), "torn after {bytes} bytes");
    }
}

#[tokio::test]
async fn after_a_failed_sync_recovery_decides() {
    let failing = failing(|data| data.disk.fail_next_sync()).await;
    failing.assert_failed().await;
    let syncs = failing.data.disk.syncs();
    drop(failing.log);
    assert_eq!(failing.data.disk.syncs(), syncs, "a failed sync is not tried again");
    let recovered = failing.data.recovered(0);
    assert_eq!(recovered, [step(0, 1, 100), step(0, 2, 100), step(0, 3, 5000)]);
}
