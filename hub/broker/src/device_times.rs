//! What devices' clocks show: a witness beside the machine's own clock. It knows times, and not what hangs on them.

use hub_core::id::ApplianceId;
use hub_store::telemetry::Ingest;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Devices whose clocks are remembered. Of a larger fleet, those that were heard first speak for all.
const DEVICES_MAX: usize = 4_096;
/// What a device has told counts for so long.
const COUNTS_FOR: Duration = Duration::from_secs(24 * 3_600);
/// What it tells later replaces what it told so long ago, also if that was further on: its clock may have been set.
const STANDS_FOR: Duration = Duration::from_secs(3_600);

/// The newest time that each of many devices has stated in this run, with readings that were stored.
#[derive(Debug, Default)]
pub struct DeviceTimes(Mutex<HashMap<ApplianceId, Told>>);

#[derive(Debug, Clone, Copy)]
struct Told {
    at: Timestamp,
    heard: Instant,
}

impl Told {
    /// What the device's clock shows by now. Its message waited on the way, so it shows at least this.
    fn shows(&self, now: Instant) -> Option<Timestamp> {
        let passed = SignedDuration::try_from(now.saturating_duration_since(self.heard)).ok()?;
        self.at.checked_add(passed).ok()
    }

    fn is_older_than(&self, age: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) >= age
    }
}

impl DeviceTimes {
    /// Notes the times that stored readings state: those of devices with a clock.
    pub(crate) fn note(&self, stored: &[Ingest]) {
        self.note_at(stored, Instant::now());
    }

    /// What the clocks of the devices show now that were heard within a day.
    pub fn show(&self) -> Vec<Timestamp> {
        self.show_at(Instant::now())
    }

    fn note_at(&self, stored: &[Ingest], now: Instant) {
        let mut devices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ingest in stored {
            let content = match ingest {
                Ingest::Once { content, .. } => content,
                other => other,
            };
            let Some(message) = content.readings() else { continue };
            // The machine's clock is in both and falls out.
            let stated = message
                .skew_ms
                .and_then(|ms| message.received_at.checked_sub(SignedDuration::from_millis(ms)).ok());
            if let Some(at) = stated {
                hear(&mut devices, message.appliance, Told { at, heard: now });
            }
        }
    }

    fn show_at(&self, now: Instant) -> Vec<Timestamp> {
        let mut devices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have gone make room.
        devices.retain(|_, told| !told.is_older_than(COUNTS_FOR, now));
        devices.values().filter_map(|told| told.shows(now)).collect()
    }
}

fn hear(devices: &mut HashMap<ApplianceId, Told>, appliance: ApplianceId, told: Told) {
    let now = told.heard;
    if let Some(known) = devices.get_mut(&appliance) {
        // What a device has kept is older than its clock: the latest tells most.
        let is_later = known.shows(now).is_none_or(|shown| told.at >= shown);
        if is_later || known.is_older_than(STANDS_FOR, now) {
            *known = told;
        }
        return;
    }
    if devices.len() >= DEVICES_MAX {
        return;
    }
    devices.insert(appliance, told);
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::id::TraceId;
    use hub_core::telemetry::{Identity, TelemetryMessage};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    /// Received by a machine whose clock is `wrong_s` ahead.
    fn message(appliance: i64, stated: Option<i64>, wrong_s: i64) -> Ingest {
        let received_at = at(wrong_s);
        Ingest::Telemetry(TelemetryMessage {
            appliance: ApplianceId(appliance),
            identity: Identity::Content(Vec::new()),
            samples: Vec::new(),
            received_at,
            skew_ms: stated.map(|stated| received_at.as_millisecond() - at(stated).as_millisecond()),
            trace: TraceId::new(received_at, [0; 10]),
        })
    }

    fn shown(times: &DeviceTimes, now: Instant) -> Vec<i64> {
        let shown = times.show_at(now);
        let mut shown: Vec<i64> = shown
            .iter()
            .map(|shown| shown.as_second() - at(0).as_second())
            .collect();
        shown.sort_unstable();
        shown
    }

    #[test]
    fn what_devices_state_is_told_whatever_the_machines_clock_says() {
        let times = DeviceTimes::default();
        let mut now = Instant::now();
        let batch = [
            message(1, Some(0), 0),
            message(2, Some(5), 1_000_000),
            message(3, None, 0),
        ];
        times.note_at(&batch, now);
        assert_eq!(shown(&times, now), [0, 5], "one without a clock tells none");
        now += Duration::from_secs(60);
        assert_eq!(shown(&times, now), [60, 65], "their clocks go on");
        // What was kept on the way says less than what is known, also within a message of QoS 2.
        let kept = Ingest::Once {
            appliance: ApplianceId(1),
            packet_id: 1,
            content: Box::new(message(1, Some(-500), 60)),
        };
        times.note_at(&[kept, message(2, Some(100), 60)], now);
        assert_eq!(shown(&times, now), [60, 100]);
        now += STANDS_FOR;
        times.note_at(&[message(1, Some(-500), 3_660)], now);
        assert_eq!(shown(&times, now), [-500, 3_700], "a clock that was set back");
        now += COUNTS_FOR;
        assert_eq!(shown(&times, now), Vec::<i64>::new());
    }

    #[test]
    fn only_so_many_are_remembered_and_those_that_have_gone_make_room() {
        let times = DeviceTimes::default();
        let now = Instant::now();
        let batch = |from: i64| -> Vec<Ingest> {
            let many = i64::try_from(DEVICES_MAX).unwrap() + 10;
            (from..from + many).map(|id| message(id, Some(0), 0)).collect()
        };
        times.note_at(&batch(0), now);
        assert_eq!(times.show_at(now).len(), DEVICES_MAX);
        let later = now + COUNTS_FOR;
        assert_eq!(times.show_at(later).len(), 0);
        times.note_at(&batch(1_000_000), later);
        assert_eq!(times.show_at(later).len(), DEVICES_MAX);
    }
}
