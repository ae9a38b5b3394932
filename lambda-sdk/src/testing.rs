//! Tries functions out without a gateway: run one on messages with given values, then look at what it did.
//!
//! ```
//! use tidegate_sdk::testing::Instance;
//! use tidegate_sdk::{Context, Error, FunctionSpec, FunctionType, Message, ValueSpec};
//!
//! const COUNTER: FunctionType = FunctionType::named("demo/counter");
//! const COUNT: ValueSpec<i64> = ValueSpec::named("count");
//!
//! async fn count(ctx: &mut Context, message: Message) -> Result<(), Error> {
//!     let sum = ctx.get(&COUNT)?.unwrap_or(0) + message.get::<i64>()?;
//!     ctx.set(&COUNT, &sum)?;
//!     ctx.reply(&sum)?;
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let function = FunctionSpec::new(COUNTER).value(&COUNT).handler(count);
//! let mut instance = Instance::of(&function, "a").with(&COUNT, &40);
//! let effects = instance.receive_from(COUNTER.at("b"), &2_i64).await.unwrap();
//! assert_eq!(instance.value(&COUNT), Some(42));
//! assert_eq!(effects.sent::<i64>(&COUNTER.at("b")), [42]);
//! # }
//! ```

use std::collections::BTreeMap;

use crate::address::{Address, EgressId};
pub use crate::effects::Delayed;
use crate::effects::Effects as Collected;
use crate::function::Function;
use crate::functions::StatefulFunctions;
use crate::invocation::{Group, Outcome, Traces};
use crate::spec::ValueSpec;
use crate::types::Type;
use crate::value::{ToValue, Value};

/// One instance of a function, whose values live on from message to message.
#[derive(Debug)]
pub struct Instance {
    address: Address,
    functions: StatefulFunctions,
    values: BTreeMap<String, Option<Value>>,
}

/// Why a message was not processed: what the gateway would be told.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failed(String);

/// What processing a message asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effects(Collected);

impl Instance {
    /// A fresh instance: all declared values are absent.
    #[must_use]
    pub fn of(function: &Function, id: &str) -> Self {
        let values = function.values().iter().map(|value| (value.name.to_owned(), None)).collect();
        Self {
            address: function.name().at(id),
            functions: StatefulFunctions::new().with(function.clone()),
            values,
        }
    }

    /// Gives it a value.
    ///
    /// # Panics
    /// If the value cannot be encoded.
    #[must_use]
    pub fn with<T: Type>(mut self, spec: &ValueSpec<T>, value: &T) -> Self {
        let value = Value::of(value).expect("values of a test can be encoded");
        self.values.insert(spec.name().to_owned(), Some(value));
        self
    }

    /// A value as it is now.
    ///
    /// # Panics
    /// If it is of another type.
    #[must_use]
    pub fn value<T: Type>(&self, spec: &ValueSpec<T>) -> Option<T> {
        let value = self.values.get(spec.name()).and_then(Option::as_ref)?;
        Some(value.get().expect("the value has the type of its declaration"))
    }

    /// Whether no value is present, which is how an instance looks that nothing is remembered of.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.values.values().all(Option::is_none)
    }

    /// Processes a message from an ingress.
    pub async fn receive<V: ToValue + ?Sized>(&mut self, message: &V) -> Result<Effects, Failed> {
        self.process(None, message).await
    }

    /// Processes a message from another function.
    pub async fn receive_from<V: ToValue + ?Sized>(
        &mut self,
        caller: Address,
        message: &V,
    ) -> Result<Effects, Failed> {
        self.process(Some(caller), message).await
    }

    async fn process<V: ToValue + ?Sized>(
        &mut self,
        caller: Option<Address>,
        message: &V,
    ) -> Result<Effects, Failed> {
        let argument = message.to_value().map_err(|error| Failed(error.to_string()))?;
        let group = Group {
            address: self.address.clone(),
            attempt: None,
            values: self.values.clone().into_iter().collect(),
            messages: vec![(caller, argument)],
            traces: Traces::Same(None),
        };
        match self.functions.run(group).await {
            Outcome::Done { mutations, effects } => {
                let changes = mutations.into_iter().map(|(name, value)| (name.to_owned(), value));
                self.values.extend(changes);
                Ok(Effects(effects))
            }
            Outcome::Incomplete(missing) => {
                unreachable!("an instance has all declared values: {missing:?}")
            }
            Outcome::Failed(failure) => Err(Failed(failure.to_string())),
        }
    }
}

impl Effects {
    /// Whether nothing was sent anywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == Collected::default()
    }

    /// All messages that were sent at once, in order.
    #[must_use]
    pub fn sends(&self) -> &[(Address, Value)] {
        &self.0.sends
    }

    /// The messages that were sent at once to one target, in order.
    ///
    /// # Panics
    /// If one is of another type.
    #[must_use]
    pub fn sent<T: Type>(&self, target: &Address) -> Vec<T> {
        let sends = self.0.sends.iter().filter(|(to, _)| to == target);
        sends.map(|(_, value)| value.get().expect("the message has the expected type")).collect()
    }

    /// Delayed messages and cancellations, in order.
    #[must_use]
    pub fn delayed(&self) -> &[Delayed] {
        &self.0.delayed
    }

    /// The records that were handed to one egress, in order.
    ///
    /// # Panics
    /// If one is of another type.
    #[must_use]
    pub fn emitted<T: Type>(&self, egress: &EgressId) -> Vec<T> {
        let records = self.0.egress.iter().filter(|(to, _)| to == egress);
        records.map(|(_, value)| value.get().expect("the record has the expected type")).collect()
    }
}
