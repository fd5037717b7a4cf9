//! What is watched, and which deviation of it is harmless.

use super::settings::StepOf;

/// Resolutions of a channel that its value may be off: rounding is no fault.
const RESOLUTIONS: f64 = 3.0;
/// Values in resolutions, above which their logarithm says more than rounding.
const LOGARITHM_FROM: f64 = 10.0;
/// No floor is smaller, whatever a profile says of decimals.
const LEAST: f64 = 1e-9;
/// Values beyond are no measurement; sums of their squares stay finite.
const VALUE_MAX: f64 = 1e12;

/// A channel that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// SenML unit of its values.
    pub unit: String,
    /// Decimals with which its values come.
    pub decimals: u8,
}

/// How values of a channel are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Scale {
    /// By their difference.
    Plain,
    /// By their ratio: natural logarithms are compared.
    Logarithm,
}

impl Channel {
    /// A value that can be compared; what is not finite, or beyond any measurement, is missing.
    pub(super) fn usable(value: Option<f64>) -> Option<f64> {
        value.filter(|v| v.abs() <= VALUE_MAX)
    }

    /// Quantities that grow by factors are compared by logarithms, where no value is so near to zero that rounding decides.
    pub(super) fn scale(&self, values: impl IntoIterator<Item = f64>) -> Scale {
        let from = LOGARITHM_FROM * self.resolution();
        if self.varies_by_factor() && values.into_iter().all(|v| v > from) {
            Scale::Logarithm
        } else {
            Scale::Plain
        }
    }

    /// A value on its scale.
    pub(super) fn scaled(&self, value: f64, scale: Scale) -> f64 {
        match scale {
            Scale::Plain => value,
            Scale::Logarithm => value.max(self.resolution()).ln(),
        }
    }

    /// A value of its scale in the channel's unit.
    pub(super) fn plain(&self, value: f64, scale: Scale) -> f64 {
        match scale {
            Scale::Plain => value,
            Scale::Logarithm => value.exp(),
        }
    }

    /// A value without a change of this share of it, where it varies by factors, else of this much.
    pub(super) fn without(&self, value: f64, change: f64) -> f64 {
        if self.varies_by_factor() {
            value * (-change).exp()
        } else {
            value - change
        }
    }

    /// A value on the scale on which changes are told: a share where it varies by factors.
    pub(super) fn change_of(&self, value: f64) -> f64 {
        if self.varies_by_factor() {
            self.scaled(value, Scale::Logarithm)
        } else {
            value
        }
    }

    /// A deviation on this scale, as a fleet's floors are told.
    pub(super) fn as_floor(&self, deviation: f64, centre: f64, scale: Scale) -> f64 {
        match scale {
            Scale::Plain if self.varies_by_factor() => deviation / centre.abs().max(self.resolution()),
            Scale::Plain | Scale::Logarithm => deviation,
        }
    }

    /// Deviation that is harmless where `centre` is normal, on the scale of both. What a fleet has shown of it, `fleet`, takes the
    /// place of the table by unit: that is a guess for quantities that nobody has seen.
    pub(super) fn floor(&self, centre: f64, scale: Scale, step: StepOf, fleet: Option<f64>) -> f64 {
        let (share, least) = match fleet {
            None => harmless(&self.unit, step),
            Some(fleet) if self.varies_by_factor() => (fleet, 0.0),
            Some(fleet) => (0.0, fleet),
        };
        let rounding = RESOLUTIONS * self.resolution();
        let floor = match scale {
            Scale::Logarithm => share.max(rounding / centre.exp()),
            Scale::Plain => (share * centre.abs()).max(least).max(rounding),
        };
        floor.max(LEAST)
    }

    fn resolution(&self) -> f64 {
        10f64.powi(-i32::from(self.decimals))
    }

    fn varies_by_factor(&self) -> bool {
        matches!(self.unit.as_str(), "m/s2" | "A" | "W")
    }
}

/// Harmless deviation of a quantity before a fleet has shown its own: a share of what is normal, and at least so much in its
/// unit. The table is part of what was measured on recorded appliances; a line that changes wants those figures made again.
fn harmless(unit: &str, step: StepOf) -> (f64, f64) {
    match (unit, step) {
        ("Cel" | "K", _) => (0.0, 2.0),
        ("m/s2", StepOf::Period) => (0.03, 0.0),
        ("m/s2" | "A", _) => (0.1, 0.0),
        ("V", _) => (0.02, 0.0),
        ("bar", _) => (0.02, 0.1),
        ("l/min" | "mm/min", StepOf::Period) | ("1/min", _) => (0.01, 0.0),
        _ => (0.05, 0.0),
    }
}
