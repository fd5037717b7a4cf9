//! What is open on appliances, as rows: loaded with the appliances locked, and what has become of it saved, one statement a
//! table.

use crate::attempt;
use crate::baseline;
use crate::budget;
use crate::finding;
use crate::household::ledger;
use crate::keyring::random;
use crate::release;
use crate::row::{Columns, db, not_found, sql, stored};
use crate::scoring;
use crate::store::sealed;
use crate::ticket_row;
use hub_core::baseline::RestartReason;
use hub_core::call_rules::CallRules;
use hub_core::consent::{KEY_9, Subject};
use hub_core::id::{ApplianceId, AttemptId, TenantId, TicketId};
use hub_core::situation::{Changed, Changes, Ids, Observation, Refusal, Situation};
use hub_core::ticket::{ServiceTicket, TicketLabels};
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// The situations of these appliances, which stay locked until the end of the transaction: so scoring and people never wait for
/// each other in a circle. An appliance that does not exist has none.
pub(crate) async fn load(conn: &mut PgConnection, appliances: &[i64]) -> Result<BTreeMap<ApplianceId, Situation>> {
    if appliances.is_empty() {
        return Ok(BTreeMap::new());
    }
    sqlx::query("select from appliance where id = any($1) order by id for no key update")
        .bind(appliances)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    let mut situations = homes(conn, appliances).await?;
    for finding in finding::open(conn, appliances).await? {
        if let Some(situation) = situations.get_mut(&finding.appliance) {
            situation.findings.push(finding);
        }
    }
    for ticket in ticket_row::not_closed(conn, appliances, None).await? {
        if let Some(situation) = situations.get_mut(&ticket.appliance) {
            situation.tickets.push(ticket);
        }
    }
    Ok(situations)
}

/// The same for what scoring saw: of a fault that is not open it is asked until when it keeps quiet, and of all appliances what the
/// fleet's history says.
pub(crate) async fn load_to_observe(
    conn: &mut PgConnection,
    appliances: &[i64],
    seen: &[Observation],
    now: Timestamp,
) -> Result<BTreeMap<ApplianceId, Situation>> {
    let mut situations = load(conn, appliances).await?;
    let mut faults = BTreeSet::new();
    for observation in seen {
        if let Observation::Alarm {
            appliance, prediction, ..
        } = observation
        {
            let fault = prediction.fault_class.as_str();
            let open = situations
                .get(appliance)
                .map_or(&[][..], |situation| &situation.findings);
            if open.iter().all(|finding| finding.fault_class != fault) {
                faults.insert((*appliance, fault));
            }
        }
    }
    let faults: Vec<_> = faults.into_iter().collect();
    budget::load_gates(conn, situations.values_mut()).await?;
    for (appliance, fault, until) in finding::quiet(conn, &faults, now).await? {
        if let Some(situation) = situations.get_mut(&appliance) {
            situation.quiet.push((fault, until));
        }
    }
    Ok(situations)
}

/// The situation that a ticket belongs to, with the ticket and the finding that it is about whatever their state.
pub(crate) async fn of_ticket(conn: &mut PgConnection, id: TicketId) -> Result<Situation> {
    let appliance: Option<i64> = sqlx::query_scalar(
        "select id from appliance where id = (select appliance from ticket where id = $1) for no key update",
    )
    .bind(id.0)
    .fetch_optional(&mut *conn)
    .await
    .map_err(db)?;
    let appliance = appliance.ok_or_else(|| not_found("ticket", id))?;
    let mut homes = homes(conn, &[appliance]).await?;
    let mut situation = homes
        .remove(&ApplianceId(appliance))
        .ok_or_else(|| not_found("appliance", appliance))?;
    situation.tickets = ticket_row::not_closed(conn, &[appliance], Some(id)).await?;
    situation.findings = finding::of_ticket(conn, situation.ticket(id)?).await?;
    Ok(situation)
}

/// The same, with all that the ticket was about before: what its end settles.
pub(crate) async fn of_ticket_to_close(conn: &mut PgConnection, id: TicketId) -> Result<Situation> {
    let mut situation = of_ticket(conn, id).await?;
    let earlier = finding::earlier(conn, situation.ticket(id)?).await?;
    situation.findings.extend(earlier);
    Ok(situation)
}

/// The same, with what a false alarm keeps quiet: what the end of another one would settle.
pub(crate) async fn of_ticket_to_correct(conn: &mut PgConnection, id: TicketId, now: Timestamp) -> Result<Situation> {
    let mut situation = of_ticket_to_close(conn, id).await?;
    let quiet = finding::kept_quiet(conn, situation.ticket(id)?, now).await?;
    situation.findings.extend(quiet);
    Ok(situation)
}

/// Nothing but where appliances are at home; asked once they are locked.
async fn homes(conn: &mut PgConnection, appliances: &[i64]) -> Result<BTreeMap<ApplianceId, Situation>> {
    let rows = sqlx::query(
        "select a.id, a.tenant, a.service_point, t.call_rules, t.ticket_status, exists ( \
           select from checkpoint c where c.appliance = a.id and c.restarted) as restarted \
         from appliance a join tenant t on t.id = a.tenant where a.id = any($1)",
    )
    .bind(appliances)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    let mut tenants: BTreeMap<String, (CallRules, TicketLabels)> = BTreeMap::new();
    rows.iter()
        .map(|row| {
            let appliance = ApplianceId(row.col("id")?);
            let (rules, labels) = match tenants.entry(row.col("tenant")?) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(new) => new
                    .insert((row.json("call_rules")?, row.json("ticket_status")?))
                    .clone(),
            };
            let situation = Situation {
                appliance,
                tenant: row.word("tenant")?,
                site: row.col("service_point")?,
                rules,
                gates: BTreeMap::new(),
                labels,
                restarted: row.col("restarted")?,
                findings: Vec::new(),
                quiet: Vec::new(),
                tickets: Vec::new(),
                attempts: Vec::new(),
            };
            Ok((appliance, situation))
        })
        .collect()
}

