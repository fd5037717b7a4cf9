//! One appliance under one model: rows in, verdicts out, state that survives a restart.

mod agreement;
mod checkpoint;
mod generic;
mod intake;
mod named;
mod normal;
mod opinion;
mod span;

pub use checkpoint::CheckpointError;
pub use intake::Standing;

use std::collections::VecDeque;

use hub_core::prediction::{Evidence, FaultPrediction, Severity};
use hub_core::profile::ApplianceProfile;
use hub_core::watching::Unjudged;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::baseline::{Baseline, Deviation, Moments};
use crate::evidence::Recent;
use crate::features::{Sensors, Step};
use crate::manifest::Manifest;
use crate::model::{Model, Rules};
use crate::naming;
use crate::network::{Reconstruction, Window};
use crate::persistence::Persistence;
use crate::resampler::Resampler;
use crate::table::Row;
use crate::verdict::Verdict;
use agreement::{score, slide};
use generic::{Own, Said};
use intake::Intake;
use opinion::Opinion;
use span::Span;

/// State of one appliance under one model. Bounded: one window, the evidence ring and the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    model: String,
    calibrate: u32,
    calibrated: u32,
    resampler: Resampler,
    sensors: Sensors,
    stage: Stage,
    /// Scaled deviations of the newest steps, the oldest first, one of each feature a step.
    window: VecDeque<f32>,
    persistence: Persistence,
    span: Span,
    fault: Option<(String, Severity)>,
    recent: Recent,
    intake: Intake,
    /// Score with which the alarm that stands was told last.
    told: Option<f32>,
    /// Steps, one after the other, in which nothing could be compared.
    empty_for: u32,
    opinion: Opinion,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Stage {
    Calibrating(Moments),
    Watching(Baseline),
    /// Of a model without a network: nothing else of the state is used but what takes rows in.
    Generic(Box<Own>),
    /// The same of a model that names faults without a network.
    Named(Box<named::Own>),
}

/// A model step that waits for its reconstruction.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    at: Timestamp,
    raw: Vec<Option<f64>>,
    after_gap: bool,
    suspect: Vec<usize>,
    watched: Option<Watched>,
    said: Option<Said>,
    named: Option<Box<named::Said>>,
}

/// What comes of a reading.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Taken {
    /// The model steps that it completes, oldest first.
    pub steps: Vec<Pending>,
    /// Why it completes no row, if it does not.
    pub unjudged: Option<Unjudged>,
}

#[derive(Debug, Clone, PartialEq)]
struct Watched {
    deviation: Deviation,
    normal: Vec<(f64, f64)>,
    window: Option<Window>,
}

impl Pending {
    /// The window to reconstruct; none while calibrating and until the first window is full. Of a network that gives a second opinion
    /// there is one on the step that opens an alarm.
    pub fn window(&self) -> Option<&Window> {
        match &self.said {
            Some(said) => said.window.as_ref(),
            None => self.watched.as_ref()?.window.as_ref(),
        }
    }
}

impl Detector {
    /// A new detector that first learns the unit's baseline, as long as the manifest says.
    pub fn new(model: &Model) -> Detector {
        Self::with_calibration(model, model.manifest().baseline.calibration)
    }

    /// The same with another length of calibration: rows, or programme runs for rule `cycle`; at least 10. Without a network steps, 40
    /// to 400; named faults have a length of their own.
    pub fn with_calibration(model: &Model, calibrate: u32) -> Detector {
        let rules = model.rules();
        let Some(kit) = rules.kit else {
            return Self::for_manifest(rules.manifest, calibrate);
        };
        let (stage, need) = match named::Own::new(kit) {
            Some(own) => {
                let need = own.calibration().map_or(0, |(_, need)| need);
                (Stage::Named(Box::new(own)), need)
            }
            None => {
                let own = Own::new(kit, calibrate);
                let need = own.need();
                (Stage::Generic(Box::new(own)), need)
            }
        };
        Detector {
            model: kit.state.clone(),
            calibrate: need,
            calibrated: 0,
            resampler: Resampler::new(rules.manifest),
            sensors: Sensors::new(0),
            stage,
            window: VecDeque::new(),
            persistence: Persistence::new(),
            span: Span::new(0),
            fault: None,
            recent: Recent::new(),
            intake: Intake::new(0),
            told: None,
            empty_for: 0,
            opinion: Opinion::default(),
        }
    }

    /// A detector without a network, for training: its windows are what the network learns from.
    pub fn for_manifest(manifest: &Manifest, calibrate: u32) -> Detector {
        let n = manifest.features.len();
        Detector {
            model: manifest.id(),
            calibrate: calibrate.max(10),
            calibrated: 0,
            resampler: Resampler::new(manifest),
            sensors: Sensors::new(n),
            stage: Stage::Calibrating(Moments::new(n)),
            window: VecDeque::new(),
            persistence: Persistence::new(),
            span: Span::new(n),
            fault: None,
            recent: Recent::new(),
            intake: Intake::new(n),
            told: None,
            empty_for: 0,
            opinion: Opinion::default(),
        }
    }

