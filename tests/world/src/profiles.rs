//! The profiles of the simulated families, as the project ships them.

use hub_core::profile::{ApplianceProfile, Family};

/// `models/profiles/washing-machine.toml`.
pub fn washing_machine() -> ApplianceProfile {
    parse(include_str!("../../../models/profiles/washing-machine.toml"))
}

/// `models/profiles/fridge.toml`.
pub fn fridge() -> ApplianceProfile {
    parse(include_str!("../../../models/profiles/fridge.toml"))
}

/// `models/profiles/pump-rig.toml`.
pub fn pump_rig() -> ApplianceProfile {
    parse(include_str!("../../../models/profiles/pump-rig.toml"))
}

fn parse(text: &str) -> ApplianceProfile {
    let family: Family = toml::from_str(text).expect("compiled in and covered by this file's tests");
    family.profile
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn shipped_profiles_are_valid() {
        for profile in [washing_machine(), fridge(), pump_rig()] {
            assert_eq!(profile.check(), Ok(()), "{}", profile.name);
        }
        assert_eq!(washing_machine().position("drain_pump_current_a"), Some(2));
    }

    /// Every recorded digit survives storing, so that scoring a file and scoring its stream see the same numbers.
    #[test]
    fn pump_rig_keeps_the_recorded_precision() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/skab"));
        if !folder.exists() {
            println!("skipped: {} is absent", folder.display());
            return;
        }
        let profile = pump_rig();
        let mut checked = 0;
        for file in [
            "anomaly-free/anomaly-free-first5600.csv",
            "valve1/0.csv",
            "other/14.csv",
        ] {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            let mut lines = text.lines();
            let names: Vec<_> = lines.next().unwrap().split(';').collect();
            for line in lines {
                for (name, recorded) in names.iter().zip(line.split(';')) {
                    let Some(position) = profile.position(name) else {
                        continue;
                    };
                    let channel = &profile.channels[position];
                    let value: f64 = recorded.parse().unwrap();
                    let stored = channel.quantise(value).unwrap();
                    assert_eq!(channel.value(stored), value, "{file} {name}");
                    checked += 1;
                }
            }
        }
        assert!(
            checked > 8 * 5_600,
            "only {checked} values found: a column name does not match"
        );
    }
}
