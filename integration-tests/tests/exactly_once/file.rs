//! The file egress while the gateway is killed: every record is in the file once, and its numbers have no gap.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use futures::{StreamExt, stream};
use integration_tests::chaos::kill_again_and_again;
use integration_tests::functions::Functions;
use integration_tests::gateway::{Gateway, call};
use integration_tests::http::Http;
use integration_tests::module::Module;
use integration_tests::wait::{PATIENCE, until};
use serde_json::Value;
use tidegate_sdk::{
    Context, EgressId, Error, FunctionSpec, FunctionType, Message, StatefulFunctions,
};

const SCRIBE: FunctionType = FunctionType::named("office/scribe");
const BOOK: EgressId = EgressId::named("office/book");
const NOTES: usize = 500;
const KILLS: usize = 8;
const CLIENTS: usize = 8;

async fn write_down(ctx: &mut Context, message: Message) -> Result<(), Error> {
    let note: String = message.get()?;
    ctx.egress(&BOOK, &note)?;
    ctx.reply(&note)?;
    Ok(())
}

/// By partition: the numbers in the order of the lines. And the texts.
fn read(path: &Path) -> (BTreeMap<u64, Vec<u64>>, Vec<String>) {
    let (mut sequences, mut texts) = (BTreeMap::<u64, Vec<u64>>::new(), Vec::new());
    for line in fs::read_to_string(path).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let partition = line["partition"].as_u64().unwrap();
        sequences.entry(partition).or_default().push(line["sequence"].as_u64().unwrap());
        texts.push(line["text"].as_str().unwrap_or_else(|| panic!("no text: {line}")).to_owned());
    }
    (sequences, texts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_is_in_the_file_once_and_without_a_gap() {
    let scribe = FunctionSpec::new(SCRIBE).handler(write_down);
    let functions = Functions::serve(StatefulFunctions::new().with(scribe)).await;
    let mut gateway = Gateway::new("").with("store-flush-interval", "300ms");
    let book = gateway.path("book.jsonl");
    gateway.declare(
        Module::serving("office", functions.address(), &[]).file_egress("office/book", &book),
    );
    gateway.start().await;
    let ingress = gateway.ingress();
    let http = Http::new();
    let writing = async {
        let calls = stream::iter(0..NOTES).map(|number| {
            let http = http.clone();
            async move {
                let address = format!("office/scribe/s{}", number % 30);
                call(&http, ingress, &address, &number.to_string(), &format!("note {number}"))
                    .await;
            }
        });
        calls.buffer_unordered(CLIENTS).collect::<()>().await;
    };
    tokio::join!(writing, kill_again_and_again(&mut gateway, KILLS));
    until("all notes are in the book", PATIENCE, async || {
        let lines = fs::read_to_string(&book).unwrap().lines().count();
        (lines >= NOTES).then_some(())
    })
    .await;
    gateway.crash().await;
    assert!(gateway.stop().await.success());

    let (sequences, texts) = read(&book);
    for (partition, sequences) in sequences {
        let dense: Vec<u64> = (1..=sequences.len() as u64).collect();
        assert_eq!(sequences, dense, "partition {partition}");
    }
    assert_eq!(texts.len(), NOTES);
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), NOTES, "a note was written twice");
}
