//! What the model opens on the recordings: on healthy ones, which it was learned from, and on those with a known fault.

use std::collections::BTreeMap;

use hub_core::profile::ApplianceProfile;
use jiff::Timestamp;

use super::Fault;
use super::learn::{Said, watch};
use super::recordings::Device;
use crate::manifest::{Kit, Manifest};

/// Days of a month.
const MONTH_DAYS: f64 = 30.44;

/// What came of a fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// An alarm rose while it was there, so many days behind its beginning; and so many before its end, where that is known.
    Found {
        /// Days behind its beginning.
        after_days: f64,
        /// Days before its end.
        lead_days: Option<f64>,
    },
    /// None did.
    Missed,
    /// No step was compared while it was there: the device's normal was still being learned, or it was silent.
    NotWatched,
}

/// A fault, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct OfFault {
    /// The fault.
    pub fault: Fault,
    /// What came of it.
    pub outcome: Outcome,
    /// A call would have been asked for, where the model has a score for calls.
    pub call: bool,
}

/// What the model opens on the recordings.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Devices that were watched.
    pub watched: usize,
    /// Months of healthy devices that were watched.
    pub device_months: f64,
    /// Alarms of healthy devices, each false as far as anybody knows.
    pub false_alarms: usize,
    /// Those of them for which a call would have been asked.
    pub false_calls: usize,
    /// Alarms of devices with a fault at other times than the fault's.
    pub outside: usize,
    /// The faults, by device.
    pub faults: Vec<OfFault>,
}

impl Judged {
    /// Faults that were watched, and those of them that were found.
    pub fn found(&self) -> (usize, usize) {
        let watched = self.faults.iter().filter(|one| one.outcome != Outcome::NotWatched);
        let found = watched
            .clone()
            .filter(|one| matches!(one.outcome, Outcome::Found { .. }));
        (found.count(), watched.count())
    }

    /// The days before their end in the middle of the faults that were found and have one.
    pub fn lead_days(&self) -> Option<f64> {
        let lead = |one: &OfFault| match one.outcome {
            Outcome::Found { lead_days, .. } => lead_days,
            Outcome::Missed | Outcome::NotWatched => None,
        };
        let mut leads: Vec<f64> = self.faults.iter().filter_map(lead).collect();
        leads.sort_by(f64::total_cmp);
        leads.get(leads.len().saturating_sub(1) / 2).copied()
    }
}

/// Watches every device by the model. Behind the end of a fault the normal begins again, as in the hub behind a repair.
pub(super) fn judge(
    manifest: &Manifest,
    profile: &ApplianceProfile,
    devices: &[Device],
    faults: &BTreeMap<String, Vec<Fault>>,
) -> Judged {
    let mut judged = Judged {
        watched: 0,
        device_months: 0.0,
        false_alarms: 0,
        false_calls: 0,
        outside: 0,
        faults: Vec::new(),
    };
    let Some(kit) = Kit::of(manifest, profile) else {
        return judged;
    };
    let call = manifest.detector.as_ref().and_then(|rule| rule.call);
    let calls = |said: &Said| call.is_some_and(|call| said.call >= call);
    for device in devices {
        let of_device = faults.get(&device.name).map_or(&[][..], Vec::as_slice);
        let repairs: Vec<Timestamp> = of_device.iter().filter_map(|fault| fault.until).collect();
        let watched = watch(&device.steps, &repairs, &kit.channels, &kit.settings);
        judged.watched += usize::from(!watched.said.is_empty());
        let rose = || watched.said.iter().filter(|said| said.rose);
        if of_device.is_empty() {
            judged.device_months += watched.days() / MONTH_DAYS;
            judged.false_alarms += rose().count();
            let begins = |pair: &[Said]| calls(&pair[1]) && !calls(&pair[0]);
            judged.false_calls += watched.said.windows(2).filter(|pair| begins(pair)).count();
            continue;
        }
        judged.outside += rose()
            .filter(|said| !of_device.iter().any(|fault| fault.covers(said.at)))
            .count();
        for fault in of_device {
            let within = || watched.said.iter().filter(|said| fault.covers(said.at));
            let days = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64() / 86_400.0;
            let outcome = match within().find(|said| said.rose) {
                Some(said) => Outcome::Found {
                    after_days: days(fault.since, said.at),
                    lead_days: fault.until.map(|until| days(said.at, until)),
                },
                None if within().next().is_none() => Outcome::NotWatched,
                None => Outcome::Missed,
            };
            judged.faults.push(OfFault {
                fault: fault.clone(),
                outcome,
                call: within().any(calls),
            });
        }
    }
    judged
}
