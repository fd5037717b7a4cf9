//! POST /api/v1/appliances/{id}/claim-code: a code by which an owner takes the appliance into their name.

use crate::auth::first_account::random_groups;
use crate::auth::session::Session;
use crate::error::{ApiError, Problem, Result};
use crate::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_core::actor::Act;
use hub_core::id::ApplianceId;
use hub_store::claim::{Opener, PRINTED_WINDOW_MAX};
use jiff::{SignedDuration, Timestamp};
use rand::TryRngCore;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Groups of four: 8 characters of 31, about 40 bits, of which five wrong ones end it.
const GROUPS: usize = 2;
/// How long a code holds unless asked otherwise: 30 days.
const EXPIRES_DEFAULT_S: u64 = 30 * 24 * 3600;

/// How long the code shall hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskClaimCode {
    /// Ends after so many seconds, at most ten years; 30 days unless given.
    #[schema(minimum = 60, maximum = 315_360_000)]
    expires_in_s: Option<u64>,
}

/// A code for the owner.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClaimCode {
    /// For the label or the letter. Shown only here.
    code: String,
    /// When it ends.
    expires_at: Timestamp,
}

/// Makes a code; the maker's code before ends. The hub keeps its hash only, so there is no idempotency key: asked again,
/// another code is made.
#[utoipa::path(post, path = "/api/v1/appliances/{id}/claim-code", tag = "owners", operation_id = "makeClaimCode",
    params(("id" = i64, Path, description = "Id of the appliance")),
    request_body = AskClaimCode,
    responses(
        (status = 200, description = "Made", body = ClaimCode),
        (status = 400, description = "Cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such appliance", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<i64>,
    JsonBody(body): JsonBody<AskClaimCode>,
) -> Result<Json<ClaimCode>> {
    session.actor().may(Act::OpenClaims)?;
    let (now, window) = (app.now(), window(body.expires_in_s)?);
    let appliance = app.store().appliance(session.actor(), ApplianceId(id)).await?.id;
    let code = random_groups(&mut rand::rngs::OsRng.unwrap_err(), GROUPS);
    let expires_at = now + window;
    app.store()
        .open_claim(appliance, Opener::Maker, &code, expires_at, now)
        .await?;
    tracing::info!(account = session.name(), %appliance, "claim code made");
    Ok(Json(ClaimCode { code, expires_at }))
}

fn window(asked: Option<u64>) -> Result<SignedDuration> {
    let most = PRINTED_WINDOW_MAX.as_secs();
    match asked.unwrap_or(EXPIRES_DEFAULT_S) {
        seconds if (60..=most).contains(&seconds) => Ok(SignedDuration::from_secs(seconds.cast_signed())),
        other => Err(ApiError::BadRequest(format!(
            "expires_in_s is 60 to {most}, not {other}"
        ))),
    }
}
