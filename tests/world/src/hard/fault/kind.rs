//! The faults of the appliances, as a table: what each moves, how long it takes, how often it comes.

use super::super::figure::{ASSUMED, Figure};
use super::super::quantity::Quantity;

/// Something that wears out or breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Washing machine: the drain pump draws more current and drains slower.
    DrainPumpWear,
    /// Washing machine: something jams the drain pump now and then.
    DrainPumpDebris,
    /// Washing machine: the drum bearing shakes and brakes the drum, most when spinning.
    DrumBearing,
    /// Washing machine: dampers let the tub swing on the way through the resonance.
    Damper,
    /// Washing machine: scale on the heater, whose protection cuts out.
    HeaterScale,
    /// Washing machine: the door gasket leaks.
    DoorGasket,
    /// Washing machine: the inlet valve is clogged.
    InletValve,
    /// Washing machine: belt slips or brushes spark.
    DriveBelt,
    /// Both: electronics fail without a sign.
    Electronics,
    /// Fridge: refrigerant is lost.
    GasLoss,
    /// Fridge: the fan at the evaporator slows down.
    EvaporatorFan,
    /// Fridge: the fan at the condenser slows down.
    CondenserFan,
    /// Fridge: the door seal lets warm, damp air in.
    DoorSeal,
    /// Fridge: the compressor takes more power and moves less heat.
    CompressorWear,
    /// Fridge: the relay that starts the compressor.
    StartRelay,
    /// Fridge: the defrost heater, or its sensor.
    DefrostHeater,
}

use Quantity::{
    Capacity, CompressorPower, CondenserTransfer, CurrentNoise, DefrostHeater, DrainRate, EvaporatorTransfer,
    FailedStarts, FanPower, FillRate, FrostRate, HeatLeak, HeaterCutOut, Leak, PumpCurrent, RampVibration, SpinCurrent,
    SpinSpeed, SpinVibration, StartCurrent, WashCurrent, WashVibration,
};

const ALL: &[FaultKind] = &FaultKind::ALL;

impl FaultKind {
    /// All kinds, in order of declaration.
    pub const ALL: [Self; 16] = [
        Self::DrainPumpWear,
        Self::DrainPumpDebris,
        Self::DrumBearing,
        Self::Damper,
        Self::HeaterScale,
        Self::DoorGasket,
        Self::InletValve,
        Self::DriveBelt,
        Self::Electronics,
        Self::GasLoss,
        Self::EvaporatorFan,
        Self::CondenserFan,
        Self::DoorSeal,
        Self::CompressorWear,
        Self::StartRelay,
        Self::DefrostHeater,
    ];

    /// Kinds that a washing machine has.
    pub const WASHING_MACHINE: &[Self] = ALL.split_at(9).0;

    /// Kinds that a fridge has.
    pub const FRIDGE: &[Self] = ALL.split_at(8).1;

