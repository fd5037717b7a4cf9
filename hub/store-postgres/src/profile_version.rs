//! Versions of appliance profiles: what a stored row's integers mean. One row for each content ever started with; a row of
//! readings names the version by which it was written.

use crate::row::{Columns, db};
use hub_core::profile::ApplianceProfile;
use hub_store::error::{Result, StoreError};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Numbers of the versions by which rows are written now, by profile name.
pub(crate) type CurrentVersions = BTreeMap<String, i16>;

/// Notes what these profiles say, where that is new, and answers with their numbers.
pub(crate) async fn register(
    conn: &mut PgConnection,
    profiles: &BTreeMap<String, ApplianceProfile>,
) -> Result<CurrentVersions> {
    let mut versions = CurrentVersions::new();
    for (name, profile) in profiles {
        let refused = |error| StoreError::Refused(format!("profile {name} has no stored form: {error}"));
        let text = serde_json::to_vec(profile).map_err(refused)?;
        let channels = serde_json::to_value(&profile.channels).map_err(refused)?;
        let digest = Sha256::digest(text);
        versions.insert(name.clone(), version(conn, name, &digest, &channels).await?);
        // Until versions were counted, a profile was only ever added to: the first one that is seen reads those rows too.
        sqlx::query("update profile_version set channels = $2 where name = $1 and digest = '' and channels = '[]'")
            .bind(name)
            .bind(&channels)
            .execute(&mut *conn)
            .await
            .map_err(db)?;
    }
    Ok(versions)
}

/// The number of a profile that this program does not have: its readings are stored, and nobody can read them yet.
pub(crate) async fn unknown(conn: &mut PgConnection, name: &str) -> Result<i16> {
    version(conn, name, &[], &serde_json::json!([])).await
}

async fn version(conn: &mut PgConnection, name: &str, digest: &[u8], channels: &serde_json::Value) -> Result<i16> {
    // The second look finds what somebody else noted at the same moment.
    for _ in 0..2 {
        let row = sqlx::query(
            "with made as ( \
               insert into profile_version (name, digest, channels) select $1, $2, $3 \
               where not exists (select from profile_version where name = $1 and digest = $2) \
               on conflict (name, digest) do nothing returning no) \
             select no from made union all select no from profile_version where name = $1 and digest = $2 limit 1",
        )
        .bind(name)
        .bind(digest)
        .bind(channels)
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
        if let Some(row) = row {
            return row.col("no");
        }
    }
    Err(StoreError::Conflict(format!(
        "the version of profile {name} was noted at the same moment; look again"
    )))
}
