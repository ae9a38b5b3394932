//! Names of functions and egresses, and the addresses of function instances. Names that authors write down are checked when
//! they compile; names that arrive are checked when they are parsed.

use std::borrow::Cow;
use std::fmt;

/// Why a text is not a name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("TG-0604: `{0}` is not of the form <namespace>/<name>")]
pub struct InvalidName(String);

const fn is_typename(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut slashes = 0;
    let mut at = 0;
    while at < bytes.len() {
        let edge = at == 0 || at + 1 == bytes.len();
        if bytes[at] == b'/' && edge {
            return false;
        }
        if bytes[at] == b'/' {
            slashes += 1;
        }
        at += 1;
    }
    slashes == 1
}

macro_rules! typename {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $type(Cow<'static, str>);

        impl $type {
            /// Takes `namespace/name` as it is written in the source; meant for constants.
            ///
            /// # Panics
            /// If the text is not exactly two non-empty parts with a slash between. In a constant, that is an error of
            /// the compiler.
            #[must_use]
            pub const fn named(name: &'static str) -> Self {
                assert!(is_typename(name), "TG-0604: a name must be of the form <namespace>/<name>");
                Self(Cow::Borrowed(name))
            }

            /// Takes a `namespace/name` that is known only at run time.
            pub fn parse(name: &str) -> Result<Self, InvalidName> {
                if !is_typename(name) {
                    return Err(InvalidName(name.to_owned()));
                }
                Ok(Self(Cow::Owned(name.to_owned())))
            }

            /// The part before the slash.
            #[must_use]
            pub fn namespace(&self) -> &str {
                self.0.split_once('/').map_or("", |(namespace, _)| namespace)
            }

            /// The part after the slash.
            #[must_use]
            pub fn name(&self) -> &str {
                self.0.split_once('/').map_or("", |(_, name)| name)
            }

            /// Both parts with the slash between.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    };
}

typename! {
    /// A kind of function, `namespace/name`. All its instances share code and declared values.
    FunctionType
}

typename! {
    /// Where records leave the application, `namespace/name`, as declared in `module.yaml`.
    EgressId
}

impl FunctionType {
    /// Takes the two parts as they arrive.
    pub(crate) fn joined(namespace: &str, name: &str) -> Result<Self, InvalidName> {
        let mut text = String::with_capacity(namespace.len() + 1 + name.len());
        text.push_str(namespace);
        text.push('/');
        text.push_str(name);
        if is_typename(&text) { Ok(Self(Cow::Owned(text))) } else { Err(InvalidName(text)) }
    }

    /// The address of one instance. The id must not be empty when something is sent there.
    #[must_use]
    pub fn at(&self, id: impl Into<String>) -> Address {
        Address { function: self.clone(), id: id.into() }
    }
}

/// One function instance: who sends, who receives, whose values. Every address exists; using it is what creates it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address {
    function: FunctionType,
    id: String,
}

impl Address {
    /// Which kind of function.
    #[must_use]
    pub fn function(&self) -> &FunctionType {
        &self.function
    }

    /// Which instance.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn into_parts(self) -> (FunctionType, String) {
        (self.function, self.id)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.function, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CART: FunctionType = FunctionType::named("shop/cart");

    #[test]
    fn splits_a_name() {
        assert_eq!((CART.namespace(), CART.name()), ("shop", "cart"));
        assert_eq!(CART.at("7").to_string(), "shop/cart/7");
    }

    #[test]
    fn refuses_what_is_not_two_parts() {
        for text in ["", "/", "cart", "/cart", "shop/", "shop/a/b", "//"] {
            assert_eq!(EgressId::parse(text), Err(InvalidName(text.to_owned())), "{text:?}");
        }
        assert_eq!(EgressId::parse("ä/ö").as_ref().map(EgressId::name), Ok("ö"));
    }
}