    /// An alarm was standing after the newest concluded step.
    pub fn alarming(&self) -> bool {
        match &self.stage {
            Stage::Generic(own) => own.alarming(),
            Stage::Named(own) => own.alarming(),
            Stage::Calibrating(_) | Stage::Watching(_) => self.persistence.alarm(),
        }
    }

    /// Score with which the alarm that stands was told; of a state that does not say it, what was held at most.
    pub(crate) fn told_score(&self) -> f32 {
        self.told.unwrap_or_else(|| self.persistence.held_peak().max(1.0))
    }

    /// Notes with which score an alarm was told; none when its end is.
    pub(crate) fn note_told(&mut self, score: Option<f32>) {
        self.told = score;
    }

    /// What the alarm that stands after the newest concluded step was named, and how probable it has become: no verdict of
    /// this alarm has said more. None if no alarm stands.
    pub fn standing<'a>(&'a self, model: &'a Model) -> Option<(&'a str, f32)> {
        match &self.stage {
            Stage::Generic(own) => {
                let class = self.fault.as_ref().map(|(class, _)| class.as_str());
                return own.standing(class, self.persistence.held_peak(), model.manifest());
            }
            Stage::Named(own) => return own.standing(model.manifest(), model.rules().kit?),
            Stage::Calibrating(_) | Stage::Watching(_) => {}
        }
        let (class, _) = self.fault.as_ref().filter(|_| self.persistence.alarm())?;
        let probability = naming::probability(self.persistence.held_peak(), model.manifest().probability.as_ref());
        Some((class.as_str(), probability))
    }

    /// Takes one reading, received by the hub at `received_at`, and gives the model steps it completes. Readings of one period
    /// are one row, channel by channel. Steps of several readings, and of several appliances, may be prepared before any is
    /// concluded; those of one appliance are concluded in order.
    pub fn take(&mut self, model: &Model, row: &Row, received_at: Timestamp) -> Taken {
        self.take_row(model.rules(), row, received_at)
    }

    /// The steps of [`Detector::take`], of a reading that was received when it was taken.
    pub fn prepare(&mut self, model: &Model, row: &Row) -> Vec<Pending> {
        self.take(model, row, row.at).steps
    }

    /// [`Detector::prepare`] without a network, for training.
    pub fn prepare_row(&mut self, manifest: &Manifest, profile: &ApplianceProfile, row: &Row) -> Vec<Pending> {
        let rules = Rules {
            manifest,
            profile,
            kit: None,
        };
        self.take_row(rules, row, row.at).steps
    }

    fn take_row(&mut self, rules: Rules<'_>, row: &Row, received_at: Timestamp) -> Taken {
        let need = rules.need();
        let (rows, unjudged) = self.intake.gather.push(row, received_at, &need);
        let steps = self.take_rows(rules, &rows);
        self.note(unjudged, rows.len(), &need, row.at.min(received_at), rules.manifest);
        Taken { steps, unjudged }
    }

    /// Takes what is still gathered, of a unit whose readings have ended: the steps that it completes. None if nothing is.
    pub(crate) fn take_rest(&mut self, model: &Model) -> Option<Vec<Pending>> {
        let rules = model.rules();
        let need = rules.need();
        let row = self.intake.gather.end(&need)?;
        let steps = self.take_rows(rules, std::slice::from_ref(&row));
        self.note(None, 1, &need, row.at, rules.manifest);
        Some(steps)
    }

    fn take_rows(&mut self, rules: Rules<'_>, rows: &[Row]) -> Vec<Pending> {
        let mut steps = Vec::new();
        for row in rows {
            let of_row = self.advance(rules, row);
            self.note_row(&of_row, rules.manifest);
            steps.extend(of_row);
        }
        steps
    }

    fn advance(&mut self, rules: Rules<'_>, row: &Row) -> Vec<Pending> {
        let Rules { manifest, profile, .. } = rules;
        match &mut self.stage {
            Stage::Generic(own) => own.see(row, rules),
            Stage::Named(own) => own.see(row, rules),
            Stage::Calibrating(_) | Stage::Watching(_) => {}
        }
        let counts_rows = matches!(self.resampler, Resampler::Period(_));
        if counts_rows && self.calibrated < self.calibrate {
            self.calibrated += 1;
        } else if counts_rows {
            self.end_calibration(manifest);
        }
        let completed = self.resampler.push(manifest, profile, row);
        self.note_completed(&completed, rules);
        match (&mut self.stage, rules.kit) {
            (Stage::Generic(own), Some(kit)) => {
                let steps = completed.steps.into_iter();
                let opinion = &mut self.opinion;
                let steps = steps.map(|step| own.step(step, manifest, kit, opinion)).collect();
                self.calibrated = own.have();
                steps
            }
            (Stage::Named(own), Some(kit)) => {
                let runs = own.take(row, completed, self.resampler.is_under_way(), manifest, kit);
                self.calibrated = own.calibration().map_or(self.calibrate, |(have, _)| have);
                self.note_named(runs)
            }
            (Stage::Generic(_) | Stage::Named(_), None) => Vec::new(),
            (Stage::Calibrating(_) | Stage::Watching(_), _) => {
                let steps = completed.steps.into_iter();
                steps.map(|step| self.observe(step, manifest)).collect()
            }
        }
    }

    fn end_calibration(&mut self, manifest: &Manifest) {
        if let Stage::Calibrating(moments) = &self.stage {
            self.stage = Stage::Watching(Baseline::new(moments, manifest));
            self.intake.levels.end();
        }
    }

    fn observe(&mut self, step: Step, manifest: &Manifest) -> Pending {
        let features = self.sensors.observe(&step, manifest);
        if matches!(self.resampler, Resampler::Cycle(_)) && self.calibrated >= self.calibrate {
            self.end_calibration(manifest);
        }
        let watched = match &mut self.stage {
            // Its steps do not come here.
            Stage::Generic(_) | Stage::Named(_) => None,
            Stage::Calibrating(moments) => {
                moments.add(&features);
                self.intake.levels.add(&features, self.calibrate, manifest);
                if matches!(self.resampler, Resampler::Cycle(_)) {
                    self.calibrated += 1;
                }
                None
            }
            Stage::Watching(baseline) => {
                if step.after_gap {
                    baseline.forget_average();
                    self.window.clear();
                }
                let deviation = baseline.observe(&features, manifest);
                let normal = (0..features.len())
                    .map(|i| {
                        manifest.features[i]
                            .transform
                            .undo(baseline.centre[i], baseline.deviation[i])
                    })
                    .collect();
                let window = slide(&mut self.window, &deviation, manifest);
                Some(Watched {
                    deviation,
                    normal,
                    window,
                })
            }
        };
        let suspect = features
            .iter()
            .enumerate()
            .filter(|(_, f)| f.is_none())
            .map(|(i, _)| i)
            .collect();
        Pending {
            at: step.at,
            raw: self.sensors.last().to_vec(),
            after_gap: step.after_gap,
            suspect,
            watched,
            said: None,
            named: None,
        }
    }

    /// Judges a prepared step. `reconstruction` is that of [`Pending::window`]; without one no alarm can rise.
    pub fn conclude(&mut self, model: &Model, pending: Pending, reconstruction: Option<Reconstruction>) -> Verdict {
        let manifest = model.manifest();
        let mut verdict = Verdict {
            at: pending.at,
            calibrating: pending.watched.is_none() && pending.said.is_none() && pending.named.is_none(),
            judged: false,
            score: 0.0,
            held: 0.0,
            baseline_score: 0.0,
            autoencoder_score: 0.0,
            alarm: false,
            prediction: None,
            apart: Vec::new(),
            contributions: vec![0.0; manifest.features.len()],
            values: pending.raw,
            suspect: pending.suspect,
        };
        match (&mut self.stage, pending.said, pending.named) {
            (Stage::Generic(own), Some(said), _) => {
                if pending.after_gap {
                    self.persistence.interrupt();
                }
                let state = said.hold(&mut self.persistence, verdict.at, manifest);
                own.draw(verdict.at, &said, manifest);
                let (shown, made) = (model.shown(), reconstruction.as_ref());
                self.opinion.conclude(&said, made, shown, &mut self.fault, manifest);
                said.tell(&mut verdict, state, model, self.fault.as_ref(), self.opinion.said());
                return verdict;
            }
            (Stage::Named(own), _, Some(said)) => {
                own.draw(verdict.at, &said, manifest);
                said.tell(&mut verdict, model);
                return verdict;
            }
            (Stage::Generic(_) | Stage::Named(_), ..) => return verdict,
            (Stage::Calibrating(_) | Stage::Watching(_), ..) => {}
        }
        if let Some(watched) = &pending.watched {
            if pending.after_gap {
                self.persistence.interrupt();
            }
            score(&mut verdict, &watched.deviation, reconstruction.as_ref(), manifest);
            let state = self.persistence.next(verdict.score, verdict.at, &manifest.persistence);
            self.span.next(state, &verdict.values, &watched.deviation.scaled);
            verdict.held = state.held;
            verdict.alarm = state.alarm;
            verdict.prediction = self.predict(&verdict, state, watched, model);
        }
        self.recent.push(verdict.at, verdict.score, &verdict.values, manifest);
        verdict
    }

    /// The recent past to freeze with a ticket: what the prediction's features and the score did, at most 300 points.
    pub fn evidence(&self, model: &Model, prediction: &FaultPrediction) -> Evidence {
        let manifest = model.manifest();
        match (&self.stage, model.rules().kit) {
            (Stage::Generic(own), Some(kit)) => own.evidence(kit, prediction),
            (Stage::Named(own), Some(kit)) => own.evidence(manifest, kit, prediction),
            (Stage::Calibrating(_) | Stage::Watching(_) | Stage::Generic(_) | Stage::Named(_), _) => {
                self.recent.evidence(manifest, prediction)
            }
        }
    }
}
