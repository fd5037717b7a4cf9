//! The migrations of the database, compiled into the program.
//!
//! `sqlx::migrate!` would do the same, but its feature `macros` compiles the database driver, TLS and tokio a second time
//! for the build machine.

use futures::future::BoxFuture;
use sqlx::PgConnection;
use sqlx::error::BoxDynError;
use sqlx::migrate::{MigrateError, Migration, MigrationSource, MigrationType, Migrator};

/// Version, name and text of each file in `migrations/`, oldest first. A test holds this list against the folder.
const FILES: &[(i64, &str, &str)] = &[
    (1, "start", include_str!("../migrations/0001_start.sql")),
    (2, "finding due", include_str!("../migrations/0002_finding_due.sql")),
    (3, "ingest", include_str!("../migrations/0003_ingest.sql")),
    (4, "access", include_str!("../migrations/0004_access.sql")),
    (5, "desk", include_str!("../migrations/0005_desk.sql")),
    (6, "telemetry", include_str!("../migrations/0006_telemetry.sql")),
    (7, "lease", include_str!("../migrations/0007_lease.sql")),
    (8, "row security", include_str!("../migrations/0008_row_security.sql")),
    (9, "aggregate", include_str!("../migrations/0009_aggregate.sql")),
    (10, "import", include_str!("../migrations/0010_import.sql")),
    (11, "event epoch", include_str!("../migrations/0011_event_epoch.sql")),
    (12, "checkpoint", include_str!("../migrations/0012_checkpoint.sql")),
    (13, "followers", include_str!("../migrations/0013_followers.sql")),
    (14, "witness", include_str!("../migrations/0014_witness.sql")),
    (15, "sweep", include_str!("../migrations/0015_sweep.sql")),
    (16, "trunk from", include_str!("../migrations/0016_trunk_from.sql")),
    (17, "trunk limits", include_str!("../migrations/0017_trunk_limits.sql")),
    (
        18,
        "trunk addresses",
        include_str!("../migrations/0018_trunk_addresses.sql"),
    ),
    (
        19,
        "appliance birth",
        include_str!("../migrations/0019_appliance_birth.sql"),
    ),
    (
        20,
        "late of appliance",
        include_str!("../migrations/0020_late_of_appliance.sql"),
    ),
    (21, "call rules", include_str!("../migrations/0021_call_rules.sql")),
    (
        22,
        "account roles",
        include_str!("../migrations/0022_account_roles.sql"),
    ),
    (
        23,
        "attempt offers",
        include_str!("../migrations/0023_attempt_offers.sql"),
    ),
    (24, "ticket model", include_str!("../migrations/0024_ticket_model.sql")),
    (25, "appointment", include_str!("../migrations/0025_appointment.sql")),
    (26, "household", include_str!("../migrations/0026_household.sql")),
    (27, "number form", include_str!("../migrations/0027_number_form.sql")),
    (28, "callers", include_str!("../migrations/0028_callers.sql")),
    (29, "watching", include_str!("../migrations/0029_watching.sql")),
    (
        30,
        "corrected and declared",
        include_str!("../migrations/0030_corrected_and_declared.sql"),
    ),
    (31, "attempt rang", include_str!("../migrations/0031_attempt_rang.sql")),
    (32, "next promise", include_str!("../migrations/0032_next_promise.sql")),
    (33, "release", include_str!("../migrations/0033_release.sql")),
    (34, "budget", include_str!("../migrations/0034_budget.sql")),
    (36, "shadow", include_str!("../migrations/0036_shadow.sql")),
    (
        37,
        "baselines and floors",
        include_str!("../migrations/0037_baselines_and_floors.sql"),
    ),
];

/// Migrations, oldest first.
#[derive(Debug, Clone)]
pub struct Migrations(Vec<Migration>);

impl Migrations {
    /// All that this program knows.
    pub fn all() -> Self {
        Self::up_to(i64::MAX)
    }

    /// Those that bring an empty database to the schema `version`.
    pub fn up_to(version: i64) -> Self {
        let files = FILES.iter().filter(|file| file.0 <= version);
        let simple = MigrationType::Simple;
        Self(
            files
                .map(|&(number, name, sql)| Migration::new(number, name.into(), simple, sql.into(), false))
                .collect(),
        )
    }

    /// Each migration, oldest first.
    pub fn iter(&self) -> std::slice::Iter<'_, Migration> {
        self.0.iter()
    }

    /// The newest schema version among them; 0 where there are none.
    pub fn newest(&self) -> i64 {
        self.0.last().map_or(0, |migration| migration.version)
    }

    /// Applies what the database lacks, each migration in a transaction of its own, under sqlx's advisory lock.
    ///
    /// # Errors
    /// The database refuses a statement, has a migration that is not among these, or has one of other content.
    pub async fn run(self, conn: &mut PgConnection) -> Result<(), MigrateError> {
        Migrator::new(self).await?.run(conn).await
    }
}

impl MigrationSource<'static> for Migrations {
    fn resolve(self) -> BoxFuture<'static, Result<Vec<Migration>, BoxDynError>> {
        Box::pin(std::future::ready(Ok(self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::Migrations;
    use sqlx::migrate::Migrator;
    use std::path::Path;

    /// sqlx's own reading of the folder: same versions, names, kinds and checksums.
    #[tokio::test]
    async fn the_list_is_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let read = Migrator::new(folder).await.unwrap();
        let listed = Migrations::all();
        assert_eq!(read.iter().count(), listed.iter().count());
        for (file, ours) in read.iter().zip(listed.iter()) {
            assert_eq!(
                (file.version, &file.description, &file.checksum, file.no_tx),
                (ours.version, &ours.description, &ours.checksum, ours.no_tx)
            );
            assert_eq!(file.migration_type, ours.migration_type);
        }
        assert!(listed.iter().is_sorted_by_key(|migration| migration.version));
    }
}
