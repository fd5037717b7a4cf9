//! The rule that needs no statistics: each figure within limits around what the machine's first runs were, the same width for the
//! whole fleet. An alarm where a figure is outside for the hold time.

use hub_predict::generic::{Channel, Settings};

use super::kit::Run;
use super::learn::{calls_of, thresholds};
use super::watch::{Held, Said, Watched};

/// From a median absolute deviation to a standard deviation, of a normal distribution.
const DEVIATION: f64 = 1.4826;

/// Figures of a run that are looked at.
pub type Of = fn(&Run) -> &[Option<f64>];

/// Limits, with what a fleet taught.
pub struct Limits {
    of: Of,
    channels: Vec<Channel>,
    calibration: usize,
    settings: Settings,
    /// Usual spread of each figure over the runs of a machine.
    spreads: Vec<f64>,
    /// Spreads that open a ticket, and that make a call.
    pub tickets: f64,
    pub calls: f64,
}

impl Limits {
    /// Limits of the first `figures` of these channels.
    pub fn learn(
        fleet: &[Vec<Run>],
        of: Of,
        (channels, figures): (&[Channel], usize),
        calibration: u32,
        days: u32,
    ) -> Self {
        let mut limits = Self {
            of,
            channels: channels.to_vec(),
            calibration: calibration as usize,
            settings: Settings::of_runs(),
            spreads: Vec::new(),
            tickets: f64::MAX,
            calls: f64::MAX,
        };
        limits.spreads = (0..figures).map(|figure| limits.spread(fleet, figure)).collect();
        let watched: Vec<Watched> = fleet.iter().map(|runs| limits.watch(runs)).collect();
        limits.tickets = thresholds(&watched, days, |said| said.ticket).map_or(f64::MAX, |t| t.tickets.in_force);
        limits.calls = calls_of(&watched, days, |said| said.call);
        limits
    }

    fn spread(&self, fleet: &[Vec<Run>], figure: usize) -> f64 {
        let of_machine = fleet.iter().flat_map(|runs| {
            let first = self.first(runs, figure);
            let later = runs.iter().skip(self.calibration);
            later.filter_map(move |run| Some((self.value(run, figure)? - first?).abs()))
        });
        let mut apart: Vec<f64> = of_machine.collect();
        apart.sort_by(f64::total_cmp);
        DEVIATION * apart.get(apart.len() / 2).copied().unwrap_or(1.0).max(1e-6)
    }

    /// A machine watched with these limits.
    pub fn watch(&self, runs: &[Run]) -> Watched {
        let firsts: Vec<_> = (0..self.spreads.len()).map(|i| self.first(runs, i)).collect();
        let hold = self.settings.hold as usize;
        let mut held: Vec<Held> = firsts.iter().map(|_| Held::new(hold)).collect();
        let mut said: Vec<Said> = Vec::new();
        let (mut stands, mut within) = (false, 0);
        let mut scores = vec![0.0; firsts.len()];
        for run in runs.iter().skip(self.calibration) {
            for (i, first) in firsts.iter().enumerate() {
                if let Some(apart) = self.value(run, i).zip(*first).map(|(v, first)| v - first) {
                    scores[i] = held[i].next(apart.abs() / self.spreads[i]);
                }
            }
            let (top, score) = scores
                .iter()
                .copied()
                .enumerate()
                .fold((0, 0.0), |top, one| if one.1 > top.1 { one } else { top });
            let rose = score >= self.tickets && !stands;
            within = if score < self.settings.clear_below * self.tickets {
                within + 1
            } else {
                0
            };
            stands = rose || (stands && within < self.settings.clear_after);
            said.push(Said {
                day: run.day,
                ticket: score,
                call: score,
                rose,
                stands,
                top,
                called: None,
            });
        }
        Watched {
            said,
            ..Watched::default()
        }
    }

    /// A figure on the scale on which it is compared.
    fn value(&self, run: &Run, figure: usize) -> Option<f64> {
        let value = (self.of)(run)[figure]?;
        let by_factor = matches!(self.channels[figure].unit.as_str(), "m/s2" | "A" | "W");
        Some(if by_factor { value.max(1e-3).ln() } else { value })
    }

    fn first(&self, runs: &[Run], figure: usize) -> Option<f64> {
        let first = runs.iter().take(self.calibration);
        let values: Vec<f64> = first.filter_map(|run| self.value(run, figure)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}
