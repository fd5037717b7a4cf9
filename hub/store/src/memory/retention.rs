//! Upkeep: what is kept long enough goes. Readings are counted with their commit and aggregated when they are asked for,
//! so that those that have gone stay here, out of sight of everything but the aggregates.

use super::state::{Appliance, State};
use super::{MemoryStore, text};
use crate::error::Result;
use crate::retention::{Confirmation, Due, DueFrom, Swept, UpkeepStore};
use crate::site::SiteChange;
use async_trait::async_trait;
use hub_core::id::{ApplianceId, TenantId};
use hub_core::retention::{CONFIRMED_FOR, DAY_S, Retention, SWEEPS_KEPT, kept_from};
use jiff::Timestamp;

#[async_trait]
impl UpkeepStore for MemoryStore {
    async fn aggregate(&self, _turn: Option<u16>, _limit: usize, _now: Timestamp) -> Result<usize> {
        self.check_lease()?;
        Ok(0)
    }

    async fn vouch(&self, vouched: Option<Timestamp>, until: Option<Timestamp>) -> Result<()> {
        self.check_lease()?;
        if let Some(at) = vouched {
            self.note_vouched(at);
        }
        self.hub.gate.set(until);
        Ok(())
    }

    async fn shortest_rule(&self) -> Result<Option<u32>> {
        Ok(self.state().retentions.values().copied().flatten().min())
    }

    async fn sweeps(&self, before: Timestamp) -> Result<Vec<u64>> {
        let state = self.state();
        let whole = state.sweeps.range(..day(before)).rev();
        Ok(whole.take(SWEEPS_KEPT).map(|(_, rows)| *rows).collect())
    }

    async fn note_sweep(&self, rows: u64, until: Timestamp) -> Result<()> {
        self.check_lease()?;
        let mut state = self.state();
        let of_day = state.sweeps.entry(day(until)).or_default();
        *of_day = of_day.saturating_add(rows);
        // That of the day that runs beside those that tell what is usual.
        while state.sweeps.len() > SWEEPS_KEPT + 1 {
            state.sweeps.pop_first();
        }
        Ok(())
    }

    async fn confirm_sweep(&self, by: &str, now: Timestamp) -> Result<Confirmation> {
        let confirmation = Confirmation {
            at: now,
            expires_at: now.checked_add(CONFIRMED_FOR).unwrap_or(Timestamp::MAX),
            by: text(by),
        };
        self.state().confirmations.push(confirmation.clone());
        Ok(confirmation)
    }

    async fn sweep_confirmed(&self, now: Timestamp) -> Result<Option<Confirmation>> {
        let counts = |given: &&Confirmation| given.at <= now && given.expires_at > now;
        Ok(self.state().confirmations.iter().rev().find(counts).cloned())
    }

    /// All of it in one step.
    async fn due(&self, now: Timestamp, _after: Option<DueFrom>, _limit: usize) -> Result<Due> {
        let mut due = Due::default();
        let Some(now) = self.hub.gate.as_of(now) else {
            return Ok(due);
        };
        let state = self.state();
        for appliance in state.appliances.values() {
            let Some(limit) = rule(&state.retentions, appliance).map(|days| kept_from(now, days.into())) else {
                continue;
            };
            let old = state.rows_of(appliance.id).filter(|row| !row.swept);
            for at in old.map(|row| row.stored.at).filter(|at| *at < limit) {
                due.add(1, Some(at), Some(at));
            }
        }
        Ok(due)
    }

    /// All of it in one step.
    async fn sweep(&self, now: Timestamp, _after: Option<ApplianceId>, _limit: usize) -> Result<Swept> {
        self.check_lease()?;
        let Some(now) = self.hub.gate.as_of(now) else {
            return Ok(Swept::default());
        };
        let mut state = self.state();
        let state = &mut *state;
        let mut swept = Swept::default();
        for appliance in state.appliances.values() {
            let Some(limit) = rule(&state.retentions, appliance).map(|days| kept_from(now, days.into())) else {
                continue;
            };
            let rows = state.telemetry.partitions[usize::from(appliance.partition)].iter_mut();
            let own = rows.filter(|row| row.stored.appliance == appliance.id && !row.swept);
            for row in own.filter(|row| row.stored.at < limit) {
                row.swept = true;
                swept.rows += 1;
            }
        }
        Ok(swept)
    }
}

/// Rules by tenant and profile; with an empty profile, that of the tenant.
type Rules = std::collections::BTreeMap<(TenantId, String), Option<u32>>;

/// The rule of an appliance in days: its family's, or else its tenant's, or else none.
fn rule(rules: &Rules, appliance: &Appliance) -> Option<u32> {
    let of = |profile: &str| rules.get(&(appliance.tenant.clone(), profile.to_owned()));
    of(&appliance.profile).or_else(|| of("")).copied().flatten()
}

/// The number of a day (UTC).
fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(DAY_S)
}

impl State {
    /// Brings a tenant's rules to what is declared; those that are not named stay.
    pub(super) fn put_retentions(&mut self, tenant: &TenantId, rules: &[Retention], changes: &mut Vec<SiteChange>) {
        for rule in rules {
            let place = (tenant.clone(), rule.profile.clone().unwrap_or_default());
            let known = self.retentions.insert(place, rule.days);
            if known != Some(rule.days) {
                changes.push(SiteChange {
                    action: if known.is_some() { "change" } else { "add" },
                    kind: "retention",
                    id: format!("{tenant}/{}", rule.family()),
                });
            }
        }
    }
}
