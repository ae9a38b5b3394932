//! `/v1/parked`: addresses that wait for an operator. What waits for them is shown with types and sizes; payloads only if they are
//! asked for.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tidegate_core::address::{Address, FunctionType};
use tidegate_core::id::{PartitionId, Sequence};
use tidegate_core::message::{Message, TypedValue};
use tidegate_core::partition::row::{Parked, Row, RowKey};
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::problem::{Problem, ProblemDocument};
use crate::ingress::DoorError;

/// Most addresses on a page.
const PAGE_MOST: usize = 1000;
/// Addresses on a page if the request says nothing.
const PAGE: usize = 100;

/// Which parked addresses.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Only of this function type.
    function: Option<String>,
    /// Only those whose last error has this code, such as `TG-0410`.
    code: Option<String>,
    /// Most addresses on the page: 100 if not given, at most 1000.
    limit: Option<usize>,
    /// Where the page before ended.
    after: Option<String>,
}

/// A page of parked addresses.
#[derive(Serialize, ToSchema)]
pub(super) struct ParkedPage {
    parked: Vec<ParkedAddress>,
    /// Where the next page begins, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// A parked address.
#[derive(Serialize, ToSchema, Clone)]
pub(super) struct ParkedAddress {
    /// The address: `namespace/type/id`.
    pub(super) address: String,
    /// Its partition.
    partition: u16,
    /// Since when, in milliseconds since 1970.
    since: u64,
    /// How often the message at its head failed alone.
    attempts: u32,
    /// The stable code of the last error, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The last error.
    error: String,
}

/// A parked address with what waits for it.
#[derive(Serialize, ToSchema)]
pub(super) struct ParkedDetails {
    #[serde(flatten)]
    parked: ParkedAddress,
    /// Its values.
    values: Vec<SizedValue>,
    /// Its first messages, in order.
    messages: Vec<WaitingMessage>,
    /// The number to ask from for the messages that follow, if the answer may not hold all.
    #[serde(skip_serializing_if = "Option::is_none")]
    more_from: Option<u64>,
}

/// A value of an address.
#[derive(Serialize, ToSchema)]
struct SizedValue {
    /// Its name.
    name: String,
    #[serde(flatten)]
    content: Content,
}

/// A message that waits.
#[derive(Serialize, ToSchema)]
struct WaitingMessage {
    /// Its number, which an order to drop it names.
    sequence: u64,
    /// Who sent it, if an address did.
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    #[serde(flatten)]
    content: Content,
}

/// What a value or a message holds.
#[derive(Serialize, ToSchema)]
struct Content {
    /// The name of its type.
    #[serde(rename = "type")]
    typename: String,
    /// Its size in bytes.
    bytes: usize,
    /// Its bytes, only if payloads were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// How to show an address.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowQuery {
    /// Whether to show the bytes of values and messages.
    #[serde(default)]
    payloads: bool,
    /// The first message to show.
    #[serde(default)]
    from: u64,
}

/// The path of an address.
pub(super) type AddressPath = Result<Path<(String, String, String)>, PathRejection>;

pub(super) fn address_of(path: AddressPath) -> Result<Address, Problem> {
    let Path((namespace, name, id)) = path?;
    Ok(Address::new(FunctionType::new(&namespace, &name)?, &id)?)
}

/// Parked addresses, partition by partition, in the order of their names.
#[utoipa::path(get, path = "/v1/parked", tag = "parked", params(ListQuery), responses(
    (status = 200, body = ParkedPage),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(admin): State<Admin>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<ParkedPage>, Problem> {
    let Query(query) = query?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MOST);
    let mut search = Search::new(query.function.as_deref(), query.code, query.after.as_deref())?;
    let mut parked = Vec::new();
    while parked.len() < limit {
        match search.next(&admin).await? {
            Some((_, shown)) => parked.push(shown),
            None => return Ok(Json(ParkedPage { parked, after: None })),
        }
    }
    Ok(Json(ParkedPage { parked, after: search.place() }))
}

/// A walk over the parked addresses of all partitions.
pub(super) struct Search {
    function: Option<FunctionType>,
    code: Option<String>,
    partition: u16,
    after: Option<Address>,
    /// Found and not given out yet, the next one last.
    found: Vec<(Address, ParkedAddress)>,
}

impl Search {
    pub(super) fn new(
        function: Option<&str>,
        code: Option<String>,
        after: Option<&str>,
    ) -> Result<Self, Problem> {
        let function = function.map(FunctionType::parse).transpose()?;
        let (partition, after) = match after {
            Some(text) => place_of(text)
                .ok_or_else(|| Problem::Malformed("`after` is no place of a list".to_owned()))?,
            None => (0, None),
        };
        Ok(Self { function, code, partition, after, found: Vec::new() })
    }

