//! How the healthy fleet wanders: what is rare in it counts much, and what goes together in it (an uneven load shakes every
//! phase) counts once.

use crate::matrix::{invert, times};

/// Deviations beyond so many spreads of their channel are cut: a fleet has some odd appliances, and a few must not widen what is usual.
const CUT: f64 = 4.0;
/// From a median absolute deviation to a standard deviation, of a normal distribution.
const DEVIATION: f64 = 1.4826;
/// Share of a channel's floor that is added to its spread: nothing is taken for rarer than that.
const FLOOR_SHARE: f64 = 0.3;
/// Quantile over appliances of how far a channel wanders, which is its floor.
const FLOOR_QUANTILE: (usize, usize) = (3, 4);
/// Share of what channels have in common that is believed.
const COMMON: f64 = 0.9;
/// Variance of a channel that no appliance has: whatever it does says nothing.
const UNKNOWN: f64 = 1e12;
/// Channels at the most: products of all pairs are kept.
pub const CHANNELS_MAX: usize = 64;

/// Why numbers are no covariance of deviations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// Not a row of so many numbers for each channel.
    #[error("has to be {0} rows of {0} numbers, one for each compared figure")]
    Size(usize),
    /// A number is none.
    #[error("row {0}, number {1} is not finite")]
    NotFinite(usize, usize),
    /// It says of two channels two things.
    #[error("row {0}, number {1} is another than row {1}, number {0}: both are the same covariance")]
    Asymmetric(usize, usize),
    /// Nothing wanders by nothing.
    #[error("row {0}, number {0} has to be above 0: it is the square of a usual deviation")]
    Variance(usize),
}

/// Covariance of the deviations of healthy appliances.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    channels: usize,
    covariance: Vec<f64>,
}

impl Metric {
    /// The metric of a fleet, from the deviations of each healthy appliance, step by step, with a place for each of at most 64 channels.
    pub fn learn(channels: usize, fleet: &[Vec<Vec<Option<f32>>>]) -> Self {
        let channels = channels.min(CHANNELS_MAX);
        let usual: Vec<Usual> = (0..channels).map(|channel| Usual::of(channel, fleet)).collect();
        let mut covariance = vec![0.0; channels * channels];
        let mut counts = vec![0_u32; channels * channels];
        for step in fleet.iter().flatten() {
            let cut: Vec<Option<f64>> = usual.iter().zip(step).map(|(usual, one)| usual.cut(*one)).collect();
            for (i, a) in cut.iter().enumerate() {
                for (j, b) in cut.iter().enumerate().skip(i) {
                    if let (Some(a), Some(b)) = (a, b) {
                        covariance[i * channels + j] += a * b;
                        counts[i * channels + j] += 1;
                    }
                }
            }
        }
        for i in 0..channels {
            for j in i..channels {
                let count = f64::from(counts[i * channels + j]);
                let own = i == j;
                let learned = match (count > 0.0, own) {
                    (true, true) => covariance[i * channels + j] / count + (FLOOR_SHARE * usual[i].floor).powi(2),
                    (true, false) => COMMON * covariance[i * channels + j] / count,
                    (false, true) => UNKNOWN,
                    (false, false) => 0.0,
                };
                covariance[i * channels + j] = if own { learned.max(1e-12) } else { learned };
                covariance[j * channels + i] = covariance[i * channels + j];
            }
        }
        Self { channels, covariance }
    }

    /// The metric of these rows of a covariance, for so many channels.
    ///
    /// # Errors
    /// What is wrong, with its place counted from 1.
    pub fn of_rows(channels: usize, rows: &[Vec<f64>]) -> Result<Self, MetricError> {
        if channels > CHANNELS_MAX || rows.len() != channels || rows.iter().any(|row| row.len() != channels) {
            return Err(MetricError::Size(channels.min(CHANNELS_MAX)));
        }
        for (i, row) in rows.iter().enumerate() {
            for (j, one) in row.iter().enumerate() {
                if !one.is_finite() {
                    return Err(MetricError::NotFinite(i + 1, j + 1));
                }
                if *one != rows[j][i] {
                    return Err(MetricError::Asymmetric(i + 1, j + 1));
                }
            }
            if row[i] <= 0.0 {
                return Err(MetricError::Variance(i + 1));
            }
        }
        Ok(Self {
            channels,
            covariance: rows.concat(),
        })
    }

