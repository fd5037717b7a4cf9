//! Contacts: attempts to reach an owner.

use crate::api::model::Slot;
use crate::api::schema;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::contact::{AttemptState, ContactAttempt, Direction};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// One attempt to reach an owner. No number in it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Contact {
    /// Id of the contact attempt.
    id: Uuid,
    /// Tenant that owns the contact attempt.
    tenant: String,
    /// For which ticket.
    ticket: Uuid,
    /// To whom.
    owner: Uuid,
    /// Who rang whom.
    #[schema(schema_with = schema::words::<Direction>)]
    direction: Direction,
    /// Where it stands.
    #[schema(schema_with = schema::words::<AttemptState>)]
    state: AttemptState,
    /// When its row was committed.
    started_at: Timestamp,
    /// When the first sign of ringing came, or the answer: from then on it counts. None where nothing rang, and of older attempts.
    rang_at: Option<Timestamp>,
    /// When it ended.
    ended_at: Option<Timestamp>,
    /// What the network said.
    #[schema(schema_with = schema::words::<CallResult>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<CallResult>,
    /// What the conversation produced.
    #[schema(schema_with = schema::words::<Disposition>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    disposition: Option<Disposition>,
    /// Log-in name of the person who asked for it.
    requested_by: Option<String>,
    /// The slot that key 1 books.
    offered: Option<Slot>,
    /// The call-detail record: timings, digits, packets, transcript.
    #[schema(value_type = Option<Object>)]
    detail: Option<serde_json::Value>,
    /// From the reading to the call.
    trace: Uuid,
}

impl From<ContactAttempt> for Contact {
    fn from(attempt: ContactAttempt) -> Self {
        Self {
            id: attempt.id.0,
            tenant: attempt.tenant.into(),
            ticket: attempt.ticket.0,
            owner: attempt.owner.0,
            direction: attempt.direction,
            state: attempt.state,
            started_at: attempt.started_at,
            rang_at: attempt.rang_at,
            ended_at: attempt.ended_at,
            result: attempt.result,
            disposition: attempt.disposition,
            requested_by: attempt.requested_by,
            offered: attempt.offered.map(Into::into),
            detail: attempt.detail,
            trace: attempt.trace.0,
        }
    }
}
