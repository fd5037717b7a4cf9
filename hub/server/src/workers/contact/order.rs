//! What a call is to say: a dial order as values of a call flow.

use hub_core::prediction::Severity;
use hub_store::contact::DialOrder;
use hub_voice::{CallOrder, Flow, Value, Values};
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit, Zoned, tz::TimeZone};

/// A person rings within this time if the owner asks for one.
const PERSON_RINGS_WITHIN: SignedDuration = SignedDuration::from_hours(2);

/// The values of the call flow that a dial order gives; `None` without a number.
pub(super) fn call_order(order: &DialOrder, now: Timestamp) -> Option<CallOrder> {
    let zone = TimeZone::get(&order.owner.zone).unwrap_or(TimeZone::UTC);
    let local = |at: Timestamp| -> Zoned { at.to_zoned(zone.clone()) };
    let serial = order.appliance.device.as_str();
    let serial_tail = serial
        .get(serial.len().saturating_sub(4)..)
        .unwrap_or(serial)
        .to_owned();
    let brand = order.brand.get(order.owner.language);
    let price = Value::Money {
        currency: order.visit_price.currency.clone(),
        minor_units: u64::from(order.visit_price.amount) * 100,
    };
    let mut values = Values::from(
        [
            ("brand", Value::Text(brand.to_owned())),
            ("appliance", Value::Term(order.appliance.profile.clone())),
            ("serial", Value::Digits(serial_tail)),
            ("fault", Value::Term(order.finding.fault_class.clone())),
            (
                "safe",
                Value::YesNo(order.finding.prediction.severity < Severity::Critical),
            ),
            ("price", price),
            ("by", Value::DateTime(local(person_rings_by(now)))),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    if let Some(slot) = order.attempt.offered {
        let (start, end) = (local(slot.start), local(slot.end));
        values.insert("slot".to_owned(), Value::TimeWindow { start, end });
    }
    Some(CallOrder {
        attempt: order.attempt.id,
        trunk: order.attempt.tenant.as_str().to_owned(),
        to: order.owner.phone.clone()?,
        language: order.owner.language,
        flow: Flow::owner_call(),
        values,
    })
}

/// By when: a time that is said, so in steps of five minutes. A voice need not speak another one each minute then.
fn person_rings_by(now: Timestamp) -> Timestamp {
    let by = now.checked_add(PERSON_RINGS_WITHIN).unwrap_or(now);
    let steps = TimestampRound::new()
        .smallest(Unit::Minute)
        .increment(5)
        .mode(RoundMode::Ceil);
    by.round(steps).unwrap_or(by)
}

#[cfg(test)]
mod tests {
    use super::person_rings_by;
    use jiff::Timestamp;

    #[test]
    fn a_person_rings_within_two_hours_and_the_time_is_said_in_steps_of_five_minutes() {
        for (now, by) in [
            ("2026-03-02T09:00:00Z", "2026-03-02T11:00:00Z"),
            ("2026-03-02T09:00:01Z", "2026-03-02T11:05:00Z"),
        ] {
            let [now, by] = [now, by].map(|text| text.parse::<Timestamp>().unwrap());
            assert_eq!(person_rings_by(now), by);
        }
    }
}
