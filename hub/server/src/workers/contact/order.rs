//! What a call is to say: a dial order as values of a call flow.

use hub_core::families::Families;
use hub_core::id::{AttemptId, TenantId};
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_core::prediction::Severity;
use hub_core::release::Predicted;
use hub_store::contact::{DialOrder, Greeting};
use hub_voice::{CallOrder, Flow, Value, Values};
use jiff::{Timestamp, Zoned, tz::TimeZone};

/// The values of the call flow that a dial order gives, with what families and faults are called; `None` without a number.
pub(super) fn call_order(order: &DialOrder, families: &Families, now: Timestamp) -> Option<CallOrder> {
    let language = order.owner.language;
    let profile = &order.appliance.profile;
    let appliance = families.spoken(profile, language).map(str::to_owned);
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
            ("price", price),
            // Each attempt that is made has its hour.
            ("by", Value::DateTime(local(order.attempt.rings_by.unwrap_or(now)))),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    if let Some(finding) = &order.finding {
        let fault = families.fault_sentence(profile, &finding.fault_class, language);
        let fault = fault.filter(|_| Predicted::of(finding).names_a_part());
        let safe = finding.prediction.severity < Severity::Critical;
        values.insert("fault".to_owned(), Value::Term(fault.map(str::to_owned)));
        values.insert("safe".to_owned(), Value::YesNo(safe));
    }
    for (name, slot) in [("slot", order.attempt.offered), ("visit", order.visit)] {
        if let Some(slot) = slot {
            let (start, end) = (local(slot.start), local(slot.end));
            values.insert(name.to_owned(), Value::TimeWindow { start, end });
        }
    }
    let flow = match (&order.visit, &order.finding) {
        (Some(_), _) => Flow::visit_call(),
        (None, Some(_)) => Flow::owner_call(),
        (None, None) => Flow::known_caller(),
    };
    Some(CallOrder {
        attempt: order.attempt.id,
        trunk: order.attempt.tenant.as_str().to_owned(),
        to: order.owner.phone.clone()?,
        language,
        flow,
        values,
    })
}

/// The call of somebody whom nobody knows to our number `called`. Its id is stored nowhere.
pub(super) fn stranger_order(tenant: &TenantId, greeting: &Greeting, called: PhoneNumber, id: AttemptId) -> CallOrder {
    // Nothing is known of the caller but where they ring.
    let language = if called.reveal().starts_with("+86") {
        Language::ZhCn
    } else {
        Language::En
    };
    let zone = TimeZone::get(&greeting.zone).unwrap_or(TimeZone::UTC);
    let values = [
        ("brand", Value::Text(greeting.brand.get(language).to_owned())),
        ("by", Value::DateTime(greeting.rings_by.to_zoned(zone))),
    ];
    CallOrder {
        attempt: id,
        trunk: tenant.as_str().to_owned(),
        to: called,
        language,
        flow: Flow::unknown_caller(),
        values: Values::from(values.map(|(name, value)| (name.to_owned(), value))),
    }
}

#[cfg(test)]
mod tests {
    use super::call_order;
    use hub_core::families::Families;
    use hub_predict::load_manifest;
    use hub_store::conformance::scene::{after, alarm, appliance, has_a_quiet_past, morning, seen, site, take_lease};
    use hub_store::contact::{Begun, ContactStore};
    use hub_store::memory::MemoryStore;
    use hub_store::prediction::PredictionStore;
    use hub_store::site::SiteStore;
    use hub_voice::Value;
    use jiff::tz::TimeZone;
    use std::path::Path;

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
        has_a_quiet_past(&store).await;
        let Begun::Ring(order) = store.begin_attempt(ticket, after(1), [1; 20]).await.unwrap() else {
            panic!("the owner is not rung");
        };

        let said = |families: &Families| {
            let values = call_order(&order, families, after(1)).unwrap().values;
            let by = order
                .attempt
                .rings_by
                .unwrap()
                .to_zoned(TimeZone::get("Asia/Shanghai").unwrap());
            assert_eq!(
                values["by"],
                Value::DateTime(by),
                "the hour that is kept is the one that is said"
            );
            ["appliance", "fault"].map(|name| values[name].clone())
        };
        let sentence = "它的数据显示，水流比平时小，可能有堵塞或者阀门没有全开。";
        let words = ["水泵", sentence].map(|words| Value::Term(Some(words.to_owned())));
        let families = Families::new([family], [manifest.words()]);
        assert_eq!(said(&families), words);
        let mut generic = order.clone();
        if let Some(finding) = &mut generic.finding {
            finding.prediction.model = "generic/1".to_owned();
        }
        let values = call_order(&generic, &families, after(1)).unwrap().values;
        assert_eq!(
            values["fault"],
            Value::Term(None),
            "what watches any appliance names no part"
        );
        // The program has words of its own for what nobody has named.
        assert_eq!(said(&Families::default()), [Value::Term(None), Value::Term(None)]);
    }
}
