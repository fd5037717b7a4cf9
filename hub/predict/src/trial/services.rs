//! Service dates, and what the openings are worth against them: found before, missed, opened without a service, with the bounds
//! that so few cases allow.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::TrialError;
use super::columns::{columns, rank};
use super::fleet::{Refused, read_bytes};
use super::report::{Bounds, DeviceReport, Outcome, ServiceReport, Services, Share, days};
use crate::summary::Found;
use crate::table::{Sheet, TableError, Times, decoded};

/// An opening belongs to a service that follows within so many days.
pub const WITHIN_DAYS: i64 = 60;
const WITHIN_MS: i64 = WITHIN_DAYS * 24 * 3_600_000;

/// Service dates of a fleet, by device, the oldest first.
#[derive(Default)]
pub(crate) struct Dates {
    of_devices: BTreeMap<String, Vec<i64>>,
    refused: BTreeMap<Refused, Found>,
}

impl Dates {
    /// Reads a file with a column for the device and one for the date.
    ///
    /// # Errors
    /// It is no CSV, or it lacks one of the two.
    pub(crate) fn read(mut reader: impl Read) -> Result<Self, TrialError> {
        let bytes = read_bytes(&mut reader)?;
        let texts = decoded(&bytes)?;
        let sheet = Sheet::best(&texts, rank)?;
        let columns = columns(&sheet)?;
        let device = columns
            .device
            .ok_or_else(|| TrialError::NoDevice { found: sheet.found() })?;
        let mut dates = Self::default();
        let (mut names, mut lines, mut times) = (Vec::new(), Vec::new(), Times::default());
        for record in sheet.records() {
            let (line, refused) = match record {
                Ok((line, record)) => {
                    let name = record.get(device).unwrap_or_default();
                    let refused = if name.is_empty() {
                        Some(Refused::NoDevice)
                    } else if times.push(&columns.time.written(&record)).is_err() {
                        Some(Refused::Time)
                    } else {
                        names.push(name.to_owned());
                        lines.push(line);
                        None
                    };
                    (line, refused)
                }
                Err(TableError::Fields { line, .. }) => (line, Some(Refused::Fields)),
                Err(TableError::Quote { line }) => (line, Some(Refused::Quote)),
                Err(other) => return Err(other.into()),
            };
            if let Some(why) = refused {
                Found::note(&mut dates.refused, why, line);
            }
        }
        let unsettled = |(row, advice): (usize, &'static str)| TableError::Time {
            line: lines.get(row).copied().unwrap_or_default(),
            column: sheet.time_name(columns.time),
            text: String::new(),
            advice,
        };
        for (name, at) in names.into_iter().zip(times.settled().map_err(unsettled)?) {
            dates.of_devices.entry(name).or_default().push(at.as_millisecond());
        }
        dates.of_devices.values_mut().for_each(|dates| dates.sort_unstable());
        Ok(dates)
    }

    /// Those of a device, the oldest first.
    pub(crate) fn of(&self, device: &str) -> &[i64] {
        self.of_devices.get(device).map_or(&[], Vec::as_slice)
    }

    /// Judges every service and every opening; each opening is told what came of it.
    pub(crate) fn judge(&self, devices: &mut [DeviceReport]) -> Services {
        let mut services = Vec::new();
        for device in devices.iter_mut() {
            let mut before = i64::MIN;
            for at in self.of(&device.name) {
                services.push(of_service(device, before, *at));
                before = *at;
            }
            for opening in &mut device.openings {
                let followed = self
                    .of(&device.name)
                    .iter()
                    .find(|at| **at >= opening.at.as_millisecond());
                let within = followed.is_some_and(|at| at - opening.at.as_millisecond() <= WITHIN_MS);
                let end = device.to.map_or(i64::MAX, |to| to.as_millisecond());
                opening.outcome = Some(if within {
                    Outcome::Service
                } else if end - opening.at.as_millisecond() < WITHIN_MS {
                    Outcome::TooEarly
                } else {
                    Outcome::NoService
                });
            }
        }
        let names: BTreeSet<&str> = devices.iter().map(|device| device.name.as_str()).collect();
        let unknown = self.of_devices.keys().filter(|name| !names.contains(name.as_str()));
        let count = |outcome| {
            let openings = devices.iter().flat_map(|device| &device.openings);
            openings.filter(|opening| opening.outcome == Some(outcome)).count()
        };
        let found = services.iter().filter(|service| service.lead_days.is_some()).count();
        let watched = services.iter().filter(|service| service.watched).count();
        let (right, wrong) = (count(Outcome::Service), count(Outcome::NoService));
        let leads: Vec<f64> = services.iter().filter_map(|service| service.lead_days).collect();
        Services {
            within_days: WITHIN_DAYS,
            refused: self.refused.values().map(|found| found.count).sum(),
            unknown_devices: unknown.count(),
            not_watched: services.len() - watched,
            found: share(found, watched),
            missed: watched - found,
            followed: share(right, right + wrong),
            without_service: wrong,
            too_early: count(Outcome::TooEarly),
            lead_days_median: super::median(leads.into_iter()),
            services,
        }
    }
}

