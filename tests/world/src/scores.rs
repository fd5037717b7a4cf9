//! A fleet seen by its highest held scores alone: one number for each appliance and month, for judging thresholds. Five appliance models
//! differ in size, scale and spread; there are seasons, harmless events with an exponential tail, and faults that grow until somebody
//! comes, who does not always say what was found. All ranges are assumed; scores are multiples of what a detector ships with.

use crate::noise::normal;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Shares of the fleet that its appliance models have.
const SHARES: [f64; 5] = [0.5, 0.25, 0.15, 0.07, 0.03];
/// Fewest appliances of a model.
const UNITS_MIN: u32 = 20;
/// Mean and deviation over the models of the logarithm of a usual score.
const CENTRE: (f64, f64) = (-0.56, 0.12);
/// Range over the models of the deviation from month to month.
const SPREAD: (f64, f64) = (0.08, 0.14);
/// Deviation from one appliance to another.
const UNIT: f64 = 0.07;
/// Half of the way between summer and winter.
const SEASON: f64 = 0.04;
/// Harmless events per appliance and month, their deviation over the models as a logarithm, and the mean rise by one.
const EVENTS: (f64, f64, f64) = (0.004, 0.5, 0.22);
/// Faults per appliance and month: 1 % a year.
const FAULTS: f64 = 0.01 / 12.0;
/// Months that a fault grows before the one in which it fails; from 1 to this.
const GROWTH_MONTHS_MAX: u32 = 4;
/// Rise by a fault in the month in which it fails: median, and deviation as a logarithm.
const RISE: (f64, f64) = (0.9, 0.35);
/// Rise from which a fault shows before it fails; until then a ticket for it would find nothing.
const SHOWS_FROM: f64 = 0.35;
/// Share of faults that a person confirms.
const CONFIRMED: f64 = 0.7;
/// Mean and deviation of the Gumbel distribution of scale 1, by which the highest of a month vary.
const GUMBEL: (f64, f64) = (0.577, 0.78);

/// A simulated fleet.
#[derive(Debug)]
pub struct ScoredFleet {
    models: Vec<Model>,
    month: u32,
    rng: ChaCha8Rng,
}

#[derive(Debug)]
struct Model {
    centre: f64,
    spread: f64,
    events: f64,
    units: Vec<Unit>,
}

#[derive(Debug)]
struct Unit {
    own: f64,
    fault: Option<Fault>,
}

#[derive(Debug)]
struct Fault {
    months_left: u32,
    is_confirmed: bool,
}

/// What one appliance shows in a month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredMonth {
    /// Highest held score.
    pub score: f32,
    /// It has a fault that somebody who looks would find.
    pub fault_shows: bool,
    /// The fault failed this month, was repaired, and somebody said so.
    pub fault_confirmed: bool,
}

impl ScoredFleet {
    /// A fleet of about so many appliances. Another seed gives another fleet.
    pub fn draw(appliances: u32, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let models = SHARES.map(|share| Model::draw(appliances, share, &mut rng)).into();
        Self { models, month: 0, rng }
    }

    /// The next month: of each appliance model, its appliances, in the same order every month.
    pub fn next_month(&mut self) -> Vec<Vec<ScoredMonth>> {
        let year = f64::from(self.month) / 12.0;
        self.month += 1;
        let rng = &mut self.rng;
        let live = |(number, model): (usize, &mut Model)| {
            let season = SEASON * (std::f64::consts::TAU * (year + 0.07 * number as f64)).sin();
            let (usual, spread, events) = (model.centre + season, model.spread, model.events);
            let units = model.units.iter_mut();
            units.map(|unit| unit.live(usual, spread, events, rng)).collect()
        };
        self.models.iter_mut().enumerate().map(live).collect()
    }
}

impl Model {
    fn draw(appliances: u32, share: f64, rng: &mut ChaCha8Rng) -> Self {
        let count = ((f64::from(appliances) * share) as u32).max(UNITS_MIN);
        let (events, events_spread, _) = EVENTS;
        Self {
            centre: normal(rng, CENTRE.0, CENTRE.1),
            spread: rng.random_range(SPREAD.0..SPREAD.1),
            events: events * normal(rng, 0.0, events_spread).exp(),
            units: (0..count)
                .map(|_| Unit {
                    own: normal(rng, 0.0, UNIT),
                    fault: None,
                })
                .collect(),
        }
    }
}

impl Unit {
    fn live(&mut self, usual: f64, spread: f64, events: f64, rng: &mut ChaCha8Rng) -> ScoredMonth {
        let highest = -(-open(rng).ln()).ln() - GUMBEL.0;
        let mut score = usual + self.own + GUMBEL.1 * spread * highest;
        if rng.random::<f64>() < events {
            score -= EVENTS.2 * open(rng).ln();
        }
        if self.fault.is_none() && rng.random::<f64>() < FAULTS {
            self.fault = Some(Fault {
                months_left: rng.random_range(1..=GROWTH_MONTHS_MAX),
                is_confirmed: rng.random::<f64>() < CONFIRMED,
            });
        }
        let (mut fault_shows, mut fault_confirmed) = (false, false);
        if let Some(fault) = &mut self.fault {
            let rise = normal(rng, RISE.0.ln(), RISE.1).exp() / (1.0 + 0.9 * f64::from(fault.months_left));
            score += rise;
            let fails = fault.months_left == 0;
            fault_shows = fails || rise > SHOWS_FROM;
            fault_confirmed = fails && fault.is_confirmed;
            if fails {
                self.fault = None;
            } else {
                fault.months_left -= 1;
            }
        }
        ScoredMonth {
            score: score.exp() as f32,
            fault_shows,
            fault_confirmed,
        }
    }
}

/// A number above 0 and below 1, so that both logarithms are finite.
fn open(rng: &mut ChaCha8Rng) -> f64 {
    rng.random_range(f64::EPSILON..1.0)
}

#[cfg(test)]
mod tests {
    use super::ScoredFleet;

    #[test]
    fn the_same_seed_is_the_same_fleet_and_faults_are_as_many_as_stated() {
        let (mut fleet, mut again, mut other) = (
            ScoredFleet::draw(20_000, 1),
            ScoredFleet::draw(20_000, 1),
            ScoredFleet::draw(20_000, 2),
        );
        let (mut confirmed, mut high, mut harmless) = (0, 0, 0);
        for _ in 0..12 {
            let month = fleet.next_month();
            assert_eq!(month, again.next_month());
            assert_ne!(month, other.next_month());
            assert_eq!(
                month.iter().map(Vec::len).collect::<Vec<_>>(),
                [10_000, 5_000, 3_000, 1_400, 600]
            );
            for unit in month.iter().flatten() {
                confirmed += u32::from(unit.fault_confirmed);
                harmless += u32::from(!unit.fault_shows);
                high += u32::from(!unit.fault_shows && unit.score >= 1.0);
            }
        }
        // 200 faults a year, of which those of the last months have not failed yet, and 70 % are confirmed.
        assert!((80..150).contains(&confirmed), "{confirmed}");
        let per_1000 = 1_000.0 * f64::from(high) / f64::from(harmless);
        assert!(
            (1.0..15.0).contains(&per_1000),
            "a fixed threshold of 1 is reached by {per_1000}"
        );
    }
}
