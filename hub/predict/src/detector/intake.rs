//! What a detector does with the readings that come, apart from what they say: gathered into rows, counted where they make none,
//! and whether an alarm can rise from them at all.

use hub_core::watching::{Unjudged, UnjudgedCounts, WatchState, Watching};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::generic::Own;
use super::{Detector, Pending, Resampler, Stage};
use crate::gather::{Gather, Need};
use crate::levels::Levels;
use crate::manifest::{Manifest, Resampling};
use crate::model::{Model, Rules};
use crate::resampler::Completed;

/// Readings whose time had passed, one after the other, from which on the appliance is not watched.
const PASSED_MAX: u32 = 60;
/// A gap is worth a window of steps without one, so that what stays is above 0 only where no window becomes full. So many gaps
/// more, and readings come too seldom; half of it less, and they do not.
const GAPS_MAX: u32 = 8;
/// Runs, one after the other, of too few rows that are too far apart, and rows come too seldom; a run that is judged, and they do
/// not. The same of periods.
const SPARSE_MAX: u32 = 3;
/// Steps, one after the other, in which no feature is left, and nothing is judged.
const EMPTY_MAX: u32 = 3;
/// Rows, one after the other, that lack no channel, until it is told that none is missing: a channel that comes and goes is
/// told once.
const WHOLE_ROWS: u32 = 600;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Intake {
    pub(super) gather: Gather,
    pub(super) levels: Levels,
    /// Steps that are missing from a full window, over many gaps; where a step is a run, runs since one had rows enough.
    strain: u32,
    is_strained: bool,
    /// Rows since one lacked a channel.
    whole_for: u32,
    /// Rows since one that nothing could be judged from.
    clear_for: u32,
    unjudged: UnjudgedCounts,
    standing: Option<Standing>,
}

/// What is told of the appliance when it changes: so seldom that it may be written then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether the appliance is watched.
    pub state: WatchState,
    since: Timestamp,
    /// Tenths of the calibration that are done, while it calibrates.
    tenths: u32,
    /// Channels without a value, at most since the state began or they were all back for a while.
    missing: usize,
    several_states: bool,
    /// How many readings were left out, to a power of two.
    left_out: u32,
}

impl Intake {
    pub(crate) fn new(features: usize) -> Self {
        Self {
            gather: Gather::new(),
            levels: Levels::new(features),
            strain: 0,
            is_strained: false,
            whole_for: 0,
            clear_for: 0,
            unjudged: UnjudgedCounts::default(),
            standing: None,
        }
    }

    fn strain(&mut self, after_gap: bool, window: u32) {
        let most = GAPS_MAX * window;
        self.strain = match after_gap {
            true => (self.strain + window).min(most),
            false => self.strain.saturating_sub(1),
        };
        if self.strain == most {
            self.is_strained = true;
        } else if self.strain <= most / 2 {
            self.is_strained = false;
        }
    }

    /// Notes a run that has ended, if one has, and whether its rows come too seldom.
    pub(super) fn note_run(&mut self, is_sparse: Option<bool>) {
        self.strain = match is_sparse {
            None => return,
            Some(false) => 0,
            Some(true) => self.strain.saturating_add(1),
        };
        self.is_strained = self.strain >= SPARSE_MAX;
    }

    /// Notes a period of which no step was made, since its rows come too seldom.
    fn note_thin(&mut self, window: u32) {
        let most = GAPS_MAX * window;
        self.strain = (self.strain + most.div_ceil(SPARSE_MAX)).min(most);
        self.is_strained |= self.strain == most;
    }

    /// The state in which nothing can be judged from what comes now, if that is so.
    fn barred(&self, need: &Need, empty_for: u32) -> Option<WatchState> {
        if self.gather.passed() >= PASSED_MAX {
            Some(WatchState::TimesPassed)
        } else {
            let lacks = empty_for >= EMPTY_MAX || self.gather.lacks(need);
            lacks.then_some(WatchState::ChannelsMissing)
        }
    }
}

