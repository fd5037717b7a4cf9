//! Scoring state, findings and the tickets they open: one transaction, one ticket, whoever else scores at the time.

use crate::event;
use crate::finding;
use crate::keyring::random;
use crate::row::{Columns, db, not_found};
use crate::scoring;
use crate::store::{PostgresStore, commit, sealed};
use crate::telemetry;
use crate::ticket_row;
use async_trait::async_trait;
use hub_core::contact_plan::{ContactPlan, HoldReason};
use hub_core::finding::{Finding, FindingState, Placement, place};
use hub_core::id::{ApplianceId, FindingId, TenantId, TicketId, TraceId};
use hub_core::prediction::{Evidence, FaultPrediction};
use hub_core::ticket::{HUB, ServiceTicket, TicketEvent, TicketState};
use hub_store::Scope;
use hub_store::error::Result;
use hub_store::prediction::{
    FindingChange, Observation, PredictionStore, ScoredUpTo, ScoringCommit, ScoringSubject, Stretch,
};
use hub_store::scope::{PAGE_MAX, Page};
use hub_store::telemetry::StoredRow;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::collections::{BTreeSet, HashMap};

/// Findings that get their ticket at the end of a cool-down with one batch.
const DUE_MAX: i64 = 100;

#[async_trait]
impl PredictionStore for PostgresStore {
    async fn scoring_subjects(&self, appliances: &[ApplianceId]) -> Result<Vec<ScoringSubject>> {
        scoring::subjects(self, appliances).await
    }

    async fn scored_up_to(&self) -> Result<Vec<ScoredUpTo>> {
        scoring::scored_up_to(self).await
    }

    async fn scored_rows(&self, stretches: &[Stretch], families: Option<&[String]>) -> Result<Vec<StoredRow>> {
        telemetry::again(self, stretches, families).await
    }

    async fn commit_scoring(&self, scored: &ScoringCommit, now: Timestamp) -> Result<Vec<FindingChange>> {
        let is_plain = scored.observations.is_empty() && scored.checkpoints.is_empty();
        if is_plain && !scored.offsets.is_empty() && scoring::advance_alone(self, &scored.offsets, now).await? {
            return Ok(Vec::new());
        }
        let mut tx = self.begin_fenced().await?;
        let mut scene = Scene::load(&mut tx, &scored.observations, now).await?;
        scoring::advance(&mut tx, &scored.offsets).await?;
        scoring::save(&mut tx, &scored.checkpoints, now).await?;
        let mut changes = Vec::new();
        for observation in &scored.observations {
            changes.extend(scene.observe(&mut tx, observation, now).await?);
        }
        changes.extend(scene.end_cool_downs(&mut tx, now).await?);
        if !changes.is_empty() {
            commit(self, tx).await?;
            return Ok(changes);
        }
        tx.commit().await.map_err(db)?;
        Ok(changes)
    }

    async fn baselines_restarted(&self) -> Result<Vec<ApplianceId>> {
        scoring::take_restarted(self).await
    }

