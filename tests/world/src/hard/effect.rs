//! The healthy effects by name, and sets of them, so that false alarms can be told by effect.

/// Something that ordinary life does to a healthy appliance or to its readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Level and slow swing of the mains at this address.
    Mains,
    /// Demand in the evening pulls the mains down.
    EveningSag,
    /// The mains fail: nothing runs, nothing is reported.
    Outage,
    /// Offset and gain that a sensor left the works with.
    SensorOffset,
    /// Offset and gain that move over the years.
    SensorDrift,
    /// A channel repeats its last value.
    StuckSensor,
    /// A channel scatters many times more than before.
    NoisySensor,
    /// Coarse steps of the converter.
    Rounding,
    /// Rows that never arrive.
    RowsLost,
    /// Rows that arrive hours or days late.
    RowsLate,
    /// Rows that arrive twice.
    Duplicates,
    /// Days without a connection; the rows come at their end.
    Offline,
    /// A clock that is some minutes wrong, or an hour after the change to or from summer time.
    ClockSkew,
    /// A clock that starts at 1970 after an outage, until it is set.
    ClockReset,
    /// New firmware, the whole model within two weeks.
    Firmware,
    /// A supplier's change in one production month.
    Batch,
    /// Households differ in how often, how full and how warm, and in how often a door is opened.
    Households,
    /// The household changes: habits are drawn again.
    NewHousehold,
    /// The appliance is sold: habits are drawn again, and it is moved.
    NewOwner,
    /// Moved, or levelled again.
    Move,
    /// Usual holidays.
    Holiday,
    /// A second home: weeks or months of standing still.
    LongIdle,
    /// Room and tap water follow the year, and the weather.
    Season,
    /// A part that was replaced is not the mean of the old one.
    PartChange,
    /// Washing machine: fuller and emptier weeks.
    FillWeeks,
    /// Washing machine: a home that never washes above 30 °C.
    ColdWash,
    /// Washing machine: the monthly cleaning programme, hot and empty.
    Cleaning,
    /// Washing machine: blankets in winter.
    Blankets,
    /// Washing machine: shoes knock against the drum.
    Shoes,
    /// Washing machine: one heavy item that cannot be distributed.
    HeavyItem,
    /// Washing machine: the spin is retried, slowed down or given up.
    UnbalanceRetry,
    /// Washing machine: a wooden floor.
    WoodenFloor,
    /// Washing machine: the water pressure of the address.
    Pressure,
    /// Washing machine: height of the drain hose, and a kink.
    Hose,
    /// Washing machine: the lint filter fills up and is cleaned.
    LintFilter,
    /// Washing machine: too much detergent, in clusters.
    Foam,
    /// Washing machine: the first weeks of a new one.
    RunIn,
    /// Ageing that is no fault.
    Ageing,
    /// Fridge: the door is opened, by the hour of the day.
    Openings,
    /// Fridge: the door is left open.
    DoorLeftOpen,
    /// Fridge: warm food.
    WarmLoad,
    /// Fridge: another set temperature.
    Setpoint,
    /// Fridge: the interval between defrosts follows the frost.
    AdaptiveDefrost,
    /// Fridge: built in, so that the condenser gets little air.
    BuiltIn,
    /// Fridge: dust on the condenser, cleaned now and then.
    Dust,
}

impl Effect {
    /// All effects, in order of declaration.
    pub const ALL: [Self; 45] = [
        Self::Mains,
        Self::EveningSag,
        Self::Outage,
        Self::SensorOffset,
        Self::SensorDrift,
        Self::StuckSensor,
        Self::NoisySensor,
        Self::Rounding,
        Self::RowsLost,
        Self::RowsLate,
        Self::Duplicates,
        Self::Offline,
        Self::ClockSkew,
        Self::ClockReset,
        Self::Firmware,
        Self::Batch,
        Self::Households,
        Self::NewHousehold,
        Self::NewOwner,
        Self::Move,
        Self::Holiday,
        Self::LongIdle,
        Self::Season,
        Self::PartChange,
        Self::FillWeeks,
        Self::ColdWash,
        Self::Cleaning,
        Self::Blankets,
        Self::Shoes,
        Self::HeavyItem,
        Self::UnbalanceRetry,
        Self::WoodenFloor,
        Self::Pressure,
        Self::Hose,
        Self::LintFilter,
        Self::Foam,
        Self::RunIn,
        Self::Ageing,
        Self::Openings,
        Self::DoorLeftOpen,
        Self::WarmLoad,
        Self::Setpoint,
        Self::AdaptiveDefrost,
        Self::BuiltIn,
        Self::Dust,
    ];