impl Detector {
    /// What is told of the appliance when it changes; none before the first reading.
    pub fn watch_state(&self) -> Option<Standing> {
        self.intake.standing
    }

    /// Whether the appliance is watched, with all that people are told of it.
    pub fn watching(&self, model: &Model) -> Watching {
        let standing = self.intake.standing;
        let need = model.need();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let needs_s = match model.manifest().resampling {
            Resampling::Period { hold_gap_s, .. } => hold_gap_s,
            Resampling::Cycle { period_s, .. } => period_s,
            Resampling::Mean { gap_s, min_rows: 1, .. } => gap_s,
            Resampling::Mean {
                period_s,
                gap_s,
                min_rows,
                ..
            } => gap_s.min(period_s / f64::from(min_rows.max(1))),
        };
        let unsteady = match &self.stage {
            Stage::Generic(own) => own.unsteady(),
            // What the figures of faults are like says nothing of states.
            Stage::Calibrating(_) | Stage::Watching(_) | Stage::Named(_) => None,
        };
        let feature = |(place, _): (usize, bool)| model.manifest().features.get(place);
        Watching {
            model: Some(model.version().to_owned()),
            unsteady: unsteady.and_then(feature).map(|feature| feature.name.clone()),
            state: standing.map_or(WatchState::NoReadings, |standing| standing.state),
            since: standing.map(|standing| standing.since),
            calibrated: self.calibrated.min(self.calibrate),
            calibration: self.calibrate,
            every_ms: u64::try_from(self.intake.gather.every().as_millis()).unwrap_or(0),
            needs_ms: (needs_s * 1_000.0) as u64,
            missing: number(standing.map_or(0, |standing| standing.missing)),
            channels: number(need.count()),
            several_states: self.intake.levels.several(),
            unjudged: self.intake.unjudged.counts().collect(),
        }
    }

    /// Notes what a row completes: whether rows come too seldom for a step, and whether steps have anything that can be compared.
    pub(super) fn note_completed(&mut self, completed: &Completed, rules: Rules<'_>) {
        match (&self.resampler, &mut self.stage) {
            (Resampler::Mean(_), Stage::Generic(own)) if completed.sparse_run == Some(true) => {
                own.thin();
                self.intake.note_thin(window(rules.manifest));
            }
            (Resampler::Mean(_), Stage::Named(_)) | (Resampler::Period(_) | Resampler::Cycle(_), _) => {
                self.intake.note_run(completed.sparse_run);
            }
            (Resampler::Mean(_), _) => {}
        }
        let Some(kit) = rules.kit.filter(|kit| kit.named.is_none()) else {
            return;
        };
        for step in &completed.steps {
            self.empty_for = match Own::is_empty(step, kit) {
                true => self.empty_for.saturating_add(1),
                false => 0,
            };
        }
    }

    /// Notes runs of a model that names faults, each with whether nothing of it could be compared.
    pub(super) fn note_named(&mut self, runs: Vec<(Pending, bool)>) -> Vec<Pending> {
        let note = |(run, is_empty): (Pending, bool)| {
            self.empty_for = match is_empty {
                true => self.empty_for.saturating_add(1),
                false => 0,
            };
            run
        };
        runs.into_iter().map(note).collect()
    }

    /// Counts a row, of which these steps came: each by itself, however many came of one reading.
    pub(super) fn note_row(&mut self, steps: &[Pending], manifest: &Manifest) {
        let is_full = self.has_full_window(manifest);
        match (&self.resampler, steps.last()) {
            (Resampler::Cycle(_), _) => {}
            // Its periods are counted as runs are.
            _ if matches!(self.stage, Stage::Named(_)) => {}
            (Resampler::Period(_) | Resampler::Mean(_), _) if is_full => {
                (self.intake.strain, self.intake.is_strained) = (0, false);
            }
            (Resampler::Period(_) | Resampler::Mean(_), Some(step)) => {
                self.intake.strain(step.after_gap, window(manifest));
            }
            (Resampler::Period(_) | Resampler::Mean(_), None) => {}
        }
    }

