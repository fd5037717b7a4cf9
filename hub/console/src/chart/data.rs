//! What is drawn: one panel for the score, one for each of the top sensors.

use crate::reader::Reader;
use hub_core::prediction::Evidence;
use hub_words::written::unit_sign;

/// Width of the normal band, in standard deviations to each side.
const BAND_DEVIATIONS: f64 = 3.0;

/// One panel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PanelData {
    /// What is drawn, with its unit.
    pub(super) caption: String,
    /// Value of each point; `None` leaves a hole.
    pub(super) values: Vec<Option<f64>>,
    /// Where an alarm begins.
    pub(super) threshold: Option<f64>,
    /// What is normal for this unit.
    pub(super) band: Option<(f64, f64)>,
}

/// The panels for an appliance with this profile, score first.
pub(super) fn panels(reader: &Reader, profile: &str, evidence: &Evidence, sensors: usize) -> Vec<PanelData> {
    let score = PanelData {
        caption: reader.t("chart-score"),
        values: evidence.points.iter().map(|p| finite(f64::from(p.score))).collect(),
        threshold: Some(1.0),
        band: None,
    };
    let sensor = |index: usize| {
        let channel = &evidence.channels[index];
        let reach = BAND_DEVIATIONS * channel.baseline_deviation;
        let name = reader.feature(profile, &channel.channel);
        PanelData {
            caption: match unit_sign(&channel.unit) {
                "" => name.to_owned(),
                sign => reader.with("chart-sensor", &[("channel", name), ("unit", sign)]),
            },
            values: evidence
                .points
                .iter()
                .map(|p| p.values.get(index).copied().and_then(finite))
                .collect(),
            threshold: None,
            band: Some((channel.baseline_mean - reach, channel.baseline_mean + reach))
                .filter(|(low, high)| low.is_finite() && high.is_finite()),
        }
    };
    let shown = evidence.channels.len().min(sensors);
    std::iter::once(score).chain((0..shown).map(sensor)).collect()
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
