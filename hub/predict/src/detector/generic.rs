//! One appliance under a model without a network: its steps to what the detector says of them.

use hub_core::prediction::{Contribution, Evidence, FaultPrediction, SecondOpinion, Severity, UNKNOWN_FAULT};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::opinion::Opinion;
use super::{Detector, Pending, Stage};
use crate::course::Course;
use crate::features::Step;
use crate::floors::Wander;
use crate::generic::{self, ChannelBaseline, Settings, Unit};
use crate::manifest::{Kit, Manifest};
use crate::model::{Model, Rules};
use crate::naming;
use crate::network::Window;
use crate::persistence::{AlarmState, Persistence};
use crate::stuck::Stuck;
use crate::table::Row;
use crate::verdict::Verdict;

/// State between steps: with what takes rows in less than 1 kB, saved, for 8 features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Own {
    unit: Unit,
    stuck: Stuck,
    /// Steps in hand while it calibrates, and those that are needed.
    have: u32,
    need: u32,
    /// Steps since a gap, as far as they matter.
    run: u32,
    alarm: bool,
    /// Since when the score has been above the clearing level.
    since: Option<Timestamp>,
    course: Course,
}

/// What is said of a step that was compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    /// It had a value of a feature that is watched.
    measured: bool,
    /// How far each feature was from what was normal at first, in floors.
    deviations: Vec<Option<f64>>,
    score: f32,
    quick_score: f32,
    alarm: bool,
    contributions: Vec<f32>,
    prediction: Option<FaultPrediction>,
    /// While an alarm stands, how far each feature's average has moved, in widths: what it is named by.
    pub(super) moved: Vec<f64>,
    /// On the step that opens an alarm, what the network that gives a second opinion is shown.
    pub(super) window: Option<Window>,
}

impl Own {
    pub(super) fn new(kit: &Kit, calibration: u32) -> Self {
        let settings = Settings {
            calibration,
            ..kit.settings.clone()
        };
        let unit = Unit::new(&kit.channels, &settings);
        let (have, need) = unit.calibration().unwrap_or((0, calibration));
        Self {
            unit,
            stuck: Stuck::new(kit.channels.len()),
            have,
            need,
            run: 0,
            alarm: false,
            since: None,
            course: Course::default(),
        }
    }

    /// Whether it may be that of a model with so many features.
    pub(super) fn fits(&self, features: usize) -> bool {
        self.stuck.fits(features) && self.course.fits(features)
    }

    pub(super) fn alarming(&self) -> bool {
        self.alarm
    }

