//! The thresholds of a family's appliance models for a month: the score that their harmless months reach no oftener than the budget
//! says, with a bound for what so few appliances can show. Thresholds rise at once and come down slowly.

use super::history::{History, Sample};
use super::tail::{Tail, excesses_of, family_shape};
use super::{Budgets, Draws, Month};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Samples of appliances, drawn with replacement (the bootstrap: Efron, Annals of Statistics 7, 1979).
const SAMPLES: usize = 60;
/// Quantile of the levels of those samples that is taken: it errs to fewer tickets.
const BOUND: f64 = 0.8;
/// Quantiles that are shown as the interval of a level.
const INTERVAL: (f64, f64) = (0.1, 0.9);
/// Appliances' months below which an appliance model has no level of its own.
pub const DEVICE_MONTHS_MIN: u32 = 200;
/// Times by which a call level may lie beyond what the model's own months can have shown once. Farther out the tail is a guess: most
/// small fleets have not met their rarest harmless event yet.
const BEYOND_MAX: f64 = 20.0;
/// Times the family's level that such a model has.
const FAMILY_MARGIN: f64 = 1.15;
/// Share by which a threshold comes down in a month, at most.
pub const DOWN_MAX: f64 = 0.1;

/// What a threshold was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Months of the appliance model itself.
    Own,
    /// Months of all models of the family: there are fewer than 200 of this one.
    Family,
}

/// A threshold, in units of the model's score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// Score that counts from now on.
    pub in_force: f64,
    /// Score that the budget asks for, or the family's first level where that holds; below the one in force while that comes down.
    pub wanted: f64,
    /// Score of the fit alone, without the bound.
    pub fitted: f64,
    /// Ten and ninety per cent of the samples of appliances have the level below these.
    pub interval: (f64, f64),
}

/// The thresholds of one appliance model in a month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Month for which they hold, and after it until there are others.
    pub month: Month,
    /// Score from which a ticket is opened.
    pub tickets: Threshold,
    /// Score that a call needs besides; none while too little is known for any call: 1,000 appliances' months of the model itself are
    /// needed at a budget of one false call in 20,000.
    pub calls: Option<Threshold>,
    /// What they were taken from.
    pub basis: Basis,
    /// Appliances that they were taken from.
    pub appliances: u32,
    /// Appliances' months that they were taken from.
    pub device_months: u32,
    /// The tail, for probabilities.
    pub tails: Tails,
}

/// A tail and what it is in other samples of the same appliances: 61 of 40 bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tails {
    /// The tail of all of them.
    pub fitted: Tail,
    sampled: Vec<Tail>,
}

impl Tails {
    /// Fits the tail of `sample` and of 60 samples of its appliances, the shape of each drawn towards the family's. None where there
    /// are too few scores.
    pub fn fit(sample: &Sample, family_shape: f64, draws: &mut Draws) -> Option<Self> {
        let mut falling: Vec<f64> = sample.upper.iter().map(|(score, _)| *score).collect();
        let fitted = Tail::fit(&falling, sample.device_months)?.pooled(family_shape);
        let mut sampled = Vec::with_capacity(SAMPLES);
        for _ in 0..SAMPLES {
            falling.clear();
            let times = drawn_times(sample, draws);
            let scores = sample.upper.iter();
            let repeated = scores.flat_map(|(score, place)| std::iter::repeat_n(*score, times[*place as usize]));
            falling.extend(repeated.take(excesses_of(sample.device_months) + 1));
            sampled.extend(Tail::fit(&falling, sample.device_months).map(|tail| tail.pooled(family_shape)));
        }
        Some(Self { fitted, sampled })
    }

    /// Share of the appliances' months that reaches `score`, at most: the upper 80 % bound. Below the tail nothing is known: all.
    pub fn rate_at_most(&self, score: f64) -> f64 {
        let score = score.max(f64::MIN_POSITIVE).ln();
        if score < self.fitted.start {
            return 1.0;
        }
        self.bound(|tail| tail.rate(score), BOUND)
    }

    /// The score that this share of the appliances' months reaches, as a threshold that comes down no lower than `lowest`.
    fn threshold(&self, rate: f64, lowest: f64, margin: f64) -> Threshold {
        let at = |quantile| margin * self.bound(|tail| tail.level(rate), quantile).exp();
        let wanted = at(BOUND);
        Threshold {
            in_force: wanted.max(lowest),
            wanted,
            fitted: margin * self.fitted.level(rate).exp(),
            interval: (at(INTERVAL.0), at(INTERVAL.1)),
        }
    }

