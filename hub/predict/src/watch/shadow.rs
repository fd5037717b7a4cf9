//! Challengers: scored with the rows of their champions, and heard for comparison only. One that fails is dropped with the
//! reason; nothing of it reaches a champion, which is given its rows first.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hub_core::error_chain::in_full;
use hub_core::id::ApplianceId;
use hub_core::shadow::ShadowSaid;
use hub_core::situation::Observation;
use hub_store::prediction::{Challenge, Checkpoint, ScoringSubject, ShadowCommit};
use hub_store::telemetry::StoredRow;

use crate::batch::{Batch, Detectors, Judged, Manner, WINDOWS_MAX};
use crate::detector::Detector;
use crate::model::Model;
use crate::registry::Registry;

/// See the module.
#[derive(Default)]
pub(super) struct Shadow {
    /// By the family of their champions.
    challengers: BTreeMap<String, Challenger>,
    /// What is to be saved.
    commit: ShadowCommit,
}

struct Challenger {
    model: Arc<Model>,
    detectors: Detectors,
    /// For each appliance the row up to which its checkpoint goes.
    after: HashMap<ApplianceId, i64>,
    /// Appliances of which it was said that it judges them.
    judges: HashSet<ApplianceId>,
}

impl Shadow {
    pub(super) fn new(registry: &Registry) -> Self {
        let mut shadow = Self::default();
        for (family, champion) in registry.families() {
            let Some(model) = registry.challenger(family) else {
                continue;
            };
            shadow.commit.begun.push(Challenge {
                family: family.to_owned(),
                model: model.version().to_owned(),
                hash: model.hash().to_owned(),
                champion: champion.version().to_owned(),
            });
            let challenger = Challenger {
                model: model.clone(),
                detectors: Detectors::default(),
                after: HashMap::new(),
                judges: HashSet::new(),
            };
            shadow.challengers.insert(family.to_owned(), challenger);
        }
        shadow
    }

    /// Whether any challenger is scored.
    pub(super) fn is_on(&self) -> bool {
        !self.challengers.is_empty()
    }

    /// Takes an appliance of this family: its detector goes on from its checkpoint, if there is one of this challenger. Without one
    /// it begins with the rows that come.
    pub(super) fn admit(&mut self, family: &str, subject: &ScoringSubject) {
        let Some(challenger) = self.challengers.get_mut(family) else {
            return;
        };
        let model = &challenger.model;
        let own = subject.checkpoints.iter().find(|c| c.model == model.version());
        let restored = own.and_then(|c| Some((Detector::restore(model, &c.state).ok()?, c.ingest_no)));
        let (detector, after) = restored.unwrap_or_else(|| (Detector::new(model), 0));
        challenger.detectors.insert(subject.appliance, model.clone(), detector);
        challenger
            .after
            .insert(subject.appliance, after.max(subject.fresh_after));
    }

    pub(super) fn remove(&mut self, appliance: ApplianceId) {
        for challenger in self.challengers.values_mut() {
            challenger.detectors.remove(appliance);
            challenger.after.remove(&appliance);
            challenger.judges.remove(&appliance);
        }
    }

    /// Gives challengers the rows that their champions were given.
    pub(super) fn give(&mut self, rows: &[StoredRow], again: bool) {
        let mut failed = Vec::new();
        for (family, challenger) in &mut self.challengers {
            match challenger.give(rows, again) {
                Ok(_) if again => {}
                Ok(judged) => {
                    for step in &judged {
                        let appliance = step.row.appliance;
                        let first = step.verdict.judged && challenger.judges.insert(appliance);
                        let judges = first.then_some(ShadowSaid::Judges { at: step.verdict.at });
                        let said = judges.into_iter().chain(said(step));
                        self.commit
                            .said
                            .extend(said.map(|said| (family.clone(), appliance, said)));
                    }
                }
                Err(why) => failed.push((family.clone(), why)),
            }
        }
        for (family, why) in failed {
            tracing::warn!(
                family,
                why,
                "a challenger failed and is scored no more; its champion goes on"
            );
            self.challengers.remove(&family);
            self.commit.dropped.insert(family, why);
        }
    }

    /// What the detectors of an appliance hold, of which the champion's is saved with the same row.
    pub(super) fn checkpoints(&self, appliance: ApplianceId, ingest_no: i64) -> impl Iterator<Item = Checkpoint> {
        let challengers = self.challengers.values();
        challengers.filter_map(move |challenger| {
            let (model, state) = (
                challenger.detectors.model(appliance)?,
                challenger.detectors.checkpoint(appliance)?,
            );
            Some(Checkpoint {
                appliance,
                model: model.version().to_owned(),
                ingest_no: ingest_no.max(challenger.after.get(&appliance).copied().unwrap_or(0)),
                state,
            })
        })
    }

