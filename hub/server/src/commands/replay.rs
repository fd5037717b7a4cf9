//! `forecall replay`: a recorded stream over real MQTT.

mod followed;

use super::args::ConfigArgs;
use crate::models;
use crate::terminal::{complain, log, say};
use anyhow::{Context, Result, bail, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use hub_core::id::{DeviceId, TenantId};
use hub_core::profile::ApplianceProfile;
use hub_core::telemetry::BEHIND_MAX;
use hub_lab::home::{DeviceConnection, HomeCounters, Pace, Replay as Recording, Sample, replay};
use hub_predict::{Row, read_rows};
use jiff::{SignedDuration, Timestamp};
use std::fs::File;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// Sends a recorded stream over MQTT as one device. Its times are moved so that the last sample is now; the gaps
/// between samples stay.
#[derive(Debug, clap::Args)]
pub struct Replay {
    #[command(flatten)]
    config: ConfigArgs,
    /// CSV with a time column (`datetime` or `timestamp`) and the profile's channels by name; docs/formats.md.
    #[arg(long)]
    input: PathBuf,
    /// Profile whose channels the columns are.
    #[arg(long)]
    profile: String,
    /// Tenant of the device.
    #[arg(long)]
    tenant: TenantId,
    /// Device to send as.
    #[arg(long)]
    device: DeviceId,
    /// Its secret.
    #[arg(long, env = "FORECALL_DEVICE_SECRET", hide_env_values = true)]
    secret: String,
    /// The hub's MQTT address. Without it, that of the hub configured here.
    #[arg(long)]
    mqtt: Option<SocketAddr>,
    /// Recorded seconds in a second; without it as fast as the hub acknowledges.
    #[arg(long, value_parser = speed)]
    speed: Option<f64>,
    /// Model folders and profiles.
    #[arg(long, env = "FORECALL_MODELS_DIR", default_value = "models")]
    models: PathBuf,
}

impl Replay {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        log("warn");
        let config = self.config.load()?;
        let broker = self.mqtt.unwrap_or(config.mqtt);
        let profiles = models::profiles(&models::load_families(&self.models)?);
        let known: Vec<&str> = profiles.keys().map(String::as_str).collect();
        let profile = profiles
            .get(&self.profile)
            .with_context(|| format!("there is no profile {}; there are: {}", self.profile, known.join(", ")))?;
        let file = File::open(&self.input).with_context(|| format!("cannot open {}", self.input.display()))?;
        let table = read_rows(BufReader::new(file), profile)
            .with_context(|| format!("{} cannot be replayed", self.input.display()))?;
        let samples = rebase(table.rows, SystemClock.now(), profile)?;
        let total = samples.len();
        let counters = Arc::new(HomeCounters::default());
        let progress = tokio::spawn(tell(counters.clone(), total));
        let recording = Recording {
            connection: DeviceConnection {
                broker,
                tenant: self.tenant.to_string(),
                device: self.device.to_string(),
                secret: self.secret,
            },
            profile: Arc::new(profile.clone()),
            boot_id: crate::random::boot_id(),
            samples: samples.into_iter(),
            pace: self.speed.map_or(Pace::Unlimited, Pace::Speed),
        };
        let sent = replay(recording, CancellationToken::new(), counters.clone()).await;
        progress.abort();
        sent?;
        let acknowledged = counters.acknowledged();
        ensure!(
            acknowledged == total as u64,
            "the hub acknowledged {acknowledged} of {total} readings only"
        );
        say(format_args!(
            "{acknowledged} readings acknowledged as {}/{}",
            self.tenant, self.device
        ));
        // Another hub's store is not here to be asked.
        if broker == config.mqtt {
            say(followed::what_follows(&config, &self.tenant, &self.device).await);
        }
        Ok(())
    }
}

fn speed(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|s: &f64| s.is_finite() && *s > 0.0)
        .ok_or_else(|| "a number above 0".to_owned())
}

async fn tell(counters: Arc<HomeCounters>, total: usize) {
    let mut told = 0;
    loop {
        tokio::time::sleep(TOLD_EVERY).await;
        let acknowledged = counters.acknowledged();
        if acknowledged != told {
            complain(format_args!("{acknowledged} of {total} readings acknowledged"));
            told = acknowledged;
        }
    }
}

/// Moves a recording by whole minutes so that its last sample is within the minute before `end`: a model whose steps are periods of the
/// clock finds the rows in the periods in which they were recorded.
fn rebase(rows: Vec<Row>, end: Timestamp, profile: &ApplianceProfile) -> Result<Vec<Sample>> {
    let (first, last) = rows
        .first()
        .zip(rows.last())
        .map(|(a, b)| (a.at, b.at))
        .context("the recording has no rows")?;
    if let Some(n) = rows.windows(2).position(|pair| pair[1].at < pair[0].at) {
        bail!(
            "row {} is older than the one before it: sort the recording by time",
            n + 2
        );
    }
    ensure!(
        last.duration_since(first) < BEHIND_MAX,
        "the recording spans more than the 400 days that a device may be behind"
    );
    let behind_s = end.duration_since(last).as_secs();
    let shift = SignedDuration::from_secs(behind_s - behind_s.rem_euclid(60));
    let sample = |row: Row| {
        let values = profile
            .channels
            .iter()
            .zip(row.values)
            .filter_map(|(channel, value)| Some((channel.id, value?)));
        Ok(Sample {
            at: row.at.checked_add(shift)?,
            values: values.collect(),
        })
    };
    rows.into_iter().map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::profile::Channel;

    #[test]
    fn a_rebased_recording_ends_within_a_minute_and_keeps_its_gaps_and_the_places_in_their_minutes() {
        let channel = Channel {
            id: 1,
            name: "a".into(),
            unit: "A".into(),
            decimals: 1,
            min: 0.0,
            max: 9.0,
        };
        let profile = ApplianceProfile {
            name: "p".into(),
            version: 1,
            channels: vec![channel],
        };
        let row = |s, value| Row {
            at: Timestamp::from_second(s).unwrap(),
            values: vec![value],
        };
        let end = Timestamp::from_second(1_000).unwrap();
        let samples = rebase(
            vec![row(10, Some(1.0)), row(12, None), row(15, Some(2.0))],
            end,
            &profile,
        )
        .unwrap();
        let seconds: Vec<_> = samples.iter().map(|s| s.at.as_second()).collect();
        // 16 whole minutes later; another one would be behind the end.
        assert_eq!(seconds, [970, 972, 975]);
        assert_eq!((&samples[1].values, &samples[2].values), (&vec![], &vec![(1, 2.0)]));
        assert!(rebase(vec![], end, &profile).is_err());
        let unsorted = rebase(vec![row(10, None), row(9, None)], end, &profile).unwrap_err();
        assert!(unsorted.to_string().contains("row 2 is older"), "{unsorted}");
    }
}
