//! A day of a fridge: in a day all of a household's habits and a defrost are in, and what is left is the unit and its room.

use hub_predict::generic::Speed;
use hub_predict::{RunFeature, Take};

use super::{By, Fault, add_sums, per, rows, within};

/// Shares of the five minutes for which the compressor ran, with which a row tells of running: an inverter's slowest speed is 0.35.
const RUNS: (f64, f64) = (0.3, 1.0);
/// Currents of a start by a relay, A: an inverter starts softly and has none, and 0 is no start.
const STARTS: (f64, f64) = (3.5, 60.0);
/// Power of a row in which the compressor stands and a heater defrosts, W: electronics take 1.5.
const STANDS: (f64, f64) = (0.0, 0.0);
const DEFROSTS: (f64, f64) = (10.0, 1_000.0);
/// Figures that are watched; none bears the name of a channel.
pub(super) const WATCHED: [&str; 8] = [
    "work",
    "condenser_lift",
    "evaporator_lift",
    "running_power",
    "start_current",
    // A sensor that has begun to scatter raises it far more than the mean; a relay raises both alike.
    "start_peak",
    "start_run",
    "defrost_power",
];

/// Conditions of a day: usual value and spread.
const ROOM: (&str, f64, f64) = ("room", 21.0, 3.0);
const OPENINGS: (&str, f64, f64) = ("openings", 2.0, 1.0);
const SETTING: (&str, f64, f64) = ("setting", 5.0, 1.5);
const SPEED: (&str, f64, f64) = ("speed", 0.8, 0.2);
/// Power while the compressor stands tells how much was defrosted.
const STANDING: (&str, f64, f64) = ("standing_power", 15.0, 10.0);
/// The compressor's power follows the pressures on both of its sides: those of what it works between, °C.
const WARM: (&str, f64, f64) = ("condenser", 45.0, 6.0);
const COLD: (&str, f64, f64) = ("evaporator", -20.0, 4.0);

/// What a start takes, and a heater, follows none of them.
pub(super) fn conditions() -> Vec<By> {
    const OF_DAY: [(&str, f64, f64); 5] = [ROOM, OPENINGS, SETTING, SPEED, STANDING];
    let of = |figure: &'static str, all: &[(&'static str, f64, f64)]| -> Vec<By> {
        let by = all
            .iter()
            .map(|(by, reference, spread)| (figure, *by, *reference, *spread));
        by.collect()
    };
    let mut all = of("work", &OF_DAY);
    all.extend(of("evaporator_lift", &OF_DAY));
    all.extend(of("condenser_lift", &[ROOM, SPEED]));
    all.extend(of("running_power", &[WARM, COLD, SPEED]));
    all
}

pub(super) fn features() -> Vec<RunFeature> {
    let (room, compartment, evaporator, condenser, power, duty, start) = (
        "room_temperature_c",
        "compartment_temperature_c",
        "evaporator_temperature_c",
        "condenser_temperature_c",
        "power_w",
        "compressor_duty",
        "start_current_a",
    );
    let mean = |name: &str, channel: &str| RunFeature {
        logarithm: false,
        ..rows(name, channel, Take::Mean, &[])
    };
    let running = |name: &str, channel: &str| within(mean(name, channel), duty, RUNS);
    let mut all = vec![
        rows("work", duty, Take::Mean, &[]),
        running("room_running", room),
        running("compartment_running", compartment),
        running("evaporator", evaporator),
        running("condenser", condenser),
        per(
            within(rows("running_power", power, Take::Mean, &[]), duty, RUNS),
            duty,
            1.0,
            1,
        ),
        within(rows("start_current", start, Take::Mean, &[]), start, STARTS),
        within(rows("start_peak", start, Take::Highest, &[]), start, STARTS),
        // Of a start that fails nothing runs.
        within(mean("start_run", duty), start, STARTS),
        within(
            within(rows("defrost_power", power, Take::Highest, &[]), duty, STANDS),
            power,
            DEFROSTS,
        ),
        mean("room", room),
        mean("openings", "door_open_s"),
        mean("setting", compartment),
        running("speed", duty),
        within(mean("standing_power", power), duty, STANDS),
    ];
    add_sums(
        &mut all,
        &[
            ("condenser_lift", &[("condenser", 1.0), ("room_running", -1.0)], true),
            (
                "evaporator_lift",
                &[("compartment_running", 1.0), ("evaporator", -1.0)],
                true,
            ),
        ],
    );
    all
}

/// The faults.
pub(super) const FAULTS: [Fault; 7] = [
    (
        "gas_loss",
        Speed::Slow,
        &[
            ("work", 0.45),
            ("condenser_lift", -0.3),
            ("evaporator_lift", -0.2),
            ("running_power", -0.1),
        ],
        Some(("condenser_lift", -2.5)),
    ),
    (
        "evaporator_fan",
        Speed::Quick,
        &[
            ("evaporator_lift", 0.4),
            ("work", 0.15),
            ("condenser_lift", -0.1),
            ("running_power", -0.05),
        ],
        None,
    ),
    (
        "condenser_fan",
        Speed::Quick,
        &[("condenser_lift", 0.45), ("work", 0.08), ("running_power", -0.045)],
        Some(("running_power", -2.5)),
    ),
    (
        "door_seal",
        Speed::Slow,
        &[("work", 0.22), ("evaporator_lift", 0.12)],
        None,
    ),
    (
        "compressor_wear",
        Speed::Slow,
        &[("running_power", 0.13), ("work", 0.05)],
        None,
    ),
    (
        "start_relay",
        Speed::Quick,
        &[("start_current", 0.4), ("start_peak", 0.4), ("start_run", -0.12)],
        None,
    ),
    ("defrost_heater", Speed::Quick, &[("defrost_power", -1.0)], None),
];