    /// The fault class as labels and models name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DrainPumpWear => "drain_pump_wear",
            Self::DrainPumpDebris => "drain_pump_debris",
            Self::DrumBearing => "drum_bearing",
            Self::Damper => "damper",
            Self::HeaterScale => "heater_scale",
            Self::DoorGasket => "door_gasket",
            Self::InletValve => "inlet_valve",
            Self::DriveBelt => "drive_belt",
            Self::Electronics => "electronics",
            Self::GasLoss => "gas_loss",
            Self::EvaporatorFan => "evaporator_fan",
            Self::CondenserFan => "condenser_fan",
            Self::DoorSeal => "door_seal",
            Self::CompressorWear => "compressor_wear",
            Self::StartRelay => "start_relay",
            Self::DefrostHeater => "defrost_heater",
        }
    }

    /// What the fault moves, and how far at failure and amplitude 1: a share of a factor, an amount of the rest. Drain pump
    /// wear, bearing, heater and gasket have half of their amplitude in the first world; the others are assumed.
    pub const fn moves(self) -> &'static [(Quantity, f64)] {
        match self {
            Self::DrainPumpWear => &[(PumpCurrent, 0.45), (DrainRate, -0.3)],
            Self::DrainPumpDebris => &[(PumpCurrent, 0.75), (DrainRate, -0.3)],
            Self::DrumBearing => &[
                (SpinVibration, 1.25),
                (SpinCurrent, 0.2),
                (WashVibration, 0.3),
                (WashCurrent, 0.04),
            ],
            Self::Damper => &[(RampVibration, 1.8), (SpinVibration, 0.05)],
            Self::HeaterScale => &[(HeaterCutOut, 0.25)],
            Self::DoorGasket => &[(Leak, 1.5)],
            Self::InletValve => &[(FillRate, -0.45)],
            Self::DriveBelt => &[(SpinSpeed, -0.06), (WashCurrent, 0.08), (CurrentNoise, 0.1)],
            Self::Electronics => &[],
            Self::GasLoss => &[(Capacity, -0.35), (EvaporatorTransfer, -0.2)],
            Self::EvaporatorFan => &[(EvaporatorTransfer, -0.4), (FanPower, -0.4)],
            Self::CondenserFan => &[(CondenserTransfer, -0.4), (FanPower, -0.4)],
            Self::DoorSeal => &[(HeatLeak, 0.25), (FrostRate, 1.0)],
            Self::CompressorWear => &[(CompressorPower, 0.15), (Capacity, -0.05)],
            Self::StartRelay => &[(StartCurrent, 0.5), (FailedStarts, 0.2)],
            Self::DefrostHeater => &[(DefrostHeater, -0.8)],
        }
    }

    /// Days from onset to failure, drawn by their logarithm (assumed).
    pub(in super::super) const fn days(self) -> Figure {
        let (low, high) = match self {
            Self::DrainPumpWear | Self::GasLoss => (30.0, 365.0),
            Self::DrainPumpDebris => (3.0, 60.0),
            Self::DrumBearing => (30.0, 270.0),
            Self::Damper => (180.0, 1_095.0),
            Self::HeaterScale => (30.0, 180.0),
            Self::DoorGasket => (21.0, 120.0),
            Self::InletValve => (60.0, 240.0),
            Self::DriveBelt => (5.0, 60.0),
            Self::Electronics => (1.0, 2.0),
            Self::EvaporatorFan | Self::CondenserFan => (14.0, 60.0),
            Self::DoorSeal => (60.0, 365.0),
            Self::CompressorWear => (90.0, 540.0),
            Self::StartRelay => (7.0, 42.0),
            Self::DefrostHeater => (7.0, 21.0),
        };
        Figure::base("fault", "days from onset to failure", low, high, ASSUMED)
    }

    /// Share of an appliance's faults, against the others that it has: assumed, in the order of Tecchio, Ardente, Mathieux 2019.
    pub const fn share(self) -> f64 {
        match self {
            Self::Electronics => 0.3,
            Self::DrumBearing | Self::GasLoss => 0.15,
            Self::DrainPumpWear
            | Self::Damper
            | Self::DoorGasket
            | Self::DriveBelt
            | Self::EvaporatorFan
            | Self::CondenserFan
            | Self::DoorSeal
            | Self::DefrostHeater => 0.1,
            Self::DrainPumpDebris | Self::HeaterScale | Self::CompressorWear => 0.08,
            Self::InletValve | Self::StartRelay => 0.05,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FaultKind;

    #[test]
    fn the_list_is_in_order_and_halves_into_the_appliances() {
        for (place, kind) in FaultKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place, "{}", kind.name());
        }
        assert_eq!(FaultKind::WASHING_MACHINE.last(), Some(&FaultKind::Electronics));
        assert_eq!(FaultKind::FRIDGE.first(), Some(&FaultKind::Electronics));
        assert_eq!(FaultKind::FRIDGE.len() + FaultKind::WASHING_MACHINE.len(), 17);
    }
}
