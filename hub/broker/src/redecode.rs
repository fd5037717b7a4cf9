//! A payload from quarantine, read again by the code that reads payloads when they come in.

use crate::decode::{Origin, Work};
use crate::session::{Message, kind_of};
use hub_core::id::{DeviceId, TraceId};
use hub_core::profile::ApplianceProfile;
use hub_store::telemetry::{Ingest, QUARANTINE_PAYLOAD_MAX, Quarantined};
use jiff::Timestamp;

/// A payload that was read again and is not placed in time yet.
#[derive(Debug)]
pub struct Redecoding {
    first: Work,
    /// The same as if it had come now: the hub's clock may have been behind when it came, so that the time of its samples
    /// could not be right.
    later: Option<Work>,
}

/// Reads what `device`, which reports by `profile` now, once published. What cannot be taken by the hub's clock as it was
/// then is read once more as if it came at `now`: that clock may have been behind, and have been set right since. What can
/// be taken in part only is: the rest goes back into quarantine by itself.
///
/// # Errors
///
/// Why it still cannot be taken, for a person.
pub fn redecode(
    kept: &Quarantined,
    device: &DeviceId,
    profile: &ApplianceProfile,
    trace: TraceId,
    now: Timestamp,
) -> Result<Redecoding, String> {
    if kept.payload.len() >= QUARANTINE_PAYLOAD_MAX {
        return Err(format!(
            "only its first {QUARANTINE_PAYLOAD_MAX} bytes were kept, which is not all of it"
        ));
    }
    let kind = kind_of(device, &kept.topic).map_err(|refusal| refusal.to_string())?;
    let read = |received_at| {
        let origin = Origin {
            appliance: kept.appliance,
            message: Message::new(kept.topic.as_bytes(), &kept.payload),
            received_at,
        };
        Work::decode(&kind, false, origin, Ok(profile), trace)
    };
    let is_whole = |work: &Work| work.refusal().is_none();
    let first = read(kept.received_at);
    let later = (now > kept.received_at).then(|| read(now));
    let takes_more = |later: &Work| is_whole(later) || (later.holds_something() && !first.holds_something());
    match (first.refusal(), later) {
        (None, later) => Ok(Redecoding {
            first,
            later: later.filter(is_whole),
        }),
        (Some(_), Some(later)) if takes_more(&later) => Ok(Redecoding {
            first: later,
            later: None,
        }),
        (Some(_), _) if first.holds_something() => Ok(Redecoding { first, later: None }),
        (Some(reason), _) => Err(reason.to_owned()),
    }
}

impl Redecoding {
    /// The boot whose clock offset [`Redecoding::place`] needs.
    pub fn boot(&self) -> Option<u64> {
        self.first.boot()
    }

    /// What the store takes, with uptime placed by `offset_ms` (UTC less uptime), or by its arrival without one.
    ///
    /// # Errors
    ///
    /// Why it cannot be placed, for a person.
    pub fn place(self, offset_ms: Option<i64>) -> Result<Ingest, String> {
        let reason = match self.first.place(offset_ms).0 {
            Ingest::Quarantine(quarantined) => quarantined.reason,
            ingest => return Ok(ingest),
        };
        match self.later.map(|later| later.place(offset_ms).0) {
            None | Some(Ingest::Quarantine(_)) => Err(reason),
            Some(ingest) => Ok(ingest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent_sdk_wire::{Header, MAX_MESSAGE_BYTES, TelemetryEncoder, TimeBase, Value};
    use hub_core::id::ApplianceId;
    use hub_core::profile::Channel;
    use jiff::SignedDuration;

    /// A device without a clock, whose uptime the hub could place, sent while the hub's clock was a day behind.
    #[test]
    fn uptime_that_a_wrong_clock_refused_is_placed_when_the_clock_is_right() {
        let mut buffer = [0; MAX_MESSAGE_BYTES];
        let header = Header {
            time_base: TimeBase::Uptime,
            boot_id: 7,
            seq: 1,
            t0_ms: 60_000,
        };
        let mut encoder = TelemetryEncoder::new(&mut buffer, &header).unwrap();
        encoder.push(0, &[(1, Value::Int(5))]).unwrap();
        let now: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
        let kept = Quarantined {
            appliance: ApplianceId(1),
            topic: "d/wm-1/t".to_owned(),
            payload: encoder.finish().unwrap().to_vec(),
            reason: "the clock".to_owned(),
            received_at: now - SignedDuration::from_hours(24),
        };
        let profile = ApplianceProfile {
            name: "p".to_owned(),
            version: 1,
            channels: vec![Channel {
                id: 1,
                name: "a".to_owned(),
                unit: "/".to_owned(),
                decimals: 0,
                min: 0.0,
                max: 9.0,
            }],
        };
        let device = DeviceId::new("wm-1").unwrap();
        // The device started an hour ago; it told so when the clock was right.
        let offset = Some((now - SignedDuration::from_hours(1)).as_millisecond());
        let read = |now| redecode(&kept, &device, &profile, TraceId::new(now, [0; 10]), now).unwrap();
        assert!(read(kept.received_at).place(offset).is_err());
        let Ok(Ingest::Telemetry(message)) = read(now).place(offset) else {
            panic!("refused for good");
        };
        assert_eq!(message.samples[0].at, now - SignedDuration::from_mins(59));
        assert_eq!(read(now).boot(), Some(7));
    }
}
