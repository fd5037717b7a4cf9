//! A maker's own export, tried without hub, account, training or profile: what its data are like, what would be watched, and what
//! the detector that needs no training would have opened.
//!
//! Pure: a file goes in, a report comes out. It draws no page, and knows no model folder.

mod columns;
mod fleet;
mod heading;
mod judge;
mod kind;
mod plot;
mod quality;
pub mod report;
mod running;
mod services;
mod watcher;

pub use columns::DeviceBy;
pub(crate) use columns::rank;
pub use fleet::{BYTES_MAX, CHANNELS_MAX, DEVICES_MAX, ROWS_MAX, Refused, VALUES_MAX};
pub(crate) use fleet::{Device, Fleet, read, read_bytes};
pub(crate) use heading::plain;
pub(crate) use judge::{period_s, span_s};
pub use kind::Kind;
pub(crate) use quality::{LABELS, SURROUNDINGS, quality};
pub use report::Report;
pub(crate) use running::Running;
pub(crate) use services::poisson;
pub use services::{SERVICES_MAX, WITHIN_DAYS};
pub use watcher::COOL_DOWN_DAYS;

use std::collections::BTreeMap;
use std::io::Read;

use judge::Plan;
use report::{Bounds, DeviceReport, Quality, Rate, Rates, RunningReport, Services, StepReport};
use services::{Dates, WITHIN_MS};

use crate::found::Found;
use crate::generic::Settings;
use crate::table::TableError;

/// Devices whose course is part of the report.
const PLOTS_MAX: usize = 24;
/// Days of a month.
const MONTH_DAYS: f64 = 30.44;
/// Months below which nothing is said for every 1,000 of them.
const MONTHS_MIN: f64 = 1.0;

/// Why an export cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// It is no CSV, or its times cannot be read.
    #[error("the file cannot be used")]
    Table(#[from] TableError),
    /// Too many bytes.
    #[error(
        "the file is larger than {} MiB: export fewer days, or fewer devices, and try the parts apart",
        BYTES_MAX >> 20
    )]
    TooLarge,
    /// Too many rows or values.
    #[error(
        "the file has more than {} rows, or {} values: export fewer days, devices or columns, or means of some minutes",
        ROWS_MAX,
        VALUES_MAX
    )]
    TooManyRows,
    /// Too many devices.
    #[error(
        "the file has more than {} devices: export fewer, and see that the device's column holds no time and no number of \
         the row",
        DEVICES_MAX
    )]
    TooManyDevices,
    /// Too many channels.
    #[error(
        "the file has {found} columns of numbers, and {} can be read: leave out those that do not matter",
        CHANNELS_MAX
    )]
    TooManyChannels {
        /// How many there are.
        found: usize,
    },
    /// No column of numbers.
    #[error("no column holds numbers that could be watched; found: {found}")]
    NoChannel {
        /// The columns that are there.
        found: String,
    },
    /// No row can be read.
    #[error("no row of the file can be read: {}", told(.0))]
    NoRow(BTreeMap<Refused, Found>),
    /// Each row has one value of a channel that it names.
    #[error(
        "column `{column}` names the channel of each row: give each channel a column of its own, and each time one row (in a \
         spreadsheet, a pivot table)"
    )]
    OneValueARow {
        /// The column.
        column: String,
    },
    /// Too many service dates.
    #[error(
        "the service file has more than {} rows: leave out what is older than the export",
        SERVICES_MAX
    )]
    TooManyServices,
    /// Service dates without a device.
    #[error("no column says which device was serviced: name it `device`; found: {found}")]
    NoDevice {
        /// The columns that are there.
        found: String,
    },
    /// The channel that was named as telling running from idle is not there.
    #[error("there is no channel `{name}`; there are: {found}")]
    NoSuchChannel {
        /// Its name.
        name: String,
        /// The channels that are there.
        found: String,
    },
    /// That channel has no value.
    #[error("channel `{name}` cannot tell running from idle: it has no value")]
    NoValueOf {
        /// Its name.
        name: String,
    },
    /// That channel has one value.
    #[error("channel `{name}` cannot tell running from idle: it has a single value")]
    NeverIdle {
        /// Its name.
        name: String,
    },
}

fn told(refused: &BTreeMap<Refused, Found>) -> String {
    let of = |(why, found): (&Refused, &Found)| {
        let what = match why {
            Refused::Fields => "with more or fewer fields than the heading",
            Refused::Time => "whose time cannot be read",
            Refused::NoDevice => "without a device",
            Refused::NoValue => "without a value",
        };
        format!("{} {what}, first in line {}", found.count, found.first_line)
    };
    match refused.is_empty() {
        true => "there is none".to_owned(),
        false => refused.iter().map(of).collect::<Vec<_>>().join("; "),
    }
}

