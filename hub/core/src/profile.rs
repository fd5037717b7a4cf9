//! Appliance profiles: which channels an appliance family reports, in which order and resolution.
//!
//! A profile is append-only: a channel keeps its id, position, unit and scale permanently, because queued messages and
//! stored rows outlive updates.

use serde::{Deserialize, Serialize};

/// One channel of a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Id on the wire, 1 to 255; the position in a stored row is `id - 1`.
    pub id: u8,
    /// Name in JSON telemetry and on pages, e.g. `pump_current_a`.
    pub name: String,
    /// Unit as in SenML (RFC 8428 §12.1), e.g. `A`, `Cel`, `m/s2`.
    pub unit: String,
    /// Stored resolution: a stored integer is `round(value × 10^decimals)`.
    pub decimals: u8,
    /// The smallest value that is physically possible.
    pub min: f64,
    /// The largest value that is physically possible.
    pub max: f64,
}

/// An appliance profile: `models/profiles/<name>.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplianceProfile {
    /// Name of the family, e.g. `washing-machine`.
    pub name: String,
    /// Counts up when channels are appended.
    pub version: u16,
    /// Channels in order of id, without holes, starting at 1.
    pub channels: Vec<Channel>,
}

/// Why a profile is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Ids must count 1, 2, 3 … without holes.
    #[error("profile {profile}: channel {name} has id {got}, expected {expected}: ids count up from 1 without holes")]
    Order {
        /// The profile.
        profile: String,
        /// The channel at fault.
        name: String,
        /// Its id.
        got: u8,
        /// What it should be.
        expected: usize,
    },
    /// A name twice.
    #[error("profile {profile}: channel name {name} occurs twice")]
    Twice {
        /// The profile.
        profile: String,
        /// The name.
        name: String,
    },
    /// Range or resolution cannot be stored.
    #[error("profile {profile}: channel {name}: min must be below max and max × 10^decimals below 2^31")]
    Range {
        /// The profile.
        profile: String,
        /// The channel at fault.
        name: String,
    },
}

impl ApplianceProfile {
    /// Checks what serde cannot: order of ids, unique names, storable ranges.
    pub fn check(&self) -> Result<(), ProfileError> {
        for (index, channel) in self.channels.iter().enumerate() {
            let profile = self.name.clone();
            let name = channel.name.clone();
            if usize::from(channel.id) != index + 1 {
                return Err(ProfileError::Order {
                    profile,
                    name,
                    got: channel.id,
                    expected: index + 1,
                });
            }
            if self.channels[..index].iter().any(|c| c.name == channel.name) {
                return Err(ProfileError::Twice { profile, name });
            }
            let scale = 10f64.powi(i32::from(channel.decimals));
            let storable = [channel.min, channel.max]
                .iter()
                .all(|v| (v * scale).abs() < f64::from(i32::MAX));
            if !storable || channel.min >= channel.max {
                return Err(ProfileError::Range { profile, name });
            }
        }
        Ok(())
    }

    /// A channel's value in its unit, of a sample's stored integers by channel order, if it is there.
    pub fn value(&self, stored: &[Option<i32>], channel: &str) -> Option<f64> {
        let at = self.position(channel)?;
        Some(self.channels.get(at)?.value(stored.get(at).copied().flatten()?))
    }

    /// Position of a channel in a stored row.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.channels.iter().position(|c| c.name == name)
    }
}

impl Channel {
    /// The stored integer of a value, or `None` if it is not finite or outside the physical range.
    pub fn quantise(&self, value: f64) -> Option<i32> {
        if !value.is_finite() || value < self.min || value > self.max {
            return None;
        }
        // In range by `ApplianceProfile::check`, so the cast cannot saturate.
        Some((value * 10f64.powi(i32::from(self.decimals))).round() as i32)
    }

    /// The value of a stored integer.
    pub fn value(&self, stored: i32) -> f64 {
        f64::from(stored) / 10f64.powi(i32::from(self.decimals))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(id: u8, name: &str) -> Channel {
        Channel {
            id,
            name: name.into(),
            unit: "A".into(),
            decimals: 3,
            min: -1.0,
            max: 20.0,
        }
    }

    #[test]
    fn ids_count_up_without_holes() {
        let mut profile = ApplianceProfile {
            name: "p".into(),
            version: 1,
            channels: vec![channel(1, "a"), channel(3, "b")],
        };
        assert!(matches!(profile.check(), Err(ProfileError::Order { expected: 2, .. })));
        profile.channels[1].id = 2;
        assert_eq!(profile.check(), Ok(()));
        profile.channels[1].name = "a".into();
        assert!(matches!(profile.check(), Err(ProfileError::Twice { .. })));
        profile.channels[1] = Channel {
            max: 3e6,
            ..channel(2, "b")
        };
        assert!(matches!(profile.check(), Err(ProfileError::Range { .. })));
    }

    #[test]
    fn stored_values_come_back_within_the_resolution() {
        let c = channel(1, "a");
        assert_eq!(c.quantise(1.2345), Some(1235));
        assert_eq!(c.value(1235), 1.235);
        assert_eq!(c.quantise(f64::NAN), None);
        assert_eq!(c.quantise(20.1), None);
    }
}
