//! `GET /v1/state/{namespace}/{type}/{id}`: the values of one address, durable when shown.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use tidegate_core::address::{Address, FunctionType};
use tidegate_core::message::TypedValue;
use utoipa::ToSchema;

use super::Admin;
use super::problem::ProblemDocument;
use crate::ingress::http::problem::Problem;
use crate::payload::{json_of, text_of};

/// The values of an address by name.
#[derive(Serialize, ToSchema)]
pub(super) struct Shown {
    address: String,
    values: BTreeMap<String, ShownValue>,
}

/// A value: always its bytes, and beside them what they mean where that is known.
#[derive(Serialize, ToSchema)]
struct ShownValue {
    #[serde(rename = "type")]
    typename: String,
    base64: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    json: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// Answers with all values; an address that was never used has none.
#[utoipa::path(get, path = "/v1/state/{namespace}/{type}/{id}", tag = "state", params(
    ("namespace" = String, Path), ("type" = String, Path), ("id" = String, Path),
), responses(
    (status = 200, body = Shown),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json"),
))]
pub(super) async fn show(
    State(admin): State<Admin>,
    target: Result<Path<(String, String, String)>, PathRejection>,
) -> Result<Json<Shown>, Problem> {
    let Path((namespace, name, id)) =
        target.map_err(|rejection| Problem::Path(rejection.body_text()))?;
    let address = Address::new(FunctionType::new(&namespace, &name)?, &id)?;
    let values = admin.door.values(address.clone()).await?;
    let values = values.iter().filter(|(_, value)| value.has_value);
    Ok(Json(Shown {
        address: address.to_string(),
        values: values.map(|(name, value)| (name.clone(), shown(value))).collect(),
    }))
}

fn shown(value: &TypedValue) -> ShownValue {
    ShownValue {
        typename: value.typename.to_string(),
        base64: STANDARD.encode(&value.value),
        json: json_of(value).map(std::borrow::Cow::into_owned),
        text: text_of(value).map(str::to_owned),
    }
}
