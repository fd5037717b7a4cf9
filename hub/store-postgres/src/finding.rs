//! Findings as rows.

use crate::row::{Columns, count, db, json, sql};
use hub_core::finding::Finding;
use hub_core::id::{ApplianceId, FindingId, TicketId, TraceId};
use hub_core::prediction::Evidence;
use hub_core::situation::{Changed, Changes};
use hub_core::ticket::ServiceTicket;
use hub_store::error::Result;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

/// Findings that are saved by one statement, at most: some 20 kB each where they grew.
const ROWS_MAX: usize = 200;

/// Columns of a finding but for its evidence, which is large.
macro_rules! plain {
    () => {
        "id, tenant, appliance, fault_class, state, alarm_at, first_seen, last_seen, count, prediction, ticket, \
         suppressed_until, ticket_from, trace"
    };
}

pub(crate) fn from_row(row: &PgRow) -> Result<Finding> {
    read(row, row.json("evidence")?)
}

fn without_evidence(row: &PgRow) -> Result<Finding> {
    read(row, Evidence::left_out())
}

fn read(row: &PgRow, evidence: Evidence) -> Result<Finding> {
    Ok(Finding {
        id: FindingId(row.col("id")?),
        tenant: row.word("tenant")?,
        appliance: ApplianceId(row.col("appliance")?),
        fault_class: row.col("fault_class")?,
        state: row.word("state")?,
        alarm_at: row.at("alarm_at")?,
        first_seen: row.at("first_seen")?,
        last_seen: row.at("last_seen")?,
        count: row.col::<i32>("count")?.cast_unsigned(),
        prediction: row.json("prediction")?,
        evidence,
        ticket: row.col::<Option<uuid::Uuid>>("ticket")?.map(TicketId),
        suppressed_until: row.maybe_at("suppressed_until")?,
        ticket_from: row.col("ticket_from")?,
        trace: TraceId(row.col("trace")?),
    })
}

pub(crate) async fn by_id(conn: &mut PgConnection, id: FindingId) -> Result<Finding> {
    let row = sqlx::query("select * from finding where id = $1")
        .bind(id.0)
        .fetch_one(conn)
        .await
        .map_err(db)?;
    from_row(&row)
}

/// Open findings of these appliances, oldest first. The caller holds the appliances locked. No rule looks at evidence, and what
/// stays is not saved again: here and below it is left out.
pub(crate) async fn open(conn: &mut PgConnection, appliances: &[i64]) -> Result<Vec<Finding>> {
    let query = concat!(
        "select ",
        plain!(),
        " from finding where appliance = any($1) and state = 'open' order by first_seen, id"
    );
    let rows = sqlx::query(query).bind(appliances).fetch_all(conn).await.map_err(db)?;
    rows.iter().map(without_evidence).collect()
}

/// What is open on a ticket's appliance, and what the ticket is about, in whatever state; oldest first.
pub(crate) async fn of_ticket(conn: &mut PgConnection, ticket: &ServiceTicket) -> Result<Vec<Finding>> {
    let query = concat!(
        "select * from (select ",
        plain!(),
        " from finding where appliance = $1 and state = 'open' union all select ",
        plain!(),
        " from finding where id = $2 and state <> 'open') f order by first_seen, id"
    );
    let rows = sqlx::query(query)
        .bind(ticket.appliance.0)
        .bind(about(ticket))
        .fetch_all(conn)
        .await
        .map_err(db)?;
    rows.iter().map(without_evidence).collect()
}

/// The finding that a ticket is about.
fn about(ticket: &ServiceTicket) -> Option<uuid::Uuid> {
    ticket.fault.as_ref().map(|fault| fault.finding.0)
}

/// What a ticket was about before: its fault had gone and came back.
pub(crate) async fn earlier(conn: &mut PgConnection, ticket: &ServiceTicket) -> Result<Vec<Finding>> {
    let query = concat!(
        "select ",
        plain!(),
        " from finding where appliance = $1 and ticket = $2 and state <> 'open' and id is distinct from $3"
    );
    let rows = sqlx::query(query)
        .bind(ticket.appliance.0)
        .bind(ticket.id.0)
        .bind(about(ticket))
        .fetch_all(conn)
        .await
        .map_err(db)?;
    rows.iter().map(without_evidence).collect()
}

/// What was seen of a ticket's appliance while a false alarm kept it quiet, and has gone: it keeps the fault quiet as well.
pub(crate) async fn kept_quiet(
    conn: &mut PgConnection,
    ticket: &ServiceTicket,
    now: Timestamp,
) -> Result<Vec<Finding>> {
    let query = concat!(
        "select ",
        plain!(),
        " from finding where appliance = $1 and ticket is null and state <> 'open' and suppressed_until > $2"
    );
    let rows = sqlx::query(query)
        .bind(ticket.appliance.0)
        .bind(sql(now))
        .fetch_all(conn)
        .await
        .map_err(db)?;
    rows.iter().map(without_evidence).collect()
}

