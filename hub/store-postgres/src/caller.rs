//! Callers of the main number: whose appliance a call is about, and what is said to those whom nobody knows.

use crate::household;
use crate::keyring::Keyring;
use crate::row::{Columns, db};
use crate::site_row::first_service_point;
use crate::situation;
use hub_core::call_rules::CallRules;
use hub_core::id::{ApplianceId, TenantId, TicketId};
use hub_core::situation::{Changes, Keyed};
use hub_core::ticket::TicketCategory;
use hub_store::contact::Greeting;
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::{PgConnection, PgPool};

/// The first appliance of the household that has a number, by the number's index.
pub(crate) async fn appliance_of(conn: &mut PgConnection, tenant: &TenantId, index: &[u8]) -> Result<Option<i64>> {
    sqlx::query_scalar(
        "select a.id from phone n join person p on p.id = n.person join appliance a on a.household = p.household \
         where n.tenant = $1 and n.number_index = $2 order by a.id limit 1",
    )
    .bind(tenant.as_str())
    .bind(index)
    .fetch_optional(conn)
    .await
    .map_err(db)
}

/// What a caller is told whom nobody knows.
pub(crate) async fn greeting(pool: &PgPool, tenant: &TenantId, now: Timestamp) -> Result<Option<Greeting>> {
    let mut conn = pool.acquire().await.map_err(db)?;
    let row = sqlx::query("select brand, call_rules from tenant where id = $1")
        .bind(tenant.as_str())
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
    let Some(row) = row else { return Ok(None) };
    let rules: CallRules = row.json("call_rules")?;
    let point = first_service_point(&mut conn, tenant).await?;
    Ok(Some(Greeting::new(row.json("brand")?, point.as_ref(), &rules, now)))
}

/// What is noted of a caller who has keyed these figures in; none if they name no appliance whose household can be rung.
pub(crate) async fn named(
    conn: &mut PgConnection,
    keyring: &Keyring,
    (tenant, figures): (&TenantId, &str),
    rings_by: Timestamp,
    now: Timestamp,
) -> Result<Option<Changes>> {
    let keyed = Keyed::read(figures);
    let named = match by_serial(conn, tenant, keyed.serial).await? {
        Some(appliance) => Some((appliance, None)),
        None => by_ticket(conn, tenant, keyed.ticket).await?,
    };
    let Some((appliance, ticket)) = named else {
        return Ok(None);
    };
    let mut situations = situation::load(conn, &[appliance]).await?;
    let household = household::of_appliance(conn, keyring, ApplianceId(appliance)).await?;
    if !household.is_some_and(|household| household.can_be_rung()) {
        return Ok(None);
    }
    let Some(situation) = situations.get_mut(&ApplianceId(appliance)) else {
        return Ok(None);
    };
    let mut changes = Changes::default();
    situation::with_ids(|ids| Ok(situation.named(ticket, rings_by, ids, now, &mut changes)?))?;
    Ok(Some(changes))
}

/// The one appliance whose serial number has these figures.
async fn by_serial(conn: &mut PgConnection, tenant: &TenantId, figures: Option<&str>) -> Result<Option<i64>> {
    let Some(figures) = figures else { return Ok(None) };
    let found: Vec<i64> = sqlx::query_scalar(
        "select id from appliance where tenant = $1 and regexp_replace(device, '[^0-9]', '', 'g') = $2 limit 2",
    )
    .bind(tenant.as_str())
    .bind(figures)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    Ok(match found[..] {
        [one] => Some(one),
        _ => None,
    })
}

/// The appliance of the open ticket with this number.
async fn by_ticket(
    conn: &mut PgConnection,
    tenant: &TenantId,
    number: Option<i64>,
) -> Result<Option<(i64, Option<TicketId>)>> {
    let Some(number) = number else { return Ok(None) };
    let query = format!(
        "select id, appliance from ticket where tenant = $1 and number = $2 and category <> '{resolved}'",
        resolved = TicketCategory::Resolved.name()
    );
    let row = sqlx::query(&query)
        .bind(tenant.as_str())
        .bind(number)
        .fetch_optional(conn)
        .await
        .map_err(db)?;
    row.map(|row| Ok((row.col("appliance")?, Some(TicketId(row.col("id")?)))))
        .transpose()
}
