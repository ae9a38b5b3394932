//! What was written is read, whatever it was, and has one encoding only.

use bytes::Bytes;
use proptest::prelude::*;
use tidegate_core::address::Address;
use tidegate_core::address::Typename;
use tidegate_core::codec::record::{decode_step, encode_step, encode_step_to_bytes};
use tidegate_core::codec::row::{decode_key, decode_row, encode_key, encode_row};
use tidegate_core::id::Timestamp;
use tidegate_core::message::TypedValue;
use tidegate_core::partition::row::{Row, RowKey};

use crate::samples;
use crate::strategies::{entry, key, step};

proptest! {
    #[test]
    fn a_step_comes_back(records in step()) {
        prop_assert_eq!(decode_step(encode_step_to_bytes(&records)), Ok(records));
    }

    #[test]
    fn a_step_is_appended_to_what_the_buffer_holds(records in step(), before in any::<Vec<u8>>()) {
        let mut buffer = before.clone();
        encode_step(&records, &mut buffer);
        let step = buffer.split_off(before.len());
        prop_assert_eq!(buffer, before);
        prop_assert_eq!(step, encode_step_to_bytes(&records));
    }

    #[test]
    fn a_key_comes_back(key in key()) {
        prop_assert_eq!(decode_key(&encode_key(&key)), Ok(key));
    }

    #[test]
    fn a_row_comes_back((key, row) in entry()) {
        prop_assert_eq!(decode_row(&key, encode_row(&row).into()), Ok(row));
    }
}

#[test]
fn a_decoded_payload_is_a_slice_of_the_input() {
    let payload = Bytes::from_static(b"a payload");
    let address = Address::new(Typename::new("example", "counter").unwrap(), "1").unwrap();
    let value = Row::Value(TypedValue::new("example/bytes", payload.clone()), Timestamp::NEVER);
    let input = Bytes::from(encode_row(&value));
    let decoded = decode_row(&RowKey::Value(address, "v".into()), input.clone()).unwrap();
    let Row::Value(value, _) = decoded else { panic!("another row came back") };
    assert_eq!(value.value, payload);
    assert!(input.as_ptr_range().contains(&value.value.as_ptr()));
}

#[test]
fn an_accepted_message_takes_few_bytes_beside_its_texts_and_payload() {
    let record = samples::accepted_message(100);
    let texts =
        "example/counter".len() * 2 + "sender".len() + "receiver".len() + "example/bytes".len();
    let bytes = encode_step_to_bytes(&[record]).len();
    assert!(bytes <= 100 + texts + 24, "{bytes} bytes");
}
