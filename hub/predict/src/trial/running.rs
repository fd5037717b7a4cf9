//! When an appliance runs, and when it stands idle: rows of idle are left out, because two states make no one normal. The
//! channel that tells them apart is named by a person, or it falls so plainly into two that nothing else can be meant.

use super::TrialError;
use super::fleet::{Device, Fleet};
use super::heading::heading;
use super::kind::Kind;
use super::report::Quality;
use crate::table::{listed, shown};

/// Values of a channel that are looked at, spread over all devices.
const LOOKED_AT_MAX: usize = 20_000;
/// Part of the variance that lies between the two states, at least.
const BETWEEN: f64 = 0.9;
/// Part of the rows that each state has, at least.
const STATE: f64 = 0.1;
/// Part of the values in the middle between the states, at most.
const MIDDLE: f64 = 0.02;
/// Idle is at most this part of running.
const IDLE: f64 = 0.2;
/// A device starts and stops so often in the first quarter of its rows: a fault that stops it once is no idle.
const SWITCHES: usize = 4;

/// The channel that tells running from idle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Running {
    pub(crate) column: usize,
    /// It runs from this value on.
    pub(crate) from: f64,
    /// A person named it.
    pub(crate) named: bool,
}

impl Running {
    /// The one that was named, or one that is plain; none where rows are of one state.
    ///
    /// # Errors
    /// There is no such channel, or it has no value or a single one.
    pub(crate) fn find(fleet: &Fleet, quality: &Quality, named: Option<&str>) -> Result<Option<Self>, TrialError> {
        if let Some(written) = named {
            let place = |name: &str| quality.channels.iter().position(|channel| channel.name == name);
            let name = shown(written);
            let position = place(written).or_else(|| place(&heading(written).name));
            let column = position.ok_or_else(|| TrialError::NoSuchChannel {
                name: name.clone(),
                found: names(quality),
            })?;
            if quality.channels[column].values == 0 {
                return Err(TrialError::NoValueOf { name });
            }
            let split = Split::of(fleet, column).ok_or(TrialError::NeverIdle { name })?;
            return Ok(Some(split.running(column, true)));
        }
        let measured = |column: &usize| quality.channels[*column].kind == Kind::Measured;
        let splits = (0..fleet.columns.len()).filter(measured).filter_map(|column| {
            let split = Split::of(fleet, column).filter(Split::is_plain)?;
            Some((split.between, split.running(column, false)))
        });
        let switching = splits.filter(|(_, running)| running.switches(fleet));
        Ok(switching
            .max_by(|one, other| one.0.total_cmp(&other.0))
            .map(|(_, running)| running))
    }

    /// Rows of a device in which it runs; one that does not say is as the one before.
    pub(crate) fn rows(&self, fleet: &Fleet, device: &Device) -> Vec<u32> {
        let mut runs = false;
        let is_running = |row: &&u32| {
            runs = fleet.value(**row, self.column).map_or(runs, |value| value >= self.from);
            runs
        };
        device.rows.iter().filter(is_running).copied().collect()
    }

    /// Half of the devices or more start and stop from the beginning.
    fn switches(&self, fleet: &Fleet) -> bool {
        let switching = fleet.devices.iter().filter(|device| {
            let first = &device.rows[..device.rows.len() / 4];
            let states: Vec<bool> = first
                .iter()
                .filter_map(|row| fleet.value(*row, self.column))
                .map(|value| value >= self.from)
                .collect();
            states.windows(2).filter(|pair| pair[0] != pair[1]).count() >= SWITCHES
        });
        switching.count() * 2 >= fleet.devices.len()
    }
}

fn names(quality: &Quality) -> String {
    listed(quality.channels.iter().map(|channel| channel.name.as_str()))
}

/// A channel's values in two groups, as far apart as they can be (Otsu's threshold).
struct Split {
    low: f64,
    high: f64,
    /// Part of the values that are in the lower group.
    share_low: f64,
    /// Part of the variance that lies between the groups.
    between: f64,
    /// Part of the values in the middle third between the groups' means.
    middle: f64,
}

impl Split {
    /// None where all values are the same.
    fn of(fleet: &Fleet, column: usize) -> Option<Self> {
        let rows: usize = fleet.devices.iter().map(|device| device.rows.len()).sum();
        let all = fleet.devices.iter().flat_map(|device| &device.rows);
        let some = all.step_by(rows.div_ceil(LOOKED_AT_MAX).max(1));
        let mut values: Vec<f64> = some.filter_map(|row| fleet.value(*row, column)).collect();
        values.sort_unstable_by(f64::total_cmp);
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let all: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let mut below = 0.0;
        let mut best: Option<(f64, f64, f64, f64)> = None;
        for (at, value) in values.iter().enumerate().take(values.len().saturating_sub(1)) {
            below += value;
            let count = (at + 1) as f64;
            let (low, high) = (below / count, (mean * n - below) / (n - count));
            let between = count * (n - count) / n * (high - low).powi(2);
            if best.is_none_or(|(known, ..)| between > known) {
                best = Some((between, low, high, count / n));
            }
        }
        let (between, low, high, share_low) = best.filter(|_| all > 0.0)?;
        let third = (high - low) / 3.0;
        let in_the_middle = values
            .iter()
            .filter(|v| (low + third..high - third).contains(*v))
            .count();
        Some(Self {
            low,
            high,
            share_low,
            between: between / all,
            middle: in_the_middle as f64 / n,
        })
    }

    fn is_plain(&self) -> bool {
        let both = self.share_low >= STATE && self.share_low <= 1.0 - STATE;
        let from_zero = self.high > 0.0 && self.low.abs() <= IDLE * self.high;
        both && from_zero && self.between >= BETWEEN && self.middle <= MIDDLE
    }

    fn running(&self, column: usize, named: bool) -> Running {
        Running {
            column,
            from: f64::midpoint(self.low, self.high),
            named,
        }
    }
}
