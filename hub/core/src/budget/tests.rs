//! What the tests of budgets share: numbers from a seed, and months of made-up fleets.

mod gate;
mod history;
mod ledger;
mod level;
mod precision;
mod review;
mod surge;
mod tail;

use super::Month;
use super::history::{HighestScore, History, MonthOfScores};
use crate::id::ApplianceId;
use jiff::civil::date;

/// Numbers from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
pub(super) struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Above 0, at most 1.
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

/// The month so many months after January 2026.
fn month(number: i32) -> Month {
    Month::of(date(2026, 1, 1)).plus(number)
}

fn score(appliance: i64, score: f32) -> HighestScore {
    HighestScore {
        appliance: ApplianceId(appliance),
        score,
    }
}

/// Months of appliances whose scores have an exponential tail: one in `10^x` is above `e^(0.3 x)` or so.
fn fleet(appliances: i64, months: i32, random: &mut Random) -> History {
    let mut history = History::default();
    for number in 0..months {
        let scores: Vec<_> = (0..appliances)
            .map(|id| score(id, (-0.13 * random.unit().ln()).exp() as f32))
            .collect();
        history.record(MonthOfScores::new(month(number), scores));
    }
    history
}
