//! The ledger of each family is reviewed once a day and after each statement, from a year of scores and the closed tickets. Random numbers
//! follow from family and month, so that a review that is done twice comes to the same.

use super::{Place, log, settled};
use crate::workers::in_time;
use hub_core::actor::Actor;
use hub_core::budget::judged::JudgedTicket;
use hub_core::budget::study::{Studied, Study};
use hub_core::budget::{Draws, Month};
use hub_core::clock::CivilClock;
use hub_store::budget::BudgetStore;
use hub_store::error::{Result, StoreError};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Scores taken out in one step.
const SWEEP_ROWS: usize = 10_000;
/// Steps of one day's sweep: what is beyond them goes on the next day.
const SWEEP_STEPS: u32 = 1_000;
/// Times that a review is held against a ledger that others change meanwhile, as breakers do; then it waits for the next look.
const TRIES: u32 = 5;

/// Reviews, and sweeps scores.
pub(super) struct Reviewer {
    store: Arc<dyn BudgetStore>,
    clock: Arc<dyn CivilClock>,
    swept_on: Option<Date>,
    /// Families without a ledger of which no score is of a month that is looked at, looked for today.
    nothing: (Option<Date>, BTreeSet<Place>),
}

/// What a review is made from.
struct Past {
    studied: Studied,
    judged: Vec<JudgedTicket>,
}

impl Reviewer {
    pub(super) fn new(store: Arc<dyn BudgetStore>, clock: Arc<dyn CivilClock>) -> Self {
        Self {
            store,
            clock,
            swept_on: None,
            nothing: (None, BTreeSet::new()),
        }
    }

    /// Looks at each family once. What fails for one holds up no other.
    pub(super) async fn round(&mut self) -> Result<()> {
        let today = day(self.clock.now());
        if self.nothing.0 != Some(today) {
            self.nothing = (Some(today), BTreeSet::new());
        }
        let mut done = Ok(());
        for place in in_time(self.store.families_scored()).await? {
            if self.nothing.1.contains(&place) {
                continue;
            }
            match self.look(&place).await {
                Ok(true) => {}
                Ok(false) => {
                    self.nothing.1.insert(place);
                }
                // Somebody has changed it again and again: the next look sees that.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => done = Err(error),
            }
        }
        let swept = self.sweep().await;
        done.and(swept)
    }

    /// Reviews a family's ledger if that is due; whether there is anything to review.
    async fn look(&self, place: &Place) -> Result<bool> {
        let (tenant, family) = place;
        let now = self.clock.now();
        let kept = in_time(self.store.ledger(tenant, family)).await?;
        if !kept.ledger.is_due(now) {
            return Ok(true);
        }
        let hub = Actor::hub("budgets");
        let judged = in_time(self.store.judged_tickets(&hub, tenant)).await?;
        let mut study = Study::new(Month::at(now), &judged);
        for month in study.months() {
            study.take(month, in_time(self.store.scores_of(tenant, family, month)).await?);
        }
        let studied = study.end();
        if !studied.has_scores && kept.revision == 0 {
            return Ok(false);
        }
        let past = Arc::new(Past { studied, judged });
        let mut tries = 1;
        loop {
            match self.renew(place, &past, now).await {
                Err(StoreError::Conflict(_)) if tries < TRIES => tries += 1,
                done => return done.map(|()| true),
            }
        }
    }

    /// Holds the past against the ledger as it is now. It counts as of the time at which the past was read: what was stated since is due.
    async fn renew(&self, place: &Place, past: &Arc<Past>, now: Timestamp) -> Result<()> {
        let (tenant, family) = place;
        let mut kept = in_time(self.store.ledger(tenant, family)).await?;
        let (past, name) = (past.clone(), family.clone());
        let reviewed = tokio::task::spawn_blocking(move || {
            let mut draw = seeded(seed(&name, Month::at(now)));
            let Past { studied, judged } = &*past;
            let changes = kept.ledger.review(&name, studied, judged, now, &mut Draws(&mut draw));
            if kept.ledger.counted_to().is_none() {
                // Breakers count from here on.
                kept.ledger.count(&BTreeMap::new(), settled(now));
            }
            (kept, changes)
        });
        let broke_off = |error| StoreError::Unreadable {
            what: "past of a family",
            source: Box::new(error),
        };
        let (kept, changes) = reviewed.await.map_err(broke_off)?;
        in_time(self.store.save_ledger(tenant, family, &kept, &changes, now)).await?;
        for change in &changes {
            log(tenant, family, change);
        }
        Ok(())
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
