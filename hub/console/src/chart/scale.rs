//! From values and times to places on the drawing.

use crate::reader::Reader;
use hub_words::written::clock;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit, Zoned, ZonedRound};

/// A straight scale from a range of values to a range of places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) from: f64,
    pub(super) to: f64,
}

impl Scale {
    /// The place of a value.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }
}

/// Round steps that cover a range in at most `most` parts: the step, and the marks that lie in the range.
pub(super) fn marks(low: f64, high: f64, most: u32) -> Vec<f64> {
    let raw = (high - low) / f64::from(most);
    let magnitude = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|n| n * magnitude)
        .into_iter()
        .find(|step| *step >= raw)
        .unwrap_or(raw);
    let first = (low / step).ceil() as i64;
    (first..=first + i64::from(most))
        .map(|n| n as f64 * step)
        .filter(|mark| *mark <= high)
        .collect()
}

/// A range around all values, never empty, with a little air.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low > high {
        return (0.0, 1.0);
    }
    let air = ((high - low) * 0.08).max(high.abs() * 1e-3).max(1e-6);
    (low - air, high + air)
}

/// Distances between time marks, in minutes.
const TIME_STEPS: [i64; 14] = [
    1, 5, 15, 30, 60, 120, 360, 720, 1440, 2880, 7200, 14_400, 43_200, 129_600,
];

/// Round local times within the span, at most five, each with its label.
pub(super) fn time_marks(reader: &Reader, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, String)> {
    let minutes = to.duration_since(from).as_mins();
    let step = TIME_STEPS
        .into_iter()
        .find(|step| minutes / step <= 4)
        .unwrap_or(259_200);
    let Some(midnight) = midnight(from, &reader.zone) else {
        return Vec::new();
    };
    let mut marks = Vec::new();
    // A day's worth of the smallest step before `from` at most, then the span itself.
    for n in 0..=(1440 / step + minutes / step + 1) {
        let Ok(at) = midnight.checked_add(jiff::Span::new().minutes(n * step)) else {
            break;
        };
        let instant = at.timestamp();
        if instant >= from && instant <= to {
            let label = if step >= 1440 { reader.day(&at) } else { clock(&at) };
            marks.push((instant, label));
        }
    }
    marks
}

fn midnight(at: Timestamp, zone: &TimeZone) -> Option<Zoned> {
    let local = at.to_zoned(zone.clone());
    local
        .round(ZonedRound::new().smallest(Unit::Day).mode(jiff::RoundMode::Trunc))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::language::Language;

    #[test]
    fn marks_are_round_and_inside() {
        assert_eq!(
            marks(0.27, 0.46, 4),
            vec![0.30000000000000004, 0.35000000000000003, 0.4, 0.45]
        );
        assert_eq!(marks(-1.0, 3.1, 4), vec![0.0, 2.0]);
    }

    #[test]
    fn a_flat_or_empty_line_still_has_a_range() {
        let (low, high) = range([5.0, 5.0].into_iter());
        assert!(low < 5.0 && high > 5.0);
        assert_eq!(range(std::iter::empty()), (0.0, 1.0));
    }

    #[test]
    fn time_marks_are_local_and_few() {
        let reader = Reader {
            language: Language::En,
            zone: TimeZone::get("Asia/Shanghai").unwrap(),
            families: std::sync::Arc::default(),
            actor: None,
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let labels = |from, to| {
            let marks = time_marks(&reader, at(from), at(to));
            marks.into_iter().map(|(_, label)| label).collect::<Vec<_>>()
        };
        assert_eq!(
            labels("2026-11-22T01:30:00Z", "2026-11-22T03:10:00Z"),
            ["09:30", "10:00", "10:30", "11:00"]
        );
        let days = labels("2026-11-01T03:00:00Z", "2026-11-22T03:00:00Z");
        assert_eq!(days, ["6 Nov", "11 Nov", "16 Nov", "21 Nov"]);
    }
}
