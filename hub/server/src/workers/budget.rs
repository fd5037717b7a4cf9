//! prediction → budgets: each minute breakers count the tickets that were opened, and once a day (civil time, UTC) the ledger of each
//! family is reviewed: thresholds follow from the fleet's past, verdicts from closed tickets. Scores that are not looked at any more go.
//!
//! What is decided, [`hub_core::budget`] knows. Random numbers follow from family and month, so that a review that is done twice comes to
//! the same.

use super::{BACKOFF, Figures, in_time};
use hub_core::budget::change::LedgerChange;
use hub_core::budget::study::{Studied, Study};
use hub_core::budget::{Draws, Month};
use hub_core::clock::CivilClock;
use hub_core::id::TenantId;
use hub_store::budget::{BudgetStore, KeptLedger};
use hub_store::error::{Result, StoreError};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the tickets that were opened are counted. A surge is seen so much later, and costs as many calls as go out in this time.
const LOOK: Duration = Duration::from_secs(60);
/// Scores taken out in one step.
const SWEEP_ROWS: usize = 10_000;
/// Steps of one day's sweep: what is beyond them goes on the next day.
const SWEEP_STEPS: u32 = 1_000;

/// The worker; all that it knows can be read again.
pub struct BudgetWorker {
    store: Arc<dyn BudgetStore>,
    clock: Arc<dyn CivilClock>,
    figures: Arc<Figures>,
    swept_on: Option<Date>,
    /// Families of which some tenants have no appliance, looked for today.
    nothing: (Option<Date>, BTreeSet<(TenantId, String)>),
}

impl BudgetWorker {
    /// A worker that has done nothing yet.
    pub fn new(store: Arc<dyn BudgetStore>, clock: Arc<dyn CivilClock>, figures: Arc<Figures>) -> Self {
        Self {
            store,
            clock,
            figures,
            swept_on: None,
            nothing: (None, BTreeSet::new()),
        }
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = BACKOFF;
        loop {
            // Each step is a transaction: one that is cut off is done again.
            let Some(done) = stop.run_until_cancelled(self.round()).await else {
                return;
            };
            let rest = match done {
                Ok(()) => {
                    backoff.reset();
                    LOOK
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "budgets are not up to date, trying again"
                    );
                    backoff.pause()
                }
            };
            stop.run_until_cancelled(tokio::time::sleep(rest)).await;
        }
    }

    /// Looks at each family once. What fails for one holds up no other.
    pub(super) async fn round(&mut self) -> Result<()> {
        let (mut stopped, mut done) = (0, Ok(()));
        for (tenant, family) in in_time(self.store.families_scored()).await? {
            match self.look(&tenant, &family).await {
                Ok(count) => stopped += count,
                // Somebody has stated or released something meanwhile: the next look sees that.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => done = Err(error),
            }
        }
        if done.is_ok() {
            self.figures.calls_stopped(stopped);
            done = self.sweep().await;
        }
        done
    }

    /// Looks at one family. Answers with how many of its appliance models' calls have stopped.
    async fn look(&mut self, tenant: &TenantId, family: &str) -> Result<u64> {
        let now = self.clock.now();
        let before = in_time(self.store.ledger(tenant, family)).await?;
        let (today, pair) = (day(now), (tenant.clone(), family.to_owned()));
        if self.nothing.0 != Some(today) {
            self.nothing = (Some(today), BTreeSet::new());
        }
        if before.revision == 0 && self.nothing.1.contains(&pair) {
            return Ok(0);
        }
        let mut next = before.clone();
        let mut changes = Vec::new();
        let is_due = next.ledger.is_due(now);
        if is_due {
            let Some((reviewed, what)) = self.review(tenant, family, next, now).await? else {
                self.nothing.1.insert(pair);
                return Ok(0);
            };
            (next, changes) = (reviewed, what);
        }
        let opened = match next.ledger.counted_to() {
            Some(since) => in_time(self.store.tickets_opened(tenant, family, since, now)).await?,
            None => BTreeMap::new(),
        };
        changes.extend(next.ledger.count(&opened, now));
        // Where nothing has changed but the time, the next count begins where the last one was kept.
        if is_due || next.ledger.models() != before.ledger.models() {
            in_time(self.store.save_ledger(tenant, family, &next, &changes, now)).await?;
            for change in &changes {
                log(tenant, family, change);
            }
        }
        Ok(next.ledger.stopped(now).count() as u64)
    }

    /// Reviews the ledger of a family, one month after the other; none where the tenant has no such family.
    async fn review(
        &self,
        tenant: &TenantId,
        family: &str,
        mut kept: KeptLedger,
        now: Timestamp,
    ) -> Result<Option<(KeptLedger, Vec<LedgerChange>)>> {
        let hub = hub_core::actor::Actor::hub("budgets");
        let judged = in_time(self.store.judged_tickets(&hub, tenant)).await?;
        let mut study = Study::new(Month::at(now), &judged);
        for month in study.months() {
            study.take(month, in_time(self.store.scores_of(tenant, family, month)).await?);
        }
        let studied: Studied = study.end();
        if !studied.has_scores && kept.revision == 0 {
            return Ok(None);
        }
        let family = family.to_owned();
        let reviewed = tokio::task::spawn_blocking(move || {
            let mut draw = seeded(seed(&family, Month::at(now)));
            let changes = kept
                .ledger
                .review(&family, &studied, &judged, now, &mut Draws(&mut draw));
            (kept, changes)
        });
        let broke_off = |error| StoreError::Unreadable {
            what: "past of a family",
            source: Box::new(error),
        };
        reviewed.await.map(Some).map_err(broke_off)
    }

    /// Once a day, in steps.
    async fn sweep(&mut self) -> Result<()> {
        let now = self.clock.now();
        let today = day(now);
        if self.swept_on == Some(today) {
            return Ok(());
        }
        let mut rows = 0;
        for _ in 0..SWEEP_STEPS {
            let swept = in_time(self.store.sweep_scores(now, SWEEP_ROWS)).await?;
            rows += swept;
            if swept == 0 {
                break;
            }
        }
        if rows > 0 {
            tracing::info!(rows, "scores of months long past deleted");
        }
        self.swept_on = Some(today);
        Ok(())
    }
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn log(tenant: &TenantId, family: &str, change: &LedgerChange) {
    match change {
        LedgerChange::Stopped {
            model,
            tickets,
            expected,
        } => tracing::warn!(
            %tenant, family, model, tickets, expected,
            "tickets of an appliance model surge: its calls have stopped until a person releases them"
        ),
        LedgerChange::Renewed {
            model,
            tickets,
            calls,
            device_months,
            ..
        } => tracing::info!(
            %tenant, family, model, tickets, calls, device_months, "an appliance model has other thresholds"
        ),
        LedgerChange::Stated { .. } | LedgerChange::Released { .. } => {}
    }
}

/// A number that follows from family and month: FNV-1a (Fowler, Noll and Vo).
fn seed(family: &str, month: Month) -> u64 {
    let bytes = family.bytes().chain(month.number().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Numbers from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). They draw samples, and keep no secret.
fn seeded(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests;