/// Tries an export of this name. `running` names the channel that tells running from idle.
///
/// # Errors
/// One of the files cannot be read, or there is no such channel.
pub fn try_export(
    file: &str,
    export: impl Read,
    services: Option<impl Read>,
    running: Option<&str>,
) -> Result<Report, TrialError> {
    let one = file.rsplit_once('.').map_or(file, |(name, _)| name);
    let mut fleet = fleet::read(export, one)?;
    let dates = services.map(Dates::read).transpose()?;
    let quality = quality(&mut fleet);
    let running = Running::find(&fleet, &quality, running)?;
    let plan = Plan::new(&fleet, &quality, running, Settings::default());
    let none = Dates::default();
    let of_device = dates.as_ref().unwrap_or(&none);
    let mut devices: Vec<DeviceReport> = Vec::with_capacity(fleet.devices.len());
    for (device, quality) in fleet.devices.iter().zip(&quality.devices) {
        devices.push(plan.judge(device, quality, of_device.of(&device.name)));
        keep_plots(&mut devices);
    }
    let services = dates.as_ref().map(|dates| dates.judge(&mut devices, plan.silence_ms()));
    Ok(Report {
        format: report::FORMAT.to_owned(),
        version: report::VERSION,
        file: file.to_owned(),
        running: running.map(|running| of_running(&plan, &quality, running)),
        step: StepReport {
            period_s: plan.period_s(),
            interval_s: report::rounded(plan.interval_s),
            calibration: plan.settings.calibration,
            threshold: plan.settings.threshold,
            hold: plan.settings.hold,
        },
        rates: rates(&devices, services.as_ref()),
        quality,
        devices,
        services,
    })
}

fn of_running(plan: &Plan<'_>, quality: &Quality, running: Running) -> RunningReport {
    let idle = plan
        .fleet
        .devices
        .iter()
        .map(|device| device.rows.len() - running.rows(plan.fleet, device).len());
    RunningReport {
        channel: quality.channels[running.column].name.clone(),
        from: report::rounded(running.from),
        named: running.named,
        idle_rows: idle.sum(),
    }
}

/// Plots of the first devices for which something was opened; of the highest score where nothing was. The last device is new.
fn keep_plots(devices: &mut [DeviceReport]) {
    let opened = devices.iter().filter(|device| !device.openings.is_empty()).count();
    let Some((last, before)) = devices.split_last_mut() else {
        return;
    };
    let score = |device: &DeviceReport| device.highest.as_ref().map_or(0.0, |highest| highest.score);
    if !last.openings.is_empty() {
        if opened == 1 {
            before.iter_mut().for_each(|device| device.plot = None);
        }
        if opened > PLOTS_MAX {
            last.plot = None;
        }
        return;
    }
    match before.iter_mut().find(|device| device.plot.is_some()) {
        Some(best) if opened == 0 && score(last) > score(best) => best.plot = None,
        Some(_) => last.plot = None,
        None => {}
    }
}

fn rates(devices: &[DeviceReport], services: Option<&Services>) -> Rates {
    let months = devices.iter().map(|device| device.watched_days).sum::<f64>() / MONTH_DAYS;
    let opened = devices.iter().flat_map(|device| &device.openings);
    let over = || devices.iter().map(DeviceReport::over_ms).sum::<i64>() as f64 / (MONTH_DAYS * 86_400_000.0);
    Rates {
        device_months: report::rounded(months),
        opened: rate(opened.filter(|opening| !opening.again).count(), months),
        without_service: services.and_then(|services| rate(services.without_service, over())),
    }
}

/// None below one month.
fn rate(count: usize, months: f64) -> Option<Rate> {
    let per_1000 = |count: f64| report::rounded(count * 1_000.0 / months);
    let Bounds { low, high } = poisson(count);
    (months >= MONTHS_MIN).then(|| Rate {
        count,
        device_months: report::rounded(months),
        per_1000: per_1000(count as f64),
        bounds: Bounds {
            low: per_1000(low),
            high: per_1000(high),
        },
    })
}

impl DeviceReport {
    /// Milliseconds of watching in which an opening's time is over by the end of the recording.
    fn over_ms(&self) -> i64 {
        let end = self.to.map_or(i64::MIN, |to| to.as_millisecond() - WITHIN_MS);
        let over = |stretch: &report::Stretch| {
            let (from, to) = (stretch.from.as_millisecond(), stretch.to.as_millisecond());
            (to.min(end) - from).max(0)
        };
        self.compared.iter().map(over).sum()
    }
}

/// The one in the middle, of two the lower; none of nothing.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests;
