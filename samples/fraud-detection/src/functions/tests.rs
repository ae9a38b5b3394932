//! The functions one by one, and all together against the expectation.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use tidegate_sdk::Value;
use tidegate_sdk::testing::{Delayed, Instance};
use tokio::net::TcpListener;

use super::manager::ALERT_USER;
use super::town::{MONTH, Town, scorer_client};
use super::*;
use crate::expect::expect;
use crate::generate::generate;
use crate::scorer;
use crate::types::*;

fn transaction() -> Transaction {
    Transaction {
        id: "t1".to_owned(),
        account: "ann".to_owned(),
        timestamp: 1,
        merchant: "Corner Shop".to_owned(),
        amount_cents: 150_000,
    }
}

fn confirmation() -> Confirmation {
    Confirmation { id: "c1".to_owned(), account: "ann".to_owned(), timestamp: 1 }
}

#[tokio::test]
async fn the_manager_asks_gathers_and_raises_an_alert() {
    let (count, merchant) = (FRAUD_COUNT.at("ann"), MERCHANT_SCORER.at("Corner Shop"));
    let model = MODEL.at("t1");
    let mut manager = Instance::of(&manager::function(), "t1");
    let asked = manager.receive(&transaction()).await.unwrap();
    assert_eq!(asked.sent::<FraudCountQuery>(&count).len(), 1);
    assert_eq!(asked.sent::<MerchantQuery>(&merchant).len(), 1);
    let first = manager.receive_from(merchant, &MerchantScore { score: 90 }).await.unwrap();
    assert!(first.is_empty());
    let second = manager.receive_from(count, &FraudCount { count: 3 }).await.unwrap();
    let features = Features { amount_cents: 150_000, fraud_count: 3, merchant_score: 90 };
    assert_eq!(second.sent::<Features>(&model), [features]);
    let last = manager.receive_from(model, &Score { per_mille: 900 }).await.unwrap();
    let alerts = last.emitted::<Alert>(&ALERT_USER);
    assert_eq!(alerts, [Alert::about(transaction(), Score { per_mille: 900 })]);
    assert!(manager.is_blank());
}

#[tokio::test]
async fn the_manager_lets_a_harmless_transaction_pass_and_forgets_it() {
    let mut manager =
        Instance::of(&manager::function(), "t1").with(&manager::TRANSACTION, &transaction());
    let below = Score { per_mille: model::ALERT_FROM.per_mille - 1 };
    assert!(manager.receive_from(MODEL.at("t1"), &below).await.unwrap().is_empty());
    assert!(manager.is_blank());
}

#[tokio::test]
async fn the_manager_ignores_a_repeated_transaction_and_refuses_answers_to_nothing() {
    let mut manager = Instance::of(&manager::function(), "t1");
    let error = manager.receive_from(MODEL.at("t1"), &Score { per_mille: 1 }).await.unwrap_err();
    assert!(error.to_string().contains("`fraud.types/score` from fraud/model/t1"), "{error}");
    manager.receive(&transaction()).await.unwrap();
    assert!(manager.receive(&transaction()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_confirmed_fraud_counts_until_its_delayed_message_comes_back() {
    let mut count = Instance::of(&fraud_count::function(MONTH), "ann");
    let effects = count.receive(&confirmation()).await.unwrap();
    let [Delayed::Send { delay, target, argument, token: None }] = effects.delayed() else {
        panic!("one delayed message: {effects:?}")
    };
    assert_eq!((delay, target), (&MONTH, &FRAUD_COUNT.at("ann")));
    count.receive(&confirmation()).await.unwrap();
    let caller = TRANSACTION_MANAGER.at("t1");
    let answer = count.receive_from(caller.clone(), &FraudCountQuery {}).await.unwrap();
    assert_eq!(answer.sent::<FraudCount>(&caller), [FraudCount { count: 2 }]);
    count.receive_from(target.clone(), argument).await.unwrap();
    assert_eq!(count.value(&fraud_count::COUNT), Some(1));
    count.receive_from(target.clone(), argument).await.unwrap();
    assert!(count.is_blank());
}

#[tokio::test]
async fn the_merchant_scorer_asks_the_third_party_and_remembers() {
    let client = scorer_client().await;
    let caller = TRANSACTION_MANAGER.at("t1");
    let mut merchant = Instance::of(&merchant::function(client), "Corner Shop");
    let answer = merchant.receive_from(caller.clone(), &MerchantQuery {}).await.unwrap();
    let score = MerchantScore { score: scorer::score("Corner Shop") };
    assert_eq!(merchant.value(&merchant::SCORE), Some(score.clone()));
    assert_eq!(answer.sent::<MerchantScore>(&caller), [score]);
}

#[tokio::test]
async fn the_merchant_scorer_fails_while_the_third_party_is_away() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = ScorerClient::new(address).unwrap();
    let mut merchant = Instance::of(&merchant::function(client), "Corner Shop");
    let error = merchant.receive(&MerchantQuery {}).await.unwrap_err();
    assert!(error.to_string().contains("the scorer cannot be reached"), "{error}");
}

#[tokio::test]
async fn all_functions_together_give_what_is_expected() {
    let dataset = generate(5, 400);
    let mut town = Town::new().await;
    for confirmation in &dataset.confirmations {
        let target = FRAUD_COUNT.at(&confirmation.account);
        town.deliver(target, Value::of(confirmation).unwrap()).await;
    }
    for transaction in &dataset.transactions {
        let target = TRANSACTION_MANAGER.at(&transaction.id);
        town.deliver(target, Value::of(transaction).unwrap()).await;
    }
    let expected = expect(&dataset);
    town.alerts.sort();
    assert!(!town.alerts.is_empty());
    assert_eq!(town.alerts, expected.alerts);
    assert_eq!(town.timers, expected.timers);
    for (account, count) in expected.counts {
        let instance = town.instance(&FRAUD_COUNT.at(account));
        assert_eq!(instance.value(&fraud_count::COUNT), Some(i64::from(count)));
    }
    let managers = town.instances.iter().filter(|(who, _)| *who.function() == TRANSACTION_MANAGER);
    assert!(managers.map(|(_, manager)| manager).all(Instance::is_blank));
}
