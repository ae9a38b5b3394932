//! What a handler is given.

use std::ops::Deref;

use crate::value::Value;

/// A message to this function instance: a typed payload. Who sent it is in [`Context::caller`](crate::Context::caller).
///
/// It dereferences to its [`Value`], so `message.is::<T>()` and `message.get::<T>()` ask for its type and content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    argument: Value,
}

impl Message {
    pub(crate) fn new(argument: Value) -> Self {
        Self { argument }
    }

    /// The payload, to be kept or sent on as it is.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.argument
    }
}

impl Deref for Message {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.argument
    }
}