/// What was opened before a service, and since the one before.
fn of_service(device: &DeviceReport, before: i64, at: i64) -> ServiceReport {
    let is_watched = device.watched_from.is_some_and(|from| from.as_millisecond() <= at)
        && device.to.is_some_and(|to| at - to.as_millisecond() <= WITHIN_MS);
    let opened = device.openings.iter().map(|opening| opening.at.as_millisecond());
    let mut fitting = opened.filter(|opened| *opened > before && *opened <= at && at - opened <= WITHIN_MS);
    ServiceReport {
        device: device.name.clone(),
        at: super::report::time_of(at),
        watched: is_watched,
        lead_days: fitting.next().filter(|_| is_watched).map(|opened| days(at - opened)),
    }
}

fn share(count: usize, of: usize) -> Share {
    Share {
        count,
        of,
        bounds: (of > 0).then(|| clopper_pearson(count, of).rounded()),
    }
}

/// Bounds of a share, of which 95 in 100 hold the true one (Clopper and Pearson, 1934).
pub(crate) fn clopper_pearson(count: usize, of: usize) -> Bounds {
    let at_most = |k: usize, p: f64| {
        let mut term = of as f64 * (1.0 - p).ln();
        let mut sum = term.exp();
        for i in 0..k {
            term += ((of - i) as f64 / (i + 1) as f64).ln() + p.ln() - (1.0 - p).ln();
            sum += term.exp();
        }
        sum
    };
    let low = match count {
        0 => 0.0,
        _ => crossing(1.0, |p| at_most(count - 1, p) < 0.975),
    };
    let high = match count {
        _ if count == of => 1.0,
        _ => crossing(1.0, |p| at_most(count, p) < 0.025),
    };
    Bounds { low, high }
}

/// Bounds of a count of rare events, of which 95 in 100 hold the true mean (Garwood, 1936).
pub(crate) fn poisson(count: usize) -> Bounds {
    let at_most = |k: usize, mean: f64| {
        let mut term = -mean;
        let mut sum = term.exp();
        for i in 1..=k {
            term += (mean / i as f64).ln();
            sum += term.exp();
        }
        sum
    };
    let most = 2.0 * count as f64 + 20.0;
    let low = match count {
        0 => 0.0,
        _ => crossing(most, |mean| at_most(count - 1, mean) < 0.975),
    };
    Bounds {
        low,
        high: crossing(most, |mean| at_most(count, mean) < 0.025),
    }
}

/// The place between 0 and `most` from which on something holds.
fn crossing(most: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, most);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if holds(middle) { high = middle } else { low = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_tables() {
        for (count, of, low, high) in [
            (0, 10, 0.0, 0.3085),
            (1, 10, 0.0025, 0.4450),
            (9, 9, 0.6637, 1.0),
            (14, 21, 0.4303, 0.8541),
        ] {
            let bounds = clopper_pearson(count, of);
            assert!(
                (bounds.low - low).abs() < 1e-4 && (bounds.high - high).abs() < 1e-4,
                "{count}/{of} {bounds:?}"
            );
        }
        for (count, low, high) in [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39)] {
            let bounds = poisson(count);
            assert!(
                (bounds.low - low).abs() < 1e-3 && (bounds.high - high).abs() < 1e-2,
                "{count} {bounds:?}"
            );
        }
    }
}
