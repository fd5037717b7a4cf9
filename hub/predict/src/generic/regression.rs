//! What a fleet shows of the influence of conditions on channels: ridge regression within short stretches of each appliance, so that
//! spread of production, ageing and moves cancel.

use super::channel::Channel;
use super::condition::Condition;
use crate::matrix::{invert, times};

/// Steps of one appliance that are compared with each other.
const STRETCH: usize = 60;
/// Steps of the fleet below which nothing is said of a channel.
const STEPS_MIN: u32 = 1_000;
/// Steps without any influence that are added: what few steps show counts little.
const RIDGE: f64 = 50.0;

/// A condition that may show in a channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Influence {
    /// Index of the channel.
    pub channel: usize,
    /// Index of the channel that tells the condition.
    pub by: usize,
    /// Usual value of the condition.
    pub reference: f64,
    /// Usual spread of the condition, above 0.
    pub spread: f64,
}

/// The conditions of each channel with an influence, by the steps of each healthy appliance of a fleet, oldest first, with a value
/// for each channel. A step counts for a channel that it has with all its conditions; a channel of fewer than 1,000 such steps
/// gets none.
pub fn conditions<'a, S: AsRef<[Option<f64>]> + 'a>(
    channels: &[Channel],
    influences: &[Influence],
    fleet: impl IntoIterator<Item = &'a [S]>,
) -> Vec<Condition> {
    let of_channel = channels.iter().enumerate().filter_map(|(i, channel)| {
        let by: Vec<Influence> = influences.iter().copied().filter(|one| one.channel == i).collect();
        (!by.is_empty()).then(|| Regression::new(channel, by))
    });
    let mut regressions: Vec<Regression<'_>> = of_channel.collect();
    for appliance in fleet {
        for stretch in appliance.chunks(STRETCH) {
            regressions.iter_mut().for_each(|one| one.add(stretch));
        }
    }
    regressions.iter().flat_map(Regression::solved).collect()
}

/// Sums of the normal equations of one channel.
struct Regression<'a> {
    channel: &'a Channel,
    by: Vec<Influence>,
    /// Products of the terms with each other, row by row.
    squares: Vec<f64>,
    /// Products of the terms with the channel.
    products: Vec<f64>,
    steps: u32,
}

impl<'a> Regression<'a> {
    fn new(channel: &'a Channel, by: Vec<Influence>) -> Self {
        let terms = 2 * by.len();
        Self {
            channel,
            by,
            squares: vec![0.0; terms * terms],
            products: vec![0.0; terms],
            steps: 0,
        }
    }

    /// Each condition and its square, in spreads, then the channel.
    fn terms(&self, step: &[Option<f64>]) -> Option<Vec<f64>> {
        let value = |i: usize| Channel::usable(step.get(i).copied().flatten());
        let mut terms = Vec::with_capacity(self.products.len() + 1);
        for one in &self.by {
            let apart = (value(one.by)? - one.reference) / one.spread;
            terms.extend([apart, apart * apart]);
        }
        terms.push(self.channel.change_of(value(self.by.first()?.channel)?));
        Some(terms)
    }

    fn add(&mut self, stretch: &[impl AsRef<[Option<f64>]>]) {
        let mut rows: Vec<Vec<f64>> = stretch.iter().filter_map(|step| self.terms(step.as_ref())).collect();
        let (count, terms) = (rows.len(), self.products.len());
        for term in 0..=terms {
            let mean = rows.iter().map(|row| row[term]).sum::<f64>() / count.max(1) as f64;
            rows.iter_mut().for_each(|row| row[term] -= mean);
        }
        for row in &rows {
            for i in 0..terms {
                self.products[i] += row[i] * row[terms];
                (0..terms).for_each(|j| self.squares[i * terms + j] += row[i] * row[j]);
            }
        }
        self.steps = self.steps.saturating_add(count as u32);
    }

    fn solved(&self) -> Vec<Condition> {
        let terms = self.products.len();
        let mut squares = self.squares.clone();
        squares.iter_mut().step_by(terms + 1).for_each(|one| *one += RIDGE);
        let Some(inverse) = invert(&squares, terms).filter(|_| self.steps >= STEPS_MIN) else {
            return Vec::new();
        };
        let solved = times(&inverse, &self.products);
        let condition = |(one, of): (&Influence, &[f64])| Condition {
            channel: one.channel,
            by: one.by,
            reference: one.reference,
            linear: of[0] / one.spread,
            square: of[1] / (one.spread * one.spread),
        };
        self.by.iter().zip(solved.chunks(2)).map(condition).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFLUENCE: Influence = Influence {
        channel: 0,
        by: 1,
        reference: 100.0,
        spread: 10.0,
    };

    fn channels(unit: &str) -> Vec<Channel> {
        let channel = |name: &str, unit: &str| Channel {
            name: name.into(),
            unit: unit.into(),
            decimals: 3,
        };
        vec![channel("watched", unit), channel("level", "mm")]
    }

    /// Appliances that differ by production and drift, whose channel is moved by the level.
    fn fleet(moved: impl Fn(f64, f64) -> f64) -> Vec<Vec<Vec<Option<f64>>>> {
        let appliance = |number: u32| {
            let step = |step: u32| {
                let level = 80.0 + f64::from((step * 7 + number * 3) % 41);
                let own = 2.0 + 0.1 * f64::from(number) + 0.0001 * f64::from(step);
                vec![Some(moved(own, level - 100.0)), Some(level)]
            };
            (0..150).map(step).collect()
        };
        (0..20).map(appliance).collect()
    }

    fn learned(unit: &str, fleet: &[Vec<Vec<Option<f64>>>]) -> Vec<Condition> {
        conditions(&channels(unit), &[INFLUENCE], fleet.iter().map(Vec::as_slice))
    }

    #[test]
    fn an_influence_is_found_whatever_each_appliance_is_like() {
        let plain = learned(
            "mm/min",
            &fleet(|own, apart| own + 0.02 * apart + 0.001 * apart * apart),
        );
        assert!((plain[0].linear - 0.02).abs() < 0.001 && (plain[0].square - 0.001).abs() < 0.000_1);
        let by_factor = learned("A", &fleet(|own, apart| own * (0.01 * apart).exp()));
        assert!((by_factor[0].linear - 0.01).abs() < 0.000_5 && by_factor[0].square.abs() < 0.000_1);
        assert_eq!((plain[0].channel, plain[0].by, plain[0].reference), (0, 1, 100.0));
    }

    #[test]
    fn little_says_nothing() {
        let few = fleet(|own, apart| own + apart);
        assert_eq!(learned("mm/min", &few[..6]), []);
        let mut missing = few;
        missing.iter_mut().flatten().for_each(|step| step[1] = None);
        assert_eq!(learned("mm/min", &missing), []);
    }
}
