//! POST /api/v1/quarantine/replay: payloads are read again, after what kept them from being read was mended.

use super::model::is_cut;
use crate::auth::session::Session;
use crate::error::{ApiError, Problem, Result};
use crate::extract::JsonBody;
use crate::state::{App, Inner, Redecoded};
use axum::Json;
use axum::extract::State;
use hub_core::actor::Act;
use hub_core::id::ApplianceId;
use hub_store::StoreError;
use hub_store::page::PAGE_MAX;
use hub_store::quarantine::{QuarantineEntry, QuarantineFilter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which payloads: either `ids`, or those that `filter` finds.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Numbers in quarantine, at most 200.
    #[serde(default)]
    #[schema(max_items = 200)]
    pub ids: Vec<i64>,
    /// The newest 200 that this finds.
    pub filter: Option<ReplayFilter>,
    /// `next` of the replay before: goes on with older payloads that `filter` finds.
    pub after: Option<String>,
}

/// The payloads.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayFilter {
    /// Only of this appliance.
    pub appliance: Option<i64>,
    /// Only those whose reason holds this text, whatever the case of its letters.
    pub reason: Option<String>,
}

/// What became of them.
#[derive(Serialize, ToSchema)]
pub struct Replayed {
    /// Payloads that were stored and have left quarantine.
    pub stored: usize,
    /// Payloads that have left quarantine, since all they hold was stored before.
    pub repeated: usize,
    /// Payloads that still cannot be taken and stay.
    pub refused: Vec<Refused>,
    /// Give this back as `after` to go on with older payloads that the filter finds; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A payload that still cannot be taken.
#[derive(Serialize, ToSchema)]
pub struct Refused {
    /// Number in quarantine.
    pub id: i64,
    /// Why; kept with it from now on.
    pub reason: String,
}

/// Why a payload that fills the bound stays where it is.
const CUT: &str = "the payload is longer than what quarantine keeps: only its beginning is here";

/// Reads them again, oldest first.
///
/// # Errors
///
/// It is not said which, or the store failed; what was read before has left quarantine.
pub async fn act(app: &Inner, session: &Session, body: Replay) -> Result<Replayed> {
    session.actor().may(Act::ReplayQuarantine)?;
    let (chosen, next) = choose(app, session, body).await?;
    let mut replayed = Replayed {
        stored: 0,
        repeated: 0,
        refused: Vec::new(),
        next,
    };
    for held in chosen {
        let id = held.number;
        match one(app, held).await? {
            Ok(0) => replayed.repeated += 1,
            Ok(_) => replayed.stored += 1,
            Err(reason) => {
                app.store().still_held(id, &reason).await?;
                replayed.refused.push(Refused { id, reason });
            }
        }
    }
    tracing::info!(
        account = session.name(),
        stored = replayed.stored,
        repeated = replayed.repeated,
        refused = replayed.refused.len(),
        "quarantine replayed"
    );
    Ok(replayed)
}

/// Payloads oldest first, and where a filter goes on.
async fn choose(app: &Inner, session: &Session, body: Replay) -> Result<(Vec<QuarantineEntry>, Option<String>)> {
    match (body.ids.len(), body.filter) {
        (1..=PAGE_MAX, None) => Ok((app.store().held(session.actor(), &body.ids).await?, None)),
        (0, Some(filter)) => {
            let filter = QuarantineFilter {
                appliance: filter.appliance.map(ApplianceId),
                reason: filter.reason,
            };
            let after = body.after.as_deref();
            let page = app
                .store()
                .quarantine(session.actor(), &filter, after, PAGE_MAX)
                .await?;
            Ok((page.items.into_iter().rev().collect(), page.next))
        }
        _ => Err(ApiError::BadRequest(format!(
            "give either 1 to {PAGE_MAX} ids, or a filter"
        ))),
    }
}

/// How many samples (or other things) were stored, or why it stays.
async fn one(app: &Inner, held: QuarantineEntry) -> Result<std::result::Result<u32, String>> {
    if is_cut(&held) {
        return Ok(Err(CUT.to_owned()));
    }
    let number = held.number;
    let content = match (app.state.redecode)(held).await? {
        Redecoded::Content(content) => content,
        Redecoded::Refused(reason) => return Ok(Err(reason)),
    };
    match app.store().replay(number, content).await {
        Ok(ingested) => Ok(Ok(ingested.stored)),
        Err(StoreError::Refused(reason)) => Ok(Err(reason)),
        Err(error) => Err(error.into()),
    }
}

/// Reads payloads again and stores what they hold, each once: it leaves quarantine in the same transaction. What still
/// cannot be taken stays, with the reason as it is now.
#[utoipa::path(post, path = "/api/v1/quarantine/replay", tag = "quarantine", operation_id = "replayQuarantine",
    params(("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters")),
    request_body = Replay,
    responses(
        (status = 200, description = "What became of them", body = Replayed),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    JsonBody(body): JsonBody<Replay>,
) -> Result<Json<Replayed>> {
    Ok(Json(act(&app, &session, body).await?))
}
