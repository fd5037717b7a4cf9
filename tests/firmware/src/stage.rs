//! A hub with pump rigs, and what people see of them.

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::hub::{Lab, RunningHub};
use tests_hub::rig::{CHANNELS, PROFILE, Reading};
use tests_hub::site::{TestSite, daytime_zone};

/// What devices do must be seen within this on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// The API's limit of points of a channel.
const POINTS_MAX: usize = 2_000;

/// See the module.
pub struct Stage {
    /// Its folder, addresses and database.
    pub lab: Lab,
    hub: Option<RunningHub>,
    console: Console,
}

/// A sample as the API shows it: a stored integer of each channel that has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Event time.
    pub at: Timestamp,
    /// In the order of [`CHANNELS`].
    pub stored: [Option<i32>; CHANNELS.len()],
}

impl Stage {
    /// A hub that knows these devices.
    ///
    /// # Errors
    /// It does not start.
    pub async fn open(devices: &[&str]) -> Result<Self> {
        let lab = Lab::new()?;
        let devices = devices
            .iter()
            .map(|name| ((*name).to_owned(), PROFILE.to_owned(), None));
        let site = TestSite {
            trunk: None,
            password: None,
            devices: devices.collect(),
            consent: false,
            zone: daytime_zone(12),
        };
        lab.apply(&site.toml()).await?;
        let hub = lab.serve().await?;
        let console = Console::log_in(lab.http, "admin", &lab.password()).await?;
        Ok(Self {
            lab,
            hub: Some(hub),
            console,
        })
    }

    /// kill -9 of the hub and of its database.
    ///
    /// # Errors
    /// They are not there.
    pub async fn kill(&mut self) -> Result<()> {
        self.hub.take().context("the hub is not there")?.kill().await?;
        ensure!(self.lab.kill_database() > 0, "the database is not there");
        Ok(())
    }