/// Appliances with an open finding whose cool-down has ended without a ticket; the longest due first, at most `limit`.
pub(crate) async fn due(conn: &mut PgConnection, now: Timestamp, limit: usize) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "select appliance from finding where state = 'open' and ticket is null and suppressed_until <= $1 \
         order by suppressed_until limit $2",
    )
    .bind(sql(now))
    .bind(count(limit))
    .fetch_all(conn)
    .await
    .map_err(db)
}

/// Until when a person's "false alarm" keeps these faults quiet, of these appliances.
pub(crate) async fn quiet(
    conn: &mut PgConnection,
    faults: &[(ApplianceId, &str)],
    now: Timestamp,
) -> Result<Vec<(ApplianceId, String, Timestamp)>> {
    if faults.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "select k.appliance, k.class, q.until from unnest($1::bigint[], $2::text[]) as k (appliance, class) \
         cross join lateral (select max(suppressed_until) as until from finding \
           where appliance = k.appliance and fault_class = k.class and suppressed_until > $3 offset 0) q \
         where q.until is not null",
    )
    .bind(faults.iter().map(|(appliance, _)| appliance.0).collect::<Vec<i64>>())
    .bind(faults.iter().map(|(_, class)| *class).collect::<Vec<_>>())
    .bind(sql(now))
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| {
            let appliance = ApplianceId(row.col("appliance")?);
            Ok((appliance, row.col("class")?, row.at("until")?))
        })
        .collect()
}

/// Saves findings. Of most nothing has changed but their few plain fields: one statement for these. Prediction and evidence are
/// large: of those where they are new, so many by one statement. What is stored comes first, since a finding that is cleared makes
/// room for one of the same fault.
pub(crate) async fn save(conn: &mut PgConnection, changes: &Changes) -> Result<()> {
    let all = changes.findings.values();
    let (mut whole, plain): (Vec<_>, Vec<_>) =
        all.partition(|finding| finding.is_new || changes.grown.contains(&finding.now.id));
    save_plain(conn, &plain).await?;
    whole.sort_by_key(|finding| finding.is_new);
    for some in whole.chunks(ROWS_MAX) {
        save_whole(conn, some).await?;
    }
    Ok(())
}

/// Saves all but prediction and evidence.
async fn save_plain(conn: &mut PgConnection, findings: &[&Changed<Finding>]) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let now = || findings.iter().map(|finding| &finding.now);
    sqlx::query(
        "update finding f set fault_class = k.fault_class, state = k.state, last_seen = k.last_seen, count = k.count, \
           ticket = k.ticket, suppressed_until = k.suppressed_until, ticket_from = k.ticket_from \
         from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::integer[], $6::uuid[], $7::timestamptz[], \
           $8::double precision[]) as k (id, fault_class, state, last_seen, count, ticket, suppressed_until, ticket_from) \
         where f.id = k.id",
    )
    .bind(now().map(|finding| finding.id.0).collect::<Vec<_>>())
    .bind(now().map(|finding| finding.fault_class.as_str()).collect::<Vec<_>>())
    .bind(now().map(|finding| finding.state.name()).collect::<Vec<_>>())
    .bind(now().map(|finding| sql(finding.last_seen)).collect::<Vec<_>>())
    .bind(now().map(|finding| finding.count.cast_signed()).collect::<Vec<_>>())
    .bind(now().map(|finding| finding.ticket.map(|id| id.0)).collect::<Vec<_>>())
    .bind(now().map(|finding| finding.suppressed_until.map(sql)).collect::<Vec<_>>())
    .bind(now().map(|finding| finding.ticket_from).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Saves all; the fields of a finding are the columns.
async fn save_whole(conn: &mut PgConnection, findings: &[&Changed<Finding>]) -> Result<()> {
    let rows: Vec<Value> = findings
        .iter()
        .map(|finding| json(&finding.now))
        .collect::<Result<_>>()?;
    sqlx::query(
        "insert into finding (id, tenant, appliance, fault_class, state, alarm_at, first_seen, last_seen, count, \
           prediction, evidence, ticket, suppressed_until, ticket_from, trace) \
         select id, tenant, appliance, fault_class, state, alarm_at, first_seen, last_seen, count, \
           prediction, evidence, ticket, suppressed_until, ticket_from, trace from jsonb_populate_recordset(null::finding, $1) \
         on conflict (id) do update set fault_class = excluded.fault_class, state = excluded.state, \
           last_seen = excluded.last_seen, count = excluded.count, ticket = excluded.ticket, \
           suppressed_until = excluded.suppressed_until, ticket_from = excluded.ticket_from, prediction = excluded.prediction, evidence = excluded.evidence",
    )
    .bind(Value::Array(rows))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
