//! What an export is like: rows, times and values, by device and by channel, and which channels measure anything that an
//! appliance's own normal can be made of.

use super::fleet::{Column, Device, Fleet, Refused};
use super::heading::plain;
use super::kind::Kind;
use super::median;
use super::report::{ChannelQuality, DeviceQuality, Quality, Refusal, time_of};
use crate::found::Found;

/// From a row to the next of the same device: more is a mistake in a date.
pub(crate) const LEAP_MS: i64 = 300 * 24 * 3_600_000;
/// A gap is longer than so many usual intervals.
const GAP_INTERVALS: i64 = 10;
/// Rows below which the course of a channel says nothing.
const COURSE_ROWS: u32 = 20;
/// A channel that falls in at most one row of so many is a counter, resets included...
const FALLS_ONE_IN: u32 = 1_000;
/// ...if it rises in at least one of so many.
const RISES_ONE_IN: u32 = 20;
/// Rows below which nothing is said of the time of day.
const DAILY_ROWS: u32 = 480;
/// And days.
const DAILY_SPAN_MS: i64 = 5 * 24 * 3_600_000;
/// Part of a channel's variance that follows the time of day, from which on it is taken for the surroundings'.
const DAILY_SHARE: f64 = 0.5;

/// Words in the plain name of a channel that measures the surroundings.
pub(crate) const SURROUNDINGS: [&str; 12] = [
    "ambient", "outdoor", "outside", "roomtemp", "weather", "humidity", "环境", "室外", "室温", "湿度", "aussen",
    "umgebung",
];
/// Plain names of columns that somebody has judged afterwards, or that count rows.
pub(crate) const LABELS: [&str; 12] = [
    "anomaly",
    "changepoint",
    "label",
    "fault",
    "failure",
    "fails",
    "target",
    "rul",
    "isfault",
    "故障",
    "标签",
    "index",
];

/// Looks at all of it, and puts each device's rows in the order of time, those that came twice once.
pub(crate) fn quality(fleet: &mut Fleet) -> Quality {
    let mut devices = std::mem::take(&mut fleet.devices);
    let of_devices: Vec<DeviceQuality> = devices.iter_mut().map(|device| sort(fleet, device)).collect();
    fleet.devices = devices;
    let fleet = &*fleet;
    let rows = || fleet.devices.iter().flat_map(|device| &device.rows);
    let times = || rows().map(|row| fleet.at(*row));
    let refused = |(reason, found): (&Refused, &Found)| Refusal {
        reason: *reason,
        count: found.count,
        first_line: found.first_line,
    };
    Quality {
        rows_read: fleet.rows(),
        refused: fleet.refused.iter().map(refused).collect(),
        from: times().min().map(time_of),
        to: times().max().map(time_of),
        time_column: fleet.time_column.clone(),
        device_column: fleet.device_column.clone(),
        device_found_by: fleet.by,
        text_columns: fleet.texts.clone(),
        channels: (0..fleet.columns.len()).map(|column| channel(fleet, column)).collect(),
        devices: of_devices,
    }
}

/// How the times of a device follow each other; its rows are in the order of time afterwards.
fn sort(fleet: &Fleet, device: &mut Device) -> DeviceQuality {
    let mut found = DeviceQuality::of(&device.name);
    for pair in device.rows.windows(2) {
        let step = fleet.at(pair[1]) - fleet.at(pair[0]);
        if step < 0 {
            found.back += 1;
            found.first_back_line.get_or_insert(fleet.line(pair[1]));
        }
        if step.abs() > LEAP_MS {
            found.leaps += 1;
            found.first_leap_line.get_or_insert(fleet.line(pair[1]));
        }
    }
    device.rows.sort_by_key(|row| fleet.at(*row));
    let same = |one: u32, other: u32| {
        (0..fleet.columns.len()).all(|column| fleet.value(one, column) == fleet.value(other, column))
    };
    let before = device.rows.len();
    // The sort is stable: what came twice lies side by side.
    device
        .rows
        .dedup_by(|later, earlier| fleet.at(*later) == fleet.at(*earlier) && same(*later, *earlier));
    found.duplicates = before - device.rows.len();
    let steps = || device.rows.windows(2).map(|pair| fleet.at(pair[1]) - fleet.at(pair[0]));
    found.same_time = steps().filter(|step| *step == 0).count();
    let usual = median(steps().filter(|step| *step > 0).map(|step| step as f64));
    found.interval_s = usual.map(|usual| usual / 1_000.0);
    let gap = usual.map_or(i64::MAX, |usual| (usual as i64).saturating_mul(GAP_INTERVALS));
    found.gaps = steps().filter(|step| *step > gap).count();
    found.longest_gap_s = steps().filter(|step| *step > gap).max().map(|gap| gap as f64 / 1_000.0);
    found.rows = device.rows.len();
    found.from = device.rows.first().map(|row| time_of(fleet.at(*row)));
    found.to = device.rows.last().map(|row| time_of(fleet.at(*row)));
    found
}

