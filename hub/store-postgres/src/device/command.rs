//! Commands as people see them: with their state.

use crate::page::{below, page, page_limit};
use crate::row::{Columns, db, not_found, text};
use crate::store::PostgresStore;
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;
use hub_store::device::{CommandState, CommandView};
use hub_store::error::Result;
use hub_store::page::{PAGE_MAX, Page};
use jiff::Timestamp;
use sqlx::postgres::PgRow;

const VIEW: &str = "select number, appliance, request, body, queued_at, sent_at, acknowledged_at, replied_at, expires_at, \
     reply from command where appliance = $1";

pub(super) async fn list(
    store: &PostgresStore,
    actor: &Actor,
    appliance: ApplianceId,
    after: Option<&str>,
    limit: usize,
    now: Timestamp,
) -> Result<Page<CommandView>> {
    let limit = limit.clamp(1, PAGE_MAX);
    let mut tx = store.begin_scoped(actor).await?;
    let rows = sqlx::query(&format!("{VIEW} and number < $2 order by number desc limit $3"))
        .bind(appliance.0)
        .bind(below(after)?)
        .bind(page_limit(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(db)?;
    let numbered: Vec<(i64, CommandView)> = rows
        .iter()
        .map(|row| Ok((row.col("number")?, view(row, now)?)))
        .collect::<Result<_>>()?;
    let page = page(numbered, limit, |(number, _)| number.to_string());
    Ok(Page {
        items: page.items.into_iter().map(|(_, view)| view).collect(),
        next: page.next,
    })
}

pub(super) async fn one(
    store: &PostgresStore,
    actor: &Actor,
    appliance: ApplianceId,
    request: &str,
    now: Timestamp,
) -> Result<CommandView> {
    let mut tx = store.begin_scoped(actor).await?;
    let row = sqlx::query(&format!("{VIEW} and request = $2"))
        .bind(appliance.0)
        .bind(text(request))
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?
        .ok_or_else(|| not_found("command", request))?;
    view(&row, now)
}

fn view(row: &PgRow, now: Timestamp) -> Result<CommandView> {
    let view = CommandView {
        appliance: ApplianceId(row.col("appliance")?),
        request: row.col("request")?,
        body: row.col("body")?,
        state: CommandState::Queued,
        queued_at: row.at("queued_at")?,
        sent_at: row.maybe_at("sent_at")?,
        taken_at: row.maybe_at("acknowledged_at")?,
        replied_at: row.maybe_at("replied_at")?,
        expires_at: row.at("expires_at")?,
        reply: row.col("reply")?,
    };
    Ok(view.at(now))
}
