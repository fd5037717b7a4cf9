//! Faults: what they move, over how long, and in which course.

mod kind;

pub use kind::FaultKind;

use super::draw::{Stream, event_days, generator, lognormal, mix, share};
use super::figure::{ASSUMED, Figure};
use super::quantity::Levels;
use super::repair::{self, Visit, VisitResult};
use super::{Faults, Fleet};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const AMPLITUDE: Figure = Figure::base(
    "fault",
    "amplitude at failure, lognormal of median 1, standard deviation of the logarithm",
    0.5,
    0.5,
    ASSUMED,
);
const LINEAR: Figure = Figure::base("fault", "share of linear courses", 0.2, 0.2, ASSUMED);
const ACCELERATING: Figure = Figure::base("fault", "share of accelerating courses", 0.4, 0.4, ASSUMED);
const STEP: Figure = Figure::base("fault", "share of steps", 0.2, 0.2, ASSUMED);
/// What is left by the others.
#[cfg(test)]
const INTERMITTENT: Figure = Figure::base("fault", "share of intermittent courses", 0.2, 0.2, ASSUMED);
const DAYS_PRESENT: Figure = Figure::base(
    "fault",
    "intermittent: share of days on which it shows, at the onset and at failure",
    0.2,
    0.8,
    ASSUMED,
);

/// Ranges of this file.
#[cfg(test)]
pub(super) const FIGURES: &[Figure] = &[AMPLITUDE, LINEAR, ACCELERATING, STEP, INTERMITTENT, DAYS_PRESENT];

/// How a fault grows from onset to failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Course {
    /// Nothing shows before the failure.
    Sudden,
    /// Evenly.
    Linear,
    /// Slowly first: half of it in the last fifth of the time.
    Accelerating,
    /// On some days only, on more and more of them and further and further.
    Intermittent,
    /// All at once, at the onset.
    Step,
}

/// A fault of one unit: the truth that a finding is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Kind of the fault.
    pub kind: FaultKind,
    /// How it grows.
    pub course: Course,
    /// Sound until this day of the record.
    pub onset_day: f64,
    /// Day of the failure; the appliance stands still from then to the first visit.
    pub failure_day: f64,
    /// Factor on [`FaultKind::moves`] at failure, the fleet's own factor included.
    pub amplitude: f64,
    /// Visits after the failure, in order; the last one replaces the right part.
    pub visits: Vec<Visit>,
    seed: u64,
}

impl Fault {
    /// The faults of a unit whose appliance has these kinds, by day of the onset.
    pub(super) fn draw(fleet: &Fleet, seed: u64, kinds: &[FaultKind]) -> Vec<Self> {
        let rng = &mut generator(seed, Stream::Fault);
        match fleet.faults {
            Faults::None => Vec::new(),
            Faults::PerYear(rate) => {
                let onsets = event_days(rng, rate, f64::from(fleet.days));
                let mut fault = |onset_day| {
                    let kind = choose(rng, kinds);
                    Self::of_kind(fleet, seed, kind, onset_day, rng)
                };
                onsets.into_iter().map(&mut fault).collect()
            }
            Faults::One { kind, onset_day } => vec![Self::of_kind(fleet, seed, kind, onset_day, rng)],
        }
    }

    fn of_kind(fleet: &Fleet, seed: u64, kind: FaultKind, onset_day: f64, rng: &mut ChaCha8Rng) -> Self {
        let failure_day = onset_day + kind.days().draw_log(rng);
        Self {
            kind,
            course: course(rng, kind),
            onset_day,
            failure_day,
            amplitude: fleet.amplitude * lognormal(rng, 1.0, AMPLITUDE.low),
            visits: repair::visits(failure_day, rng),
            seed: mix(seed, onset_day.to_bits()),
        }
    }

    /// Share of the amplitude that shows on a day, 0 to 1; after the failure all of it, until the right part is in.
    pub fn progress(&self, day: f64) -> f64 {
        if day < self.onset_day || day >= self.repaired_day() {
            return 0.0;
        }
        let time = ((day - self.onset_day) / (self.failure_day - self.onset_day)).min(1.0);
        match self.course {
            Course::Sudden => f64::from(u8::from(time >= 1.0)),
            Course::Linear => time,
            Course::Accelerating => 0.2 * time + 0.8 * time.powi(4),
            Course::Step => 1.0,
            Course::Intermittent => {
                let present = DAYS_PRESENT.low + (DAYS_PRESENT.high - DAYS_PRESENT.low) * time;
                let shows = share(self.seed, day as u64) < present;
                if shows { 0.3 + 0.7 * time } else { 0.0 }
            }
        }
    }

