//! Challenges, and what their challengers said.

use super::state::State;
use crate::prediction::{Challenged, KeptChallenge, ShadowCommit};
use hub_core::finding::{Finding, FindingState};
use hub_core::id::ApplianceId;
use hub_core::shadow::{ChampionAlarm, ShadowAlarms};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A challenge, with what its challenger said of appliances.
#[derive(Debug, Clone)]
pub(super) struct Shadow {
    pub(super) kept: KeptChallenge,
    said: BTreeMap<ApplianceId, ShadowAlarms>,
}

impl State {
    pub(super) fn save_shadow(&mut self, shadow: &ShadowCommit, now: Timestamp) {
        for challenge in &shadow.begun {
            let known = self.shadows.get_mut(&challenge.family);
            match known.filter(|known| known.kept.challenge == *challenge) {
                Some(known) => known.kept.dropped = None,
                None => {
                    let kept = KeptChallenge {
                        challenge: challenge.clone(),
                        begun_at: now,
                        dropped: None,
                    };
                    let said = BTreeMap::new();
                    self.shadows.insert(challenge.family.clone(), Shadow { kept, said });
                }
            }
        }
        for (family, appliance, said) in &shadow.said {
            if let Some(known) = self.shadows.get_mut(family) {
                known.said.entry(*appliance).or_default().take(said);
            }
        }
        for (family, why) in &shadow.dropped {
            if let Some(known) = self.shadows.get_mut(family) {
                known.kept.dropped = Some((now, why.clone()));
            }
        }
    }

    pub(super) fn challenged(&self, family: &str, after: Option<ApplianceId>, limit: usize) -> Vec<Challenged> {
        let Some(shadow) = self.shadows.get(family) else {
            return Vec::new();
        };
        let judged = shadow
            .said
            .iter()
            .filter_map(|(id, said)| Some((*id, said, said.judged_from?)));
        let behind = judged.filter(|(id, ..)| after.is_none_or(|after| *id > after));
        let is_champions = |finding: &&Finding| finding.prediction.model == shadow.kept.challenge.champion;
        let challenged = |(appliance, said, from): (ApplianceId, &ShadowAlarms, Timestamp)| {
            let findings = self.findings.values().filter(is_champions);
            let alarms = findings.filter(|finding| finding.appliance == appliance);
            let alarms = alarms.map(|finding| self.champion_alarm(finding));
            Challenged {
                appliance,
                champion: alarms.filter(|alarm| alarm.reaches(from)).collect(),
                challenger: said.clone(),
            }
        };
        behind.take(limit).map(challenged).collect()
    }

    fn champion_alarm(&self, finding: &Finding) -> ChampionAlarm {
        let ticket = finding.ticket.and_then(|ticket| self.tickets.get(&ticket));
        ChampionAlarm {
            at: finding.alarm_at,
            until: (finding.state == FindingState::Cleared).then_some(finding.last_seen),
            verdict: ticket.and_then(|ticket| Some(ticket.outcome.as_ref()?.verdict)),
        }
    }
}
