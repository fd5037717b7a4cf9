//! What a run of a washing machine says of its parts, and what each fault moves: physics of the appliance, as its maker would write it
//! down. Nothing here is fitted, and nothing is read but what the profile's channels have.

use hub_predict::generic::{Channel, Influence, Signature, Speed};
use hub_predict::manifest::Per;
use hub_predict::{FromRows, RunFeature, Source, Take};
use tests_world::hard::FaultKind;

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

/// What is read of each run for named faults.
pub struct Parts {
    pub features: Vec<RunFeature>,
    /// Figures that are watched, then those that are conditions, as indices into `features`.
    pub told: Vec<usize>,
    /// One for each that is told.
    pub channels: Vec<Channel>,
    pub influences: Vec<Influence>,
}

pub fn parts() -> Parts {
    let features = features();
    let place = |name: &str| features.iter().position(|one| one.name == name);
    let told: Vec<usize> = WATCHED
        .iter()
        .chain(&["full_speed"])
        .filter_map(|name| place(name))
        .collect();
    let channels = told.iter().map(|i| Channel {
        name: features[*i].name.clone(),
        // Logarithms and shares: differences of them are compared.
        unit: "/".into(),
        decimals: 4,
    });
    let channels: Vec<Channel> = channels.collect();
    let influences = vec![Influence {
        channel: watched("spin_to_wash"),
        by: WATCHED.len(),
        reference: SPEED.0,
        spread: SPEED.1,
    }];
    Parts {
        told,
        channels,
        influences,
        features,
    }
}

/// Figures that are watched; none bears the name of a feature of the shipped model.
pub const WATCHED: [&str; 13] = [
    "drain_pump",
    "spin_pump",
    "draining",
    "ramp_vibration",
    "full_to_ramp",
    "knocks",
    "spin_to_wash",
    "heater_draw",
    "heater_scatter",
    "leak",
    "fill_rate",
    "motor_scatter",
    "ramp_speed",
];

fn watched(name: &str) -> usize {
    WATCHED.iter().position(|one| *one == name).unwrap_or(WATCHED.len())
}

fn features() -> Vec<RunFeature> {
    let rows = |name: &str, channel: &str, take: Take, phases: &[i32]| RunFeature {
        name: name.into(),
        source: Source::Rows(FromRows {
            channel: channel.into(),
            take,
            phases: phases.into(),
            within: None,
            per: None,
        }),
        logarithm: !matches!(take, Take::Scatter | Take::Loss { .. }),
    };
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
        rows("leak", level, LEAK, TUMBLE),
        rows("fill_level", level, Take::WholeRise, FILL),
        per_volt(rows("motor_scatter", motor, Take::Scatter, TUMBLE), 1),
        RunFeature {
            logarithm: false,
            ..at_speed(rows("full_speed", "drum_speed_rpm", Take::Mean, SPIN), FULL)
        },
    ];
    let place = |name: &str| all.iter().position(|one| one.name == name).unwrap_or(all.len());
    // What an uneven load, the laundry's weight and a sensor's gain do is in both.
    let sums = [
        ("full_to_ramp", "full_vibration", "ramp_vibration", -1.0),
        ("knocks", "wash_vibration", "wash_current", -KNOCKS_BY_LOAD),
        ("spin_to_wash", "spin_current", "wash_current", -SPIN_BY_LOAD),
        // A level that scatters says nothing of how fast it moves.
        ("draining", "drain_level", "leak", 0.0),
        ("fill_rate", "fill_level", "leak", 0.0),
    ];
    let sums = sums.map(|(name, one, other, by)| RunFeature {
        name: name.into(),
        source: Source::Sum(vec![(place(one), 1.0), (place(other), by)]),
        logarithm: false,
    });
    all.extend(sums);
    all
}

fn per_volt(feature: RunFeature, power: i32) -> RunFeature {
    per(feature, "supply_voltage_v", 230.0, power)
}

fn per_speed(feature: RunFeature) -> RunFeature {
    per(feature, "drum_speed_rpm", 1_000.0, 2)
}

fn per(mut feature: RunFeature, channel: &str, reference: f64, power: i32) -> RunFeature {
    if let Source::Rows(rows) = &mut feature.source {
        rows.per = Some(Per {
            channel: channel.into(),
            reference,
            power,
        });
    }
    feature
}

fn at_speed(mut feature: RunFeature, (least, most): (f64, f64)) -> RunFeature {
    if let Source::Rows(rows) = &mut feature.source {
        rows.within = Some(("drum_speed_rpm".into(), least, most));
    }
    feature
}

/// Figures with how far a fault moves them when it fails; the first is what it cannot be told without.
type Moves = &'static [(&'static str, f64)];
/// The figure that has to bear a fault out, with how far it moves; none where none is needed.
type Witness = Option<(&'static str, f64)>;
/// The faults.
const FAULTS: [(&str, Speed, Moves, Witness); 7] = [
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

/// The signatures, without levels yet.
pub fn signatures() -> Vec<Signature> {
    let signature = |(class, speed, moves, borne_out): &(&str, Speed, Moves, Option<(&str, f64)>)| Signature {
        class: (*class).into(),
        moves: moves.iter().map(|(name, by)| (watched(name), *by)).collect(),
        speed: *speed,
        borne_out_by: borne_out.map(|(name, by)| (watched(name), by)),
        ticket_level: f64::MAX,
        call_level: f64::MAX,
    };
    FAULTS.iter().map(signature).collect()
}

/// Class of a fault. A pump that wears and one that is jammed look alike, and the same part is brought for both.
pub fn class_of(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::DrainPumpWear | FaultKind::DrainPumpDebris => "drain_pump",
        other => other.name(),
    }
}
