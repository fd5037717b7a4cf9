//! How long whose readings are kept.

use crate::row::{Columns, db};
use hub_core::id::ApplianceId;
use hub_core::retention::kept_from;
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgConnection;

/// The rule of an appliance `a`: its family's, or else its tenant's, or else none.
const RULE: &str = "left join retention f on f.tenant = a.tenant and f.profile = a.profile \
     left join retention g on g.tenant = a.tenant and g.profile = ''";
const DAYS: &str = "case when f.tenant is null then g.days else f.days end";

/// An appliance whose readings go after some time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) appliance: ApplianceId,
    /// What was measured before this goes.
    pub(super) limit: Timestamp,
}

/// Some appliances, in order.
pub(super) struct Page {
    pub(super) due: Vec<Due>,
    /// Where the next ones begin.
    pub(super) next: Option<ApplianceId>,
}

pub(super) async fn page(
    conn: &mut PgConnection,
    now: Timestamp,
    after: Option<ApplianceId>,
    appliances: i64,
) -> Result<Page> {
    let rows = sqlx::query(&format!(
        "select a.id, {DAYS} as days from (select id, tenant, profile from appliance where id > $1 order by id limit $2) a \
         {RULE} order by a.id"
    ))
    .bind(after.map_or(i64::MIN, |id| id.0))
    .bind(appliances)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    let mut page = Page {
        due: Vec::new(),
        next: None,
    };
    for row in &rows {
        let appliance = ApplianceId(row.col("id")?);
        if let Some(days) = row.col::<Option<i32>>("days")? {
            let limit = kept_from(now, days.into());
            page.due.push(Due { appliance, limit });
        }
        page.next = Some(appliance);
    }
    if i64::try_from(rows.len()).is_ok_and(|rows| rows < appliances) {
        page.next = None;
    }
    Ok(page)
}

/// Before this, what the shortest rule covers goes; `None` without a rule that ends.
pub(super) async fn newest_limit(conn: &mut PgConnection, now: Timestamp) -> Result<Option<Timestamp>> {
    Ok(shortest(conn).await?.map(|days| kept_from(now, days.into())))
}

/// Days of the shortest rule; `None` without a rule that ends.
pub(super) async fn shortest(conn: &mut PgConnection) -> Result<Option<i32>> {
    sqlx::query_scalar("select min(days) from retention")
        .fetch_one(conn)
        .await
        .map_err(db)
}

/// Before this, everything goes; `None` if some appliance's readings are kept permanently.
pub(super) async fn oldest_limit(conn: &mut PgConnection, now: Timestamp) -> Result<Option<Timestamp>> {
    let row = sqlx::query(&format!(
        "select coalesce(bool_or({DAYS} is null), true) as for_ever, max({DAYS}) as days \
         from (select t.id as tenant, p.name as profile from tenant t cross join (select distinct name from profile_version) p \
           where (select (a.tenant, a.profile) = (t.id, p.name) from appliance a \
             where (a.tenant, a.profile) >= (t.id, p.name) order by a.tenant, a.profile limit 1)) a {RULE}"
    ))
    .fetch_one(conn)
    .await
    .map_err(db)?;
    let days: Option<i32> = row.col("days")?;
    Ok(days
        .filter(|_| row.col("for_ever").is_ok_and(|ever: bool| !ever))
        .map(|days| kept_from(now, days.into())))
}
