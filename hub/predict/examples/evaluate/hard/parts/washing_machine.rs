//! A programme run of a washing machine.

use hub_predict::generic::Speed;
use hub_predict::{RunFeature, Take};

use super::{By, Fault, add_sums, per, rows, within};

/// Phases of the profile.
const FILL: &[i32] = &[1];
const HEAT: &[i32] = &[3];
const DRAIN: &[i32] = &[4];
const SPIN: &[i32] = &[5];
/// The drum turns slowly, with water: washing, heating, rinsing.
const TUMBLE: &[i32] = &[2, 3, 6];
/// Speeds at which the tub is on its way through the resonance, and above it, 1/min.
const RAMP: (f64, f64) = (300.0, 450.0);
const FULL: (f64, f64) = (550.0, 2_000.0);
/// Laundry weighs on the spinning motor by this power of what it weighs on the tumbling one, and knocks by this.
const SPIN_BY_LOAD: f64 = 0.8;
const KNOCKS_BY_LOAD: f64 = 1.2;
/// Speed at full spin, usual value and spread: the motor's current follows it.
const SPEED: (f64, f64) = (900.0, 200.0);
/// What soaks in first, rows; and a rise that is a refill, mm.
const LEAK: Take = Take::Loss {
    settle_rows: 4,
    refill: 7.0,
};

/// Figures that are watched; none bears the name of a feature of the shipped model.
pub(super) const WATCHED: [&str; 14] = [
    "drain_pump",
    "spin_pump",
    "draining",
    "ramp_vibration",
    "full_to_ramp",
    "knocks",
    "spin_to_wash",
    "heater_draw",
    "heater_scatter",
    // A sensor that has begun to scatter raises it; a heater that cuts out does not.
    "heater_peak",
    "leak",
    "fill_rate",
    "motor_scatter",
    "ramp_speed",
];

/// The motor's current at full spin follows its speed.
pub(super) const CONDITIONS: [By; 1] = [("spin_to_wash", "full_speed", SPEED.0, SPEED.1)];

pub(super) fn features() -> Vec<RunFeature> {
    let (motor, pump, shaken, level) = (
        "motor_current_a",
        "drain_pump_current_a",
        "vibration_m_s2",
        "water_level_mm",
    );
    let mut all = vec![
        per_volt(rows("drain_pump", pump, Take::Mean, DRAIN), 1),
        per_volt(rows("spin_pump", pump, Take::Mean, SPIN), 1),
        per_volt(rows("drain_level", level, Take::FastestFall, DRAIN), 1),
        at_speed(rows("ramp_speed", "drum_speed_rpm", Take::Mean, SPIN), RAMP),
        per_speed(at_speed(rows("ramp_vibration", shaken, Take::Mean, SPIN), RAMP)),
        per_speed(at_speed(rows("full_vibration", shaken, Take::Mean, SPIN), FULL)),
        rows("wash_vibration", shaken, Take::Mean, TUMBLE),
        per_volt(at_speed(rows("spin_current", motor, Take::Mean, SPIN), FULL), 1),
        per_volt(rows("wash_current", motor, Take::Mean, TUMBLE), 1),
        per_volt(rows("heater_draw", "heater_power_w", Take::Mean, HEAT), 2),
        per_volt(rows("heater_scatter", "heater_power_w", Take::Scatter, HEAT), 2),
        per_volt(rows("heater_peak", "heater_power_w", Take::Highest, HEAT), 2),
        rows("leak", level, LEAK, TUMBLE),
        rows("fill_level", level, Take::WholeRise, FILL),
        per_volt(rows("motor_scatter", motor, Take::Scatter, TUMBLE), 1),
        RunFeature {
            logarithm: false,
            ..at_speed(rows("full_speed", "drum_speed_rpm", Take::Mean, SPIN), FULL)
        },
    ];
    // What an uneven load, the laundry's weight and a sensor's gain do is in both.
    add_sums(
        &mut all,
        &[
            (
                "full_to_ramp",
                &[("full_vibration", 1.0), ("ramp_vibration", -1.0)],
                false,
            ),
            (
                "knocks",
                &[("wash_vibration", 1.0), ("wash_current", -KNOCKS_BY_LOAD)],
                false,
            ),
            (
                "spin_to_wash",
                &[("spin_current", 1.0), ("wash_current", -SPIN_BY_LOAD)],
                false,
            ),
            // A level that scatters says nothing of how fast it moves.
            ("draining", &[("drain_level", 1.0), ("leak", 0.0)], false),
            ("fill_rate", &[("fill_level", 1.0), ("leak", 0.0)], false),
        ],
    );
    all
}

fn per_volt(feature: RunFeature, power: i32) -> RunFeature {
    per(feature, "supply_voltage_v", 230.0, power)
}

fn per_speed(feature: RunFeature) -> RunFeature {
    per(feature, "drum_speed_rpm", 1_000.0, 2)
}

fn at_speed(feature: RunFeature, speeds: (f64, f64)) -> RunFeature {
    within(feature, "drum_speed_rpm", speeds)
}

/// The faults.
pub(super) const FAULTS: [Fault; 7] = [
    (
        "drain_pump",
        Speed::Quick,
        &[("drain_pump", 0.4), ("spin_pump", 0.4), ("draining", -0.3)],
        Some(("spin_pump", 2.5)),
    ),
    (
        "drum_bearing",
        Speed::Quick,
        &[("spin_to_wash", 0.15), ("full_to_ramp", 0.8), ("knocks", 0.2)],
        Some(("full_to_ramp", 4.0)),
    ),
    (
        "damper",
        Speed::Slow,
        &[("ramp_vibration", 1.0), ("full_to_ramp", -0.95)],
        Some(("ramp_vibration", 2.5)),
    ),
    (
        "heater_scale",
        Speed::Newest,
        &[("heater_scatter", 0.2), ("heater_draw", -0.3)],
        Some(("heater_draw", -2.5)),
    ),
    ("door_gasket", Speed::Quick, &[("leak", 1.5)], None),
    ("inlet_valve", Speed::Quick, &[("fill_rate", -0.6)], None),
    (
        "drive_belt",
        Speed::Newest,
        &[("motor_scatter", 0.1), ("ramp_speed", -0.06), ("spin_to_wash", -0.06)],
        Some(("ramp_speed", -2.0)),
    ),
];
