//! A 200-byte payload that a device really sends: one reading of 28 channels as telemetry CBOR.

use crate::client::Identity;
use crate::train::Train;
use agent_sdk_wire::{Header, MAX_MESSAGE_BYTES, TelemetryEncoder, TimeBase, Value};
use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use tests_hub::site::SECRET;

/// Name of the appliance profile; no model knows the family.
pub const PROFILE: &str = "bench-meter";
/// What makes the payload [`PAYLOAD_BYTES`] long.
pub const CHANNELS: u8 = 28;
/// Length of a payload.
pub const PAYLOAD_BYTES: usize = 200;
/// Numbers start here, so that each takes five bytes.
const FIRST_SEQ: u64 = 0x0100_0000;
/// Where the five bytes of the number stand: after the array's head, kind, time base and three bytes of the boot.
const SEQ_AT: usize = 1 + 1 + 1 + 3;
/// Boots start here, so that each takes three bytes.
const FIRST_BOOT: u64 = 0x1000;
/// A reading's time after its message's, which takes two bytes.
const DT_MS: u32 = 100;

/// The profile file.
pub fn profile() -> String {
    let mut text = format!("name = \"{PROFILE}\"\nversion = 1\n");
    for id in 1..=CHANNELS {
        let _ = write!(
            text,
            "[[channels]]\nid = {id}\nname = \"level_{id}\"\nunit = \"V\"\ndecimals = 3\nmin = -1000.0\nmax = 1000.0\n"
        );
    }
    let words = |text: &str| format!("{{ zh-CN = \"{text}\", en = \"{text}\" }}");
    let _ = writeln!(text, "[words]\nname = {}", words("Meter"));
    text += "spoken = { zh-CN = \"电表\", en = \"meter\" }\n[words.channels]\n";
    for id in 1..=CHANNELS {
        let _ = writeln!(text, "level_{id} = {}", words(&format!("level {id}")));
    }
    text
}

/// The n-th device.
pub fn identity(device: usize) -> Identity {
    let name = format!("d-{device:05}");
    Identity {
        user_name: format!("acme/{name}"),
        device: name,
        secret: SECRET.into(),
    }
}

/// Readings of one device in one load.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Which load of the run, so that no reading is sent twice.
    pub number: u64,
    /// Readings of each device.
    pub each: usize,
    /// Time of the first reading, Unix milliseconds.
    pub from_ms: i64,
}

impl Load {
    /// The boot id of its readings.
    pub fn boot(&self) -> u64 {
        FIRST_BOOT + self.number
    }

    /// The packets of a device.
    ///
    /// # Errors
    /// The wire crate refuses a reading, or one is not 200 bytes long.
    pub fn train(&self, device: usize) -> Result<Train> {
        let payloads: Vec<_> = (0..self.each).map(|n| self.payload(device, n)).collect::<Result<_>>()?;
        let topic = format!("d/{}/t", identity(device).device);
        Train::pack(&topic, payloads.iter().map(|p| &p[..]))
    }

    /// One payload of a device.
    ///
    /// # Errors
    /// As [`Self::train`].
    pub(crate) fn payload(&self, device: usize, number: usize) -> Result<Vec<u8>> {
        let mut buffer = [0; MAX_MESSAGE_BYTES];
        let header = Header {
            time_base: TimeBase::Utc,
            boot_id: self.boot(),
            seq: FIRST_SEQ + number as u64,
            t0_ms: self.from_ms + i64::try_from(number)? - i64::from(DT_MS),
        };
        let value = |channel: u8| {
            // Never whole, so that it takes a float's five bytes.
            let step = (device * 31 + number * 7 + usize::from(channel) * 13) % 1_000;
            Value::F32(step as f32 + 0.125)
        };
        let values: Vec<_> = (1..=CHANNELS).map(|id| (id, value(id))).collect();
        let mut encoder = TelemetryEncoder::new(&mut buffer, &header)?;
        encoder.push(DT_MS, &values)?;
        let payload = encoder.finish()?;
        ensure!(
            payload.len() == PAYLOAD_BYTES,
            "a payload of {} bytes, not {PAYLOAD_BYTES}",
            payload.len()
        );
        Ok(payload.to_vec())
    }
}

/// The device of a topic `d/d-00042/t`.
pub(crate) fn device_of(topic: &[u8]) -> Option<usize> {
    let digits = topic.strip_prefix(b"d/d-")?.strip_suffix(b"/t")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The number of a payload within its load.
pub(crate) fn number_of(payload: &[u8]) -> Option<usize> {
    let seq = payload.get(SEQ_AT..SEQ_AT + 5)?;
    let (0x1A, digits) = seq.split_first()? else {
        return None;
    };
    let seq = u32::from_be_bytes(digits.try_into().ok()?);
    usize::try_from(u64::from(seq).checked_sub(FIRST_SEQ)?).ok()
}

/// All trains of a load.
///
/// # Errors
/// As [`Load::train`].
pub fn trains(load: Load, devices: usize) -> Result<Vec<Train>> {
    (0..devices)
        .map(|device| load.train(device).with_context(|| format!("device {device}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{CHANNELS, Load, PAYLOAD_BYTES, device_of, number_of, profile};
    use hub_core::profile::Family;

    #[test]
    fn the_profile_is_one_that_a_hub_takes() {
        let family: Family = toml::from_str(&profile()).unwrap();
        assert_eq!(family.check(), Ok(()));
        assert_eq!(family.profile.channels.len(), usize::from(CHANNELS));
    }

    #[test]
    fn a_payload_is_200_bytes_and_tells_its_number() {
        let load = Load {
            number: 47,
            each: 3,
            from_ms: 1_764_000_000_000,
        };
        for n in [0, 1, 60_000] {
            let payload = load.payload(1_999, n).unwrap();
            assert_eq!(payload.len(), PAYLOAD_BYTES);
            assert_eq!(number_of(&payload), Some(n));
            let message = agent_sdk_wire::decode_telemetry(&payload).unwrap();
            assert_eq!(message.boot_id, load.boot());
        }
        assert_eq!(device_of(b"d/d-00042/t"), Some(42));
    }
}
