//! How Rust types become payloads: the built-in types of StateFun, JSON by serde, and whatever an author implements.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_protocol::types::{
    BooleanWrapper, DoubleWrapper, FloatWrapper, IntWrapper, LongWrapper, StringWrapper,
};
use tidegate_protocol::{Message as _, typename};

use crate::error::Error;

/// A Rust type with a name on the wire and an encoding.
///
/// `bool`, `i32`, `i64`, `f32`, `f64` and `String` have the names and encodings that every StateFun SDK understands. For
/// JSON implement [`JsonType`] instead; for anything else, such as raw bytes or a protobuf message, implement this.
///
/// ```
/// use tidegate_sdk::{Bytes, Error, Type};
///
/// struct Thumbnail(Bytes);
///
/// impl Type for Thumbnail {
///     const TYPENAME: &'static str = "shop.types/thumbnail";
///
///     fn encode(&self) -> Result<Bytes, Error> {
///         Ok(self.0.clone())
///     }
///
///     fn decode(bytes: &Bytes) -> Result<Self, Error> {
///         Ok(Self(bytes.clone()))
///     }
/// }
/// ```
pub trait Type: Sized {
    /// The name on the wire, by convention `namespace/name`.
    const TYPENAME: &'static str;

    /// Turns the value into bytes.
    fn encode(&self) -> Result<Bytes, Error>;

    /// Reads the value from bytes. The error must not repeat the bytes: it reaches logs.
    fn decode(bytes: &Bytes) -> Result<Self, Error>;
}

/// A serde type that travels as JSON text.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidegate_sdk::JsonType;
///
/// #[derive(Serialize, Deserialize)]
/// struct Order {
///     article: String,
///     pieces: u32,
/// }
///
/// impl JsonType for Order {
///     const TYPENAME: &'static str = "shop.types/order";
/// }
/// ```
pub trait JsonType: Serialize + DeserializeOwned {
    /// The name on the wire, by convention `namespace/name`.
    const TYPENAME: &'static str;
}

impl<T: JsonType> Type for T {
    const TYPENAME: &'static str = <T as JsonType>::TYPENAME;

    fn encode(&self) -> Result<Bytes, Error> {
        Ok(serde_json::to_vec(self)?.into())
    }

    fn decode(bytes: &Bytes) -> Result<Self, Error> {
        serde_json::from_slice(bytes).map_err(|error| without_payload(&error))
    }
}

/// serde's texts quote what they found. Only what they say about the type itself is kept, and the place.
fn without_payload(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let place = format!("line {} column {}", error.line(), error.column());
    let about_type = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match about_type {
        Some(field) => format!("missing field `{field}` at {place}").into(),
        None if error.is_data() => format!("the JSON does not fit the type at {place}").into(),
        None => format!("the text is not JSON at {place}").into(),
    }
}

macro_rules! wrapped {
    ($type:ty, $wrapper:ident, $typename:expr, $encode:expr) => {
        impl Type for $type {
            const TYPENAME: &'static str = $typename;

            fn encode(&self) -> Result<Bytes, Error> {
                let encode: fn(&Self) -> Vec<u8> = $encode;
                Ok(encode(self).into())
            }

            fn decode(bytes: &Bytes) -> Result<Self, Error> {
                Ok($wrapper::decode(bytes.clone())?.value)
            }
        }
    };
    ($type:ty, $wrapper:ident, $typename:expr) => {
        wrapped!($type, $wrapper, $typename, |value| {
            $wrapper { value: value.clone() }.encode_to_vec()
        });
    };
}

wrapped!(bool, BooleanWrapper, typename::BOOLEAN);
wrapped!(i32, IntWrapper, typename::INT);
wrapped!(i64, LongWrapper, typename::LONG);
wrapped!(String, StringWrapper, typename::STRING);

/// Tags of field 1 with four and with eight bytes.
const TAG_32_BITS: u8 = 0x0d;
const TAG_64_BITS: u8 = 0x09;

// Only positive zero is the default that proto3 leaves out; prost leaves out negative zero too, which would lose the sign.
wrapped!(f32, FloatWrapper, typename::FLOAT, |value| {
    if value.to_bits() == 0 {
        return Vec::new();
    }
    [&[TAG_32_BITS][..], &value.to_le_bytes()].concat()
});
wrapped!(f64, DoubleWrapper, typename::DOUBLE, |value| {
    if value.to_bits() == 0 {
        return Vec::new();
    }
    [&[TAG_64_BITS][..], &value.to_le_bytes()].concat()
});

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    fn bytes_of<T: Type>(value: &T) -> Vec<u8> {
        value.encode().unwrap().to_vec()
    }

    fn back<T: Type>(value: &T) -> T {
        T::decode(&value.encode().unwrap()).unwrap()
    }

    #[test]
    fn built_in_types_have_the_bytes_of_statefun() {
        assert_eq!(bytes_of(&true), [0x08, 1]);
        assert_eq!(bytes_of(&7_i32), [0x0d, 7, 0, 0, 0]);
        assert_eq!(bytes_of(&-1_i64), [&[0x09][..], &[0xff; 8]].concat());
        assert_eq!(bytes_of(&1.5_f32), [0x0d, 0, 0, 0xc0, 0x3f]);
        assert_eq!(bytes_of(&1.5_f64), [0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]);
        assert_eq!(bytes_of(&"hé".to_owned()), [0x0a, 3, b'h', 0xc3, 0xa9]);
    }

    #[test]
    fn default_values_are_zero_bytes() {
        assert!(bytes_of(&false).is_empty() && bytes_of(&0_i64).is_empty());
        assert!(bytes_of(&String::new()).is_empty());
    }

    proptest! {
        #[test]
        fn built_in_types_come_back(int: i32, long: i64, single: f32, double: f64, text: String, truth: bool) {
            prop_assert_eq!(back(&int), int);
            prop_assert_eq!(back(&long), long);
            prop_assert_eq!(back(&single).to_bits(), single.to_bits());
            prop_assert_eq!(back(&double).to_bits(), double.to_bits());
            prop_assert_eq!(back(&text), text);
            prop_assert_eq!(back(&truth), truth);
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
            let bytes = Bytes::from(bytes);
            let _ = <i64 as Type>::decode(&bytes).map(|value| value.checked_add(1));
            let _ = <String as Type>::decode(&bytes).map(|text| text.len());
            let _ = Card::decode(&bytes).map(|card| card.number);
        }
    }

    #[derive(Serialize, Deserialize, Debug)]
    struct Card {
        number: u64,
    }

    impl JsonType for Card {
        const TYPENAME: &'static str = "test/card";
    }

    fn fault(text: &'static str) -> String {
        Card::decode(&Bytes::from_static(text.as_bytes())).unwrap_err().to_string()
    }

    #[test]
    fn faults_in_json_tell_the_place_and_never_the_payload() {
        assert_eq!(bytes_of(&Card { number: 5 }), br#"{"number":5}"#);
        assert_eq!(
            fault(r#"{"number":"4111-1111"}"#),
            "the JSON does not fit the type at line 1 column 21"
        );
        assert_eq!(fault(r#"{"other":1}"#), "missing field `number` at line 1 column 11");
        assert_eq!(fault("[4111"), "the text is not JSON at line 1 column 5");
        assert_eq!(fault("secret"), "the text is not JSON at line 1 column 1");
    }
}