    /// What is told of the alarm that stands, of this class and held at this score.
    pub(super) fn standing<'a>(
        &self,
        class: Option<&'a str>,
        held: f32,
        manifest: &Manifest,
    ) -> Option<(&'a str, f32)> {
        let class = class.unwrap_or(UNKNOWN_FAULT);
        self.alarm.then(|| (class, probability(class, held, manifest)))
    }

    /// Steps that the calibration has; all where it has ended.
    pub(super) fn have(&self) -> u32 {
        self.have
    }

    /// Steps that it needs.
    pub(super) fn need(&self) -> u32 {
        self.need
    }

    pub(super) fn is_calibrating(&self) -> bool {
        self.unit.calibrating().is_some()
    }

    /// Steps since a gap, at most 600.
    pub(super) fn run(&self) -> u32 {
        self.run
    }

    /// The feature that moves from state to state, so that no normal is found; whether that is so by now, or has only made the
    /// calibration begin again.
    pub(super) fn unsteady(&self) -> Option<(usize, bool)> {
        match self.unit.calibrating()? {
            generic::Step::Calibrating { restarted_by, .. } => Some((restarted_by?, false)),
            generic::Step::CannotCalibrate { channel } => Some((channel, true)),
            generic::Step::Watching { .. } => None,
        }
    }

    /// What is normal for each feature that is watched; nothing while calibrating.
    pub(super) fn normals(&self, kit: &Kit) -> Vec<ChannelBaseline> {
        self.unit.baseline(&kit.channels, &kit.settings)
    }

    /// Steps that were compared with it, up to 65,535.
    pub(super) fn compared(&self) -> Option<u16> {
        self.unit.compared()
    }

    /// Whether the sensor of a feature has repeated itself for too long.
    pub(super) fn is_stuck(&self, feature: usize, manifest: &Manifest) -> bool {
        self.stuck.is_stuck(feature, manifest)
    }

    /// How far features wander, and the floors that they are judged by; none while it calibrates or an alarm stands.
    pub(super) fn wander(&self, kit: &Kit) -> Option<Wander> {
        let is_told = !self.alarm && !self.is_calibrating();
        is_told.then(|| Wander {
            wanders: self.unit.wander(&kit.channels),
            floors: self.unit.floors(&kit.channels, &kit.settings),
            tolerances: self.unit.tolerances(&kit.channels, &kit.settings),
        })
    }

    /// Takes a row, for what it says of sensors.
    pub(super) fn see(&mut self, row: &Row, rules: Rules<'_>) {
        self.stuck.see(row, rules.manifest, rules.profile);
    }

    /// Whether a step has nothing that could be compared, whatever its sensors are like: a feature without its condition is as good as
    /// missing.
    pub(super) fn is_empty(step: &Step, kit: &Kit) -> bool {
        Unit::is_empty(&kit.channels, &kit.settings, &step.raw)
    }

    /// Notes a period that made no step, since its rows come too seldom.
    pub(super) fn thin(&mut self) {
        self.run = 0;
    }

    /// Takes a step, and keeps of it what a second opinion needs.
    pub(super) fn step(&mut self, mut step: Step, manifest: &Manifest, kit: &Kit, opinion: &mut Opinion) -> Pending {
        self.stuck.judge(&mut step, manifest);
        self.run = match step.after_gap {
            true => 1,
            false => (self.run + 1).min(RUN_MAX),
        };
        let (channels, settings) = (&kit.channels, &kit.settings);
        let told = self
            .unit
            .step(channels, settings, &step.raw, step.after_gap, self.alarm);
        let said = match told {
            generic::Step::Calibrating { .. } | generic::Step::CannotCalibrate { .. } => None,
            generic::Step::Watching {
                score,
                top,
                slow_score,
                alarm,
                slow,
                measured,
                rose,
            } => {
                let in_force = score.max(slow_score) / settings.threshold;
                self.alarm = alarm;
                self.since = match alarm || in_force >= settings.clear_below {
                    true => self.since.or(Some(step.at)),
                    false => None,
                };
                let contributions = shares(&top, channels.len());
                if let Some(shown) = &kit.shown {
                    opinion.see(shown, &step, || self.unit.baseline(channels, settings));
                }
                Some(Said {
                    measured,
                    moved: match alarm {
                        true => self.unit.moved(channels, settings, slow),
                        false => Vec::new(),
                    },
                    // The network knows minutes: of what creeps it says nothing.
                    window: match (rose && !slow, &kit.shown) {
                        (true, Some(shown)) => opinion.window(shown),
                        _ => None,
                    },
                    deviations: self.unit.deviations(channels, settings, &step.raw),
                    score: in_force as f32,
                    quick_score: (score / settings.threshold) as f32,
                    alarm,
                    prediction: alarm.then(|| FaultPrediction {
                        fault_class: UNKNOWN_FAULT.to_owned(),
                        severity: manifest.classification.unknown_severity,
                        probability: 0.0,
                        basis: manifest.evidence.basis(UNKNOWN_FAULT),
                        verdicts: None,
                        model_hash: None,
                        below_call_level: false,
                        score: in_force as f32,
                        model: manifest.id(),
                        at: step.at,
                        since: self.since.unwrap_or(step.at),
                        top: causes(&self.unit, &top, &contributions, slow, kit),
                        second_opinion: None,
                    }),
                    contributions,
                })
            }
        };
        if let Some((have, need)) = self.unit.calibration() {
            (self.have, self.need) = (have, need);
        } else {
            self.have = self.need;
        }
        let missing = step.raw.iter().enumerate().filter(|(_, value)| value.is_none());
        Pending {
            at: step.at,
            suspect: missing.map(|(feature, _)| feature).collect(),
            after_gap: step.after_gap,
            raw: step.raw,
            watched: None,
            said,
            named: None,
        }
    }

    /// Adds a step that is concluded to what a ticket draws. Not before: others may be prepared by then, and what is frozen with an
    /// alarm must hold nothing that came behind it.
    pub(super) fn draw(&mut self, at: Timestamp, said: &Said, manifest: &Manifest) {
        let points = manifest.persistence.evidence_points;
        self.course.push(at, said.score, &said.deviations, points);
    }

    /// The newest steps to freeze with a ticket.
    pub(super) fn evidence(&self, kit: &Kit, prediction: &FaultPrediction) -> Evidence {
        let (channels, settings) = (&kit.channels, &kit.settings);
        let columns: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
        let value_at = |feature, floors| self.unit.value_at(channels, settings, feature, floors);
        self.course.evidence(prediction, &columns, value_at)
    }
}