    /// Day on which the right part is in.
    pub fn repaired_day(&self) -> f64 {
        self.visits.last().map_or(f64::INFINITY, |visit| visit.day)
    }

    /// Whether the appliance stands still: it has failed, and nobody has come yet.
    pub fn is_down(&self, day: f64) -> bool {
        self.failure_day <= day && self.visits.first().is_none_or(|visit| day < visit.day)
    }

    /// Whether the visits put the right part in at once.
    pub fn is_repaired_at_once(&self) -> bool {
        matches!(self.visits.as_slice(), [one] if one.result == VisitResult::RightPart)
    }

    /// Adds what the fault moves on a day.
    pub(super) fn apply(&self, day: f64, levels: &mut Levels) {
        let progress = self.amplitude * self.progress(day);
        if progress > 0.0 {
            for (quantity, change) in self.kind.moves() {
                levels.shift(*quantity, progress * change);
            }
        }
    }
}

fn choose(rng: &mut ChaCha8Rng, kinds: &[FaultKind]) -> FaultKind {
    let total: f64 = kinds.iter().map(|kind| kind.share()).sum();
    let mut ticket = total * rng.random::<f64>();
    for kind in kinds {
        ticket -= kind.share();
        if ticket < 0.0 {
            return *kind;
        }
    }
    kinds[0]
}

fn course(rng: &mut ChaCha8Rng, kind: FaultKind) -> Course {
    let mut ticket = rng.random::<f64>();
    match kind {
        FaultKind::Electronics => return Course::Sudden,
        // It comes loose and jams again.
        FaultKind::DrainPumpDebris => return Course::Intermittent,
        _ => {}
    }
    let others = [
        (Course::Linear, LINEAR),
        (Course::Accelerating, ACCELERATING),
        (Course::Step, STEP),
    ];
    for (course, share) in others {
        ticket -= share.low;
        if ticket < 0.0 {
            return course;
        }
    }
    Course::Intermittent
}

#[cfg(test)]
mod tests {
    use super::{Course, Fault, FaultKind, Faults, Fleet};

    fn faults(kind: FaultKind) -> Vec<Fault> {
        let mut fleet = Fleet::new(1, "2026-01-05T00:00:00Z".parse().unwrap(), 365);
        fleet.faults = Faults::One { kind, onset_day: 50.0 };
        (0..4_000).flat_map(|seed| Fault::draw(&fleet, seed, &[])).collect()
    }

    #[test]
    fn courses_and_amplitudes_are_as_stated() {
        let all = faults(FaultKind::DrumBearing);
        let of = |course| all.iter().filter(|fault| fault.course == course).count();
        let expected = [
            (Course::Linear, 800),
            (Course::Accelerating, 1_600),
            (Course::Step, 800),
            (Course::Intermittent, 800),
        ];
        for (course, expected) in expected {
            assert!(of(course).abs_diff(expected) < 120, "{course:?}: {}", of(course));
        }
        let logarithms: Vec<_> = all.iter().map(|fault| fault.amplitude.ln()).collect();
        let mean = logarithms.iter().sum::<f64>() / 4_000.0;
        let deviation = (logarithms.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / 4_000.0).sqrt();
        assert!(
            mean.abs() < 0.03 && (deviation - 0.5).abs() < 0.03,
            "{mean} {deviation}"
        );
        assert!(
            all.iter()
                .all(|one| (30.0..=270.0).contains(&(one.failure_day - one.onset_day)))
        );
    }

    #[test]
    fn progress_runs_from_onset_to_failure_and_ends_with_the_right_part() {
        for fault in faults(FaultKind::DrumBearing).iter().take(200) {
            let (onset, failure) = (fault.onset_day, fault.failure_day);
            assert_eq!(fault.progress(onset - 0.1), 0.0);
            let course: Vec<_> = (0..=100)
                .map(|n| fault.progress(onset + (failure - onset) * f64::from(n) / 100.0))
                .collect();
            if fault.course != Course::Intermittent {
                assert!(course.windows(2).all(|pair| pair[0] <= pair[1]), "{fault:?}");
                assert!((course[100] - 1.0).abs() < 1e-9);
            }
            assert!(fault.is_down(failure) && !fault.is_down(failure - 0.1));
            assert_eq!(fault.progress(fault.repaired_day()), 0.0);
            assert!(!fault.is_down(fault.repaired_day()));
        }
        let sudden = &faults(FaultKind::Electronics)[0];
        assert_eq!(sudden.progress(sudden.failure_day - 0.01), 0.0);
    }
}
