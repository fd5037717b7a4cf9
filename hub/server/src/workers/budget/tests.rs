//! The worker on a store in memory: when it reviews, and when a surge stops calls.

use super::*;
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::budget::history::HighestScore;
use hub_core::budget::judged::JudgedTicket;
use hub_core::budget::level::Basis;
use hub_core::budget::{Budgets, Month};
use hub_core::clock::ManualClock;
use hub_core::id::{ApplianceId, DeviceId};
use hub_core::metric::{MetricSample, MetricValue};
use hub_core::prediction::FaultPrediction;
use hub_core::release::{Predicted, Tally};
use hub_core::site::Site;
use hub_core::situation::Observation;
use hub_store::budget::{CallRelease, FamilyBudget, KeptLedger, MonthScore};
use hub_store::conformance::scene::{alarm, morning, profiles, seen, site, take_lease, tenant};
use hub_store::error::StoreError;
use hub_store::memory::MemoryStore;
use hub_store::prediction::{PredictionStore, ScoringCommit};
use hub_store::site::SiteStore;
use std::collections::BTreeMap;
use std::ops::Range;

const FAMILY: &str = "washing-machine";
/// Machines, enough for a level of their own with four months.
const MACHINES: usize = 60;

struct World {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    figures: Arc<Figures>,
    worker: BudgetWorker,
    ids: Vec<ApplianceId>,
}

fn machines() -> Site {
    let mut site = site();
    let acme = &mut site.tenants[0];
    let first = acme.devices[0].clone();
    acme.devices.extend((0..MACHINES).map(|n| {
        let id = DeviceId::new(format!("sold-{n}")).unwrap();
        hub_core::site::Device { id, ..first.clone() }
    }));
    site
}

impl World {
    /// Sixty machines that were watched for four months, the highest score of each about 2.
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::new(profiles(), 1));
        take_lease(&*store).await;
        store.apply_site(&machines(), morning(), false).await.unwrap();
        let mut ids = Vec::new();
        for n in 0..MACHINES {
            let id = DeviceId::new(format!("sold-{n}")).unwrap();
            ids.push(store.appliance_by_name(&tenant("acme"), &id).await.unwrap().id);
        }
        let month = Month::at(morning());
        let months = (1..=4).flat_map(|back| ids.iter().zip(0_u8..).map(move |(id, place)| (back, *id, place)));
        let scores = months.map(|(back, appliance, place)| MonthScore {
            appliance,
            family: FAMILY.to_owned(),
            month: month.plus(-back),
            score: 2.0 + 0.01 * f32::from(place),
        });
        let commit = ScoringCommit {
            scores: scores.collect(),
            ..ScoringCommit::default()
        };
        store.commit_scoring(&commit, morning()).await.unwrap();
        let clock = Arc::new(ManualClock::new(morning()));
        let figures = Arc::<Figures>::default();
        let worker = BudgetWorker::new(store.clone(), clock.clone(), figures.clone());
        Self {
            store,
            clock,
            figures,
            worker,
            ids,
        }
    }

    async fn round(&mut self, later: Duration) -> KeptLedger {
        self.clock.advance(later);
        self.worker.round().await.unwrap();
        self.store.ledger(&tenant("acme"), FAMILY).await.unwrap()
    }

    fn stopped(&self) -> MetricValue {
        let metrics = self.figures.metrics();
        let gauge = metrics.iter().find(|metric| metric.name == "calls_stopped").unwrap();
        let MetricSample { value, .. } = gauge.samples[0].clone();
        value
    }

    /// These machines have an alarm far above their level.
    async fn alarms(&self, which: Range<usize>) {
        self.alarms_at(which, self.clock.now()).await;
    }

    async fn alarms_at(&self, which: Range<usize>, now: Timestamp) {
        let count = which.len();
        let alarms = self.ids[which].iter().map(|id| {
            let Observation::Alarm {
                appliance,
                prediction,
                evidence,
                trace,
            } = alarm(*id, "drain_pump_wear", 0.95)
            else {
                panic!("an alarm")
            };
            let prediction = Box::new(FaultPrediction {
                score: 9.0,
                ..*prediction
            });
            Observation::Alarm {
                appliance,
                prediction,
                evidence,
                trace,
            }
        });
        let told = self.store.commit_scoring(&seen(alarms.collect()), now).await.unwrap();
        assert_eq!(told.iter().filter(|change| change.opened.is_some()).count(), count);
    }
}

