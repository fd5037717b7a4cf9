//! What an acknowledgement costs: publish → commit → PUBACK through the whole hub, against a bare loop of binary COPY
//! and commit of the very same rows into a table of the same columns and indexes, on the same cluster with the same
//! durable settings, in the same run.
//!
//! First figure: 50 devices that send what they gathered, against commits of 1,000 rows. Second: one device that sends
//! a reading when the one before is acknowledged, against commits of one row. Only the ratios mean something beyond
//! this machine. Exit code 0 only if every bar is held.

#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]

use agent_sdk_wire::{Header, MAX_MESSAGE_BYTES, TelemetryEncoder, TimeBase, Value};
use anyhow::{Context, Result, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests_hub::bare::{ALL_ROWS, Bare, Measured};
use tests_hub::fleet::{log_in, past};
use tests_hub::hub::Lab;
use tests_hub::processes::Cpu;
use tests_hub::site::{TestSite, daytime_zone};
use tests_world::Sample;
use tokio::task::JoinSet;

const PUBLISHERS: usize = 50;
/// Samples in a message, as the simulated devices pack them.
const BATCH: usize = 12;
/// Messages of each publisher: 50 × 334 × 12 = 200,400 samples.
const MESSAGES: usize = 334;
/// Unacknowledged messages of a publisher, as the simulated devices allow.
const WINDOW: usize = 16;
/// Readings of the device that waits for each acknowledgement.
const SINGLES: usize = 1_000;
/// Rows in a commit of the bare loop.
const ROWS_A_COMMIT: usize = 1_000;
/// The whole run.
const ENDS_WITHIN: Duration = Duration::from_secs(90);

fn print(what: &str, measured: &Measured) {
    println!(
        "{what:<34} {:>7} rows in {:>6.2} s = {:>6.0}/s   CPU s: {}",
        measured.rows,
        measured.took.as_secs_f64(),
        measured.rate(),
        measured.cpu
    );
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    tokio::time::timeout(ENDS_WITHIN, run())
        .await
        .with_context(|| format!("not done within {} s", ENDS_WITHIN.as_secs()))?
}

async fn run() -> Result<ExitCode> {
    let lab = Lab::new()?;
    lab.apply(&site().toml()).await?;
    let hub = lab.serve().await?;
    let samples = past(1, 60, None, SystemClock.now());
    // One after the other, and the small one first: scoring of the many rows goes on after they are acknowledged.
    let hub_single = one_in_flight(&lab, &samples).await?;
    let hub_many = many_publishers(&lab, &samples).await?;
    hub.stop().await?;

    let mut bare = Bare::open(&lab.state(), ALL_ROWS).await?;
    let stored = bare.rows();
    ensure!(
        stored == hub_single.rows + hub_many.rows,
        "acknowledged {}, stored {stored}",
        hub_single.rows + hub_many.rows
    );
    let bare_single = bare.load(0..hub_single.rows, 1).await?;
    let bare_many = bare.load(hub_single.rows..stored, ROWS_A_COMMIT).await?;
    bare.close().await?;

    print("hub, 50 publishers", &hub_many);
    print("bare COPY, 1,000 rows a commit", &bare_many);
    print("hub, one publisher, one in flight", &hub_single);
    print("bare COPY, one row a commit", &bare_single);
    let held = [
        bar("ingest_vs_bare_copy", &hub_many, &bare_many, 0.3),
        bar("one_in_flight_vs_bare_commit", &hub_single, &bare_single, 0.04),
    ];
    Ok(if held == [true; 2] {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Prints how many times the bare loop's rate the hub reaches; whether that is enough.
fn bar(name: &str, hub: &Measured, bare: &Measured, at_least: f64) -> bool {
    let ratio = hub.rate() / bare.rate();
    let held = ratio >= at_least;
    println!(
        "bar {name} {ratio:.3} >= {at_least} {}",
        if held { "held" } else { "missed" }
    );
    held
}

fn device(n: usize) -> String {
    format!("wm-{n:02}")
}

fn site() -> TestSite {
    // One more for the device that waits.
    let devices = (0..=PUBLISHERS).map(|n| (device(n), "washing-machine".to_owned(), None));
    TestSite {
        trunk: None,
        password: None,
        devices: devices.collect(),
        consent: false,
        zone: daytime_zone(12),
    }
}

/// Telemetry CBOR of a boot, `batch` samples a message.
fn encode(samples: &[Sample], batch: usize) -> Result<Vec<Vec<u8>>> {
    let profile = tests_world::profiles::washing_machine();
    let decimals = |id: u8| profile.channels.iter().find(|c| c.id == id).map_or(3, |c| c.decimals);
    let message = |(index, samples): (usize, &[Sample])| {
        let mut buffer = [0; MAX_MESSAGE_BYTES];
        let t0_ms = samples.first().context("no sample")?.at.as_millisecond();
        let header = Header {
            time_base: TimeBase::Utc,
            boot_id: 1,
            seq: (index * batch) as u64,
            t0_ms,
        };
        let mut encoder = TelemetryEncoder::new(&mut buffer, &header)?;
        for sample in samples {
            let values: Vec<_> = sample
                .values
                .iter()
                .map(|(id, value)| (*id, Value::at_resolution(*value, decimals(*id))))
                .collect();
            encoder.push(u32::try_from(sample.at.as_millisecond() - t0_ms)?, &values)?;
        }
        Ok(encoder.finish()?.to_vec())
    };
    samples.chunks(batch).enumerate().map(message).collect()
}

async fn one_in_flight(lab: &Lab, samples: &[Sample]) -> Result<Measured> {
    let messages = encode(samples.get(..SINGLES).context("too few samples")?, 1)?;
    let name = device(PUBLISHERS);
    let topic = format!("d/{name}/t");
    let mut device = log_in(lab.mqtt, &name).await?;
    let all: Vec<_> = messages.iter().map(|m| (topic.as_str(), &m[..])).collect();
    let (before, begun) = (Cpu::now(&lab.state())?, Instant::now());
    device.publish_all(&all, 1).await?;
    Ok(Measured {
        rows: SINGLES,
        took: begun.elapsed(),
        cpu: Cpu::now(&lab.state())?.since(&before),
    })
}

async fn many_publishers(lab: &Lab, samples: &[Sample]) -> Result<Measured> {
    let each = samples.get(..MESSAGES * BATCH).context("too few samples")?;
    let messages = Arc::new(encode(each, BATCH)?);
    let mut devices = Vec::new();
    for n in 0..PUBLISHERS {
        devices.push((format!("d/{}/t", device(n)), log_in(lab.mqtt, &device(n)).await?));
    }
    let (before, begun) = (Cpu::now(&lab.state())?, Instant::now());
    let mut publishers = JoinSet::new();
    for (topic, mut device) in devices {
        let messages = messages.clone();
        publishers.spawn(async move {
            let all: Vec<_> = messages.iter().map(|m| (topic.as_str(), &m[..])).collect();
            device.publish_all(&all, WINDOW).await
        });
    }
    while let Some(publisher) = publishers.join_next().await {
        publisher??;
    }
    Ok(Measured {
        rows: PUBLISHERS * each.len(),
        took: begun.elapsed(),
        cpu: Cpu::now(&lab.state())?.since(&before),
    })
}