    /// The next parked address.
    pub(super) async fn next(
        &mut self,
        admin: &Admin,
    ) -> Result<Option<(Address, ParkedAddress)>, DoorError> {
        loop {
            if let Some(next) = self.found.pop() {
                self.after = Some(next.0.clone());
                return Ok(Some(next));
            }
            if self.partition >= admin.door.partitions() {
                return Ok(None);
            }
            self.read(admin).await?;
        }
    }

    async fn read(&mut self, admin: &Admin) -> Result<(), DoorError> {
        let partition = PartitionId(self.partition);
        let (function, after) = (self.function.clone(), self.after.clone());
        let rows = admin.operators.parked(partition, function, after).await?;
        let mut last = None;
        for (key, row) in rows {
            let (RowKey::Parked(address), Row::Parked(why)) = (key, row) else { continue };
            let shown = shown(&address, partition, &why);
            last = Some(address.clone());
            if self.code.is_none() || self.code == shown.code {
                self.found.push((address, shown));
            }
        }
        self.found.reverse();
        match last {
            Some(last) => self.after = Some(last),
            None => {
                self.partition += 1;
                self.after = None;
            }
        }
        Ok(())
    }

    /// Where the walk is, as a text.
    fn place(&self) -> Option<String> {
        let after = self.after.as_ref().map(ToString::to_string).unwrap_or_default();
        Some(format!("{}.{after}", self.partition))
    }
}

fn place_of(text: &str) -> Option<(u16, Option<Address>)> {
    let (partition, address) = text.split_once('.')?;
    let partition = partition.parse().ok()?;
    if address.is_empty() {
        return Some((partition, None));
    }
    let mut parts = address.splitn(3, '/');
    let function = FunctionType::new(parts.next()?, parts.next()?).ok()?;
    Some((partition, Some(Address::new(function, parts.next()?).ok()?)))
}

fn shown(address: &Address, partition: PartitionId, why: &Parked) -> ParkedAddress {
    ParkedAddress {
        address: address.to_string(),
        partition: partition.0,
        since: why.at.0,
        attempts: why.failures,
        code: code_of(&why.text),
        error: why.text.to_string(),
    }
}

/// The code that an error begins with.
fn code_of(text: &str) -> Option<String> {
    let code = text.get(..7).filter(|code| code.starts_with("TG-"))?;
    code[3..].bytes().all(|byte| byte.is_ascii_digit()).then(|| code.to_owned())
}

/// A parked address with its values and its messages.
#[utoipa::path(get, path = "/v1/parked/{namespace}/{type}/{id}", tag = "parked", params(
    ("namespace" = String, Path, description = "The namespace of the function type"),
    ("type" = String, Path, description = "The name of the function type"),
    ("id" = String, Path, description = "The id of the address"),
    ShowQuery,
), responses(
    (status = 200, body = ParkedDetails),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn show(
    State(admin): State<Admin>,
    path: AddressPath,
    query: Result<Query<ShowQuery>, QueryRejection>,
) -> Result<Json<ParkedDetails>, Problem> {
    let address = address_of(path)?;
    let Query(query) = query?;
    let rows = admin.operators.address(address.clone(), Sequence(query.from)).await?;
    let (mut parked, mut values, mut messages) = (None, Vec::new(), Vec::new());
    for (key, row) in rows {
        match (key, row) {
            (RowKey::Mailbox(..), Row::Parked(why)) => {
                parked = Some(shown(&address, admin.operators.home_of(&address), &why));
            }
            (RowKey::Mailbox(..), Row::Message(message)) => {
                messages.push(waiting(&message, query.payloads));
            }
            (RowKey::Value(_, name), Row::Value(value, _)) => {
                let content = content(&value, query.payloads);
                values.push(SizedValue { name: name.to_string(), content });
            }
            _ => {}
        }
    }
    let parked = parked.ok_or(Problem::NotParked)?;
    // An answer is cut by its size; whether more follow shows the next one.
    let more_from = messages.last().map(|last: &WaitingMessage| last.sequence + 1);
    Ok(Json(ParkedDetails { parked, values, messages, more_from }))
}

fn waiting(message: &Message, payloads: bool) -> WaitingMessage {
    WaitingMessage {
        sequence: message.sequence.0,
        caller: message.caller.as_ref().map(ToString::to_string),
        content: content(&message.argument, payloads),
    }
}

fn content(value: &TypedValue, payloads: bool) -> Content {
    Content {
        typename: value.typename.to_string(),
        bytes: value.value.len(),
        base64: payloads.then(|| STANDARD.encode(&value.value)),
    }
}