    /// Rows of the covariance.
    pub fn rows(&self) -> Vec<Vec<f64>> {
        let rows = self.covariance.chunks(self.channels.max(1));
        rows.map(<[f64]>::to_vec).collect()
    }

    /// Usual deviation of a channel.
    pub fn usual(&self, channel: usize) -> f64 {
        let place = channel * self.channels + channel;
        self.covariance.get(place).copied().unwrap_or(UNKNOWN).sqrt()
    }

    /// The inverse over the channels of `present`, row by row; without what they have in common where that leaves no inverse.
    fn inverse(&self, present: &[usize]) -> Vec<f64> {
        let n = present.len();
        let of = |i: usize, j: usize| self.covariance[present[i] * self.channels + present[j]];
        let all: Vec<f64> = (0..n * n).map(|place| of(place / n, place % n)).collect();
        invert(&all, n).unwrap_or_else(|| {
            let alone = |place: usize| if place / n == place % n { 1.0 / all[place] } else { 0.0 };
            (0..n * n).map(alone).collect()
        })
    }

    /// Deviations as they are compared with signatures, of the channels that have one.
    pub(super) fn measured(&self, deviations: &[Option<f64>]) -> Measured {
        let present: Vec<usize> = (0..self.channels)
            .filter(|i| deviations.get(*i).is_some_and(Option::is_some))
            .collect();
        let apart: Vec<f64> = present.iter().filter_map(|i| deviations[*i]).collect();
        let usual = present
            .iter()
            .zip(&apart)
            .map(|(i, apart)| apart / self.usual(*i))
            .collect();
        if present.is_empty() {
            return Measured::default();
        }
        let inverse = self.inverse(&present);
        let weighed = times(&inverse, &apart);
        let square: f64 = apart.iter().zip(&weighed).map(|(a, b)| a * b).sum();
        Measured {
            present,
            usual,
            inverse,
            weighed,
            length: square.max(0.0).sqrt(),
        }
    }
}

/// Deviations in a metric.
#[derive(Debug, Default)]
pub(super) struct Measured {
    present: Vec<usize>,
    /// Deviations in usual ones.
    usual: Vec<f64>,
    inverse: Vec<f64>,
    /// The inverse times the deviations.
    weighed: Vec<f64>,
    length: f64,
}

impl Measured {
    /// Deviation of a channel in usual ones; 0 of one that says nothing now.
    pub(super) fn usual(&self, channel: usize) -> f64 {
        let place = self.present.iter().position(|one| *one == channel);
        place.and_then(|place| self.usual.get(place)).copied().unwrap_or(0.0)
    }

    /// How far the deviations go in the direction of these moves, and which share of all that they go; none if the first of the moves
    /// is of a channel that says nothing now.
    pub(super) fn along(&self, moves: &[(usize, f64)]) -> Option<(f64, f64)> {
        let (first, _) = moves.first()?;
        if !self.present.contains(first) {
            return None;
        }
        let of = |channel: &usize| moves.iter().find(|(of, _)| of == channel).map_or(0.0, |(_, by)| *by);
        let direction: Vec<f64> = self.present.iter().map(of).collect();
        let weighed = times(&self.inverse, &direction);
        let square: f64 = direction.iter().zip(&weighed).map(|(a, b)| a * b).sum();
        let along: f64 = direction.iter().zip(&self.weighed).map(|(a, b)| a * b).sum();
        if square <= 0.0 || self.length <= 0.0 {
            return Some((0.0, 0.0));
        }
        let far = (along / square.sqrt()).max(0.0);
        Some((far, (far / self.length).min(1.0)))
    }
}

/// What is usual for one channel.
struct Usual {
    middle: f64,
    cut: f64,
    floor: f64,
}