    /// Name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mains => "mains",
            Self::EveningSag => "evening_sag",
            Self::Outage => "outage",
            Self::SensorOffset => "sensor_offset",
            Self::SensorDrift => "sensor_drift",
            Self::StuckSensor => "stuck_sensor",
            Self::NoisySensor => "noisy_sensor",
            Self::Rounding => "rounding",
            Self::RowsLost => "rows_lost",
            Self::RowsLate => "rows_late",
            Self::Duplicates => "duplicates",
            Self::Offline => "offline",
            Self::ClockSkew => "clock_skew",
            Self::ClockReset => "clock_reset",
            Self::Firmware => "firmware",
            Self::Batch => "batch",
            Self::Households => "households",
            Self::NewHousehold => "new_household",
            Self::NewOwner => "new_owner",
            Self::Move => "move",
            Self::Holiday => "holiday",
            Self::LongIdle => "long_idle",
            Self::Season => "season",
            Self::PartChange => "part_change",
            Self::FillWeeks => "fill_weeks",
            Self::ColdWash => "cold_wash",
            Self::Cleaning => "cleaning",
            Self::Blankets => "blankets",
            Self::Shoes => "shoes",
            Self::HeavyItem => "heavy_item",
            Self::UnbalanceRetry => "unbalance_retry",
            Self::WoodenFloor => "wooden_floor",
            Self::Pressure => "pressure",
            Self::Hose => "hose",
            Self::LintFilter => "lint_filter",
            Self::Foam => "foam",
            Self::RunIn => "run_in",
            Self::Ageing => "ageing",
            Self::Openings => "openings",
            Self::DoorLeftOpen => "door_left_open",
            Self::WarmLoad => "warm_load",
            Self::Setpoint => "setpoint",
            Self::AdaptiveDefrost => "adaptive_defrost",
            Self::BuiltIn => "built_in",
            Self::Dust => "dust",
        }
    }
}

/// A set of effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Effects(u64);

impl Effects {
    /// No effect: units that differ by production only, in homes that are all alike.
    pub const NONE: Self = Self(0);
    /// Every effect.
    pub const ALL: Self = Self((1 << Effect::ALL.len()) - 1);

    /// The set and this effect.
    #[must_use]
    pub const fn with(self, effect: Effect) -> Self {
        Self(self.0 | 1 << effect as u64)
    }

    /// The set without this effect.
    #[must_use]
    pub const fn without(self, effect: Effect) -> Self {
        Self(self.0 & !(1 << effect as u64))
    }

    /// Whether the effect is in the set.
    pub const fn has(self, effect: Effect) -> bool {
        self.0 & 1 << effect as u64 != 0
    }

    /// Effects of either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The effects in order of declaration.
    pub fn iter(self) -> impl Iterator<Item = Effect> {
        Effect::ALL.into_iter().filter(move |effect| self.has(*effect))
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, Effects};
    use std::collections::BTreeSet;

    #[test]
    fn the_list_is_complete_and_in_order() {
        for (place, effect) in Effect::ALL.into_iter().enumerate() {
            assert_eq!(effect as usize, place, "{}", effect.name());
        }
        let names: BTreeSet<_> = Effect::ALL.map(Effect::name).into();
        assert_eq!(names.len(), Effect::ALL.len());
        // The last of the declaration.
        assert_eq!(Effect::Dust as usize + 1, Effect::ALL.len());
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set = Effects::NONE
            .with(Effect::Foam)
            .with(Effect::Dust)
            .without(Effect::Foam);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Effect::Dust]);
        assert_eq!(Effects::ALL.iter().count(), Effect::ALL.len());
        assert!(
            Effects::ALL
                .without(Effect::Mains)
                .or(Effects::NONE.with(Effect::Mains))
                == Effects::ALL
        );
    }
}