    /// Starts the hub again.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.hub = Some(self.lab.serve().await?);
        self.console = Console::log_in(self.lab.http, "admin", &self.lab.password()).await?;
        Ok(())
    }

    /// Stops the hub.
    ///
    /// # Errors
    /// It has logged an error, or does not stop.
    pub async fn stop(&mut self) -> Result<()> {
        self.hub.take().context("the hub is not there")?.stop().await
    }

    /// All of a list of the API.
    ///
    /// # Errors
    /// The hub does not answer.
    pub async fn all(&self, list: &str) -> Result<Vec<Value>> {
        self.console.all(&format!("/api/v1/{list}")).await
    }

    /// The appliance of a device, as the API shows it.
    ///
    /// # Errors
    /// The hub does not answer, or does not know it.
    pub async fn appliance(&self, device: &str) -> Result<Value> {
        let all = self.all("appliances").await?;
        let one = all.into_iter().find(|one| one["device"] == device);
        one.with_context(|| format!("no appliance {device}"))
    }

    /// What the device agent of an appliance says of itself.
    ///
    /// # Errors
    /// The hub does not answer, or has heard nothing.
    pub async fn device_agent(&self, device: &str) -> Result<Value> {
        let path = format!("/api/v1/appliances/{}", self.appliance(device).await?["id"]);
        let detail = self.console.get(&path).await?;
        let told = detail["device_agent"].clone();
        ensure!(told.is_object(), "{device} has said nothing of itself: {detail}");
        Ok(told)
    }

    /// Waits until at least so many samples of a device are stored; events count, too.
    ///
    /// # Panics
    /// They are not in time, or something of it is in quarantine.
    pub async fn until_stored(&self, device: &str, samples: u64) {
        let what = format!("{samples} samples of {device} are stored");
        eventually(&what, PATIENCE, async || {
            let shown = self.appliance(device).await.expect("the hub answers");
            assert_eq!(shown["quarantined"], 0, "{shown}");
            (shown["samples"].as_u64()? >= samples).then_some(())
        })
        .await;
    }

    /// Waits until a device is shown as connected, or as away.
    ///
    /// # Panics
    /// It is not in time.
    pub async fn until_online_is(&self, device: &str, online: bool) {
        eventually(&format!("{device} is online: {online}"), PATIENCE, async || {
            let shown = self.appliance(device).await.expect("the hub answers");
            (shown["online"] == online).then_some(())
        })
        .await;
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// The hub does not take it.
    ///
    /// # Panics
    /// No answer comes in time.
    pub async fn command(&self, device: &str, request: &str, method: &str) -> Result<Value> {
        let path = format!("/api/v1/appliances/{}/commands", self.appliance(device).await?["id"]);
        let asked = json!({ "body": { "method": method }, "request": request });
        let key = format!("{device}-{request}");
        let (status, answer) = self.console.post(&path, &key, &asked).await?;
        ensure!(status == 200, "{answer}");
        let what = format!("{device} answers {method}");
        let replied = eventually(&what, PATIENCE, async || {
            let all = self.console.all(&path).await.expect("the hub answers");
            let command = all.into_iter().find(|one| one["request"] == request)?;
            (command["state"] == "replied").then(|| command["reply"].clone())
        });
        Ok(replied.await)
    }

    /// Tells a device attributes.
    ///
    /// # Errors
    /// The hub does not take them.
    pub async fn tell(&self, device: &str, attributes: &Value) -> Result<()> {
        let path = format!("/api/v1/appliances/{}/attributes", self.appliance(device).await?["id"]);
        self.console.put(&path, attributes).await?;
        Ok(())
    }

    /// All samples of a device from `from` until `to`, in order of time.
    ///
    /// # Errors
    /// The hub does not answer.
    pub async fn samples(&self, device: &str, from: Timestamp, to: Timestamp) -> Result<Vec<Sample>> {
        let id = self.appliance(device).await?["id"].clone();
        let path = format!("/api/v1/appliances/{id}/readings?from={from}&to={to}&points={POINTS_MAX}");
        let answer = self.console.get(&path).await?;
        let series = answer["items"].as_array().context("no series")?;
        let mut samples: Vec<Sample> = Vec::new();
        for (place, channel) in CHANNELS.iter().enumerate() {
            let Some(one) = series.iter().find(|one| one["channel"] == channel.name) else {
                continue;
            };
            for point in one["points"].as_array().context("no points")? {
                let at: Timestamp = point["at"].as_str().context("no time")?.parse()?;
                let value = point["value"].as_f64().context("no value")?;
                let stored = (value * 10_f64.powi(i32::from(channel.decimals))).round() as i32;
                let index = samples.partition_point(|sample| sample.at < at);
                if samples.get(index).is_none_or(|sample| sample.at != at) {
                    let empty = [None; CHANNELS.len()];
                    samples.insert(index, Sample { at, stored: empty });
                }
                samples[index].stored[place] = Some(stored);
            }
        }
        Ok(samples)
    }

    /// Looks at what is stored of a pump: exactly its first `count` readings, each with all values and where it belongs:
    /// `at_ms` says how long after the first it was taken. The time of the first one.
    ///
    /// # Errors
    /// The hub does not answer.
    ///
    /// # Panics
    /// A reading is missing, wrong, or at another time.
    pub async fn readings_are(&self, pump: &Pump<'_>, count: u64, at_ms: impl Fn(u64) -> i64) -> Result<Timestamp> {
        self.readings_from(pump, 0, count, at_ms).await
    }

    /// The same without those before the reading `begin`, which have given way: none of them is stored. The time when the first
    /// one was taken.
    ///
    /// # Errors
    /// As [`Stage::readings_are`].
    ///
    /// # Panics
    /// As [`Stage::readings_are`].
    pub async fn readings_from(
        &self,
        pump: &Pump<'_>,
        begin: u64,
        count: u64,
        at_ms: impl Fn(u64) -> i64,
    ) -> Result<Timestamp> {
        let newest = self.appliance(pump.device).await?["last_sample_at"].clone();
        let newest: Timestamp = newest.as_str().context("no samples")?.parse()?;
        let first = newest - SignedDuration::from_millis(at_ms(count.saturating_sub(1)));
        let mut number = begin;
        // As many as the API shows without leaving some out.
        while number < count {
            let next = (number + POINTS_MAX as u64 / 2).min(count);
            let from = first + SignedDuration::from_millis(at_ms(number));
            let to = first + SignedDuration::from_millis(at_ms(next - 1) + 1);
            let samples = self.samples(pump.device, from, to).await?;
            assert_eq!(samples.len() as u64, next - number, "from {from} to {to}");
            for (sample, number) in samples.iter().zip(number..) {
                let expected = Reading::new(pump.unit, number, number >= pump.worn_from);
                assert_eq!(sample.stored, expected.stored().map(Some), "reading {number}");
                let at = first + SignedDuration::from_millis(at_ms(number));
                assert_eq!(sample.at, at, "reading {number}");
            }
            number = next;
        }
        let oldest = first + SignedDuration::from_millis(at_ms(begin));
        let before = oldest - SignedDuration::from_hours(1);
        let older = self.samples(pump.device, before, oldest).await?;
        assert!(older.is_empty(), "older ones: {older:?}");
        Ok(first)
    }
}

/// Which readings a device takes.
#[derive(Debug, Clone, Copy)]
pub struct Pump<'a> {
    /// Its name.
    pub device: &'a str,
    /// Which rig it is.
    pub unit: u64,
    /// From this reading on its flow is lost.
    pub worn_from: u64,
}
