//! Rows of pumps, as a store has them.

use hub_core::id::{ApplianceId, TraceId};
use hub_core::profile::ApplianceProfile;
use hub_core::telemetry::Lane;
use hub_predict::Registry;
use hub_store::telemetry::StoredRow;
use jiff::{SignedDuration, Timestamp};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

/// The model of the pump rig alone.
pub(super) fn registry() -> Arc<Registry> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/evaluation/pump-rig-1");
    Arc::new(Registry::load(&folder).unwrap())
}

/// A row with nothing in it.
pub(super) fn row(appliance: i64, partition: u8, ingest_no: i64) -> StoredRow {
    let profile = ApplianceProfile {
        name: "none".to_owned(),
        version: 1,
        channels: Vec::new(),
    };
    StoredRow {
        appliance: ApplianceId(appliance),
        partition,
        ingest_no,
        lane: Lane::Telemetry,
        at: Timestamp::UNIX_EPOCH,
        received_at: Timestamp::UNIX_EPOCH,
        profile: Arc::new(profile),
        values: Vec::new(),
        trace: TraceId::new(Timestamp::UNIX_EPOCH, [0; 10]),
    }
}

/// Seconds of several pumps, one row of each a second, in the order of commits. The flow of pump 1 falls from second 250 to
/// second 400, and that of pump 2 from second 330 on; the others are sound.
pub(super) fn pumps(registry: &Registry, pumps: RangeInclusive<i64>, seconds: i64) -> Vec<StoredRow> {
    let profile = Arc::new(registry.get("pump-rig").unwrap().profile().clone());
    let start = Timestamp::from_second(1_700_000_000).unwrap();
    let mut rows = Vec::new();
    for second in 0..seconds {
        for pump in pumps.clone() {
            let noise = |k: i64| ((second * 7_919 + pump * 31_337 + k * 104_729) % 1_000) as f64 / 1_000.0 - 0.5;
            let since = match pump {
                1 if second < 400 => second - 250,
                2 => second - 330,
                _ => 0,
            };
            let lost = 0.06 * (since as f64 / 30.0).clamp(0.0, 1.0);
            let values = [
                0.21 + 0.004 * noise(1),
                0.27 + 0.004 * noise(2),
                2.0 + 0.5 * noise(3),
                0.2 + 0.5 * noise(4),
                90.0 + 0.2 * noise(5),
                26.0 + 0.02 * noise(6),
                230.0 + 20.0 * noise(7),
                (125.0 + noise(8)) * (1.0 - lost),
            ];
            let at = start + SignedDuration::from_secs(second);
            let stored = profile.channels.iter().zip(values);
            rows.push(StoredRow {
                at,
                received_at: at,
                profile: profile.clone(),
                values: stored.map(|(channel, value)| channel.quantise(value)).collect(),
                ..row(pump, 7, rows.len() as i64 + 1)
            });
        }
    }
    rows
}
