//! Devices for tests: simulated washing machines whose past is sent at once, as a device does after an outage, and
//! clients that say what a test wants said.

use crate::hub::Lab;
use crate::site::SECRET;
use anyhow::{Context, Result};
use hub_core::clock::{CivilClock, SystemClock};
use hub_lab::home::{DeviceConnection, HomeCounters, Pace, Replay, replay};
use jiff::{SignedDuration, Timestamp};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tests_mqtt::{Client, Connect};
use tests_world::{FaultKind, FaultPlan, Sample, Unit, WashingMachine};
use tokio_util::sync::CancellationToken;

/// Days that a unit's own baseline takes, with room.
const SOUND_DAYS: i64 = 25;

/// Samples end about now: the hub takes none from the future, nor any that are much older.
pub fn recent() -> Timestamp {
    SystemClock.now()
}

/// The last `days` days of a machine, up to `end`; with a fault, it starts after [`SOUND_DAYS`] and fails at the end.
pub fn past(seed: u64, days: i64, fault: Option<FaultKind>, end: Timestamp) -> Vec<Sample> {
    let start = end - SignedDuration::from_hours(24 * days);
    let mut machine = WashingMachine::new(Unit::draw(seed, 0), start);
    if let Some(kind) = fault {
        let onset = start + SignedDuration::from_hours(24 * SOUND_DAYS);
        machine = machine.with_fault(FaultPlan {
            kind,
            onset,
            days_to_failure: (days - SOUND_DAYS) as f64,
        });
    }
    machine.step_until(end)
}

/// Sends samples as a device of tenant `acme`, resending what is not acknowledged; how many were acknowledged.
pub async fn send(lab: &Lab, device: &str, boot_id: u64, samples: Vec<Sample>) -> Result<u64> {
    let recording = Replay {
        connection: DeviceConnection {
            broker: lab.mqtt,
            tenant: "acme".into(),
            device: device.into(),
            secret: SECRET.into(),
        },
        profile: Arc::new(tests_world::profiles::washing_machine()),
        boot_id,
        samples: samples.into_iter(),
        pace: Pace::Unlimited,
    };
    let delivered = replay(recording, CancellationToken::new(), Arc::new(HomeCounters::default())).await?;
    Ok(delivered.acknowledged)
}

/// A client that the hub has taken as a device of tenant `acme`.
pub async fn log_in(hub: SocketAddr, device: &str) -> Result<Client> {
    let user_name = format!("acme/{device}");
    let who = Connect {
        client_id: device,
        ..Connect::new(&user_name, SECRET)
    };
    Client::connected(hub, &who).await
}

/// Writes samples as the CSV that `forecall score` reads.
pub fn write_csv(path: &Path, samples: &[Sample]) -> Result<()> {
    use std::io::Write;
    let profile = tests_world::profiles::washing_machine();
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let names: Vec<_> = profile.channels.iter().map(|c| c.name.as_str()).collect();
    writeln!(file, "timestamp,{}", names.join(","))?;
    for sample in samples {
        write!(file, "{}", sample.at)?;
        for channel in &profile.channels {
            let value = sample
                .values
                .iter()
                .find(|(id, _)| *id == channel.id)
                .map(|(_, v)| v.to_string());
            write!(file, ",{}", value.unwrap_or_default())?;
        }
        writeln!(file)?;
    }
    file.flush().context("csv")
}
