//! Writes the readings of a simulated fleet as CSV files, one a device, for training and evaluation:
//! `timestamp`, the profile's channels by name, then the labels `fault` and `wear`.
//!
//! `cargo run -p tests-world --example fleet -- --out DIR --devices 100 --days 60 --seed 1`

use anyhow::{Context, Result, ensure};
use clap::Parser;
use hub_core::profile::ApplianceProfile;
use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use tests_world::{FaultKind, FaultPlan, Unit, WashingMachine, profiles};

/// China's offset from UTC.
const UTC_OFFSET_S: i64 = 8 * 3_600;

/// Readings of a simulated fleet of washing machines, as CSV files.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder for the files; made if absent.
    #[arg(long)]
    out: PathBuf,
    /// How many devices.
    #[arg(long, default_value_t = 100)]
    devices: u64,
    /// How many days each is watched.
    #[arg(long, default_value_t = 60)]
    days: u32,
    /// Another seed gives another fleet.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Share of devices that get a fault, the kinds in turn.
    #[arg(long, default_value_t = 0.5)]
    faulty: f64,
    /// First moment.
    #[arg(long, default_value = "2026-01-05T00:00:00Z")]
    start: Timestamp,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(
        (0.0..=1.0).contains(&arguments.faulty),
        "--faulty must be between 0 and 1"
    );
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot make the folder {}", arguments.out.display()))?;
    let profile = profiles::washing_machine();
    let mut rng = ChaCha8Rng::seed_from_u64(arguments.seed);
    let mut faulty = 0;
    for device in 0..arguments.devices {
        let unit = Unit::draw(rng.random(), UTC_OFFSET_S);
        let mut machine = WashingMachine::new(unit, arguments.start);
        // Spread evenly, so that a small fleet has its share too.
        if (device + 1) as f64 * arguments.faulty >= f64::from(faulty + 1) {
            machine = machine.with_fault(plan(&arguments, faulty, &mut rng));
            faulty += 1;
        }
        write_device(&arguments, &profile, device, machine)?;
    }
    eprintln!(
        "{} devices, {faulty} of them with a fault, in {}",
        arguments.devices,
        arguments.out.display()
    );
    Ok(())
}

/// A fault that begins in the middle third and takes 15 to 40 days.
fn plan(arguments: &Arguments, number: u32, rng: &mut ChaCha8Rng) -> FaultPlan {
    let kind = FaultKind::ALL[number as usize % FaultKind::ALL.len()];
    let onset_days = f64::from(arguments.days) * rng.random_range(1.0 / 3.0..2.0 / 3.0);
    let onset = arguments.start + SignedDuration::from_secs_f64(onset_days * 86_400.0);
    FaultPlan {
        kind,
        onset,
        days_to_failure: rng.random_range(15.0..40.0),
    }
}

fn write_device(
    arguments: &Arguments,
    profile: &ApplianceProfile,
    device: u64,
    mut machine: WashingMachine,
) -> Result<()> {
    let path = arguments.out.join(format!("wm-{device:04}.csv"));
    let context = || format!("cannot write {}", path.display());
    let mut file = BufWriter::new(File::create(&path).with_context(context)?);
    let names: Vec<_> = profile.channels.iter().map(|channel| channel.name.as_str()).collect();
    writeln!(file, "timestamp,{},fault,wear", names.join(",")).with_context(context)?;
    let end = arguments.start + SignedDuration::from_hours(24 * i64::from(arguments.days));
    for sample in machine.step_until(end) {
        write!(file, "{}", sample.at).with_context(context)?;
        for (channel, (_, value)) in profile.channels.iter().zip(&sample.values) {
            write!(file, ",{value:.*}", usize::from(channel.decimals)).with_context(context)?;
        }
        let (fault, wear) = machine
            .worst_fault(sample.at)
            .map_or(("none", 0.0), |(kind, wear)| (kind.name(), wear));
        writeln!(file, ",{fault},{wear:.4}").with_context(context)?;
    }
    file.flush().with_context(context)
}
