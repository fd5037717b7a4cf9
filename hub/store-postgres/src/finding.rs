//! Findings as rows.

use crate::row::{Columns, db, json, sql, sql_maybe, word};
use hub_core::finding::Finding;
use hub_core::id::{ApplianceId, FindingId, TicketId, TraceId};
use hub_core::prediction::{Contribution, Evidence, FaultPrediction};
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

/// Most points of an evidence series that are kept.
const EVIDENCE_POINTS_MAX: usize = 300;
/// Most sensors named by a prediction.
const TOP_MAX: usize = 5;

pub(crate) fn from_row(row: &PgRow) -> Result<Finding> {
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
        evidence: row.json("evidence")?,
        ticket: row.col::<Option<uuid::Uuid>>("ticket")?.map(TicketId),
        suppressed_until: row.maybe_at("suppressed_until")?,
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

/// Open findings of these appliances, oldest first. The caller holds the appliances locked.
pub(crate) async fn open(conn: &mut PgConnection, appliances: &[i64]) -> Result<Vec<Finding>> {
    let rows =
        sqlx::query("select * from finding where appliance = any($1) and state = 'open' order by first_seen, id")
            .bind(appliances)
            .fetch_all(conn)
            .await
            .map_err(db)?;
    rows.iter().map(from_row).collect()
}

/// Appliances with an open finding whose cool-down has ended without a ticket; the longest due first, at most `limit`.
pub(crate) async fn due(conn: &mut PgConnection, now: Timestamp, limit: i64) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "select appliance from finding where state = 'open' and ticket is null and suppressed_until <= $1 \
         order by suppressed_until limit $2",
    )
    .bind(sql(now))
    .bind(limit)
    .fetch_all(conn)
    .await
    .map_err(db)
}

/// Until when a person's "false alarm" keeps this fault of this appliance quiet.
pub(crate) async fn suppressed_until(
    conn: &mut PgConnection,
    appliance: ApplianceId,
    fault_class: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let row = sqlx::query(
        "select max(suppressed_until) as until from finding \
         where appliance = $1 and fault_class = $2 and suppressed_until > $3",
    )
    .bind(appliance.0)
    .bind(fault_class)
    .bind(sql(now))
    .fetch_one(conn)
    .await
    .map_err(db)?;
    row.maybe_at("until")
}

pub(crate) async fn insert(conn: &mut PgConnection, finding: &Finding) -> Result<()> {
    sqlx::query(
        "insert into finding (id, tenant, appliance, fault_class, state, alarm_at, first_seen, last_seen, count, \
           prediction, evidence, ticket, suppressed_until, trace) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(finding.id.0)
    .bind(finding.tenant.as_str())
    .bind(finding.appliance.0)
    .bind(&finding.fault_class)
    .bind(word(&finding.state)?)
    .bind(sql(finding.alarm_at))
    .bind(sql(finding.first_seen))
    .bind(sql(finding.last_seen))
    .bind(finding.count.cast_signed())
    .bind(json(&finding.prediction)?)
    .bind(json(&finding.evidence)?)
    .bind(finding.ticket.map(|id| id.0))
    .bind(sql_maybe(finding.suppressed_until))
    .bind(finding.trace.0)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Saves what changes in a finding. Prediction and evidence are large and mostly stay; they are written only if `grew`.
pub(crate) async fn save(conn: &mut PgConnection, finding: &Finding, grew: bool) -> Result<()> {
    sqlx::query(
        "update finding set fault_class = $2, state = $3, last_seen = $4, count = $5, ticket = $6, \
           suppressed_until = $7 where id = $1",
    )
    .bind(finding.id.0)
    .bind(&finding.fault_class)
    .bind(word(&finding.state)?)
    .bind(sql(finding.last_seen))
    .bind(finding.count.cast_signed())
    .bind(finding.ticket.map(|id| id.0))
    .bind(sql_maybe(finding.suppressed_until))
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    if grew {
        sqlx::query("update finding set prediction = $2, evidence = $3 where id = $1")
            .bind(finding.id.0)
            .bind(json(&finding.prediction)?)
            .bind(json(&finding.evidence)?)
            .execute(conn)
            .await
            .map_err(db)?;
    }
    Ok(())
}

/// What a model says, within the bounds, and without the infinities that JSON cannot hold and nobody could read back.
pub(crate) fn bounded(mut prediction: FaultPrediction, mut evidence: Evidence) -> (FaultPrediction, Evidence) {
    prediction.probability = finite32(prediction.probability).clamp(0.0, 1.0);
    prediction.score = finite32(prediction.score);
    prediction.top.truncate(TOP_MAX);
    evidence.channels.truncate(TOP_MAX);
    prediction.top.iter_mut().for_each(finite_contribution);
    evidence.channels.iter_mut().for_each(finite_contribution);
    let over = evidence.points.len().saturating_sub(EVIDENCE_POINTS_MAX);
    evidence.points.drain(..over);
    for point in &mut evidence.points {
        point.score = finite32(point.score);
        point.values.iter_mut().for_each(finite64);
    }
    (prediction, evidence)
}

fn finite_contribution(contribution: &mut Contribution) {
    contribution.share = finite32(contribution.share);
    finite64(&mut contribution.value);
    finite64(&mut contribution.baseline_mean);
    finite64(&mut contribution.baseline_deviation);
}

/// Beyond these a stored number does not come back: JSON would spell it out in hundreds of digits.
const LARGEST_32: f32 = 1e30;
const LARGEST_64: f64 = 1e100;

fn finite32(value: f32) -> f32 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(-LARGEST_32, LARGEST_32)
    }
}

fn finite64(value: &mut f64) {
    *value = if value.is_nan() {
        0.0
    } else {
        value.clamp(-LARGEST_64, LARGEST_64)
    };
}
