//! Words of the rules as a person reads them.

use crate::reader::Reader;
use hub_core::call_rules::{HoldReason, PROBABILITY_MIN};
use hub_core::consent::Consent;
use hub_core::prediction::Contribution;
use hub_store::site::OwnerView;
use hub_words::written::quantity;
use serde::Serialize;

/// The word that tables and the API use for a variant.
pub(crate) fn code<T: Serialize>(variant: &T) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// A variant of a closed list in words: the key is the list's name and the variant's word.
pub(crate) fn closed<T: Serialize>(reader: &Reader, list: &str, variant: &T) -> String {
    reader.t(&format!("{list}-{}", code(variant).replace('_', "-")))
}

/// How sure: high from where a call is placed by itself, medium down to the middle.
pub(crate) fn band(reader: &Reader, probability: f32) -> String {
    let key = match probability {
        p if p >= PROBABILITY_MIN => "band-high",
        p if p >= 0.6 => "band-medium",
        _ => "band-low",
    };
    reader.with(key, &[("percent", &reader.percent(f64::from(probability)))])
}

/// Why nobody was rung, with the date where the one who would be rung has withdrawn consent.
pub(crate) fn hold(reader: &Reader, reason: HoldReason, owner: Option<&OwnerView>) -> String {
    let withdrawn = owner.filter(|owner| owner.consent == Consent::Withdrawn);
    let said_at = withdrawn.and_then(|owner| owner.consent_at);
    match (reason, said_at) {
        (HoldReason::ConsentWithdrawn, Some(at)) => {
            reader.with("hold-consent-withdrawn-on", &[("date", &reader.date(at))])
        }
        (reason, _) => closed(reader, "hold", &reason),
    }
}

/// One sensor of an appliance with this profile in a plain sentence: `drain-pump current 0.42 A, 38 % above this unit's own baseline`.
pub(crate) fn sentence(reader: &Reader, profile: &str, sensor: &Contribution) -> String {
    let channel = reader.feature(profile, &sensor.channel);
    let value = quantity(sensor.value, &sensor.unit);
    let difference = sensor.value - sensor.baseline_mean;
    let key = match difference {
        d if d.abs() < sensor.baseline_deviation => "sensor-usual",
        d if d >= 0.0 => "sensor-above",
        _ => "sensor-below",
    };
    let values = [
        ("channel", channel),
        ("value", &value),
        ("difference", &difference_words(reader, sensor, difference.abs())),
    ];
    reader.with(key, &values)
}

