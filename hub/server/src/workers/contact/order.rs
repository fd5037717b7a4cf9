//! What a call is to say: a dial order as values of a call flow.

use hub_core::families::Families;
use hub_core::prediction::Severity;
use hub_store::contact::DialOrder;
use hub_voice::{CallOrder, Flow, Value, Values};
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit, Zoned, tz::TimeZone};

/// A person rings within this time if the owner asks for one.
const PERSON_RINGS_WITHIN: SignedDuration = SignedDuration::from_hours(2);

/// The values of the call flow that a dial order gives, with what families and faults are called; `None` without a number.
pub(super) fn call_order(order: &DialOrder, families: &Families, now: Timestamp) -> Option<CallOrder> {
    let language = order.owner.language;
    let profile = &order.appliance.profile;
    let appliance = families.spoken(profile, language).map(str::to_owned);
    let fault = families.fault_sentence(profile, &order.finding.fault_class, language);
    let zone = TimeZone::get(&order.owner.zone).unwrap_or(TimeZone::UTC);
    let local = |at: Timestamp| -> Zoned { at.to_zoned(zone.clone()) };
    let serial = order.appliance.device.as_str();
    let serial_tail = serial
        .get(serial.len().saturating_sub(4)..)
        .unwrap_or(serial)
        .to_owned();
    let brand = order.brand.get(language);
    let price = Value::Money {
        currency: order.visit_price.currency.clone(),
        minor_units: u64::from(order.visit_price.amount) * 100,
    };
    let mut values = Values::from(
        [
            ("brand", Value::Text(brand.to_owned())),
            ("appliance", Value::Term(appliance)),
            ("serial", Value::Digits(serial_tail)),
            ("fault", Value::Term(fault.map(str::to_owned))),
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
        language,
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
    use super::{call_order, person_rings_by};
    use hub_core::families::Families;
    use hub_predict::load_manifest;
    use hub_store::conformance::scene::{after, alarm, appliance, morning, seen, site, take_lease};
    use hub_store::contact::{Begun, ContactStore};
    use hub_store::memory::MemoryStore;
    use hub_store::prediction::PredictionStore;
    use hub_store::site::SiteStore;
    use hub_voice::Value;
    use jiff::Timestamp;
    use std::path::Path;

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

    #[tokio::test]
    async fn a_call_says_the_family_and_the_sentence_of_the_fault_that_was_found() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/pump-rig");
        let (manifest, family) = load_manifest(&folder).unwrap();
        let store = MemoryStore::new([("pump-rig".to_owned(), family.profile.clone())].into(), 1);
        take_lease(&store).await;
        let mut site = site();
        for device in site.tenants.iter_mut().flat_map(|tenant| &mut tenant.devices) {
            device.profile = "pump-rig".to_owned();
        }
        store.apply_site(&site, morning(), false).await.unwrap();
        let pump = appliance(&store, "acme", "wm-1").await;
        let commit = seen(vec![alarm(pump, "flow_loss", 0.95)]);
        let changes = store.commit_scoring(&commit, morning()).await.unwrap();
        let ticket = changes[0].opened.expect("an alarm opens a ticket");
        let Begun::Ring(order) = store.begin_attempt(ticket, after(1), [1; 20]).await.unwrap() else {
            panic!("the owner is not rung");
        };

        let said = |families: &Families| {
            let values = call_order(&order, families, after(1)).unwrap().values;
            ["appliance", "fault"].map(|name| values[name].clone())
        };
        let sentence = "它的数据显示，水流比平时小，可能有堵塞或者阀门没有全开。";
        let words = ["水泵", sentence].map(|words| Value::Term(Some(words.to_owned())));
        assert_eq!(said(&Families::new([family], [manifest.words()])), words);
        // The program has words of its own for what nobody has named.
        assert_eq!(said(&Families::default()), [Value::Term(None), Value::Term(None)]);
    }
}
