//! Whose readings are asked for, if the reader may see them.

use crate::row::{Columns, not_found};
use crate::store::PostgresStore;
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;
use hub_store::error::Result;
use jiff::Timestamp;

/// An appliance that the actor reaches. Parameters: appliance, tenant or null, service points or null.
pub(super) const SUBJECT: &str = "select a.profile, s.last_sample_at from appliance a \
     join appliance_status s on s.appliance = a.id where a.id = $1 and ($2::text is null or a.tenant = $2) \
       and ($3::text[] is null or a.service_point = any($3))";

/// An appliance that the actor reaches.
pub(super) struct Subject {
    /// The profile that it reports by now.
    pub(super) profile: String,
    /// The newest sample that was rolled up.
    pub(super) newest: Option<Timestamp>,
}

pub(super) async fn subject(store: &PostgresStore, actor: &Actor, appliance: ApplianceId) -> Result<Subject> {
    let query = || {
        sqlx::query(SUBJECT)
            .bind(appliance.0)
            .bind(actor.tenant())
            .bind(actor.sites())
    };
    let rows = store.readings.fetch(query).await?;
    let row = rows.first().ok_or_else(|| not_found("appliance", appliance))?;
    Ok(Subject {
        profile: row.col("profile")?,
        newest: row.maybe_at("last_sample_at")?,
    })
}
