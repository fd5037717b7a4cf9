//! A payload from quarantine, read anew by the code that reads payloads when they come in.

use crate::decode::{Origin, Work};
use crate::session::{Message, kind_of};
use hub_core::id::{DeviceId, TraceId};
use hub_core::profile::ApplianceProfile;
use hub_store::telemetry::{Ingest, QUARANTINE_PAYLOAD_MAX, Quarantined};
use jiff::Timestamp;

/// A payload that was read anew and is not placed in time yet.
#[derive(Debug)]
pub struct Redecoding(Work);

/// Reads what `device`, which reports by `profile` now, once published. What cannot be taken by the hub's clock as it was
/// then is read once more as if it came at `now`: that clock may have been behind, and have been set right since.
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
        let work = Work::decode(&kind, false, origin, Ok(profile), trace);
        match work.refusal() {
            Some(reason) => Err(reason.to_owned()),
            None => Ok(Redecoding(work)),
        }
    };
    match read(kept.received_at) {
        Err(reason) if now > kept.received_at => read(now).map_err(|_| reason),
        read => read,
    }
}

impl Redecoding {
    /// The boot whose clock offset [`Redecoding::place`] needs.
    pub fn boot(&self) -> Option<u64> {
        self.0.boot()
    }

    /// What the store takes, with uptime placed by `offset_ms` (UTC less uptime), or by its arrival without one.
    ///
    /// # Errors
    ///
    /// Why it cannot be placed, for a person.
    pub fn place(self, offset_ms: Option<i64>) -> Result<Ingest, String> {
        match self.0.place(offset_ms).0 {
            Ingest::Quarantine(quarantined) => Err(quarantined.reason),
            ingest => Ok(ingest),
        }
    }
}