/// Steps beyond which nothing is counted: as many as an alarm may be held for.
const RUN_MAX: u32 = 600;

impl Said {
    /// Takes the score into what is held; nothing of a step in which nothing was measured.
    pub(super) fn hold(&self, held: &mut Persistence, at: Timestamp, manifest: &Manifest) -> AlarmState {
        match self.measured {
            true => held.follow(self.score, self.alarm, at, &manifest.persistence),
            false => held.unchanged(),
        }
    }

    /// An alarm stands.
    pub(super) fn alarm(&self) -> bool {
        self.alarm
    }

    /// Puts it into the verdict, with what was held of the score, the name of the alarm and what a second model makes of it.
    pub(super) fn tell(
        self,
        verdict: &mut Verdict,
        held: AlarmState,
        model: &Model,
        fault: Option<&(String, Severity)>,
        second_opinion: Option<SecondOpinion>,
    ) {
        let manifest = model.manifest();
        verdict.judged = self.measured;
        verdict.score = self.score;
        verdict.held = held.held;
        verdict.baseline_score = self.quick_score;
        verdict.alarm = self.alarm;
        verdict.contributions = self.contributions;
        verdict.prediction = self.prediction.map(|prediction| {
            let unnamed = (prediction.fault_class.clone(), prediction.severity);
            let (fault_class, severity) = fault.unwrap_or(&unnamed);
            FaultPrediction {
                score: held.held_peak.max(prediction.score.min(1.0)),
                probability: probability(fault_class, held.held_peak, manifest),
                basis: manifest.evidence.basis(fault_class),
                fault_class: fault_class.clone(),
                severity: *severity,
                model_hash: Some(model.hash().to_owned()),
                second_opinion,
                ..prediction
            }
        });
    }
}

/// What is stated of an alarm of this class, held at this score: by the model's own rule where that has one and the fault has a name.
fn probability(class: &str, held: f32, manifest: &Manifest) -> f32 {
    match (&manifest.probability, &manifest.detector) {
        (Some(rule), _) if class != UNKNOWN_FAULT => naming::probability(held, Some(rule)),
        (_, Some(detector)) => detector.probability as f32,
        (_, None) => 0.0,
    }
}

/// The features that moved most, with where their averages are.
pub(super) fn causes(unit: &Unit, top: &[(usize, f64)], shares: &[f32], slow: bool, kit: &Kit) -> Vec<Contribution> {
    let normals = unit.baseline(&kit.channels, &kit.settings);
    let cause = |(feature, _): &(usize, f64)| {
        let is_it = |normal: &&ChannelBaseline| normal.channel == *feature;
        let (normal, channel) = (normals.iter().find(is_it)?, kit.channels.get(*feature)?);
        Some(Contribution {
            channel: channel.name.clone(),
            share: shares.get(*feature).copied().unwrap_or(0.0),
            value: normal.average,
            baseline_mean: if slow { normal.first_centre } else { normal.centre },
            baseline_deviation: normal.floor,
            unit: channel.unit.clone(),
        })
    };
    top.iter().filter_map(cause).collect()
}

/// Each feature's part of the squares that make the score.
pub(super) fn shares(top: &[(usize, f64)], features: usize) -> Vec<f32> {
    let sum: f64 = top.iter().map(|(_, z)| z * z).sum();
    let mut shares = vec![0.0; features];
    for (feature, z) in top {
        if let Some(share) = shares.get_mut(*feature).filter(|_| sum > 0.0) {
            *share = (z * z / sum) as f32;
        }
    }
    shares
}

impl Detector {
    /// How far features wander, and the floors that they are judged by; none with a network, of named faults, while calibrating, and while
    /// an alarm stands.
    pub(crate) fn wander(&self, model: &Model) -> Option<Wander> {
        match (&self.stage, model.rules().kit) {
            (Stage::Generic(own), Some(kit)) => own.wander(kit),
            // The levels of named faults come from the fleet that they were trained on.
            (Stage::Generic(_), None) | (Stage::Calibrating(_) | Stage::Watching(_) | Stage::Named(_), _) => None,
        }
    }
}
