//! What effects and faults move in an appliance: physical quantities, not channels. The physics reads them.

/// A quantity that effects and faults move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// Washing machine: current of the drain pump, factor.
    PumpCurrent,
    /// Washing machine: rate at which the level falls while draining, factor.
    DrainRate,
    /// Washing machine: vibration at full spin speed, factor.
    SpinVibration,
    /// Washing machine: vibration on the way through the resonance, 150 to 400 /min, factor.
    RampVibration,
    /// Washing machine: vibration while tumbling, factor.
    WashVibration,
    /// Washing machine: motor current while spinning, factor.
    SpinCurrent,
    /// Washing machine: motor current while tumbling, factor.
    WashCurrent,
    /// Washing machine: more scatter of the motor current, share of the current.
    CurrentNoise,
    /// Washing machine: speed reached while spinning, factor.
    SpinSpeed,
    /// Washing machine: power of the heater, factor.
    HeaterPower,
    /// Washing machine: share of the heating time in which the heater's protection cuts out.
    HeaterCutOut,
    /// Washing machine: rate at which the level rises while filling, factor.
    FillRate,
    /// Washing machine: water lost while tumbling, mm/min.
    Leak,
    /// Washing machine: level filled to, mm more.
    FillLevel,
    /// Fridge: heat that the compressor moves, factor.
    Capacity,
    /// Fridge: heat between evaporator and compartment for each kelvin, factor.
    EvaporatorTransfer,
    /// Fridge: heat between condenser and room for each kelvin, factor.
    CondenserTransfer,
    /// Fridge: power of the fans, factor.
    FanPower,
    /// Fridge: heat that comes in for each kelvin, factor.
    HeatLeak,
    /// Fridge: frost that settles, factor.
    FrostRate,
    /// Fridge: power of the running compressor, factor.
    CompressorPower,
    /// Fridge: peak current of a start, factor.
    StartCurrent,
    /// Fridge: share of starts that fail.
    FailedStarts,
    /// Fridge: power of the defrost heater, factor.
    DefrostHeater,
    /// Fridge: time between defrosts, factor.
    DefrostInterval,
    /// Fridge: temperature held in the compartment, K more.
    SetTemperature,
}

impl Quantity {
    pub(super) const COUNT: usize = Self::SetTemperature as usize + 1;

    /// Whether a change multiplies (`0.2` is 20 % more) or adds, in the unit of the quantity.
    pub const fn is_factor(self) -> bool {
        !matches!(
            self,
            Self::CurrentNoise
                | Self::HeaterCutOut
                | Self::Leak
                | Self::FillLevel
                | Self::FailedStarts
                | Self::SetTemperature
        )
    }
}

/// Least factor: whatever comes together, nothing vanishes.
const FACTOR_MIN: f64 = 0.05;

/// How far all quantities are moved at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Levels([f64; Quantity::COUNT]);

impl Levels {
    /// Nothing is moved.
    pub(super) fn unmoved() -> Self {
        let mut levels = [0.0; Quantity::COUNT];
        for quantity in FACTORS {
            levels[quantity as usize] = 1.0;
        }
        Self(levels)
    }

    /// Moves a quantity by a change: a share of it if it is a factor, else in its unit.
    pub(super) fn shift(&mut self, quantity: Quantity, change: f64) {
        let level = &mut self.0[quantity as usize];
        if quantity.is_factor() {
            *level = (*level * (1.0 + change).max(FACTOR_MIN)).max(FACTOR_MIN);
        } else {
            *level += change;
        }
    }

    /// The factor on a quantity, or what is added to it.
    pub(super) fn of(&self, quantity: Quantity) -> f64 {
        self.0[quantity as usize]
    }
}

/// The quantities that are factors.
const FACTORS: [Quantity; 20] = [
    Quantity::PumpCurrent,
    Quantity::DrainRate,
    Quantity::SpinVibration,
    Quantity::RampVibration,
    Quantity::WashVibration,
    Quantity::SpinCurrent,
    Quantity::WashCurrent,
    Quantity::SpinSpeed,
    Quantity::HeaterPower,
    Quantity::FillRate,
    Quantity::Capacity,
    Quantity::EvaporatorTransfer,
    Quantity::CondenserTransfer,
    Quantity::FanPower,
    Quantity::HeatLeak,
    Quantity::FrostRate,
    Quantity::CompressorPower,
    Quantity::StartCurrent,
    Quantity::DefrostHeater,
    Quantity::DefrostInterval,
];

#[cfg(test)]
mod tests {
    use super::{FACTORS, Levels, Quantity};

    #[test]
    fn factors_multiply_and_the_rest_adds() {
        assert!(FACTORS.into_iter().all(Quantity::is_factor));
        assert_eq!(FACTORS.len() + 6, Quantity::COUNT);
        let mut levels = Levels::unmoved();
        levels.shift(Quantity::DrainRate, -0.5);
        levels.shift(Quantity::DrainRate, 0.1);
        levels.shift(Quantity::Leak, 1.5);
        levels.shift(Quantity::Capacity, -3.0);
        assert_eq!(levels.of(Quantity::DrainRate), 0.55);
        assert_eq!(levels.of(Quantity::Leak), 1.5);
        assert_eq!(levels.of(Quantity::Capacity), 0.05);
        assert_eq!(levels.of(Quantity::FanPower), 1.0);
    }
}
