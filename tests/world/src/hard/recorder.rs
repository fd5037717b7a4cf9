//! Rows on their way: from physical values, through sensors, firmware, clock and connection, to the hub in order of arrival.

use super::Fleet;
use super::delivery::Delivery;
use super::draw::{Stream, generator};
use super::episode::Episode;
use super::firmware::{self, Reporting};
use super::sensor::{Kind, Sensors};
use crate::Sample;
use hub_core::profile::ApplianceProfile;
use jiff::{SignedDuration, Timestamp};
use rand_chacha::ChaCha8Rng;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Homes are in central Europe, an hour before UTC.
const UTC_OFFSET_S: i64 = 3_600;
const DAY_S: f64 = 86_400.0;
/// Firmware that reports on change says this often that it is alive.
const ALIVE_S: i64 = 3_600;

/// A row as the hub receives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Moment at which it arrives.
    pub received: Timestamp,
    /// Moment at which it was taken, in truth.
    pub taken: Timestamp,
    /// Readings, at the moment that the appliance's own clock showed.
    pub sample: Sample,
}

/// A row by its arrival; rows that arrive together keep their order.
#[derive(Debug, Clone)]
struct Waiting {
    arrival: i64,
    number: u64,
    row: Row,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.arrival, self.number).cmp(&(other.arrival, other.number))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

/// What stands between a unit's physics and the hub. Seconds count from the start of the record.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    start_s: i64,
    /// Range and resolution of each channel: smallest, largest, steps in 1.
    channels: Vec<(f64, f64, f64)>,
    sensors: Sensors,
    reporting: Reporting,
    delivery: Delivery,
    scatter: ChaCha8Rng,
    /// Second and readings of the last row that was sent.
    sent: (i64, Vec<f64>),
    rows: u64,
    waiting: BinaryHeap<Reverse<Waiting>>,
}

impl Recorder {
    /// A unit's recorder; `episodes` has its outages, and gets what sensors, firmware and connection do.
    pub(super) fn new(
        fleet: &Fleet,
        seed: u64,
        profile: &ApplianceProfile,
        kinds: &[Kind],
        reach: firmware::Reach,
        episodes: &mut Vec<Episode>,
    ) -> Self {
        let days = f64::from(fleet.days);
        let (sensors, told) = Sensors::draw(seed, kinds, days, fleet.effects);
        episodes.extend(told);
        let (reporting, told) = firmware::of_unit(fleet.seed, seed, days, reach, fleet.effects);
        episodes.extend(told);
        let channels = profile.channels.iter();
        Self {
            start_s: fleet.start.as_second(),
            channels: channels
                .map(|channel| (channel.min, channel.max, 10_f64.powi(i32::from(channel.decimals))))
                .collect(),
            sensors,
            reporting,
            delivery: Delivery::draw(seed, days, fleet.effects, episodes),
            scatter: generator(seed, Stream::Sensors),
            sent: (i64::MIN, Vec::new()),
            rows: 0,
            waiting: BinaryHeap::new(),
        }
    }

    /// Local days since 1970 at a second of the record.
    pub(super) fn local_day(&self, second: i64) -> f64 {
        (self.start_s + UTC_OFFSET_S + second) as f64 / DAY_S
    }

    /// Takes the values of one moment, in the profile's order.
    pub(super) fn take<const N: usize>(&mut self, second: i64, mut values: [f64; N]) {
        let day = second as f64 / DAY_S;
        self.rows += 1;
        let is_coarse = day >= self.reporting.coarse_from;
        self.sensors.read(day, is_coarse, &mut values, &mut self.scatter);
        for (value, (min, max, steps)) in values.iter_mut().zip(&self.channels) {
            *value = (value.clamp(*min, *max) * steps).round() / steps;
        }
        if self.is_left_out(second, day, &values) {
            return;
        }
        let true_s = self.start_s + second;
        let at_s = self.delivery.clock_s(second, true_s, self.local_day(second));
        for arrival in self.delivery.arrivals(second).into_iter().flatten() {
            let row = Row {
                received: moment(self.start_s + arrival),
                taken: moment(true_s),
                sample: Sample {
                    at: moment(at_s),
                    values: (1..).zip(values).collect(),
                },
            };
            let number = self.rows;
            self.waiting.push(Reverse(Waiting { arrival, number, row }));
        }
    }

    /// Whether the firmware does not report these readings.
    fn is_left_out(&mut self, second: i64, day: f64, values: &[f64]) -> bool {
        let repeats = self.sent.1 == values && second < self.sent.0 + ALIVE_S;
        let is_silent = day >= self.reporting.on_change_from && repeats;
        let is_thinned = day >= self.reporting.thin_from && self.rows.is_multiple_of(2);
        if !is_silent && !is_thinned {
            self.sent.0 = second;
            self.sent.1.clear();
            self.sent.1.extend_from_slice(values);
        }
        is_silent || is_thinned
    }

    /// The next row that has arrived by a second of the record.
    pub(super) fn arrived(&mut self, by: i64) -> Option<Row> {
        let is_here = self.waiting.peek().is_some_and(|Reverse(next)| next.arrival <= by);
        is_here
            .then(|| self.waiting.pop())
            .flatten()
            .map(|Reverse(next)| next.row)
    }
}

fn moment(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}
