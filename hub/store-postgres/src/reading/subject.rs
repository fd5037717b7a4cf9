//! Whose readings are asked for, if the reader may see them.

use super::fetch;
use crate::row::{Columns, not_found};
use crate::store::PostgresStore;
use hub_core::id::ApplianceId;
use hub_store::Scope;
use hub_store::error::Result;

/// An appliance in scope.
pub(super) struct Subject {
    /// The profile that it reports by now.
    pub(super) profile: String,
}

pub(super) async fn subject(store: &PostgresStore, scope: &Scope, appliance: ApplianceId) -> Result<Subject> {
    const QUERY: &str = "select profile from appliance where id = $1 and ($2::text is null or tenant = $2)";
    let rows = fetch(store, || sqlx::query(QUERY).bind(appliance.0).bind(scope.tenant())).await?;
    let row = rows.first().ok_or_else(|| not_found("appliance", appliance))?;
    Ok(Subject {
        profile: row.col("profile")?,
    })
}
