//! Floors that fleets have shown, and states of detectors that they are learned from.

use super::MemoryStore;
use super::state::State;
use crate::budget::check_tenant;
use crate::error::Result;
use crate::floors::{Fleet, FleetFloors, FloorStore, WANDERED_MAX, Wandered, WanderedPage};
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::budget::Month;
use hub_core::id::{ApplianceId, TenantId};
use hub_core::outcome::Verdict;
use hub_core::ticket::ServiceTicket;
use hub_core::watching::WatchState;
use jiff::Timestamp;

#[async_trait]
impl FloorStore for MemoryStore {
    async fn floors_in_force(&self) -> Result<Vec<FleetFloors>> {
        Ok(self.state().floors.values().cloned().collect())
    }

    async fn floors(&self, actor: &Actor, tenant: &TenantId) -> Result<Vec<FleetFloors>> {
        actor.may(Act::ReadFleet)?;
        check_tenant(actor, tenant)?;
        let state = self.state();
        let own = state.floors.values().filter(|floors| floors.fleet.tenant == *tenant);
        Ok(own.cloned().collect())
    }

    async fn wandered(
        &self,
        fleet: &Fleet,
        watched_since: Timestamp,
        after: Option<ApplianceId>,
        limit: usize,
    ) -> Result<WanderedPage> {
        let state = self.state();
        let limit = limit.min(WANDERED_MAX);
        let own = state
            .appliances
            .iter()
            .filter(|(_, appliance)| appliance.tenant == fleet.tenant && appliance.profile == fleet.profile);
        let behind = own
            .map(|(id, _)| *id)
            .filter(|id| after.is_none_or(|after| *id > after));
        let ids: Vec<ApplianceId> = behind.take(limit).collect();
        let wandered = ids
            .iter()
            .filter_map(|id| state.wandered(*id, &fleet.model, watched_since).transpose());
        Ok(WanderedPage {
            of: wandered.collect::<Result<_>>()?,
            last: ids.last().copied().filter(|_| ids.len() == limit),
        })
    }

    async fn save_floors(&self, floors: &[FleetFloors], forgotten_before: Month) -> Result<()> {
        self.check_lease()?;
        let mut state = self.state();
        for own in floors {
            let place = (own.fleet.clone(), own.appliance_model.clone());
            state.floors.insert(place, own.clone());
        }
        state.floors.retain(|_, own| own.month >= forgotten_before);
        Ok(())
    }
}

impl State {
    /// What the detector of this appliance holds, if floors are learned from it.
    fn wandered(&self, id: ApplianceId, model: &str, watched_since: Timestamp) -> Result<Option<Wandered>> {
        if self.is_restarted(id) {
            return Ok(None);
        }
        let told = self.watching.get(&id);
        let told = told.filter(|told| told.state == WatchState::Watched && told.model.as_deref() == Some(model));
        let since = told.and_then(|told| told.since).filter(|since| *since <= watched_since);
        let checkpoint = self.checkpoints.get(&(id, model.to_owned()));
        let (Some(since), Some((checkpoint, _))) = (since, checkpoint) else {
            return Ok(None);
        };
        let found = |ticket: &ServiceTicket| {
            let verdict = ticket.outcome.as_ref().map(|outcome| outcome.verdict);
            let is_fault = matches!(verdict, Some(Verdict::Right | Verdict::OtherFault));
            ticket.appliance == id && is_fault && ticket.closed_at.is_some_and(|at| at >= since)
        };
        if self.situation(id, Timestamp::MIN)?.holds_a_fault() || self.tickets.values().any(found) {
            return Ok(None);
        }
        Ok(Some(Wandered {
            appliance: id,
            appliance_model: self.appliance_model(id)?,
            state: checkpoint.state.clone(),
        }))
    }
}