/// The course of a channel in one device.
struct Course {
    rows: u32,
    falls: u32,
    rises: u32,
    lowest: f64,
    highest: f64,
    /// Part of its variance that follows the hour of the day, where enough is known of it.
    daily: Option<f64>,
}

impl Course {
    fn of(fleet: &Fleet, device: &Device, column: usize) -> Option<Self> {
        let values = || {
            let rows = device.rows.iter();
            rows.filter_map(|row| Some((fleet.at(*row), fleet.value(*row, column)?)))
        };
        let (_, first) = values().next()?;
        let mut course = Self {
            rows: 0,
            falls: 0,
            rises: 0,
            lowest: first,
            highest: first,
            daily: None,
        };
        let mut before = first;
        for (_, value) in values() {
            course.rows += 1;
            course.falls += u32::from(value < before);
            course.rises += u32::from(value > before);
            course.lowest = course.lowest.min(value);
            course.highest = course.highest.max(value);
            before = value;
        }
        course.daily = daily(values, course.rows);
        Some(course)
    }

    fn is_constant(&self) -> bool {
        self.rows > 1 && self.lowest >= self.highest
    }

    fn only_grows(&self) -> bool {
        let falls = u64::from(self.falls) * u64::from(FALLS_ONE_IN) <= u64::from(self.rows);
        falls && self.rises * RISES_ONE_IN >= self.rows
    }
}

/// Variance between the hours of the day over all of it.
fn daily<V: Iterator<Item = (i64, f64)>>(values: impl Fn() -> V, rows: u32) -> Option<f64> {
    let (first, last) = (values().next()?.0, values().last()?.0);
    if rows < DAILY_ROWS || last - first < DAILY_SPAN_MS {
        return None;
    }
    let mean = values().map(|(_, value)| value).sum::<f64>() / f64::from(rows);
    let mut hours = [(0.0, 0.0); 24];
    let mut all = 0.0;
    for (at, value) in values() {
        let hour = at.div_euclid(3_600_000).rem_euclid(24) as usize;
        hours[hour].0 += 1.0;
        hours[hour].1 += value - mean;
        all += (value - mean).powi(2);
    }
    let between: f64 = hours
        .iter()
        .filter(|(n, _)| *n > 0.0)
        .map(|(n, sum)| sum * sum / n)
        .sum();
    (all > 0.0).then(|| between / all)
}

fn channel(fleet: &Fleet, column: usize) -> ChannelQuality {
    let rows: usize = fleet.devices.iter().map(|device| device.rows.len()).sum();
    let courses: Vec<Course> = fleet
        .devices
        .iter()
        .filter_map(|device| Course::of(fleet, device, column))
        .collect();
    let values: usize = courses.iter().map(|course| course.rows as usize).sum();
    let Column {
        heading,
        decimals,
        unreadable,
    } = &fleet.columns[column];
    ChannelQuality {
        name: heading.name.clone(),
        unit: heading.unit.clone(),
        floor_unit: super::heading::senml(heading).map(str::to_owned),
        decimals: *decimals,
        values,
        missing: rows - values,
        unreadable: unreadable.map_or(0, |found| found.count),
        first_unreadable_line: unreadable.map(|found| found.first_line),
        lowest: courses.iter().map(|course| course.lowest).reduce(f64::min),
        highest: courses.iter().map(|course| course.highest).reduce(f64::max),
        stuck_devices: courses.iter().filter(|course| course.is_constant()).count(),
        kind: kind(fleet, column, values, &courses),
    }
}

fn kind(fleet: &Fleet, column: usize, values: usize, courses: &[Course]) -> Kind {
    let Column {
        heading, unreadable, ..
    } = &fleet.columns[column];
    if unreadable.is_some_and(|found| found.count > values) {
        return Kind::Text;
    }
    if values == 0 {
        return Kind::Empty;
    }
    let name = plain(&heading.name);
    if LABELS.contains(&name.as_str()) {
        return Kind::Label;
    }
    if courses.iter().all(Course::is_constant) {
        return Kind::Constant;
    }
    if has_two_values(fleet, column, courses) {
        return Kind::TwoValued;
    }
    if SURROUNDINGS.iter().any(|word| name.contains(word)) {
        return Kind::Ambient;
    }
    let mut long = courses.iter().filter(|course| course.rows >= COURSE_ROWS).peekable();
    if long.peek().is_some() && long.all(Course::only_grows) {
        return Kind::Counter;
    }
    match median(courses.iter().filter_map(|course| course.daily)) {
        Some(share) if share >= DAILY_SHARE => Kind::Daily,
        _ => Kind::Measured,
    }
}

fn has_two_values(fleet: &Fleet, column: usize, courses: &[Course]) -> bool {
    let lowest = courses.iter().map(|course| course.lowest).fold(f64::INFINITY, f64::min);
    let highest = courses
        .iter()
        .map(|course| course.highest)
        .fold(f64::NEG_INFINITY, f64::max);
    let mut rows = fleet.devices.iter().flat_map(|device| &device.rows);
    rows.all(|row| {
        fleet
            .value(*row, column)
            .is_none_or(|value| value == lowest || value == highest)
    })
}