/// Percent where the baseline is well away from zero and zero means nothing at all; else the plain difference.
fn difference_words(reader: &Reader, sensor: &Contribution, difference: f64) -> String {
    let baseline = sensor.baseline_mean.abs();
    if sensor.unit == "Cel" || baseline < 3.0 * sensor.baseline_deviation || baseline < f64::EPSILON {
        quantity(difference, &sensor.unit)
    } else {
        reader.percent(difference / baseline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{texts, washing_machine};
    use hub_core::appointment::{AppointmentState, CancelledBy};
    use hub_core::call_result::{CallResult, Disposition};
    use hub_core::consent::{Channel, Purpose};
    use hub_core::contact::{AttemptState, ContactPhase, Direction};
    use hub_core::finding::FindingState;
    use hub_core::language::Language;
    use hub_core::outcome::{Resolution, Verdict};
    use hub_core::prediction::{SecondOpinion, Severity, UNKNOWN_FAULT};
    use hub_core::release::EvidenceKind;
    use hub_core::ticket::{TicketCategory, TicketKind};
    use hub_store::birth::ResetReason;
    use hub_store::device::CommandState;
    use jiff::tz::TimeZone;
    use std::sync::Arc;
    use strum::VariantArray;

    fn reader(language: Language) -> Reader {
        Reader {
            language,
            zone: TimeZone::UTC,
            families: Arc::new(washing_machine::families()),
            actor: None,
        }
    }

    fn sensor(value: f64, mean: f64, deviation: f64, unit: &str) -> Contribution {
        Contribution {
            channel: "drain_pump_current_a".into(),
            share: 0.6,
            value,
            baseline_mean: mean,
            baseline_deviation: deviation,
            unit: unit.into(),
        }
    }

    #[test]
    fn a_sensor_is_told_in_plain_words() {
        let en = |s: &Contribution| sentence(&reader(Language::En), "washing-machine", s).replace('\u{a0}', " ");
        assert_eq!(
            en(&sensor(0.42, 0.304, 0.01, "A")),
            "drain-pump current 0.42 A, 38 % above this unit's own baseline"
        );
        assert_eq!(
            en(&sensor(55.0, 60.0, 1.0, "Cel")),
            "drain-pump current 55.0 °C, 5.00 °C below this unit's own baseline"
        );
        assert_eq!(
            en(&sensor(0.5, 0.0, 0.2, "A")),
            "drain-pump current 0.50 A, 0.50 A above this unit's own baseline"
        );
        assert_eq!(
            en(&sensor(229.6, 230.0, 1.4, "V")),
            "drain-pump current 230 V, as usual for this unit"
        );
        assert_eq!(
            sentence(
                &reader(Language::ZhCn),
                "washing-machine",
                &sensor(0.42, 0.304, 0.01, "A")
            )
            .replace('\u{a0}', " "),
            "排水泵电流 0.42 A，比本机自身基线高 38 %"
        );
    }

    #[test]
    fn words_that_nobody_translated_show_themselves() {
        let reader = reader(Language::En);
        assert_eq!(reader.fault("washing-machine", "flux_capacitor"), "flux_capacitor");
        assert_eq!(
            reader.feature("washing-machine", "Volume Flow RateRMS"),
            "Volume Flow RateRMS"
        );
        assert_eq!(reader.word("presence", "moved_house"), "moved_house");
        // The program's own.
        assert_eq!(reader.fault("washing-machine", UNKNOWN_FAULT), "Unknown fault");
    }

    /// A will to a topic that is not the appliance's, and access that an operator took back or changed.
    #[test]
    fn ends_of_connections_are_told_as_what_they_are() {
        let reader = reader(Language::En);
        for (code, told) in [
            ("will", "its will was refused"),
            ("revoked", "its access was changed or taken back"),
        ] {
            assert_eq!(reader.word("presence", code), told);
        }
    }

    #[test]
    fn every_word_of_the_closed_lists_is_translated() {
        fn keys<T: Serialize + VariantArray>(list: &str) -> impl Iterator<Item = String> {
            T::VARIANTS.iter().map(move |word| format!("{list}-{}", code(word)))
        }
        let all = keys::<HoldReason>("hold")
            .chain(keys::<HoldReason>("hold-short"))
            .chain(keys::<Resolution>("resolution"))
            .chain(keys::<Verdict>("verdict"))
            .chain(keys::<TicketCategory>("category"))
            .chain(keys::<TicketKind>("kind"))
            .chain(keys::<ContactPhase>("phase"))
            .chain(keys::<AppointmentState>("summary-visit"))
            .chain(keys::<CancelledBy>("cancelled-by"))
            .chain(keys::<Severity>("severity"))
            .chain(keys::<EvidenceKind>("evidence-kind"))
            .chain(keys::<SecondOpinion>("second-opinion"))
            .chain(keys::<FindingState>("finding"))
            .chain(keys::<Consent>("consent"))
            .chain(keys::<Purpose>("consent-purpose"))
            .chain(keys::<Channel>("consent-channel"))
            .chain(keys::<ResetReason>("reset"))
            .chain(keys::<CommandState>("command"))
            .chain(keys::<Direction>("direction"))
            .chain(keys::<AttemptState>("attempt"))
            .chain(keys::<CallResult>("result"))
            .chain(keys::<Disposition>("disposition"));
        for key in all {
            let key = key.replace('_', "-");
            for language in Language::ALL {
                assert!(
                    texts::find(language, &key, &[]).is_some(),
                    "{key} in {}",
                    language.tag()
                );
            }
        }
    }
}
