//! States of detectors → floors: once a month (civil time, UTC) what the appliances of each fleet show to be harmless is put in force for
//! those of their appliance model. The scorer judges by it from its next look on.
//!
//! What is decided, [`hub_predict::FleetReader`] knows. States are read some at a time, and the month of what is in force says what was
//! done: a worker that is cut off, or begins in a month, does it once.

#[cfg(test)]
mod tests;

use super::in_time;
use hub_core::backoff::Backoff;
use hub_core::budget::Month;
use hub_core::clock::CivilClock;
use hub_core::id::{ApplianceId, TenantId};
use hub_predict::generic::WATCHED_DAYS_MIN;
use hub_predict::{FleetReader, Model, Registry};
use hub_store::Store;
use hub_store::error::{Result, StoreError};
use hub_store::floors::{Fleet, FleetFloors, WANDERED_MAX, WanderedPage};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether a month has begun, or a fleet come.
const LOOK: Duration = Duration::from_mins(60);
/// Pauses after a look that failed: each reads the states of fleets again.
const AFTER_A_FAILURE: Backoff = Backoff::new(Duration::from_secs(10), LOOK);
/// Between two readings of states: nobody waits for floors.
const PAUSE: Duration = Duration::from_millis(20);
/// Pages of one fleet that are read, at most: a million appliances.
const READINGS_MAX: usize = 2_000;
/// Months for which floors stay in force that no fleet shows any more.
const MONTHS_KEPT: i32 = 13;

/// The worker; all that it knows can be read again.
pub struct FloorWorker {
    store: Arc<dyn Store>,
    registry: watch::Receiver<Arc<Registry>>,
    clock: Arc<dyn CivilClock>,
    /// Month for which each fleet was looked at last.
    done: BTreeMap<Fleet, Month>,
}

impl FloorWorker {
    /// A worker that has done nothing yet.
    pub fn new(store: Arc<dyn Store>, registry: watch::Receiver<Arc<Registry>>, clock: Arc<dyn CivilClock>) -> Self {
        Self {
            store,
            registry,
            clock,
            done: BTreeMap::new(),
        }
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = AFTER_A_FAILURE;
        while let Some(done) = stop.run_until_cancelled(self.round()).await {
            let rest = match done {
                Ok(()) => {
                    backoff.reset();
                    LOOK
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "floors of fleets are not up to date, trying again"
                    );
                    backoff.pause()
                }
            };
            stop.run_until_cancelled(tokio::time::sleep(rest)).await;
        }
    }

    /// Looks at each fleet that was not looked at this month. What fails for one holds up no other.
    async fn round(&mut self) -> Result<()> {
        let month = Month::at(self.clock.now());
        let scored = in_time(self.store.families_scored()).await?;
        let registry = self.registry.borrow().clone();
        let fleets = fleets(&scored, &registry);
        self.done.retain(|fleet, _| fleets.contains_key(fleet));
        let due: Vec<(Fleet, Arc<Model>)> = fleets
            .into_iter()
            .filter(|(fleet, _)| self.done.get(fleet) != Some(&month))
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let in_force = in_time(self.store.floors_in_force()).await?;
        let mut done = Ok(());
        for (fleet, model) in due {
            match self.refresh(&fleet, model, &in_force, month).await {
                Ok(()) => drop(self.done.insert(fleet, month)),
                Err(error) => done = Err(error),
            }
        }
        done
    }

    /// Puts the floors of this month in force that a fleet shows.
    async fn refresh(&self, fleet: &Fleet, model: Arc<Model>, in_force: &[FleetFloors], month: Month) -> Result<()> {
        let reader = FleetReader::new(fleet.clone(), model, in_force);
        if reader.is_done(month) {
            return Ok(());
        }
        let floors = self.read(fleet, reader).await?.refreshed(month);
        if floors.is_empty() {
            return Ok(());
        }
        in_time(self.store.save_floors(&floors, month.plus(-MONTHS_KEPT))).await?;
        for learned in &floors {
            tracing::info!(
                tenant = %fleet.tenant,
                model = fleet.model,
                appliance_model = learned.appliance_model,
                appliances = learned.appliances,
                "floors of an appliance model follow its fleet"
            );
        }
        Ok(())
    }

    /// Gives the reader the states of the fleet.
    async fn read(&self, fleet: &Fleet, mut reader: FleetReader) -> Result<FleetReader> {
        let watched = SignedDuration::from_hours(24 * WATCHED_DAYS_MIN as i64);
        let now = self.clock.now();
        let since = now.checked_sub(watched).unwrap_or(now);
        let mut after: Option<ApplianceId> = None;
        for _ in 0..READINGS_MAX {
            let page = in_time(self.store.wandered(fleet, since, after, WANDERED_MAX)).await?;
            let WanderedPage { of: states, last } = page;
            let taken = tokio::task::spawn_blocking(move || {
                states.iter().for_each(|state| reader.take(state));
                reader
            });
            let broke_off = |error| StoreError::Unreadable {
                what: "states of detectors",
                source: Box::new(error),
            };
            reader = taken.await.map_err(broke_off)?;
            if last.is_none() {
                break;
            }
            after = last;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(reader)
    }
}

/// Fleets that are watched by models without a network, each with its model.
fn fleets(scored: &[(TenantId, String)], registry: &Registry) -> BTreeMap<Fleet, Arc<Model>> {
    let mut fleets = BTreeMap::new();
    for (tenant, family) in scored {
        for model in registry.by_floors().filter(|model| model.family() == family) {
            let fleet = Fleet {
                tenant: tenant.clone(),
                model: model.version().to_owned(),
                profile: model.profile().name.clone(),
            };
            fleets.insert(fleet, model.clone());
        }
    }
    fleets
}
