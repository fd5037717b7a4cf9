//! Writes the readings of a fleet of the hard world as CSV files, one a device, in order of arrival: `received`, `timestamp`
//! as the appliance's clock shows it, the profile's channels by name, then the labels `fault` and `progress`. `truth.csv`
//! beside them has every healthy effect and every fault with its days; `faults.csv` the faults as `forecall train` reads them, until the
//! right part is in.
//!
//! `cargo run -p tests-world --example hard_fleet -- --out DIR --appliance fridge --devices 10 --days 60 --seed 1`

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use hub_core::profile::ApplianceProfile;
use jiff::{SignedDuration, Timestamp};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use tests_world::hard::{Faults, Fleet, Life, Row};
use tests_world::profiles;

/// Readings of a fleet of the hard world, as CSV files.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder for the files; made if absent.
    #[arg(long)]
    out: PathBuf,
    /// What the fleet consists of.
    #[arg(long)]
    appliance: Appliance,
    /// How many devices.
    #[arg(long, default_value_t = 100)]
    devices: u64,
    /// How many days each is watched.
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// Another seed gives another fleet.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Faults per device and year; 0 is a healthy fleet.
    #[arg(long, default_value_t = 0.0)]
    faults_per_year: f64,
    /// Factor on the amplitude of faults.
    #[arg(long, default_value_t = 1.0)]
    amplitude: f64,
    /// First moment.
    #[arg(long, default_value = "2026-01-05T00:00:00Z")]
    start: Timestamp,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Appliance {
    WashingMachine,
    Fridge,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut fleet = Fleet::new(arguments.seed, arguments.start, arguments.days);
    if arguments.faults_per_year > 0.0 {
        fleet.faults = Faults::PerYear(arguments.faults_per_year);
    }
    fleet.amplitude = arguments.amplitude;
    let out = &arguments.out;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    let mut truth = BufWriter::new(File::create(out.join("truth.csv")).context("cannot write truth.csv")?);
    writeln!(truth, "device,what,from_day,until_day")?;
    let mut faults = BufWriter::new(File::create(out.join("faults.csv")).context("cannot write faults.csv")?);
    writeln!(faults, "device,since,until,class")?;
    for number in 0..arguments.devices {
        let name = format!("{number:04}");
        let path = out.join(format!("{name}.csv"));
        let file = BufWriter::new(File::create(&path).with_context(|| format!("cannot write {}", path.display()))?);
        match arguments.appliance {
            Appliance::WashingMachine => {
                let unit = fleet.washing_machine(number);
                let life = unit.life().clone();
                write_truth(&mut truth, &name, &life)?;
                write_faults(&mut faults, &name, &fleet, &life)?;
                write_device(file, &fleet, &profiles::washing_machine(), &life, unit)?;
            }
            Appliance::Fridge => {
                let unit = fleet.fridge(number);
                let life = unit.life().clone();
                write_truth(&mut truth, &name, &life)?;
                write_faults(&mut faults, &name, &fleet, &life)?;
                write_device(file, &fleet, &profiles::fridge(), &life, unit)?;
            }
        }
    }
    faults.flush().context("cannot write faults.csv")?;
    truth.flush().context("cannot write truth.csv")
}

fn write_faults(file: &mut impl Write, device: &str, fleet: &Fleet, life: &Life) -> Result<()> {
    let end = f64::from(fleet.days);
    let at = |day: f64| fleet.start + SignedDuration::from_secs((86_400.0 * day) as i64);
    for fault in life.faults().iter().filter(|fault| fault.onset_day < end) {
        let repaired = Some(fault.repaired_day()).filter(|day| *day < end);
        let until = repaired.map_or(String::new(), |day| at(day).to_string());
        writeln!(
            file,
            "{device},{},{until},{}",
            at(fault.onset_day),
            fault.kind.name().replace('_', " ")
        )?;
    }
    Ok(())
}

fn write_truth(file: &mut impl Write, device: &str, life: &Life) -> Result<()> {
    for one in life.episodes() {
        let (from, until) = (one.from_day, one.until_day);
        writeln!(file, "{device},{},{from:.3},{until:.3}", one.effect.name())?;
    }
    for fault in life.faults() {
        let (from, until) = (fault.onset_day, fault.failure_day);
        writeln!(file, "{device},{},{from:.3},{until:.3}", fault.kind.name())?;
    }
    Ok(())
}

fn write_device(
    mut file: impl Write,
    fleet: &Fleet,
    profile: &ApplianceProfile,
    life: &Life,
    rows: impl Iterator<Item = Row>,
) -> Result<()> {
    let names: Vec<_> = profile.channels.iter().map(|channel| channel.name.as_str()).collect();
    writeln!(file, "received,timestamp,{},fault,progress", names.join(","))?;
    for row in rows {
        write!(file, "{},{}", row.received, row.sample.at)?;
        for (channel, (_, value)) in profile.channels.iter().zip(&row.sample.values) {
            write!(file, ",{value:.*}", usize::from(channel.decimals))?;
        }
        let day = row.taken.duration_since(fleet.start).as_secs_f64() / 86_400.0;
        let worst = life.worst_fault(day);
        let (fault, progress) = worst.map_or(("none", 0.0), |(fault, progress)| (fault.kind.name(), progress));
        writeln!(file, ",{fault},{progress:.4}")?;
    }
    file.flush().context("cannot write the readings of a device")
}
