//! One channel of one appliance on its way: what is normal for it, and where it is now, at two speeds.

use serde::{Deserialize, Serialize};

use super::Speed;

/// Values of a channel that make its normal.
pub(super) const CALIBRATION: usize = 20;
/// Values after a change that the hub was told of, by which what was there before goes on. Of six, with the quick average before them, a healthy
/// machine that foams now and then stood two usual deviations off behind it.
const BRIDGE: usize = 10;
/// Values that a channel may miss, one step after the other, until nothing is said of it.
const SILENT_MAX: u8 = 10;
/// Weight of the newest value in the averages.
const QUICK: f32 = 0.5;
const SLOW: f32 = 0.12;
/// Values in which the normal of a quiet appliance follows it, and in which what scatters about it does.
const FOLLOW: f32 = 200.0;
const NOISE_FOLLOW: f32 = 100.0;
/// One in so many differences between values is left out of what scatters: the largest.
const ODD_ONE_IN: usize = 10;
/// A difference counts up to so many deviations of those before it.
const NOISE_CUT: f32 = 4.0;
/// Shares of the variance of a value that are left in the averages of medians of three, and in a normal of [`CALIBRATION`] values.
const QUICK_NOISE: f32 = 0.33;
const SLOW_NOISE: f32 = 0.1;
const CENTRE_NOISE: f32 = 1.0 / CALIBRATION as f32;

/// State of a channel: 36 bytes while it is watched, and four for each value that is awaited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    stage: Stage,
    /// The newest three values: the middle one goes into the averages, so that no single run decides.
    newest: [f32; 3],
    quick: f32,
    slow: f32,
    centre: f32,
    /// Mean square of differences from step to step over two, without the largest: about six tenths of the variance of a value that scatters.
    /// Of a slow way it has hardly anything.
    noise: f32,
    silent: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Stage {
    Learning(Vec<f32>),
    Watched,
    /// Something changed of which the hub was told: how far the channel was from normal just before stays, whatever the change did to its
    /// level.
    Changed {
        apart: f32,
        values: Vec<f32>,
    },
}

impl Track {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Learning(Vec::new()),
            newest: [0.0; 3],
            quick: 0.0,
            slow: 0.0,
            centre: 0.0,
            noise: 0.0,
            silent: 0,
        }
    }

    /// Takes a step's value. One that single precision cannot hold is missing: it would stay in the averages permanently.
    pub(super) fn take(&mut self, value: Option<f64>) {
        let Some(value) = value.map(|v| v as f32).filter(|v| v.is_finite()) else {
            self.silent = self.silent.saturating_add(1);
            return;
        };
        self.silent = 0;
        match &mut self.stage {
            Stage::Learning(values) => {
                values.push(value);
                if values.len() >= CALIBRATION {
                    let (centre, noise) = (middle(values), scatter(values));
                    self.begin(centre, 0.0, noise);
                }
            }
            Stage::Changed { apart, values } => {
                values.push(value);
                if values.len() >= BRIDGE {
                    let (apart, now) = (*apart, middle(values));
                    let noise = scatter(values).max(self.noise);
                    self.begin(now - apart, apart, noise);
                }
            }
            Stage::Watched => {
                self.newest.rotate_left(1);
                self.newest[2] = value;
                let middle = self.middle_of_newest();
                self.quick += QUICK * (middle - self.quick);
                self.slow += SLOW * (middle - self.slow);
            }
        }
    }

    fn begin(&mut self, centre: f32, apart: f32, noise: f32) {
        self.stage = Stage::Watched;
        self.noise = noise;
        self.centre = centre;
        self.quick = centre + apart;
        self.slow = centre + apart;
        self.newest = [centre + apart; 3];
    }

    /// Lets the normal follow the newest value, and what scatters about it.
    pub(super) fn follow(&mut self) {
        if matches!(self.stage, Stage::Watched) && self.silent == 0 {
            self.centre += (self.middle_of_newest() - self.centre) / FOLLOW;
            let [_, before, newest] = self.newest;
            let variance = ((newest - before).powi(2) / 2.0).min(NOISE_CUT.powi(2) * self.noise.max(f32::MIN_POSITIVE));
            self.noise += (variance - self.noise) / NOISE_FOLLOW;
        }
    }

    /// Deviations by an average that what scatters makes by itself.
    pub(super) fn own_deviation(&self, speed: Speed) -> f64 {
        let share = match speed {
            Speed::Newest => 1.0,
            Speed::Quick => QUICK_NOISE,
            Speed::Slow => SLOW_NOISE,
        };
        f64::from((share + CENTRE_NOISE) * self.noise).sqrt()
    }

    /// Something changed that may move the channel's level and is no fault.
    pub(super) fn changed(&mut self) {
        match &mut self.stage {
            Stage::Learning(values) | Stage::Changed { values, .. } => values.clear(),
            Stage::Watched => {
                self.stage = Stage::Changed {
                    apart: self.slow - self.centre,
                    values: Vec::new(),
                };
            }
        }
    }

    /// How far it is from normal; nothing while that is learned, and nothing of a channel that has been silent.
    pub(super) fn apart(&self, speed: Speed) -> Option<f64> {
        if self.silent > SILENT_MAX {
            return None;
        }
        match (&self.stage, speed) {
            (Stage::Learning(_), _) => None,
            (Stage::Changed { apart, .. }, _) => Some(f64::from(*apart)),
            (Stage::Watched, Speed::Newest) => Some(f64::from(self.newest[2] - self.centre)),
            (Stage::Watched, Speed::Quick) => Some(f64::from(self.quick - self.centre)),
            (Stage::Watched, Speed::Slow) => Some(f64::from(self.slow - self.centre)),
        }
    }

    pub(super) fn is_learning(&self) -> bool {
        matches!(self.stage, Stage::Learning(_))
    }

    /// Values of its normal that it has.
    pub(super) fn learned(&self) -> usize {
        match &self.stage {
            Stage::Learning(values) => values.len(),
            Stage::Watched | Stage::Changed { .. } => CALIBRATION,
        }
    }

    /// What is normal for it; none while that is learned.
    pub(super) fn centre(&self) -> Option<f64> {
        (!self.is_learning()).then(|| f64::from(self.centre))
    }

    /// It has had a value at all.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(&self.stage, Stage::Learning(values) if values.is_empty())
    }

    fn middle_of_newest(&self) -> f32 {
        let [a, b, c] = self.newest;
        a.max(b).min(a.min(b).max(c))
    }
}

