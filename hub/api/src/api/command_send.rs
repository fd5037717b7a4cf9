//! POST /api/v1/appliances/{id}/commands: a command for a device.

use super::model::Command;
use crate::auth::session::Session;
use crate::error::{ApiError, Problem, Result};
use crate::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_core::id::ApplianceId;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Longest body, in bytes of compact JSON: what a small device still takes in one packet.
const BODY_MAX: usize = 4096;
/// Longest wait for the device.
const EXPIRES_MAX_S: u32 = 7 * 24 * 3600;
/// Wait for the device unless asked otherwise.
const EXPIRES_DEFAULT_S: u32 = 3600;
/// Longest request id: a level of a topic.
const REQUEST_MAX: usize = 64;

/// A command for a device.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendCommand {
    /// Sent as it is; at most 4,096 bytes. A device on ThingsBoard's topics expects `{"method": …, "params": …}`.
    #[schema(value_type = Value)]
    body: Value,
    /// Not delivered after so many seconds: 1 to 604,800, one hour unless given.
    #[schema(minimum = 1, maximum = 604_800)]
    expires_in_s: Option<u32>,
    /// Request id of the caller's choice: 1 to 64 letters, digits and `-_.:`. Without one the hub makes one.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:-]+$")]
    request: Option<String>,
}

/// Queues a command. A device that is connected gets it at once, another one when it comes back before the end.
#[utoipa::path(post, path = "/api/v1/appliances/{id}/commands", tag = "devices", operation_id = "sendCommand",
    params(
        ("id" = i64, Path, description = "Id of the appliance"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    request_body = SendCommand,
    responses(
        (status = 200, description = "Queued", body = Command),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such appliance", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The request id belongs to another command", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Too many commands wait, or Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<i64>,
    JsonBody(body): JsonBody<SendCommand>,
) -> Result<Json<Command>> {
    let now = app.now();
    let command = hub_store::telemetry::Command {
        number: 0,
        sent: false,
        takes_cbor: false,
        request: request(body.request)?,
        body: text(&body.body)?,
        expires_at: now + expires(body.expires_in_s)?,
    };
    let queued = app
        .store()
        .send_command(session.actor(), ApplianceId(id), &command, now)
        .await?;
    Ok(Json(queued.into()))
}

fn request(asked: Option<String>) -> Result<String> {
    let Some(asked) = asked else {
        return Ok(Uuid::from_bytes(crate::auth::session::random()).simple().to_string());
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if (1..=REQUEST_MAX).contains(&asked.len()) && asked.bytes().all(allowed) {
        return Ok(asked);
    }
    let why = format!("request is 1 to {REQUEST_MAX} ASCII letters, digits and -_.:");
    Err(ApiError::BadRequest(why))
}

fn text(body: &Value) -> Result<String> {
    let text = body.to_string();
    match text.len() {
        0..=BODY_MAX => Ok(text),
        other => {
            let why = format!("body has at most {BODY_MAX} bytes of compact JSON, not {other}");
            Err(ApiError::BadRequest(why))
        }
    }
}

fn expires(asked: Option<u32>) -> Result<SignedDuration> {
    match asked.unwrap_or(EXPIRES_DEFAULT_S) {
        seconds @ 1..=EXPIRES_MAX_S => Ok(SignedDuration::from_secs(i64::from(seconds))),
        other => {
            let why = format!("expires_in_s is 1 to {EXPIRES_MAX_S}, not {other}");
            Err(ApiError::BadRequest(why))
        }
    }
}
