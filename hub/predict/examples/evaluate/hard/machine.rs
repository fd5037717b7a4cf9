//! Washing machines of the hard world, run by run.

use std::path::Path;

use hub_predict::load_manifest;
use tests_world::hard::{Effects, Fleet, WashingMachine};

use super::kit::{ConditionOf, Kit, Run};
use super::parts::Parts;

/// Phases of the profile in which laundry is washed, and spun.
const WASH: &[i32] = &[2];
const SPIN: &[i32] = &[5];

/// What a run says of the conditions under which it worked.
const CONDITIONS: [ConditionOf; 4] = [
    ("wash_level", "water_level_mm", WASH, "mm", 105.0, 12.0),
    ("wash_temperature", "water_temperature_c", WASH, "Cel", 42.0, 15.0),
    ("spin_speed", "drum_speed_rpm", SPIN, "1/min", 900.0, 200.0),
    ("mains", "supply_voltage_v", SPIN, "V", 225.0, 8.0),
];

impl Kit {
    /// What is read of washing machines: the features of the model of before, which is kept beside the others.
    pub fn of_washing_machine(models: &Path) -> anyhow::Result<Self> {
        let (manifest, family) = load_manifest(&models.join(SHIPPED))?;
        let parts = Parts::of_washing_machine();
        Ok(Self::new(manifest, family.profile, &CONDITIONS, parts))
    }

    /// Runs of a calibration, as the model of before has them.
    pub fn calibration(&self) -> u32 {
        self.manifest().baseline.calibration
    }

    /// The runs of a machine until a day.
    pub fn runs(&self, fleet: &Fleet, machine: &mut WashingMachine, until_day: f64) -> Vec<Run> {
        let life = machine.life().clone();
        self.steps(fleet, machine, &life, until_day)
    }
}

/// Folder of the model of before.
pub const SHIPPED: &str = "washing-machine";

/// Healthy effects of the weeks before a day: those at work, and those of single runs.
pub fn effects_before(machine: &WashingMachine, day: f64) -> Effects {
    const WEEKS: f64 = 28.0;
    let at_work = machine.life().effects_between(day - WEEKS, day);
    let runs = machine.runs().iter();
    let close = runs.filter(|run| (day - WEEKS..=day).contains(&run.day));
    close.fold(at_work, |effects, run| effects.or(run.effects))
}