/// The situation that an attempt belongs to, with the attempt and its ticket.
pub(crate) async fn of_attempt(conn: &mut PgConnection, id: AttemptId) -> Result<Situation> {
    let ticket = attempt::ticket_of(conn, id).await?;
    let mut situation = of_ticket(conn, ticket).await?;
    situation.attempts.push(attempt::by_id(conn, id).await?);
    Ok(situation)
}

/// The units of these appliances are others, or serve somebody else: their baselines start over, and what was found by the old
/// ones is cleared.
pub(crate) async fn restart_baselines(
    conn: &mut PgConnection,
    appliances: &BTreeMap<i64, RestartReason>,
    now: Timestamp,
) -> Result<()> {
    let now = stored(now);
    let mut changes = Changes::default();
    let ids: Vec<i64> = appliances.keys().copied().collect();
    for (appliance, situation) in &mut load(conn, &ids).await? {
        if let Some(reason) = appliances.get(&appliance.0) {
            situation.restart_baseline(reason.clone(), now, &mut changes)?;
        }
    }
    save(conn, changes).await
}

/// Draws ids for what is made meanwhile.
pub(crate) fn with_ids<T>(make: impl FnOnce(&mut Ids<'_>) -> Result<T>) -> Result<T> {
    let mut failed = None;
    let mut draw = || {
        random().unwrap_or_else(|error| {
            failed = Some(error);
            [0; 10]
        })
    };
    let made = make(&mut Ids(&mut draw));
    match failed {
        Some(error) => Err(sealed("random bytes")(error)),
        None => made,
    }
}

/// Saves what has become of situations, in the transaction that has loaded them.
pub(crate) async fn save(conn: &mut PgConnection, mut changes: Changes) -> Result<()> {
    number(conn, &mut changes.tickets).await?;
    finding::save(conn, &changes).await?;
    let (tickets, visits) = (changes.tickets.values(), changes.appointments.values());
    ticket_row::save(conn, tickets, visits, &changes.lines, &changes.told).await?;
    attempt::save(conn, changes.attempts.values()).await?;
    refuse(conn, &changes.refusals).await?;
    scoring::restart(conn, &changes.restarted).await?;
    baseline::save(conn, &changes).await?;
    release::add(conn, &changes.tallies).await
}

/// New tickets get the next numbers of their tenants.
async fn number(conn: &mut PgConnection, tickets: &mut BTreeMap<TicketId, Changed<ServiceTicket>>) -> Result<()> {
    let mut counts: BTreeMap<TenantId, i64> = BTreeMap::new();
    for ticket in tickets.values().filter(|ticket| ticket.is_new) {
        *counts.entry(ticket.now.tenant.clone()).or_default() += 1;
    }
    if counts.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(
        "insert into ticket_counter (tenant, last) select tenant, count from unnest($1::text[], $2::bigint[]) \
           as k (tenant, count) order by tenant \
         on conflict (tenant) do update set last = ticket_counter.last + excluded.last returning tenant, last",
    )
    .bind(counts.keys().map(TenantId::as_str).collect::<Vec<_>>())
    .bind(counts.values().copied().collect::<Vec<i64>>())
    .fetch_all(conn)
    .await
    .map_err(db)?;
    let mut next: BTreeMap<TenantId, i64> = BTreeMap::new();
    for row in &rows {
        let tenant: TenantId = row.word("tenant")?;
        let count = counts.get(&tenant).copied().unwrap_or(0);
        next.insert(tenant, row.col::<i64>("last")? - count);
    }
    for ticket in tickets.values_mut().filter(|ticket| ticket.is_new) {
        let tenant = &ticket.now.tenant;
        let number = next.get_mut(tenant).ok_or_else(|| not_found("tenant", tenant))?;
        *number += 1;
        ticket.now.number = *number;
    }
    Ok(())
}

/// Key 9: the ledger and the list, in the transaction that the prompt waits for.
async fn refuse(conn: &mut PgConnection, refusals: &[Refusal]) -> Result<()> {
    let (purposes, channels) = ledger::words(Subject::calls())?;
    for refusal in refusals {
        sqlx::query(
            "with said as (insert into consent (tenant, person, purpose, channel, at, given, source) \
               select $1, $2, k.purpose, k.channel, $3, false, $4 from unnest($5::text[], $6::text[]) as k (purpose, channel)) \
             insert into do_not_call (tenant, phone_index, at, source) \
             select tenant, number_index, $3, $4 from phone where person = $2 on conflict do nothing",
        )
        .bind(refusal.tenant.as_str())
        .bind(refusal.person.0)
        .bind(sql(refusal.at))
        .bind(KEY_9)
        .bind(&purposes)
        .bind(&channels)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    }
    Ok(())
}
