//! Syncs of the log that fail or take long.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use integration_tests::functions::Functions;
use integration_tests::gateway::{Gateway, TEXT};
use integration_tests::module::Module;
use integration_tests::wait::until_equal;

use crate::counters;

const SIGABRT: i32 = 6;

/// A tracer that does something to every sync of the log, if this machine has one and lets it.
fn tracer(effect: &str) -> Option<Vec<String>> {
    let inject = format!("inject=fdatasync:{effect}");
    let words = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fdatasync",
        "-e",
        &inject,
        // What is traced goes on when a tracer is killed, unless it says otherwise.
        "/usr/bin/setpriv",
        "--pdeathsig=KILL",
    ];
    let tried = Command::new(words[0])
        .args(&words[1..])
        .arg("true")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !tried.is_ok_and(|status| status.success()) {
        eprintln!("not tested: strace is missing here, or may not trace");
        return None;
    }
    let path = std::env::var("PATH").unwrap();
    let program = path.split(':').map(|folder| format!("{folder}/{}", words[0]));
    let program = program.into_iter().find(|path| std::path::Path::new(path).exists()).unwrap();
    Some(std::iter::once(program).chain(words[1..].iter().map(|&word| word.to_owned())).collect())
}

async fn started(wrapper: &[String]) -> (Gateway, Functions) {
    let functions = Functions::serve(counters()).await;
    let mut gateway = Gateway::new(Module::serving("shop", functions.address(), &[]));
    let words: Vec<_> = wrapper.iter().map(String::as_str).collect();
    gateway.start_under(&words);
    gateway.start().await;
    (gateway, functions)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_ends_the_node_and_nothing_acknowledged_is_lost() {
    let Some(tracer) = tracer("error=EIO:when=25") else { return };
    let (mut gateway, _functions) = started(&tracer).await;
    let url = gateway.url("/v1/functions/shop/counter/ann/call");
    let mut acknowledged = 0;
    loop {
        match gateway.http().post(&url, &[TEXT], "one more").await {
            Ok(answer) if answer.status.as_u16() == 200 => acknowledged += 1,
            Ok(_) | Err(_) => break,
        }
        assert!(acknowledged < 1000, "no sync has failed");
    }
    let ended = gateway.process().wait().await;
    assert_eq!(ended.signal(), Some(SIGABRT), "{ended:?}: {}", gateway.errors());
    let said = gateway.errors();
    let failed: Vec<_> = said.lines().filter(|line| line.contains("the log has failed")).collect();
    assert!(failed.len() == 1 && failed[0].contains("TG-0221"), "not said once: {said}");

    gateway.start_under(&[]);
    gateway.start().await;
    let kept = gateway.value::<i64>("shop/counter/ann", "count").await.unwrap_or(0);
    assert!(
        (acknowledged..=acknowledged + 1).contains(&kept),
        "{kept} are kept of {acknowledged} that were acknowledged"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_disk_costs_time_and_nothing_else() {
    let Some(tracer) = tracer("delay_enter=100000") else { return };
    let (gateway, _functions) = started(&tracer).await;
    for number in 0..10 {
        let key = number.to_string();
        let answer = gateway.call("shop/counter/ann", &key, "one more").await;
        assert!(!answer.repeated);
    }
    // Many at once share the syncs.
    let lines = (0..500).map(|number| (format!("shop/counter/c{}", number % 10), String::new()));
    gateway.send_lines(lines).await;
    for number in 0..10 {
        let address = format!("shop/counter/c{number}");
        until_equal(&address, Some(50), async || gateway.value::<i64>(&address, "count").await)
            .await;
    }
}
