//! Fridges of the hard world, a step a day: in a day all of a household's habits and a defrost are in, and what is left is the unit
//! and its room. Features are those that family `generic` takes of the profile, with the day's conditions beside them.

use std::path::Path;

use anyhow::Context;
use hub_core::profile::Family;
use hub_predict::Manifest;
use hub_predict::manifest::Resampling;
use tests_world::hard::{Fleet, Fridge};

use super::kit::{ConditionOf, Kit, Run};
use super::parts::Parts;

/// What a day says of the conditions in it.
const CONDITIONS: [ConditionOf; 2] = [
    ("room_temperature_c", "room_temperature_c", &[], "Cel", 21.0, 3.0),
    ("door_open_s", "door_open_s", &[], "s", 2.0, 1.0),
];
/// Rows of a day that make a step: a sixth of all. Firmware may send half of them, and of those only what has changed.
const ROWS_MIN: u32 = 48;
/// Mean peak of the starts by a relay, A; those of an inverter are below it.
const RELAY_FROM_A: f64 = 3.5;
/// The figure that tells it.
const START: &str = "start_current";

impl Kit {
    /// What is read of fridges.
    pub fn of_fridge(models: &Path) -> anyhow::Result<Self> {
        let path = models.join("profiles/fridge.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let Family { profile, .. } = toml::from_str(&text)?;
        let mut manifest = Manifest::generic(&profile).context("nothing of a fridge is measured")?;
        if let Resampling::Mean { min_rows, .. } = &mut manifest.resampling {
            *min_rows = ROWS_MIN;
        }
        Ok(Self::new(manifest, profile, &CONDITIONS, Parts::of_fridge()))
    }

    /// The days of a fridge until one of them.
    pub fn days(&self, fleet: &Fleet, fridge: &mut Fridge, until_day: f64) -> Vec<Run> {
        let life = fridge.life().clone();
        self.steps(fleet, fridge, &life, until_day)
    }

    /// Whether the compressor of these days starts by a relay: an inverter starts softly.
    pub fn has_relay(&self, days: &[Run]) -> bool {
        let figure = self.parts.channels.iter().position(|one| one.name == START);
        let starts = days.iter().filter_map(|day| day.parts[figure?]);
        let (count, sum) = starts.fold((0_u32, 0.0), |(count, sum), start| (count + 1, sum + start));
        sum >= RELAY_FROM_A.ln() * f64::from(count.max(1))
    }
}