    /// Counts why a reading made no row, or how many it made, and says what is to be told of the appliance from `at` on.
    pub(super) fn note(
        &mut self,
        unjudged: Option<Unjudged>,
        rows: usize,
        need: &Need,
        at: Timestamp,
        manifest: &Manifest,
    ) {
        if let Some(why) = unjudged {
            self.intake.unjudged.add(why);
        }
        let missing = self.intake.gather.missing();
        self.intake.whole_for = counted(self.intake.whole_for, missing > 0, rows);
        let is_barred = self.intake.barred(need, self.empty_for).is_some();
        self.intake.clear_for = counted(self.intake.clear_for, is_barred, rows);
        let state = self.state(need, self.has_full_window(manifest), window(manifest));
        let before = self.intake.standing.filter(|standing| standing.state == state);
        self.intake.standing = Some(Standing {
            state,
            since: before.map_or(at, |standing| standing.since),
            tenths: match state {
                WatchState::Calibrating => 10 * self.calibrated.min(self.calibrate) / self.calibrate.max(1),
                _ => 0,
            },
            missing: match before {
                Some(before) if self.intake.whole_for < WHOLE_ROWS => before.missing.max(missing),
                _ => missing,
            },
            several_states: self.intake.levels.several(),
            left_out: u32::BITS - self.intake.unjudged.left_out().leading_zeros(),
        });
    }

    /// Steps follow each other in such numbers that an alarm could rise, as far as their times go.
    fn has_full_window(&self, manifest: &Manifest) -> bool {
        match &self.stage {
            Stage::Generic(own) => own.run() >= window(manifest),
            Stage::Named(own) => own.calibration().is_none(),
            Stage::Calibrating(_) | Stage::Watching(_) => {
                let window = manifest
                    .autoencoder
                    .as_ref()
                    .map_or(0, |autoencoder| autoencoder.window);
                self.window.len() == window * manifest.features.len()
            }
        }
    }

    fn state(&self, need: &Need, is_full: bool, window: u32) -> WatchState {
        let intake = &self.intake;
        let before = intake.standing.map(|standing| standing.state);
        let (is_calibrating, cannot) = match &self.stage {
            Stage::Calibrating(_) => (true, false),
            Stage::Watching(_) => (false, false),
            Stage::Generic(own) => {
                let cannot = own.unsteady().is_some_and(|(_, cannot)| cannot);
                (own.is_calibrating(), cannot)
            }
            Stage::Named(own) => (own.calibration().is_some(), false),
        };
        // Without a network nothing but the calibration has to be there.
        let can_alarm = match &self.stage {
            Stage::Generic(_) | Stage::Named(_) => !is_calibrating,
            Stage::Calibrating(_) | Stage::Watching(_) => is_full,
        };
        let barred = intake.barred(need, self.empty_for);
        match (barred, before) {
            (Some(WatchState::TimesPassed), _) => WatchState::TimesPassed,
            _ if intake.is_strained => WatchState::TooSeldom,
            (Some(barred), _) => barred,
            // Entered at once and left after a window: else channels that come seldom would change it with each of their values.
            (None, Some(before @ (WatchState::ChannelsMissing | WatchState::TimesPassed)))
                if intake.clear_for < window =>
            {
                before
            }
            (None, Some(WatchState::Watched)) if !is_calibrating => WatchState::Watched,
            _ if can_alarm => WatchState::Watched,
            _ if cannot => WatchState::CannotCalibrate,
            _ => WatchState::Calibrating,
        }
    }
}

/// Steps of a window; without a network, steps for which an alarm is held.
fn window(manifest: &Manifest) -> u32 {
    let autoencoder = manifest.autoencoder.as_ref().filter(|_| manifest.detector.is_none());
    let steps = autoencoder.map_or(manifest.persistence.hold, |autoencoder| autoencoder.window);
    u32::try_from(steps).unwrap_or(u32::MAX)
}

/// How many rows there were since something was last so, when these were added.
fn counted(before: u32, is_so: bool, rows: usize) -> u32 {
    match is_so {
        true => 0,
        false => before.saturating_add(u32::try_from(rows).unwrap_or(u32::MAX)),
    }
}
