//! Slots of service points: each place is promised once, by call or by a person.

use crate::appointment::standing;
use crate::row::{Columns, db, not_found, sql};
use crate::site_row::lock_service_point;
use hub_core::appointment::{Slot, capacity, next_free};
use hub_core::id::{TenantId, TicketId};
use hub_core::site::ServicePoint;
use hub_core::ticket::ServiceTicket;
use hub_store::error::{Result, StoreError};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::PgConnection;
use std::collections::HashMap;

/// A service point, and the slot that a call offers of it. The service point stays locked until the commit, so that the last place is promised once.
pub(crate) async fn offer(
    conn: &mut PgConnection,
    tenant: &TenantId,
    point: Option<&str>,
    now: Timestamp,
) -> Result<(Option<ServicePoint>, Option<Slot>)> {
    let Some(point) = point else { return Ok((None, None)) };
    match lock_service_point(conn, tenant, point).await? {
        Some(point) => {
            let slot = next_slot(conn, tenant, &point, now).await?;
            Ok((Some(point), slot))
        }
        None => Ok((None, None)),
    }
}

/// Whether the slot that a person books for this ticket has a place left, with the service point locked until the
/// commit.
pub(crate) async fn check_room(conn: &mut PgConnection, ticket: &ServiceTicket, slot: Slot, point: &str) -> Result<()> {
    let known = lock_service_point(conn, &ticket.tenant, point).await?;
    let known = known.ok_or_else(|| not_found("service point", point))?;
    let zone = TimeZone::get(&known.zone).unwrap_or(TimeZone::UTC);
    let taken = taken(conn, &ticket.tenant, point, slot.start, Some(ticket.id)).await?;
    if taken.get(&slot.start).copied().unwrap_or(0) < capacity(&known.slots, &zone, slot) {
        return Ok(());
    }
    Err(StoreError::Conflict(format!(
        "the slot from {} to {} of service point {point} is taken; look at the ticket again",
        slot.start, slot.end
    )))
}

/// The next slot with a free place.
pub(crate) async fn next_slot(
    conn: &mut PgConnection,
    tenant: &TenantId,
    point: &ServicePoint,
    now: Timestamp,
) -> Result<Option<Slot>> {
    let Ok(zone) = TimeZone::get(&point.zone) else {
        return Ok(None);
    };
    let taken = taken(conn, tenant, &point.id, now, None).await?;
    Ok(next_free(&point.slots, &zone, now, |start| {
        taken.get(&start).copied().unwrap_or(0)
    }))
}

/// How many places are taken of the slots from this instant on: visits that stand and slots offered in calls that are up,
/// but for those of the ticket `except`.
async fn taken(
    conn: &mut PgConnection,
    tenant: &TenantId,
    point: &str,
    from: Timestamp,
    except: Option<TicketId>,
) -> Result<HashMap<Timestamp, u16>> {
    let query = format!(
        "select start, count(*) as taken from ( \
           select slot_start as start from appointment \
           where tenant = $1 and service_point = $2 and slot_start >= $3 and state in ({standing}) \
             and ($4::uuid is null or ticket <> $4) \
           union all \
           select a.offered_start from attempt a \
           where a.tenant = $1 and a.offered_service_point = $2 and a.offered_start >= $3 and a.state <> 'ended' \
             and not exists (select from appointment v \
               where v.ticket = a.ticket and v.slot_start = a.offered_start and v.state in ({standing})) \
             and ($4::uuid is null or a.ticket <> $4)) s \
         group by start",
        standing = standing()
    );
    let rows = sqlx::query(&query)
        .bind(tenant.as_str())
        .bind(point)
        .bind(sql(from))
        .bind(except.map(|id| id.0))
        .fetch_all(conn)
        .await
        .map_err(db)?;
    rows.iter()
        .map(|row| {
            let count = u16::try_from(row.col::<i64>("taken")?).unwrap_or(u16::MAX);
            Ok((row.at("start")?, count))
        })
        .collect()
}
