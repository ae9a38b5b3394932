//! Logical addresses: a function type plus an id. An address always exists; using it is what creates it.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use crate::id::{Epoch, PartitionId, Ticket};
use crate::limits::{ID_BYTES_MAX, NAME_BYTES_MAX};
use crate::message::{RequestId, RequestKey};

/// Why a text is not a name or an address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    /// A typename is exactly `namespace/name`.
    #[error("`{0}` is not of the form <namespace>/<name>")]
    NotATypename(String),
    /// Names are kept in row keys, which end them with a NUL byte.
    #[error("a name must not contain control characters")]
    ControlCharacter,
    /// Longer than row keys allow.
    #[error("{what} has {bytes} bytes, at most {limit} are allowed")]
    TooLong {
        /// Which part is too long.
        what: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Messages need a receiver.
    #[error("the id is empty")]
    EmptyId,
}

/// A name of the form `namespace/name`: of a function type, an egress or an ingress.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Typename(Arc<str>);

/// The kind of a function. All its instances share code, values' specifications and policy.
pub type FunctionType = Typename;

/// Where records leave the application.
pub type EgressId = Typename;

impl Typename {
    /// Parses `namespace/name`: exactly one slash, neither part empty, no control characters.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (namespace, name) =
            text.split_once('/').ok_or_else(|| AddressError::NotATypename(text.into()))?;
        Self::new(namespace, name)
    }

    /// Joins the two parts, checking each.
    pub fn new(namespace: &str, name: &str) -> Result<Self, AddressError> {
        if namespace.is_empty() || name.is_empty() || namespace.contains('/') || name.contains('/')
        {
            return Err(AddressError::NotATypename(format!("{namespace}/{name}")));
        }
        if namespace.chars().chain(name.chars()).any(char::is_control) {
            return Err(AddressError::ControlCharacter);
        }
        let bytes = namespace.len() + 1 + name.len();
        if bytes > NAME_BYTES_MAX {
            return Err(AddressError::TooLong { what: "the name", bytes, limit: NAME_BYTES_MAX });
        }
        Ok(Self(format!("{namespace}/{name}").into()))
    }

    /// Not above any name. It is none itself.
    pub(crate) fn lowest() -> Self {
        Self(Arc::from(""))
    }

    /// Above every name. It is none itself.
    pub(crate) fn highest() -> Self {
        Self("\u{10ffff}".repeat(NAME_BYTES_MAX / 4 + 1).into())
    }

    /// The first text above this name and whatever begins with a row of it: below every other name that is above this one.
    /// It is no name itself.
    pub(crate) fn successor(&self) -> Self {
        Self(format!("{}\0", self.0).into())
    }

    /// The same as equality; quicker where both are one text in one place.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self == other
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

impl fmt::Display for Typename {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Typename {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The identity of one function instance: who sends, who receives, whose values.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Which kind of function.
    pub function: FunctionType,
    /// Which instance; any text up to [`ID_BYTES_MAX`] bytes. It alone decides the partition.
    pub id: Arc<str>,
}

impl Address {
    /// An address, its id checked.
    pub fn new(function: FunctionType, id: &str) -> Result<Self, AddressError> {
        if id.is_empty() {
            return Err(AddressError::EmptyId);
        }
        if id.len() > ID_BYTES_MAX {
            return Err(AddressError::TooLong {
                what: "the id",
                bytes: id.len(),
                limit: ID_BYTES_MAX,
            });
        }
        Ok(Self { function, id: id.into() })
    }

    /// The same as equality; quicker where both have their texts in one place.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (Arc::ptr_eq(&self.id, &other.id) || self.id == other.id)
            && self.function.is(&other.function)
    }

    /// Whether both have their texts in one place.
    pub(crate) fn is_copy_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.id, &other.id) && Arc::ptr_eq(&self.function.0, &other.function.0)
    }

    /// Not above any address of a function. It is none itself.
    pub(crate) fn lowest(function: FunctionType) -> Self {
        Self { function, id: Arc::from("") }
    }

    /// The first one above this address; it may be none that is valid.
    pub(crate) fn successor(&self) -> Self {
        Self { function: self.function.clone(), id: format!("{}\0", self.id).into() }
    }

    /// The address at which the answer to a request is awaited: a message sent there answers the
    /// client. Its id names the partition that keeps the request, so that routing can follow it.
    #[must_use]
    pub fn of_request(home: PartitionId, request: RequestId) -> Self {
        let id = match request {
            RequestId::Waiting { epoch, ticket } => format!("{home}.{epoch}.{ticket}"),
            RequestId::Keyed(RequestKey(key)) => format!("{home}.k{key:032x}"),
        };
        Self { function: Typename(REPLY.into()), id: id.into() }
    }

    /// Whether a message to this address answers a client instead of invoking a function.
    #[must_use]
    pub fn is_reply(&self) -> bool {
        self.function.as_str() == REPLY
    }

    /// The partition and the request that a reply address names; nothing if the id was made up.
    #[must_use]
    pub fn request(&self) -> Option<(PartitionId, RequestId)> {
        let (home, rest) = self.id.split_once('.')?;
        let home = PartitionId(home.parse().ok()?);
        let request = match rest.strip_prefix('k') {
            Some(key) => RequestId::Keyed(RequestKey(u128::from_str_radix(key, 16).ok()?)),
            None => {
                let (epoch, ticket) = rest.split_once('.')?;
                let (epoch, ticket) = (Epoch(epoch.parse().ok()?), Ticket(ticket.parse().ok()?));
                RequestId::Waiting { epoch, ticket }
            }
        };
        Some((home, request))
    }
}

/// The reserved function type whose instances are the clients that wait for an answer.
pub const REPLY: &str = "tidegate/reply";

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.function, self.id)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
