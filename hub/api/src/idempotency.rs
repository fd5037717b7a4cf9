//! `Idempotency-Key`: a POST that is sent again after a lost answer is not carried out again.

use crate::auth::session::{Session, wall_clock};
use crate::error::{ApiError, Result};
use crate::limits::BODY_MAX;
use crate::state::App;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hub_store::account::Idempotency;
use sha2::{Digest, Sha256};

/// Longest answer that is remembered, in bytes; acts answer with one ticket.
const ANSWER_MAX: usize = 256 * 1024;
/// Longest key, in characters.
const KEY_LEN_MAX: usize = 64;

/// Carries a request out at most once for each key. A request that failed on our side stays unknown: a caller that asks again
/// is told to look first.
pub(crate) async fn once(State(app): State<App>, request: Request, next: Next) -> Response {
    // Every act is a POST; with another method it is not carried out but refused.
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    match carry_out(app, request, next).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn carry_out(app: App, request: Request, next: Next) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let session = Session::from_request_parts(&mut parts, &app).await?;
    let key = key(&parts.headers)?;
    let body = to_bytes(body, BODY_MAX).await.map_err(|_| ApiError::TooLong)?;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let digest = digest(parts.method.as_str(), path, &body);
    let account = session.account.id;
    match app.store().idempotency(account, &key, digest, wall_clock()).await? {
        Idempotency::New => {}
        Idempotency::Done(status, body) => return Ok(replay(status, body)),
        Idempotency::UnderWay => return Err(ApiError::KeyUnderWay),
        Idempotency::OtherRequest => return Err(ApiError::KeyOfOther),
    }
    let request = Request::from_parts(parts, Body::from(body));
    // On its own task: a client that hangs up does not leave the act half remembered.
    let work = tokio::spawn(async move {
        let (mut parts, body) = next.run(request).await.into_parts();
        let body = to_bytes(body, ANSWER_MAX).await.map_err(|_| ApiError::TooLong)?;
        if !parts.status.is_server_error() {
            let text = String::from_utf8_lossy(&body);
            app.store()
                .remember(account, &key, parts.status.as_u16(), &text)
                .await?;
        }
        parts.headers.remove(header::CONTENT_LENGTH);
        Ok(Response::from_parts(parts, Body::from(body)))
    });
    work.await.map_err(|_| ApiError::KeyUnderWay)?
}

fn key(headers: &HeaderMap) -> Result<String> {
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    let printable = |key: &str| key.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    match key {
        Some(key) if (1..=KEY_LEN_MAX).contains(&key.len()) && printable(key) => Ok(key.to_owned()),
        _ => Err(ApiError::KeyMissing),
    }
}

fn digest(method: &str, path: &str, body: &Bytes) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in [method.as_bytes(), b"\n", path.as_bytes(), b"\n", body] {
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn replay(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let kind = if status.is_success() {
        "application/json"
    } else {
        "application/problem+json"
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert("idempotent-replay", HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the document's pattern has it; what stands around a header's value is gone before it is read.
    #[test]
    fn a_key_is_printable_and_at_most_64_long() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("idempotency-key", HeaderValue::from_str(text).unwrap());
            key(&headers).ok()
        };
        let longest = "k".repeat(KEY_LEN_MAX);
        for taken in ["1", "two words", "~!", longest.as_str()] {
            assert_eq!(read(taken).as_deref(), Some(taken));
        }
        let longer = "k".repeat(KEY_LEN_MAX + 1);
        for refused in ["", "a\tb", "\u{e9}", longer.as_str()] {
            assert_eq!(read(refused), None, "{refused:?}");
        }
    }
}