#[tokio::test]
async fn a_ledger_is_reviewed_once_a_day_and_comes_to_the_same() {
    let mut world = World::new().await;
    let first = world.round(Duration::ZERO).await;
    let thresholds = first.ledger.model(FAMILY).unwrap().thresholds.clone().unwrap();
    assert_eq!((thresholds.basis, thresholds.device_months), (Basis::Own, 240));
    assert!(thresholds.tickets.in_force > 2.4, "{thresholds:?}");
    assert_eq!(first.ledger.watched(), 60);
    let soon = world.round(Duration::from_secs(300)).await;
    assert_eq!(soon.revision, first.revision, "nothing has changed but the time");
    let next_day = world.round(Duration::from_secs(24 * 3_600)).await;
    assert!(next_day.revision > first.revision);
    assert_eq!(next_day.ledger.model(FAMILY), first.ledger.model(FAMILY));
    // Another hub, from the same past.
    let again = World::new().await.round(Duration::ZERO).await;
    assert_eq!(again.ledger.model(FAMILY), first.ledger.model(FAMILY));
    let hub = hub_core::actor::Actor::hub("test");
    let shown = world.store.budgets(&hub, &tenant("acme")).await.unwrap().remove(0);
    let lines: Vec<_> = shown.lines.iter().map(|line| line.change.name()).collect();
    assert_eq!(lines, ["renewed", "renewed"], "one of the model, one of all others");
    assert!(world.store.budgets(&hub, &tenant("beta")).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_surge_stops_the_calls_of_its_model() {
    let mut world = World::new().await;
    world.round(Duration::ZERO).await;
    assert_eq!(world.stopped(), MetricValue::Number(0.0));
    world.alarms(0..3).await;
    let few = world.round(Duration::from_secs(60)).await;
    assert_eq!(few.ledger.stopped(world.clock.now()).count(), 0);
    world.alarms(3..23).await;
    let many = world.round(Duration::from_secs(60)).await;
    assert_eq!(many.ledger.stopped(world.clock.now()).collect::<Vec<_>>(), [FAMILY]);
    assert_eq!(world.stopped(), MetricValue::Number(1.0));
    let stop = many.ledger.model(FAMILY).unwrap().breaker.stop().cloned().unwrap();
    assert!(stop.tickets >= 20 && stop.expected < 1.0, "{stop:?}");
}

/// A store whose closed tickets cannot be read, nor the ledger of one family.
struct Faulty(Arc<MemoryStore>);

/// The family whose ledger cannot be read; the first by name.
const BROKEN: &str = "a-broken";

fn out_of_order<T>() -> Result<T> {
    Err(StoreError::Unavailable("out of order".into()))
}

#[async_trait]
impl BudgetStore for Faulty {
    async fn budgets(&self, actor: &Actor, tenant: &TenantId) -> Result<Vec<FamilyBudget>> {
        self.0.budgets(actor, tenant).await
    }

    async fn budget(&self, actor: &Actor, tenant: &TenantId, family: &str) -> Result<Option<FamilyBudget>> {
        self.0.budget(actor, tenant, family).await
    }

    async fn families_used(&self, actor: &Actor, tenant: &TenantId, names: &[String]) -> Result<Vec<String>> {
        self.0.families_used(actor, tenant, names).await
    }

    async fn release_tallies(&self, actor: &Actor, tenant: &TenantId) -> Result<Vec<(Predicted, Tally)>> {
        self.0.release_tallies(actor, tenant).await
    }

    async fn judged_tickets(&self, _: &Actor, _: &TenantId) -> Result<Vec<JudgedTicket>> {
        out_of_order()
    }

    async fn state_budget(
        &self,
        actor: &Actor,
        tenant: &TenantId,
        family: &str,
        budgets: Budgets,
        faults_a_year: f64,
        now: Timestamp,
    ) -> Result<()> {
        self.0
            .state_budget(actor, tenant, family, budgets, faults_a_year, now)
            .await
    }

    async fn release_calls(
        &self,
        actor: &Actor,
        tenant: &TenantId,
        release: &CallRelease,
        now: Timestamp,
    ) -> Result<()> {
        self.0.release_calls(actor, tenant, release, now).await
    }

    async fn families_scored(&self) -> Result<Vec<(TenantId, String)>> {
        self.0.families_scored().await
    }

    async fn families_kept(&self) -> Result<Vec<(TenantId, String)>> {
        self.0.families_kept().await
    }

    async fn ledger(&self, tenant: &TenantId, family: &str) -> Result<KeptLedger> {
        if family == BROKEN {
            return out_of_order();
        }
        self.0.ledger(tenant, family).await
    }

    async fn scores_of(
        &self,
        tenant: &TenantId,
        family: &str,
        month: Month,
    ) -> Result<BTreeMap<String, Vec<HighestScore>>> {
        self.0.scores_of(tenant, family, month).await
    }

    async fn tickets_opened(
        &self,
        tenant: &TenantId,
        family: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<String, u32>> {
        self.0.tickets_opened(tenant, family, since, until).await
    }

    async fn save_ledger(
        &self,
        tenant: &TenantId,
        family: &str,
        kept: &KeptLedger,
        changes: &[LedgerChange],
        now: Timestamp,
    ) -> Result<()> {
        self.0.save_ledger(tenant, family, kept, changes, now).await
    }

    async fn sweep_scores(&self, now: Timestamp, limit: usize) -> Result<u64> {
        self.0.sweep_scores(now, limit).await
    }
}

#[tokio::test]
async fn a_breaker_counts_while_reviews_and_another_family_fail() {
    let mut world = World::new().await;
    world.round(Duration::ZERO).await;
    let (acme, hub) = (tenant("acme"), Actor::hub("test"));
    let stated = world
        .store
        .state_budget(&hub, &acme, BROKEN, Budgets::default(), 0.01, morning());
    stated.await.unwrap();
    let faulty = Arc::new(Faulty(world.store.clone()));
    let mut worker = BudgetWorker::new(faulty, world.clock.clone(), world.figures.clone());
    world.clock.advance(Duration::from_secs(24 * 3_600));
    world.alarms(0..20).await;
    world.clock.advance(LOOK);
    assert!(worker.counter.round().await.is_err(), "one family cannot be read");
    assert!(worker.reviewer.round().await.is_err(), "each review fails");
    let kept = world.store.ledger(&acme, FAMILY).await.unwrap();
    assert_eq!(kept.ledger.stopped(world.clock.now()).collect::<Vec<_>>(), [FAMILY]);
    assert_eq!(world.stopped(), MetricValue::Number(1.0));
}

#[tokio::test]
async fn a_ticket_whose_transaction_is_late_is_counted_all_the_same() {
    let mut world = World::new().await;
    world.round(Duration::ZERO).await;
    // The look comes between the time that the tickets bear and their commit.
    world.clock.advance(LOOK);
    let opened_at = world.clock.now();
    world.clock.advance(Duration::from_secs(20));
    world.worker.counter.round().await.unwrap();
    world.alarms_at(0..20, opened_at).await;
    let kept = world.round(LOOK).await;
    assert_eq!(kept.ledger.stopped(world.clock.now()).collect::<Vec<_>>(), [FAMILY]);
}
