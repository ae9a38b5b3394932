//! The order of keys in the store is their order in the core, and ranges hold what they should.

use std::cmp::Ordering;
use std::mem::discriminant;

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_core::address::{Address, Typename};
use tidegate_core::codec::row::{encode_key, encode_range, head_range};
use tidegate_core::id::Sequence;
use tidegate_core::partition::effect::RowRange;
use tidegate_core::partition::row::RowKey;
use tidegate_core::route::key_group;

use crate::strategies::{address, key, sequence, text};

/// The key group that a key lies under, if its table is bound to one.
fn group(key: &RowKey) -> Option<u16> {
    match key {
        RowKey::Value(address, _) | RowKey::Expiry(address, _) => Some(key_group(&address.id)),
        _ => None,
    }
}

fn in_one_range(left: &RowKey, right: &RowKey) -> bool {
    discriminant(left) == discriminant(right) && group(left) == group(right)
}

fn is_head(key: &RowKey) -> bool {
    matches!(
        key,
        RowKey::Applied
            | RowKey::Epoch
            | RowKey::NextSequence
            | RowKey::Keys
            | RowKey::Peer(_)
            | RowKey::Source(_)
            | RowKey::Specs(_)
            | RowKey::OutboxNext(_)
            | RowKey::OutboxTrimmed(_)
            | RowKey::EgressNext(_)
            | RowKey::EgressTrimmed(_)
            | RowKey::Pause(_)
            | RowKey::ParkedCount
    )
}

fn assert_same_order(left: &RowKey, right: &RowKey) -> Result<(), TestCaseError> {
    let stored: Ordering = encode_key(left).cmp(&encode_key(right));
    prop_assert_eq!(stored, left.cmp(right), "{:?} and {:?}", left, right);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn keys_of_one_table_are_in_order(keys in vec(key(), 2..60)) {
        for left in &keys {
            for right in keys.iter().filter(|right| in_one_range(left, right)) {
                assert_same_order(left, right)?;
            }
        }
    }

    #[test]
    fn messages_are_in_order(left in (address(), sequence()), right in (address(), sequence())) {
        let key = |(address, number)| RowKey::Mailbox(address, number);
        assert_same_order(&key(left), &key(right))?;
    }

    #[test]
    fn tokens_are_in_order(left in (address(), text()), right in (address(), text())) {
        let key = |(address, token)| RowKey::Token(address, token);
        assert_same_order(&key(left), &key(right))?;
    }

    #[test]
    fn values_of_one_address_are_in_order(address in address(), left in text(), right in text()) {
        assert_same_order(&RowKey::Value(address.clone(), left.clone()), &RowKey::Value(address.clone(), right.clone()))?;
        assert_same_order(&RowKey::Expiry(address.clone(), left), &RowKey::Expiry(address, right))?;
    }

    #[test]
    fn no_key_begins_another(left in key(), right in key()) {
        prop_assume!(left != right);
        prop_assert!(!encode_key(&left).starts_with(&encode_key(&right)));
    }

    #[test]
    fn a_range_holds_the_rows_between_its_bounds(keys in vec(key(), 3..60)) {
        for [from, until, other] in triples(&keys) {
            let range = RowRange { from: from.clone(), until: until.clone(), bytes: 0 };
            let (first, end) = encode_range(&range);
            let stored = encode_key(other);
            prop_assert_eq!((first..end).contains(&stored), (from..until).contains(&other));
        }
    }

    #[test]
    fn the_head_holds_what_is_read_whole(key in key()) {
        let (from, until) = head_range();
        prop_assert_eq!((from..until).contains(&encode_key(&key)), is_head(&key), "{:?}", key);
    }
}

/// Neighbouring keys that lie in one range.
fn triples(keys: &[RowKey]) -> impl Iterator<Item = [&RowKey; 3]> {
    keys.iter().flat_map(|from| {
        let near = || keys.iter().filter(|key| in_one_range(from, key));
        near().flat_map(move |until| near().map(move |other| [from, until, other]))
    })
}

#[test]
#[should_panic(expected = "one key group")]
fn a_range_over_two_key_groups_is_refused() {
    let of = |id| Address::new(Typename::new("example", "counter").unwrap(), id).unwrap();
    let value = |id| RowKey::Value(of(id), "seen".into());
    let _ = encode_range(&RowRange { from: value("1"), until: value("2"), bytes: 0 });
}

#[test]
fn the_mark_of_a_parked_address_comes_before_its_messages() {
    let address = Address::new(Typename::new("example", "counter").unwrap(), "1").unwrap();
    let first = RowKey::Mailbox(address.clone(), Sequence::FIRST);
    assert!(encode_key(&RowKey::parked(address)) < encode_key(&first));
}
