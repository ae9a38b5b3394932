//! `POST /v1/functions/{namespace}/{type}/{id}/send` and `/call`: one message to one function instance.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use tidegate_core::address::FunctionType;

use super::budget::Share;
use super::delivery::{self, Delivered};
use super::problem::Problem;
use super::request::{call_timeout, idempotency, idempotency_key, target_of, trace_of};
use super::value::{from_body, to_response};
use super::{App, Shared, body};
use crate::ingress::{Inbound, Outcome};

/// Set to `true` if the message was accepted before under its idempotency key.
const REPEATED: HeaderName = HeaderName::from_static("tidegate-repeated");

type Target = Result<Path<(String, String, String)>, PathRejection>;

/// Answers 202 once the message is durable.
pub(super) async fn send(
    State(app): State<App>,
    target: Target,
    request: Request,
) -> Result<Response, Problem> {
    let (message, _share) = read(&app, target, request).await?;
    let delivered = delivery::deliver(&*app.door, vec![message]).await?;
    Ok(accepted(delivered == Delivered::Repeated))
}

/// Answers 200 with the reply once the function has given one.
pub(super) async fn call(
    State(app): State<App>,
    target: Target,
    request: Request,
) -> Result<Response, Problem> {
    let timeout = call_timeout(request.headers(), &app.limits)?;
    let (message, _share) = read(&app, target, request).await?;
    match app.door.call(message, timeout).await? {
        Outcome::Replied(reply) => Ok(to_response(reply)),
        Outcome::Repeated(progress) => Ok(repeated(match progress.reply {
            Some(reply) => to_response(reply),
            None => Problem::NoReply.into_response(),
        })),
        Outcome::NoReply | Outcome::Accepted => Err(Problem::NoReply),
    }
}

async fn read(app: &Shared, target: Target, request: Request) -> Result<(Inbound, Share), Problem> {
    let Path((namespace, name, id)) =
        target.map_err(|rejection| Problem::Path(rejection.body_text()))?;
    let target = target_of(FunctionType::new(&namespace, &name)?, &id)?;
    let (head, body) = request.into_parts();
    let key = idempotency_key(&head.headers, 0)?;
    let (body, share) = body::read_whole(app, &head, body).await?;
    let argument = from_body(&head.headers, body)?.traced(trace_of(&head.headers));
    let idempotency = idempotency(key, &argument);
    Ok((Inbound { target, argument, idempotency }, share))
}

fn repeated(mut response: Response) -> Response {
    response.headers_mut().insert(REPEATED, HeaderValue::from_static("true"));
    response
}

/// The same mark for records of declared ingresses.
pub(super) fn accepted(all_repeated: bool) -> Response {
    let response = StatusCode::ACCEPTED.into_response();
    if all_repeated { repeated(response) } else { response }
}