    async fn findings(&self, scope: &Scope, after: Option<&str>, limit: usize) -> Result<Page<Finding>> {
        let limit = limit.clamp(1, PAGE_MAX);
        let mut tx = self.begin_scoped(scope).await?;
        let rows = sqlx::query(
            "select * from finding where ($1::text is null or tenant = $1) and ($2::uuid is null or id < $2) \
             order by id desc limit $3",
        )
        .bind(scope.tenant())
        .bind(id_cursor(after)?)
        .bind(page_limit(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(db)?;
        let items: Vec<Finding> = rows.iter().map(finding::from_row).collect::<Result<_>>()?;
        Ok(page(items, limit, |finding| finding.id.to_string()))
    }

    async fn finding(&self, scope: &Scope, id: FindingId) -> Result<Finding> {
        let mut tx = self.begin_scoped(scope).await?;
        let row = sqlx::query("select * from finding where id = $1 and ($2::text is null or tenant = $2)")
            .bind(id.0)
            .bind(scope.tenant())
            .fetch_optional(&mut *tx)
            .await
            .map_err(db)?
            .ok_or_else(|| not_found("finding", id))?;
        finding::from_row(&row)
    }
}

/// A cursor that is an id. A cursor nobody gave out is an error, not the first page.
pub(crate) fn id_cursor(after: Option<&str>) -> Result<Option<uuid::Uuid>> {
    after
        .map(|text| text.parse().map_err(|_| not_found("page after", text)))
        .transpose()
}

/// One more than asked for, which tells whether there is a next page.
pub(crate) fn page_limit(limit: usize) -> i64 {
    i64::try_from(limit + 1).unwrap_or(i64::MAX)
}

/// Cuts what [`page_limit`] fetched into a page.
pub(crate) fn page<T>(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(cursor);
    Page { items, next }
}

/// What observations are placed into: the appliances, locked, with their open findings and their tenants' gates.
struct Scene {
    homes: HashMap<i64, (TenantId, f32)>,
    open: HashMap<i64, Vec<Finding>>,
}

impl Scene {
    async fn load(conn: &mut PgConnection, observations: &[Observation], now: Timestamp) -> Result<Self> {
        let mut ids: BTreeSet<i64> = observations.iter().map(|observed| observed.appliance().0).collect();
        ids.extend(finding::due(conn, now, DUE_MAX).await?);
        let mut scene = Self {
            homes: HashMap::new(),
            open: HashMap::new(),
        };
        if ids.is_empty() {
            return Ok(scene);
        }
        let ids: Vec<i64> = ids.into_iter().collect();
        sqlx::query("select from appliance where id = any($1) order by id for no key update")
            .bind(&ids)
            .execute(&mut *conn)
            .await
            .map_err(db)?;
        // What a detector says on a baseline that was restarted does not count.
        let rows = sqlx::query(
            "select a.id, a.tenant, t.contact_plan from appliance a join tenant t on t.id = a.tenant \
             where a.id = any($1) and not exists (select from checkpoint c where c.appliance = a.id and c.restarted)",
        )
        .bind(&ids)
        .fetch_all(&mut *conn)
        .await
        .map_err(db)?;
        for row in &rows {
            let plan: ContactPlan = row.json("contact_plan")?;
            scene
                .homes
                .insert(row.col("id")?, (row.word("tenant")?, plan.probability_min));
        }
        for finding in finding::open(conn, &ids).await? {
            scene.open.entry(finding.appliance.0).or_default().push(finding);
        }
        Ok(scene)
    }

    async fn observe(
        &mut self,
        conn: &mut PgConnection,
        observation: &Observation,
        now: Timestamp,
    ) -> Result<Vec<FindingChange>> {
        match observation {
            Observation::Clear { appliance } if self.homes.contains_key(&appliance.0) => {
                let open = self.open.remove(&appliance.0).unwrap_or_default();
                clear(conn, open, now).await
            }
            Observation::Alarm {
                appliance,
                prediction,
                evidence,
                trace,
            } if self.homes.contains_key(&appliance.0) => {
                let (prediction, evidence) = finding::bounded(prediction.clone(), evidence.clone());
                let change = self.alarm(conn, *appliance, prediction, evidence, *trace, now).await?;
                Ok(vec![change])
            }
            Observation::Clear { .. } | Observation::Alarm { .. } => Ok(Vec::new()),
        }
    }

    /// Opens the tickets that cool-downs held back. A fault that was judged a false alarm and is still seen is news again.
    async fn end_cool_downs(&mut self, conn: &mut PgConnection, now: Timestamp) -> Result<Vec<FindingChange>> {
        let homes = &self.homes;
        let held_back = self
            .open
            .values_mut()
            .flatten()
            .filter(|finding| homes.contains_key(&finding.appliance.0) && finding.wants_ticket(now));
        let mut changes = Vec::new();
        for finding in held_back {
            let opened = give_ticket(conn, finding, now).await?;
            changes.push(FindingChange {
                finding: finding.clone(),
                opened,
            });
        }
        Ok(changes)
    }

    async fn alarm(
        &mut self,
        conn: &mut PgConnection,
        appliance: ApplianceId,
        prediction: FaultPrediction,
        evidence: Evidence,
        trace: TraceId,
        now: Timestamp,
    ) -> Result<FindingChange> {
        let Some((tenant, gate)) = self.homes.get(&appliance.0).cloned() else {
            return Err(not_found("appliance", appliance));
        };
        let open = self.open.entry(appliance.0).or_default();
        let (position, before) = match place(open, &prediction.fault_class) {
            Placement::New => {
                let first = first_seen(conn, tenant, appliance, prediction, evidence, trace, now).await?;
                open.push(first);
                (open.len() - 1, None)
            }
            Placement::Repeat(id) | Placement::Name(id) => {
                let Some(position) = open.iter().position(|finding| finding.id == id) else {
                    return Err(not_found("finding", id));
                };
                let before = open[position].clone();
                let after = before.clone().observe(prediction, evidence, now);
                let grew = after.prediction != before.prediction;
                finding::save(conn, &after, grew).await?;
                open[position] = after;
                (position, Some(before))
            }
        };
        let seen = &mut open[position];
        let opened = if seen.wants_ticket(now) {
            give_ticket(conn, seen, now).await?
        } else {
            if let Some(before) = &before {
                tell_ticket(conn, before, seen, gate, now).await?;
            }
            None
        };
        Ok(FindingChange {
            finding: seen.clone(),
            opened,
        })
    }
}

async fn first_seen(
    conn: &mut PgConnection,
    tenant: TenantId,
    appliance: ApplianceId,
    prediction: FaultPrediction,
    evidence: Evidence,
    trace: TraceId,
    now: Timestamp,
) -> Result<Finding> {
    let finding = Finding {
        id: FindingId::new(now, random().map_err(sealed("random bytes"))?),
        tenant,
        appliance,
        fault_class: prediction.fault_class.clone(),
        state: FindingState::Open,
        alarm_at: prediction.at,
        first_seen: now,
        last_seen: now,
        count: 1,
        suppressed_until: finding::suppressed_until(conn, appliance, &prediction.fault_class, now).await?,
        prediction,
        evidence,
        ticket: None,
        trace,
    };
    finding::insert(conn, &finding).await?;
    event::write(conn, &finding.tenant, "finding.opened", None, Some(appliance), now).await?;
    Ok(finding)
}

/// Opens a ticket, or takes up the one that is still open for this fault: its earlier finding cleared, the fault is back.
async fn give_ticket(conn: &mut PgConnection, finding: &mut Finding, now: Timestamp) -> Result<Option<TicketId>> {
    if let Some(mut ticket) = ticket_row::not_closed(conn, finding.appliance, &finding.fault_class).await? {
        finding.ticket = Some(ticket.id);
        finding::save(conn, finding, false).await?;
        ticket.finding = finding.id;
        let grew = grown(finding, finding.fault_class.clone());
        ticket_row::transition(conn, ticket, &grew, HUB, now).await?;
        return Ok(None);
    }
    let ticket = ServiceTicket {
        id: TicketId::new(now, random().map_err(sealed("random bytes"))?),
        number: ticket_row::next_number(conn, &finding.tenant).await?,
        tenant: finding.tenant.clone(),
        appliance: finding.appliance,
        finding: finding.id,
        fault_class: finding.fault_class.clone(),
        severity: finding.prediction.severity,
        state: TicketState::ContactPlanned,
        assignee: None,
        opened_at: now,
        closed_at: None,
        contact_due: None,
        call_requested_by: None,
        held: None,
        appointment: None,
        outcome: None,
        trace: finding.trace,
    };
    ticket_row::insert(conn, &ticket).await?;
    finding.ticket = Some(ticket.id);
    finding::save(conn, finding, false).await?;
    let ticket = ticket_row::transition(conn, ticket, &TicketEvent::Opened { contact_due: now }, HUB, now).await?;
    Ok(Some(ticket.id))
}

/// Tells the ticket what its finding has learnt, if that matters: a class named, the gate crossed, or worse than known.
async fn tell_ticket(
    conn: &mut PgConnection,
    before: &Finding,
    after: &Finding,
    gate: f32,
    now: Timestamp,
) -> Result<()> {
    let named = before.fault_class != after.fault_class;
    let worse = after.prediction.severity > before.prediction.severity;
    if named {
        event::write(
            conn,
            &after.tenant,
            "finding.named",
            after.ticket,
            Some(after.appliance),
            now,
        )
        .await?;
    }
    let callable = after.prediction.probability >= gate;
    let Some(id) = after.ticket.filter(|_| named || callable || worse) else {
        return Ok(());
    };
    let ticket = ticket_row::lock(conn, id).await?;
    let below = ticket.held == Some(HoldReason::BelowGate) || before.prediction.probability < gate;
    let crossed = callable && below;
    if ticket.state == TicketState::Closed || !(named || crossed || worse) {
        return Ok(());
    }
    // Another ticket may be open for the class that was named; this one then keeps its own.
    let taken = ticket_row::not_closed(conn, after.appliance, &after.fault_class).await?;
    let class = match taken {
        Some(other) if other.id != ticket.id => ticket.fault_class.clone(),
        _ => after.fault_class.clone(),
    };
    ticket_row::transition(conn, ticket, &grown(after, class), HUB, now).await?;
    Ok(())
}

fn grown(finding: &Finding, fault_class: String) -> TicketEvent {
    TicketEvent::FindingGrew {
        fault_class,
        probability: finding.prediction.probability,
        severity: finding.prediction.severity,
    }
}

/// Clears findings and tells their tickets.
pub(crate) async fn clear(conn: &mut PgConnection, open: Vec<Finding>, now: Timestamp) -> Result<Vec<FindingChange>> {
    let mut changes = Vec::with_capacity(open.len());
    for mut finding in open {
        finding.state = FindingState::Cleared;
        finding.last_seen = now;
        finding::save(conn, &finding, false).await?;
        let appliance = Some(finding.appliance);
        event::write(conn, &finding.tenant, "finding.cleared", finding.ticket, appliance, now).await?;
        if let Some(id) = finding.ticket {
            let ticket = ticket_row::lock(conn, id).await?;
            if ticket.state != TicketState::Closed {
                ticket_row::transition(conn, ticket, &TicketEvent::FindingCleared, HUB, now).await?;
            }
        }
        changes.push(FindingChange { finding, opened: None });
    }
    Ok(changes)
}
