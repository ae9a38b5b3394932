//! Declarations of the values that a function keeps for each of its instances.

use std::marker::PhantomData;
use std::time::Duration;

use crate::types::Type;

/// When a value disappears by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiration {
    /// Never.
    Never,
    /// That long after it was last written.
    AfterWrite(Duration),
    /// That long after it was last written or its instance was last invoked.
    AfterInvoke(Duration),
}

/// A named, typed value of each instance of a function. Meant for constants; declare it with the function by
/// [`FunctionSpec::value`](crate::FunctionSpec::value).
#[derive(Debug)]
pub struct ValueSpec<T> {
    declared: DeclaredValue,
    kind: PhantomData<fn() -> T>,
}

impl<T: Type> ValueSpec<T> {
    /// A value that never expires. The name is unique within the function type.
    ///
    /// # Panics
    /// If the name is empty. In a constant, that is an error of the compiler.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        assert!(!name.is_empty(), "a value needs a name");
        let declared = DeclaredValue { name, typename: T::TYPENAME, expiration: Expiration::Never };
        Self { declared, kind: PhantomData }
    }

    /// Lets it disappear that long after it was last written. Whole milliseconds count.
    #[must_use]
    pub const fn expire_after_write(mut self, duration: Duration) -> Self {
        self.declared.expiration = Expiration::AfterWrite(duration);
        self
    }

    /// Lets it disappear that long after it was last written or its instance was last invoked.
    #[must_use]
    pub const fn expire_after_invoke(mut self, duration: Duration) -> Self {
        self.declared.expiration = Expiration::AfterInvoke(duration);
        self
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.declared.name
    }

    /// When it disappears by itself.
    #[must_use]
    pub const fn expiration(&self) -> Expiration {
        self.declared.expiration
    }

    pub(crate) const fn declared(&self) -> DeclaredValue {
        self.declared
    }
}

/// A declaration whose Rust type is forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DeclaredValue {
    pub(crate) name: &'static str,
    pub(crate) typename: &'static str,
    pub(crate) expiration: Expiration,
}