/// Mean of the middle half of some values: as good as a mean where they are alike, and blind to some that are not.
fn middle(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let cut = sorted.len() / 4;
    let middle = sorted.get(cut..sorted.len() - cut).unwrap_or_default();
    middle.iter().sum::<f32>() / middle.len().max(1) as f32
}

/// Half the mean square of the differences between values, one after the other, without the largest of them.
fn scatter(values: &[f32]) -> f32 {
    let mut squares: Vec<f32> = values.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).collect();
    squares.sort_by(f32::total_cmp);
    squares.truncate(squares.len() - squares.len().div_ceil(ODD_ONE_IN));
    squares.iter().sum::<f32>() / (2 * squares.len().max(1)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(values: impl Iterator<Item = f64>) -> Track {
        let mut track = Track::new();
        values.for_each(|value| track.take(Some(value)));
        track
    }

    #[test]
    fn a_single_run_moves_nothing_and_three_do() {
        let mut track = watched((0..CALIBRATION).map(|_| 1.0));
        track.take(Some(9.0));
        assert_eq!(track.apart(Speed::Quick), Some(0.0));
        track.take(Some(9.0));
        track.take(Some(9.0));
        assert_eq!(track.apart(Speed::Quick), Some(6.0));
        assert!(track.apart(Speed::Slow).unwrap() < 2.0);
    }

    #[test]
    fn what_had_grown_before_a_change_stays_and_the_change_does_not_count() {
        let mut track = watched((0..CALIBRATION).map(|_| 1.0).chain((0..40).map(|_| 1.5)));
        let before = track.apart(Speed::Slow).unwrap();
        assert!((before - 0.5).abs() < 1e-2);
        track.changed();
        assert_eq!(track.apart(Speed::Slow), Some(before));
        (0..BRIDGE).for_each(|_| track.take(Some(7.0)));
        assert!((track.apart(Speed::Slow).unwrap() - before).abs() < 1e-6);
        (0..30).for_each(|_| track.take(Some(7.5)));
        assert!((track.apart(Speed::Quick).unwrap() - before - 0.5).abs() < 1e-2);
    }

    #[test]
    fn a_channel_that_is_silent_says_nothing_until_it_is_back() {
        let mut track = watched((0..CALIBRATION).map(|_| 1.0));
        (0..=SILENT_MAX).for_each(|_| track.take(None));
        assert_eq!(track.apart(Speed::Quick), None);
        track.take(Some(1.0));
        assert_eq!(track.apart(Speed::Quick), Some(0.0));
    }

    #[test]
    fn a_value_that_single_precision_cannot_hold_is_missing() {
        let mut track = watched((0..CALIBRATION).map(|_| 1.0));
        (0..3).for_each(|_| track.take(Some(1e300)));
        track.take(Some(f64::NAN));
        assert_eq!(track.apart(Speed::Slow), Some(0.0));
        track.take(Some(1.0));
        assert_eq!(track.apart(Speed::Newest), Some(0.0));
    }

    #[test]
    fn what_scatters_is_told_apart_from_where_the_channel_goes() {
        let wave = |i: usize| if i.is_multiple_of(2) { 0.1 } else { -0.1 };
        let mut track = watched((0..CALIBRATION).map(|i| 1.0 + wave(i)));
        let own = track.own_deviation(Speed::Newest);
        assert!((own - (1.05 * 0.02_f64).sqrt()).abs() < 1e-3, "{own}");
        assert!(track.own_deviation(Speed::Slow) < 0.4 * own);
        // A way up is none of it, and one value that is far off hardly any.
        let rising = watched((0..CALIBRATION).map(|i| 1.0 + 0.01 * i as f64));
        assert!(rising.own_deviation(Speed::Newest) < 0.01);
        let odd = watched((0..CALIBRATION).map(|i| if i == 7 { 9.0 } else { 1.0 }));
        assert!(odd.own_deviation(Speed::Newest) < 1e-6);
        // It follows while the appliance is quiet.
        for i in 0..400 {
            track.take(Some(1.0 + 2.0 * wave(i)));
            track.follow();
        }
        assert!(track.own_deviation(Speed::Newest) > 1.8 * own);
        // Firmware that rounds: what scatters behind it is learned with the level.
        track.changed();
        (0..BRIDGE).for_each(|i| track.take(Some(1.0 + 5.0 * wave(i))));
        assert!(track.own_deviation(Speed::Newest) > 4.0 * own);
    }

    #[test]
    fn the_middle_half_is_blind_to_a_few_that_are_off() {
        assert_eq!(middle(&[1.0, 1.0, 1.0, 90.0, -50.0, 1.0]), 1.0);
        assert_eq!(middle(&[]), 0.0);
    }
}
