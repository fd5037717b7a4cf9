//! One row of `telemetry` with all that it holds, for the code that takes it from one database to another as it is.

use super::copy::copy;
use super::row::CopyRow;
use hub_core::id::TraceId;
use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

/// A stored reading, by the numbers that its database has given to tenant, appliance and profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryRow {
    /// Number of the appliance.
    pub appliance: i64,
    /// Number of its tenant.
    pub tenant_no: i32,
    /// Its partition, 0 to 255.
    pub partition: i16,
    /// Number of the profile's version that says what the values are.
    pub profile_no: i16,
    /// In order of arrival, within the partition.
    pub ingest_no: i64,
    /// When it was measured, to the microsecond.
    pub at: Timestamp,
    /// When it arrived, to the microsecond.
    pub received_at: Timestamp,
    /// Boot, lane, number; JSON has none.
    pub sequence: Option<(i64, i16, i64)>,
    /// The trace that it began.
    pub trace: Uuid,
    /// By channel order, up to the last that is there.
    pub values: Vec<Option<i32>>,
    /// What the profile does not know, in JSON as the database writes it.
    pub extra: Option<String>,
}

impl TelemetryRow {
    /// Stores these rows, in their order, and looks at nothing: they must not be there yet, but their partitions must
    /// ([`PostgresStore::make_partitions`](crate::PostgresStore::make_partitions)).
    ///
    /// # Errors
    ///
    /// What the database says; then none of them is stored.
    pub async fn store(conn: &mut PgConnection, rows: &[Self]) -> sqlx::Result<()> {
        let rows: Vec<_> = rows.iter().map(Self::as_copy).collect();
        copy(conn, &rows).await
    }

    /// As the writer of telemetry takes it.
    pub(super) fn as_copy(&self) -> CopyRow<'_> {
        CopyRow {
            appliance: self.appliance,
            tenant_no: self.tenant_no,
            partition: self.partition,
            profile_no: self.profile_no,
            ingest_no: self.ingest_no,
            at: self.at,
            received_at: self.received_at,
            sequence: self.sequence,
            trace: TraceId(self.trace),
            values: &self.values,
            extra: self.extra.clone(),
        }
    }
}
