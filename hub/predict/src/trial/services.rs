//! Service dates, and what the openings are worth against them: found before, missed, opened without a service, with the bounds
//! that so few cases allow.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::TrialError;
use super::columns::{columns, rank};
use super::fleet::{Refused, read_bytes};
use super::report::{Bounds, DeviceReport, Opening, Outcome, ServiceReport, Services, Share, days, time_of};
use crate::found::Found;
use crate::table::{Sheet, TableError, Times, decoded, shown};

/// An opening belongs to a service that follows within so many days.
pub const WITHIN_DAYS: i64 = 60;
pub(crate) const WITHIN_MS: i64 = WITHIN_DAYS * 24 * 3_600_000;

/// Rows of a file of service dates.
pub const SERVICES_MAX: usize = 200_000;

const DAY_MS: i64 = 24 * 3_600_000;

/// A service, all of its day where no time was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visit {
    /// Not before.
    pub(crate) from: i64,
    /// Over by then.
    pub(crate) at: i64,
}

/// Service dates of a fleet, by device, the oldest first.
#[derive(Default)]
pub(crate) struct Dates {
    of_devices: BTreeMap<String, Vec<Visit>>,
    refused: BTreeMap<Refused, Found>,
}

impl Visit {
    fn of(at: i64, written: &str) -> Self {
        let is_day = at.rem_euclid(DAY_MS) == 0 && !written.contains(':');
        Self {
            from: at,
            at: if is_day { at + DAY_MS - 1 } else { at },
        }
    }
}

/// Several rows of one day are one visit.
fn once_a_day(visits: &mut Vec<Visit>) {
    visits.sort_unstable_by_key(|visit| (visit.from, visit.at));
    visits.dedup_by(|later, earlier| {
        let same = later.from.div_euclid(DAY_MS) == earlier.from.div_euclid(DAY_MS);
        if same {
            earlier.at = earlier.at.max(later.at);
        }
        same
    });
}

impl Dates {
    /// Reads a file with a column for the device and one for the date.
    ///
    /// # Errors
    /// It is no CSV, it lacks one of the two, or it has too many rows.
    pub(crate) fn read(mut reader: impl Read) -> Result<Self, TrialError> {
        let bytes = read_bytes(&mut reader)?;
        let texts = decoded(&bytes)?;
        let sheet = Sheet::best(&texts, rank)?;
        let columns = columns(&sheet)?;
        let device = columns
            .device
            .ok_or_else(|| TrialError::NoDevice { found: sheet.found() })?;
        let mut dates = Self::default();
        let (mut rows, mut times) = (Vec::new(), Times::default());
        for (n, record) in sheet.records().enumerate() {
            if n == SERVICES_MAX {
                return Err(TrialError::TooManyServices);
            }
            let (line, refused) = match record {
                Ok((line, record)) => {
                    let name = record.get(device).unwrap_or_default();
                    let written = columns.time.written(&record);
                    let refused = if name.is_empty() {
                        Some(Refused::NoDevice)
                    } else if times.push(&written).is_err() {
                        Some(Refused::Time)
                    } else {
                        rows.push((name.to_owned(), line, written.into_owned()));
                        None
                    };
                    (line, refused)
                }
                Err(TableError::Fields { line, .. }) => (line, Some(Refused::Fields)),
                Err(other) => return Err(other.into()),
            };
            if let Some(why) = refused {
                Found::note(&mut dates.refused, why, line);
            }
        }
        let unsettled = |(row, advice): (usize, &'static str)| {
            let (line, text) = rows.get(row).map_or((0, ""), |(_, line, text)| (*line, text));
            TableError::Time {
                line,
                column: shown(&sheet.time_name(columns.time)),
                text: shown(text),
                advice,
            }
        };
        let times = times.settled().map_err(unsettled)?;
        for ((name, _, written), at) in rows.into_iter().zip(times) {
            let visit = Visit::of(at.as_millisecond(), &written);
            dates.of_devices.entry(name).or_default().push(visit);
        }
        dates.of_devices.values_mut().for_each(once_a_day);
        Ok(dates)
    }

    /// Those of a device, the oldest first.
    pub(crate) fn of(&self, device: &str) -> &[Visit] {
        self.of_devices.get(device).map_or(&[], Vec::as_slice)
    }

    /// Judges every service and every opening; each opening is told what came of it. Silence of so long is watched.
    pub(crate) fn judge(&self, devices: &mut [DeviceReport], silence_ms: i64) -> Services {
        let mut services = Vec::new();
        let (mut right, mut wrong, mut too_early) = (0, 0, 0);
        for device in devices.iter_mut() {
            let visits = self.of(&device.name);
            let end = device.to.map_or(i64::MAX, |to| to.as_millisecond());
            let mut first_of = vec![None; visits.len()];
            for ticket in device.openings.chunk_by_mut(|_, next| next.again) {
                let service = ticket.iter_mut().fold(None, |known, opening| {
                    let service = service_of(opening, visits);
                    opening.outcome = Some(outcome(opening, service, end));
                    known.or(service)
                });
                let at = ticket.first().map(|opening| opening.at.as_millisecond());
                match (service, ticket.first().and_then(|opening| opening.outcome)) {
                    (Some(service), _) => first_of[service] = first_of[service].or(at),
                    (None, Some(Outcome::TooEarly)) => too_early += 1,
                    (None, _) => wrong += 1,
                }
            }
            right += first_of.iter().flatten().count();
            let mut before = i64::MIN;
            for (visit, opened) in visits.iter().zip(first_of) {
                let is_watched = is_watched(device, before, *visit, silence_ms);
                services.push(ServiceReport {
                    device: device.name.clone(),
                    at: time_of(visit.at),
                    watched: is_watched,
                    lead_days: opened.filter(|_| is_watched).map(|opened| days(visit.at - opened)),
                });
                before = visit.at;
            }
        }
        let names: BTreeSet<&str> = devices.iter().map(|device| device.name.as_str()).collect();
        let unknown = self.of_devices.keys().filter(|name| !names.contains(name.as_str()));
        let found = services.iter().filter(|service| service.lead_days.is_some()).count();
        let watched = services.iter().filter(|service| service.watched).count();
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
            too_early,
            lead_days_median: super::median(leads.into_iter()),
            services,
        }
    }
}

/// Place of the service that an opening belongs to: the next one, if it stands at it, or if that follows in time.
fn service_of(opening: &Opening, visits: &[Visit]) -> Option<usize> {
    let at = opening.at.as_millisecond();
    let next = visits.partition_point(|visit| visit.at < at);
    let visit = visits.get(next)?;
    let stands = opening.until.is_none_or(|until| until.as_millisecond() >= visit.from);
    (stands || visit.at - at <= WITHIN_MS).then_some(next)
}

fn outcome(opening: &Opening, service: Option<usize>, end: i64) -> Outcome {
    match service {
        Some(_) => Outcome::Service,
        None if end - opening.at.as_millisecond() < WITHIN_MS => Outcome::TooEarly,
        None => Outcome::NoService,
    }
}

/// A step was compared since the service before, and the last of them is near.
fn is_watched(device: &DeviceReport, before: i64, visit: Visit, silence_ms: i64) -> bool {
    let last = device.compared.iter().filter_map(|stretch| {
        let (from, to) = (stretch.from.as_millisecond(), stretch.to.as_millisecond());
        (from > before && from <= visit.at).then_some(to.min(visit.at))
    });
    last.max().is_some_and(|last| visit.from - last <= silence_ms)
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
