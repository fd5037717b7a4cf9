//! Units without a fault and units with each fault, shown to all detectors.

use std::ops::Range;
use std::time::Instant;

use tests_world::hard::{FaultKind, Faults, Fleet};

use super::each::each;
use super::judge::{Clean, Faulty};
use super::report::{Appliance, Judged};
use super::{FAULTY_DAYS, fleet};

/// First onset, and days over which onsets are spread.
const ONSET: (u64, u64) = (150, 60);
const AMPLITUDES: [f64; 3] = [1.0, 0.5, 0.25];
/// Units without a fault after which it is said how far it is.
const PROGRESS: u64 = 500;

/// How much is judged.
pub struct Plan {
    /// Name of the part and of its bars.
    pub name: &'static str,
    /// Seeds of the fleets of units without a fault, and how many units there are of all together: each fleet has firmware and batches of its
    /// own, and one says little of the next. Seeds of those with a fault.
    pub clean: (Range<u64>, u64),
    pub faulty: Range<u64>,
    /// Times that each fault comes, by its share in hundredths.
    pub faults: usize,
    pub threads: u64,
}

impl Plan {
    /// Shows all to detectors, which give each unit as they saw it, in the order of `judged`; none where it was not shown to one.
    pub fn run(
        &self,
        appliance: &Appliance,
        judged: &mut [Judged],
        clean: impl Fn(&Fleet, u64) -> anyhow::Result<Vec<Option<Clean>>> + Sync,
        faulty: impl Fn(&Fleet, FaultKind, u64) -> anyhow::Result<Vec<Option<Faulty>>> + Sync,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        let said = |what: &str| println!("{}: {what}, {:.0} s", self.name, begun.elapsed().as_secs_f64());
        let units = self.clean.1;
        let clean = |number: u64| clean(&fleet(of(&self.clean.0, number)), number);
        for from in (0..units).step_by(PROGRESS as usize) {
            let until = units.min(from + PROGRESS);
            for unit in each(from..until, self.threads, clean) {
                judged.iter_mut().zip(unit?).for_each(|(of, one)| of.clean.extend(one));
            }
            let so_far = judged.first().map_or(String::new(), Judged::so_far);
            said(&format!("{until} of {units} units without a fault: {so_far}"));
        }
        let kinds = self.kinds(appliance);
        for amplitude in AMPLITUDES {
            let mut by_detector: Vec<Vec<Faulty>> = judged.iter().map(|_| Vec::new()).collect();
            let unit = |number: u64| {
                let kind = kinds[number as usize];
                let fleet = Fleet {
                    days: FAULTY_DAYS,
                    faults: Faults::One {
                        kind,
                        onset_day: (ONSET.0 + number * 37 % ONSET.1) as f64,
                    },
                    amplitude,
                    ..fleet(of(&self.faulty, number))
                };
                faulty(&fleet, kind, number)
            };
            for unit in each(0..kinds.len() as u64, self.threads, unit) {
                by_detector.iter_mut().zip(unit?).for_each(|(of, one)| of.extend(one));
            }
            for (of, faulty) in judged.iter_mut().zip(by_detector) {
                of.faulty.push((amplitude, faulty));
            }
            said(&format!("faults of amplitude {amplitude}"));
        }
        Ok(())
    }

    /// Seeds, as they are told beside those of what was learned.
    pub fn seeds(&self, learned: &str) -> String {
        format!(
            "learned on seeds {learned}; judged on {} to {} and {} to {}",
            self.clean.0.start,
            self.clean.0.end - 1,
            self.faulty.start,
            self.faulty.end - 1
        )
    }

    /// The kinds that show before they fail, each by its share.
    fn kinds(&self, appliance: &Appliance) -> Vec<FaultKind> {
        let shown = appliance.kinds.iter().filter(|kind| **kind != FaultKind::Electronics);
        let often = |kind: &FaultKind| self.faults * (100.0 * kind.share()).round() as usize;
        shown.flat_map(|kind| std::iter::repeat_n(*kind, often(kind))).collect()
    }
}

/// Seed of the fleet of a unit.
fn of(seeds: &Range<u64>, number: u64) -> u64 {
    seeds.start + number % (seeds.end - seeds.start).max(1)
}
