//! Extractors whose refusals are problems that say what to do.

use crate::control::{BREAKS, encoded_holds_control, json_holds_control};
use crate::error::ApiError;
use crate::limits::BODY_MAX;
use crate::plain_words::plain_words;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::{BytesRejection, FormRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Form, Json};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A JSON body.
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A form's body.
pub struct FormBody<T>(pub T);

/// What follows the question mark.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub struct Query<T>(pub T);

/// What stands in the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            let why = "send the body as JSON, with `Content-Type: application/json`";
            return Err(ApiError::BadRequest(why.to_owned()));
        }
        let bytes = Bytes::from_request(request, state).await?;
        // What is no JSON is told below, with the place.
        if serde_json::from_slice::<Value>(&bytes).is_ok_and(|value| json_holds_control(&value)) {
            return Err(ApiError::ControlCharacters);
        }
        let Json(body) = Json::<T>::from_bytes(&bytes)?;
        Ok(Self(body))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for FormBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = to_bytes(body, BODY_MAX).await.map_err(|_| ApiError::TooLong)?;
        if encoded_holds_control(&bytes, &BREAKS) {
            return Err(ApiError::ControlCharacters);
        }
        let Form(form) = Form::<T>::from_request(Request::from_parts(parts, Body::from(bytes)), state).await?;
        Ok(Self(form))
    }
}

/// `application/json`, or another type whose syntax is JSON (RFC 6839 §3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    let subtype = kind.strip_prefix("application/");
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

macro_rules! bad_request {
    ($($rejection:ty),*) => {$(
        impl From<$rejection> for ApiError {
            fn from(rejection: $rejection) -> Self {
                match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLong,
                    _ => ApiError::BadRequest(plain_words(&rejection.body_text())),
                }
            }
        }
    )*};
}
bad_request!(
    BytesRejection,
    FormRejection,
    JsonRejection,
    PathRejection,
    QueryRejection
);