    /// Appliances of which a challenger says something that is said once: its state is saved with that. That it judges may be said
    /// again.
    pub(super) fn heard(&self) -> impl Iterator<Item = ApplianceId> {
        let said = self.commit.said.iter();
        let once = said.filter(|(.., said)| !matches!(said, ShadowSaid::Judges { .. }));
        once.map(|(_, appliance, _)| *appliance)
    }

    /// Puts another detector in the place of a challenger's.
    #[cfg(test)]
    pub(super) fn replace(&mut self, family: &str, appliance: ApplianceId, detector: Detector) {
        if let Some(challenger) = self.challengers.get_mut(family) {
            let model = challenger.model.clone();
            challenger.detectors.insert(appliance, model, detector);
        }
    }

    /// Scores another model in the place of a challenger, of appliances that come.
    #[cfg(test)]
    pub(super) fn replace_model(&mut self, family: &str, model: Arc<Model>) {
        if let Some(challenger) = self.challengers.get_mut(family) {
            challenger.model = model;
        }
    }

    /// What is to be saved now.
    pub(super) fn take(&mut self) -> ShadowCommit {
        std::mem::take(&mut self.commit)
    }
}

impl Challenger {
    /// What came of these rows, or why it cannot go on.
    fn give(&mut self, rows: &[StoredRow], again: bool) -> Result<Vec<Judged>, String> {
        let is_new = |row: &&StoredRow| {
            self.after
                .get(&row.appliance)
                .is_some_and(|after| row.ingest_no > *after)
        };
        let rows: Vec<StoredRow> = rows.iter().filter(is_new).cloned().collect();
        let manner = Manner {
            again,
            windows: WINDOWS_MAX,
            progress: &(),
        };
        // What it leaves half done is dropped with it.
        let scored = catch_unwind(AssertUnwindSafe(|| self.detectors.score(rows, &manner)));
        let Batch { judged, failed, .. } =
            scored.map_err(|_| "it ended the thread; the log has the place in the code".to_owned())?;
        match failed.into_iter().next() {
            Some(failed) => Err(in_full(&failed.error)),
            None => Ok(judged),
        }
    }
}

/// What is compared is that an alarm stands: another fault that is seen apart belongs to it, and does not take its name.
fn said(judged: &Judged) -> impl Iterator<Item = ShadowSaid> {
    let at = judged.verdict.at;
    let standing = judged.verdict.prediction.as_ref();
    judged.news.iter().filter_map(move |news| match news {
        Observation::Clear { .. } => Some(ShadowSaid::Clear { at }),
        Observation::Alarm { prediction, .. } => {
            let is_apart = standing.is_some_and(|own| own.fault_class != prediction.fault_class);
            (!is_apart).then(|| ShadowSaid::Alarm {
                at,
                fault_class: prediction.fault_class.clone(),
                probability: prediction.probability,
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::id::TraceId;
    use hub_core::prediction::{Evidence, FaultPrediction, Severity};
    use hub_core::release::Basis;
    use jiff::Timestamp;

    use crate::batch::RowRef;
    use crate::verdict::Verdict;

    fn prediction(class: &str) -> FaultPrediction {
        FaultPrediction {
            fault_class: class.to_owned(),
            probability: 0.3,
            verdicts: None,
            severity: Severity::Major,
            score: 1.0,
            model: "washing-machine/2".to_owned(),
            model_hash: None,
            at: Timestamp::UNIX_EPOCH,
            since: Timestamp::UNIX_EPOCH,
            top: vec![],
            second_opinion: None,
            below_call_level: true,
            basis: Basis::default(),
        }
    }

    #[test]
    fn another_fault_that_is_seen_apart_takes_no_alarms_name() {
        let row = RowRef {
            place: (0, 1),
            appliance: ApplianceId(1),
            trace: TraceId::new(Timestamp::UNIX_EPOCH, [0; 10]),
        };
        let alarm = |class: &str| Observation::Alarm {
            appliance: row.appliance,
            prediction: Box::new(prediction(class)),
            evidence: Evidence::left_out(),
            trace: row.trace,
        };
        let verdict = Verdict {
            at: Timestamp::UNIX_EPOCH,
            calibrating: false,
            judged: true,
            score: 1.0,
            held: 1.0,
            baseline_score: 0.0,
            autoencoder_score: 0.0,
            alarm: true,
            prediction: Some(prediction("drain_pump")),
            apart: vec![prediction("drum_bearing")],
            contributions: vec![],
            values: vec![],
            suspect: vec![],
        };
        let news = vec![alarm("drain_pump"), alarm("drum_bearing")];
        let judged = Judged { row, verdict, news };
        let all: Vec<ShadowSaid> = said(&judged).collect();
        let ShadowSaid::Alarm { fault_class, .. } = &all[0] else {
            panic!("{all:?}");
        };
        assert_eq!((all.len(), fault_class.as_str()), (1, "drain_pump"));
    }
}