impl Usual {
    fn of(channel: usize, fleet: &[Vec<Vec<Option<f32>>>]) -> Self {
        let of_device = |device: &Vec<Vec<Option<f32>>>| -> Vec<f64> {
            let values = device.iter().filter_map(|step| step.get(channel).copied().flatten());
            values.map(f64::from).collect()
        };
        let mut all = Vec::new();
        let mut wanders = Vec::new();
        for device in fleet {
            let values = of_device(device);
            if !values.is_empty() {
                let square: f64 = values.iter().map(|v| v * v).sum();
                wanders.push((square / values.len() as f64).sqrt());
            }
            all.extend(values);
        }
        let middle = quantile(&mut all, (1, 2));
        all.iter_mut().for_each(|v| *v = (*v - middle).abs());
        Self {
            middle,
            cut: CUT * DEVIATION * quantile(&mut all, (1, 2)),
            floor: quantile(&mut wanders, FLOOR_QUANTILE),
        }
    }

    fn cut(&self, value: Option<f32>) -> Option<f64> {
        value.map(|v| (f64::from(v) - self.middle).clamp(-self.cut, self.cut))
    }
}

/// 0 of no values.
fn quantile(values: &mut [f64], (share, of): (usize, usize)) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() * share / of).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Channel 0 wanders ten times as far as channel 1, and 2 with 0.
    fn fleet() -> Vec<Vec<Vec<Option<f32>>>> {
        let step = |k: i16| {
            let (a, b) = (f32::from(k * 7 % 11 - 5), f32::from(k * 5 % 13 - 6));
            vec![Some(a), Some(0.1 * b), Some(a + 0.1 * f32::from(k % 3 - 1)), None]
        };
        (0..40)
            .map(|device| (0..60).map(|k| step(k + device)).collect())
            .collect()
    }

    #[test]
    fn what_is_rare_counts_more() {
        let metric = Metric::learn(4, &fleet());
        assert!(metric.usual(0) > 6.0 * metric.usual(1) && metric.usual(3) >= UNKNOWN.sqrt());
        let far = |deviations: [f64; 2], moves: &[(usize, f64)]| {
            let measured = metric.measured(&[Some(deviations[0]), Some(deviations[1]), None, None]);
            measured.along(moves).unwrap()
        };
        let (wide, _) = far([2.0, 0.0], &[(0, 1.0)]);
        let (narrow, purity) = far([0.0, 2.0], &[(1, 1.0)]);
        assert!(narrow > 5.0 * wide && purity > 0.99, "{narrow} {wide} {purity}");
        assert_eq!(far([0.0, -2.0], &[(1, 1.0)]), (0.0, 0.0));
        let (_, mixed) = far([9.0, 0.9], &[(1, 1.0)]);
        assert!(mixed < 0.9, "{mixed}");
    }

    #[test]
    fn what_goes_together_in_the_fleet_is_told_from_what_does_not() {
        let metric = Metric::learn(4, &fleet());
        let along = |apart: [f64; 3]| {
            let measured = metric.measured(&apart.map(Some));
            measured.along(&[(0, 1.0), (2, -1.0)]).unwrap().0
        };
        assert!(along([3.0, 0.0, -3.0]) > 2.0 * along([6.0, 0.0, 4.0]));
    }

    #[test]
    fn a_covariance_is_read_back_as_it_was_and_one_that_is_none_is_refused() {
        let metric = Metric::learn(4, &fleet());
        assert_eq!(Metric::of_rows(4, &metric.rows()), Ok(metric.clone()));
        let wrong = |change: fn(&mut Vec<Vec<f64>>)| {
            let mut rows = metric.rows();
            change(&mut rows);
            Metric::of_rows(4, &rows).unwrap_err()
        };
        assert_eq!(wrong(|rows| drop(rows.pop())), MetricError::Size(4));
        assert_eq!(wrong(|rows| rows[2].push(0.0)), MetricError::Size(4));
        assert_eq!(wrong(|rows| rows[1][2] = f64::NAN), MetricError::NotFinite(2, 3));
        assert_eq!(wrong(|rows| rows[0][2] += 1.0), MetricError::Asymmetric(1, 3));
        assert_eq!(wrong(|rows| rows[3][3] = 0.0), MetricError::Variance(4));
    }

    #[test]
    fn a_signature_without_its_first_channel_says_nothing() {
        let metric = Metric::learn(4, &fleet());
        let measured = metric.measured(&[None, Some(1.0), Some(1.0), None]);
        assert_eq!(measured.along(&[(0, 1.0), (1, 1.0)]), None);
        assert_eq!(metric.measured(&[None; 4]).along(&[(1, 1.0)]), None);
    }
}
