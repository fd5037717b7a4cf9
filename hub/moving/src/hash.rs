//! The content of a database as hashes, without writing any of it.

use crate::error::{Result, database};
use crate::seal::{Content, digest};
use crate::tables::{TABLES, TELEMETRY};
use crate::{Moved, progress, source, telemetry, total};
use hub_store_postgres::{PostgresStore, Progress};
use sqlx::Connection;

/// Hashes of everything, of one moment. Nothing is written.
///
/// # Errors
///
/// Where the database fails.
pub async fn content(store: &PostgresStore, tell: &mut (dyn FnMut(Progress<'_>) + Send)) -> Result<Moved> {
    let mut conn = source::connect(&store.connect_options()).await?;
    source::begin_snapshot(&mut conn).await?;
    let mut tables = Vec::new();
    for table in TABLES {
        let mut content = Content::default();
        source::rows(&mut conn, table, false, |row| {
            content.add(&digest(table.name, row.as_bytes()));
            Ok(())
        })
        .await?;
        tables.push((table.name.to_owned(), content.rows, content.hash()));
    }
    let mut content = Content::default();
    source::telemetry(&mut conn, None, |row| {
        content.add(&telemetry::digest(row));
        if content.rows.is_multiple_of(progress::EVERY) {
            tell(progress::table(TELEMETRY, content.rows));
        }
        Ok(())
    })
    .await?;
    tables.push((TELEMETRY.to_owned(), content.rows, content.hash()));
    source::end_snapshot(&mut conn).await?;
    conn.close().await.map_err(database("ending"))?;
    let hashes = tables
        .iter()
        .map(|(name, rows, hash)| (name.as_str(), *rows, hash.as_str()));
    Ok(Moved {
        content: total(hashes),
        tables,
    })
}
