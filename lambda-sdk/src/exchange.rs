//! One HTTP exchange without a network: negotiation, statuses and media types. Servers and adapters of other platforms use it.

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tidegate_protocol::media;

use crate::batch;
use crate::functions::StatefulFunctions;
use crate::invocation::Failure;
use crate::trace::TraceContext;
use crate::wire::{self, RequestError};

/// Why a request is not answered with a result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("TG-0613: functions are called by POST")]
    Method,
    #[error(
        "TG-0614: the media type of the body must be {} or {}",
        media::OCTET_STREAM,
        media::BATCH
    )]
    MediaType,
    #[error("TG-0615: the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("TG-0616: the body did not arrive in full")]
    Incomplete,
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Failed(#[from] Failure),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Single,
    Batch,
}

impl StatefulFunctions {
    /// Answers one request of the gateway, of whatever path. Errors are answers too: a status with a line of text.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (head, body) = request.into_parts();
        let format = match admit(&head.method, &head.headers) {
            Ok(format) => format,
            Err(refusal) => return refusal.into_response(),
        };
        let offers_batches = accepts_batches(&head.headers);
        let mut response =
            self.answer(format, &head.headers, body).await.unwrap_or_else(Refusal::into_response);
        if offers_batches {
            let version = HeaderValue::from_static(media::BATCH_HEADER_V1);
            response.headers_mut().insert(media::BATCH_HEADER, version);
        }
        response
    }

    async fn answer(
        &self,
        format: Format,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>, Refusal> {
        match format {
            Format::Single => {
                let outcome =
                    self.run(wire::decode(body, TraceContext::of_headers(headers))?).await;
                Ok(response(StatusCode::OK, media::OCTET_STREAM, wire::encode(outcome)?))
            }
            Format::Batch => {
                let answer = batch::answer(self, body).await?;
                Ok(response(StatusCode::OK, media::BATCH, answer))
            }
        }
    }
}

/// Decides by the head alone whether the body is worth reading.
fn admit(method: &Method, headers: &HeaderMap) -> Result<Format, Refusal> {
    if method != Method::POST {
        return Err(Refusal::Method);
    }
    let Some(content_type) = headers.get(CONTENT_TYPE) else {
        return Ok(Format::Single);
    };
    let text = content_type.to_str().map_err(|_| Refusal::MediaType)?;
    match essence(text) {
        essence if essence.eq_ignore_ascii_case(media::OCTET_STREAM) => Ok(Format::Single),
        essence if essence.eq_ignore_ascii_case(media::BATCH) => Ok(Format::Batch),
        _ => Err(Refusal::MediaType),
    }
}

/// Decides by the head alone whether a server should read the body.
pub(crate) fn refuse(method: &Method, headers: &HeaderMap) -> Option<Refusal> {
    admit(method, headers).err()
}

fn accepts_batches(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|part| essence(part).eq_ignore_ascii_case(media::BATCH))
}

/// A media type without its parameters.
fn essence(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Incomplete | Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn into_response(self) -> Response<Bytes> {
        let text = Bytes::from(self.to_string());
        let mut response = response(self.status(), "text/plain; charset=utf-8", text);
        if let Self::Method = self {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

fn response(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
