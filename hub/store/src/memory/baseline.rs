//! Baselines that start over, and the firmware that they are learned under.

use super::state::{self, State};
use crate::error::Result;
use hub_core::actor::Actor;
use hub_core::baseline::{Baseline, Firmware, RESTARTS_KEPT, Restart, version};
use hub_core::id::ApplianceId;
use hub_core::situation::Changes;
use jiff::Timestamp;
use std::collections::BTreeSet;

impl State {
    /// Takes what a device says of its firmware.
    pub(super) fn take_firmware(&mut self, appliance: ApplianceId, said: &str, at: Timestamp) {
        if let Some(version) = version(said) {
            let known = self.firmware.entry(appliance);
            known.or_insert_with(|| Firmware::first(version, at)).tell(version, at);
        }
    }

    pub(super) fn firmware_changes(&self, appliances: &[ApplianceId]) -> Vec<(ApplianceId, Timestamp)> {
        let asked: BTreeSet<&ApplianceId> = appliances.iter().collect();
        let known = asked.into_iter().filter_map(|id| Some((*id, self.firmware.get(id)?)));
        known
            .filter(|(_, firmware)| firmware.told != firmware.baseline)
            .map(|(id, firmware)| (id, firmware.told_at))
            .collect()
    }

    pub(super) fn follow_firmware(&mut self, appliances: &[ApplianceId], now: Timestamp) -> Result<Vec<ApplianceId>> {
        let mut changes = Changes::default();
        let mut restarted = Vec::new();
        for (appliance, _) in self.firmware_changes(appliances) {
            let mut situation = self.situation(appliance, now)?;
            if let Some(firmware) = self.firmware.get(&appliance).cloned()
                && situation.follow_firmware(firmware, now, &mut changes)?
            {
                restarted.push(appliance);
            }
        }
        self.save(changes)?;
        Ok(restarted)
    }

    pub(super) fn baseline(&self, actor: &Actor, appliance: ApplianceId) -> Result<Baseline> {
        self.seen(actor, appliance)?;
        let restarts = self.restarts.get(&appliance).map_or(&[][..], Vec::as_slice);
        Ok(Baseline {
            firmware: self.firmware.get(&appliance).cloned(),
            holds_a_fault: self.situation(appliance, Timestamp::MIN)?.holds_a_fault(),
            restarts: restarts.iter().rev().cloned().collect(),
        })
    }

    /// What the detector in memory says does not count from now on, and the next one learns under the newest firmware.
    pub(super) fn note_restart(&mut self, appliance: ApplianceId, restart: Restart) {
        let known = self.baselines.get(&appliance);
        let restarted = state::Baseline {
            restarted: true,
            fresh_after: known.map_or(0, |baseline| baseline.fresh_after),
        };
        self.baselines.insert(appliance, restarted);
        if let Some(firmware) = self.firmware.get_mut(&appliance) {
            firmware.settle();
        }
        let restarts = self.restarts.entry(appliance).or_default();
        restarts.push(restart);
        let over = restarts.len().saturating_sub(RESTARTS_KEPT);
        restarts.drain(..over);
    }

    pub(super) fn is_restarted(&self, appliance: ApplianceId) -> bool {
        self.baselines
            .get(&appliance)
            .is_some_and(|baseline| baseline.restarted)
    }

    /// Those whose baseline was restarted: it starts with rows that are not scored yet.
    pub(super) fn take_restarted(&mut self) -> Vec<ApplianceId> {
        let mut taken = Vec::new();
        for (id, baseline) in self.baselines.iter_mut().filter(|(_, baseline)| baseline.restarted) {
            let partition = self
                .appliances
                .get(id)
                .map(|appliance| usize::from(appliance.partition));
            baseline.restarted = false;
            baseline.fresh_after = partition.map_or(0, |partition| self.telemetry.scored[partition].ingest_no);
            taken.push(*id);
        }
        self.checkpoints.retain(|(id, _), _| !taken.contains(id));
        self.watching.retain(|id, _| !taken.contains(id));
        taken
    }
}
