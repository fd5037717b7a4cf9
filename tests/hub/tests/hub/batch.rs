//! A batch of readings in columns arrives in the store value by value, as the same readings in rows do.

use serde_json::Value;
use std::time::Duration;
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::fleet::{log_in, recent};
use tests_hub::hub::Lab;
use tests_hub::rig::{CHANNELS, PROFILE, Reading, batch, cbor};
use tests_hub::site::{TestSite, daytime_zone};

const SAMPLES: usize = 32;
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_arrives_value_by_value() {
    let lab = Lab::new().unwrap();
    let devices = ["rows", "columns"].map(|name| (name.to_owned(), PROFILE.to_owned(), None));
    let site = TestSite {
        trunk: None,
        password: None,
        devices: devices.to_vec(),
        consent: false,
        zone: daytime_zone(12),
    };
    lab.apply(&site.toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let readings: Vec<_> = (0..SAMPLES as u64).map(|n| Reading::new(1, n, false)).collect();
    let t0_ms = recent().as_millisecond() - 60_000;
    let (rows, columns) = (
        cbor(7, 100, t0_ms, &readings).unwrap(),
        batch(7, 100, t0_ms, &readings).unwrap(),
    );
    let mut device = log_in(lab.mqtt, "rows").await.unwrap();
    device.publish_all(&[("d/rows/t", &rows)], 1).await.unwrap();
    // Twice, as after a lost acknowledgement.
    let mut device = log_in(lab.mqtt, "columns").await.unwrap();
    let twice = [("d/columns/t", &columns[..]); 2];
    device.publish_all(&twice, 1).await.unwrap();

    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    let rows = stored(&console, "rows").await;
    let columns = stored(&console, "columns").await;
    assert_eq!(rows, columns);
    let series = columns.as_array().unwrap();
    assert_eq!(series.len(), CHANNELS.len());
    for (at, channel) in CHANNELS.iter().enumerate() {
        let series = series.iter().find(|series| series["channel"] == channel.name).unwrap();
        let scale = 10f64.powi(i32::from(channel.decimals));
        let points = series["points"].as_array().unwrap().iter();
        // In stored integers: JSON may lose the last bit of a number on its way.
        let values: Vec<_> = points
            .map(|point| (point["value"].as_f64().unwrap() * scale).round() as i32)
            .collect();
        let sent: Vec<_> = readings.iter().map(|reading| reading.stored()[at]).collect();
        assert_eq!(values, sent, "{}", channel.name);
    }
    hub.stop().await.unwrap();
}

/// All readings of a device, once as many as were sent are there.
async fn stored(console: &Console, device: &str) -> Value {
    let appliance = eventually("samples are shown", PATIENCE, async || {
        let appliances = console.all("/api/v1/appliances").await.unwrap();
        let appliance = appliances.into_iter().find(|appliance| appliance["device"] == device)?;
        (appliance["samples"].as_u64()? == SAMPLES as u64).then_some(appliance)
    })
    .await;
    let id = appliance["id"].as_i64().unwrap();
    let path = format!("/api/v1/appliances/{id}/readings?points=2000");
    console.get(&path).await.unwrap()["items"].clone()
}
