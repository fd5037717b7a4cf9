//! Settings that the hub pushes: the shared attribute `reporting`, in JSON as the hub sends attributes today.
//!
//! `{"version": 7, "batch_age_s": 60, "metrics": {"3": {"deadband": 5, "interval_s": 60}}}`, by channel id; what is left
//! out stays as it is.

use super::metric::MetricSlot;
use crate::json;

/// What the hub's attributes call them.
const NAME: &[u8] = b"reporting";

/// The largest number in settings: times in seconds stay within 32 bits of milliseconds.
const SECONDS_MAX: u64 = u32::MAX as u64 / 1_000;

/// The settings among shared attributes.
pub(super) fn among(attributes: &[u8]) -> Option<&[u8]> {
    json::member(attributes, NAME)
}

/// Their version, 1 to 4,294,967,295. `None` if they are not to be applied.
pub(super) fn version_of(settings: &[u8]) -> Option<u32> {
    let version = json::number(json::member(settings, b"version")?)?;
    u32::try_from(version).ok().filter(|version| *version > 0)
}

/// Sets what they say of the age of a batch in milliseconds, and of declared metrics. A number that is none, or out of
/// bounds, changes nothing.
pub(super) fn apply(settings: &[u8], metrics: &mut [MetricSlot], batch_age_ms: &mut u32) {
    if let Some(age_ms) = milliseconds(settings, b"batch_age_s") {
        *batch_age_ms = age_ms;
    }
    let Some(by_channel) = json::member(settings, b"metrics") else {
        return;
    };
    for slot in metrics {
        let mut digits = [0; 3];
        let Some(said) = json::member(by_channel, decimal(slot.metric.channel, &mut digits)) else {
            continue;
        };
        let deadband = json::member(said, b"deadband").and_then(json::number);
        if let Some(Ok(deadband)) = deadband.map(u32::try_from) {
            slot.metric.deadband = deadband;
        }
        if let Some(interval_ms) = milliseconds(said, b"interval_s") {
            slot.metric.interval_ms = interval_ms;
        }
    }
}

fn milliseconds(object: &[u8], name: &[u8]) -> Option<u32> {
    let seconds = json::number(json::member(object, name)?)?;
    if seconds > SECONDS_MAX {
        return None;
    }
    u32::try_from(seconds.wrapping_mul(1_000)).ok()
}

/// A number as JSON writes it in a name.
fn decimal(number: u8, digits: &mut [u8; 3]) -> &[u8] {
    let [hundreds, tens, ones] = digits;
    *hundreds = b'0'.wrapping_add(number / 100);
    *tens = b'0'.wrapping_add(number / 10 % 10);
    *ones = b'0'.wrapping_add(number % 10);
    let leading = match number {
        0..=9 => 2,
        10..=99 => 1,
        100..=255 => 0,
    };
    digits.get(leading..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{among, apply, decimal, version_of};
    use crate::agent::metric::{Metric, MetricSlot};

    fn slot(channel: u8) -> MetricSlot {
        MetricSlot::new(Metric {
            channel,
            deadband: 1,
            interval_ms: 2,
            ..MetricSlot::EMPTY.metric
        })
    }

    #[test]
    fn what_is_said_is_set_and_the_rest_stays() {
        let attributes = br#"{"name":"x","reporting":{"version":7,"batch_age_s":60,
            "metrics":{"3":{"deadband":5,"interval_s":60},"200":{"deadband":0},"4":{"interval_s":4294968}}}}"#;
        let settings = among(attributes).expect("they are there");
        assert_eq!(version_of(settings), Some(7));
        let mut metrics = [3, 4, 20, 200].map(slot);
        let mut batch_age_ms = 1;
        apply(settings, &mut metrics, &mut batch_age_ms);
        assert_eq!(batch_age_ms, 60_000);
        apply(br#"{"batch_age_s":-1}"#, &mut metrics, &mut batch_age_ms);
        assert_eq!(batch_age_ms, 60_000, "no number of seconds");
        let now = metrics.map(|slot| (slot.metric.deadband, slot.metric.interval_ms));
        assert_eq!(now, [(5, 60_000), (1, 2), (1, 2), (0, 2)], "channel 4 is said too far");
    }

    #[test]
    fn settings_without_a_version_are_none() {
        for settings in [
            &b"{}"[..],
            br#"{"version":0}"#,
            br#"{"version":4294967296}"#,
            b"7",
            b"null",
        ] {
            assert_eq!(version_of(settings), None, "{settings:?}");
        }
        assert_eq!(among(br#"{"other":{"version":1}}"#), None);
    }

    #[test]
    fn numbers_are_written_as_names() {
        for number in 0..=u8::MAX {
            assert_eq!(decimal(number, &mut [0; 3]), number.to_string().as_bytes());
        }
    }
}