    fn bound(&self, of: impl Fn(&Tail) -> f64, quantile: f64) -> f64 {
        let mut values: Vec<f64> = self.sampled.iter().map(&of).collect();
        if values.is_empty() {
            return of(&self.fitted);
        }
        values.sort_by(f64::total_cmp);
        // Linear between the two next to it: type 7 of Hyndman and Fan, The American Statistician 50, 1996.
        let place = quantile * (values.len() - 1) as f64;
        let below = place as usize;
        let above = (below + 1).min(values.len() - 1);
        values[below] + (place - below as f64) * (values[above] - values[below])
    }
}

/// How often each placed appliance is among as many appliances, drawn with replacement. All of an appliance's months come together, since
/// they are alike.
fn drawn_times(sample: &Sample, draws: &mut Draws) -> Vec<usize> {
    let mut times = vec![0; sample.placed as usize];
    for _ in 0..sample.appliances {
        let drawn = draws.below(sample.appliances) as usize;
        if let Some(times) = times.get_mut(drawn) {
            *times += 1;
        }
    }
    times
}

/// The thresholds of a family's appliance models for `month`, from what is known of each until its first day and the thresholds `before`. A
/// model has none as long as the whole family has fewer than 200 appliances' months: then alarms open tickets, from the `first` level
/// on where the family has one, and nothing calls. What a model takes from its family is no lower than the first level, since other models
/// say little of it; its first own level comes down from there, since findings that waited would open their tickets together.
pub fn renew(
    month: Month,
    budgets: Budgets,
    first: Option<f64>,
    histories: &BTreeMap<String, History>,
    before: &BTreeMap<String, Thresholds>,
    draws: &mut Draws,
) -> BTreeMap<String, Thresholds> {
    let samples: BTreeMap<_, _> = histories
        .iter()
        .map(|(model, known)| (model, Sample::of([known])))
        .collect();
    let own_fit = |sample: &Sample| {
        let falling: Vec<f64> = sample.upper.iter().map(|(score, _)| *score).collect();
        Tail::fit(&falling, sample.device_months)
    };
    let shape = family_shape(samples.values().filter_map(own_fit));
    let family = Sample::of(histories.values());
    let has_few = |sample: &Sample| sample.device_months < DEVICE_MONTHS_MIN;
    let family_tails = if samples.values().any(has_few) && !has_few(&family) {
        Tails::fit(&family, shape, draws)
    } else {
        None
    };
    let mut renewed = BTreeMap::new();
    for (model, sample) in samples {
        let last = before.get(model);
        let taken = if has_few(&sample) {
            family_tails.clone().map(|tails| (Basis::Family, &family, tails))
        } else {
            Tails::fit(&sample, shape, draws).map(|tails| (Basis::Own, &sample, tails))
        };
        if let Some((basis, sample, tails)) = taken {
            renewed.insert(
                model.clone(),
                thresholds(month, budgets, first, last, basis, sample, tails),
            );
        }
    }
    renewed
}

fn thresholds(
    month: Month,
    budgets: Budgets,
    first: Option<f64>,
    last: Option<&Thresholds>,
    basis: Basis,
    sample: &Sample,
    tails: Tails,
) -> Thresholds {
    let margin = match basis {
        Basis::Own => 1.0,
        Basis::Family => FAMILY_MARGIN,
    };
    // A threshold that was in force comes down by a tenth a month, and within a month not at all.
    let down = last.map_or(0.0, |last| (1.0 - DOWN_MAX).powi(month.since(last.month).max(0)));
    let tickets_before = last.map_or(0.0, |last| last.tickets.in_force);
    // A model that had no level of its own had the first one in the month before, or the family's.
    let first = first.unwrap_or(0.0);
    let (lowest_wanted, lowest) = match (basis, last.map(|last| last.basis)) {
        (Basis::Family, _) => (first, first),
        (Basis::Own, None | Some(Basis::Family)) => (0.0, first * (1.0 - DOWN_MAX)),
        (Basis::Own, Some(Basis::Own)) => (0.0, 0.0),
    };
    let mut tickets = tails.threshold(budgets.tickets.rate(), lowest.max(tickets_before * down), margin);
    tickets.wanted = tickets.wanted.max(lowest_wanted);
    let shown = BEYOND_MAX * f64::from(sample.device_months) * budgets.calls.rate() >= 1.0;
    let calls = match basis {
        Basis::Own if shown => {
            let before = last.and_then(|last| last.calls).map_or(0.0, |calls| calls.in_force);
            let mut calls = tails.threshold(budgets.calls.rate(), before * down, margin);
            // Where tickets still come down and calls have just begun.
            calls.in_force = calls.in_force.max(tickets.in_force);
            Some(calls)
        }
        Basis::Own | Basis::Family => None,
    };
    Thresholds {
        month,
        tickets,
        calls,
        basis,
        appliances: sample.appliances,
        device_months: sample.device_months,
        tails,
    }
}
