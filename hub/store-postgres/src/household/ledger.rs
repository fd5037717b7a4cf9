//! The ledger of consents: rows are only added.

use crate::row::{Columns, db, sql, word};
use hub_core::consent::{ConsentEntry, Subject};
use hub_core::id::TenantId;
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// What persons have said, in the order in which it was written down.
pub(crate) async fn of(conn: &mut PgConnection, persons: Vec<Uuid>) -> Result<HashMap<Uuid, Vec<ConsentEntry>>> {
    let rows = sqlx::query(
        "select person, purpose, channel, at, given, source from consent where person = any($1) order by number",
    )
    .bind(persons)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    let mut said: HashMap<Uuid, Vec<ConsentEntry>> = HashMap::new();
    for row in &rows {
        let entry = ConsentEntry {
            subject: Subject {
                purpose: row.word("purpose")?,
                channel: row.word("channel")?,
            },
            at: row.at("at")?,
            given: row.col("given")?,
            source: row.col("source")?,
        };
        said.entry(row.col("person")?).or_default().push(entry);
    }
    Ok(said)
}

/// Something that a person says.
pub(crate) struct Saying {
    pub(crate) person: Uuid,
    pub(crate) subject: Subject,
    pub(crate) given: bool,
}

/// Adds to the ledger.
pub(crate) async fn add(
    conn: &mut PgConnection,
    tenant: &TenantId,
    sayings: &[Saying],
    source: &str,
    now: Timestamp,
) -> Result<()> {
    if sayings.is_empty() {
        return Ok(());
    }
    let (purposes, channels) = words(sayings.iter().map(|saying| saying.subject))?;
    sqlx::query(
        "insert into consent (tenant, person, purpose, channel, at, given, source) \
         select $1, k.person, k.purpose, k.channel, $2, k.given, $3 \
         from unnest($4::uuid[], $5::text[], $6::text[], $7::boolean[]) as k (person, purpose, channel, given)",
    )
    .bind(tenant.as_str())
    .bind(sql(now))
    .bind(source)
    .bind(sayings.iter().map(|saying| saying.person).collect::<Vec<_>>())
    .bind(purposes)
    .bind(channels)
    .bind(sayings.iter().map(|saying| saying.given).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Purposes and channels as columns.
pub(crate) fn words(subjects: impl Iterator<Item = Subject>) -> Result<(Vec<String>, Vec<String>)> {
    let (mut purposes, mut channels) = (Vec::new(), Vec::new());
    for subject in subjects {
        purposes.push(word(&subject.purpose)?);
        channels.push(word(&subject.channel)?);
    }
    Ok((purposes, channels))
}
