//! Slow faults: wear grows from an onset to failure and is a pure function of time.

use jiff::Timestamp;

/// What wears out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The drain pump draws more current and drains slower.
    DrainPumpWear,
    /// The drum bearing shakes and brakes the drum, most when spinning.
    DrumBearing,
    /// Scale on the heater: its protection cuts out more and more, so that heating takes longer.
    HeaterScale,
    /// The door gasket leaks: the level falls during the wash and is topped up.
    DoorGasket,
}

impl FaultKind {
    /// All kinds, in a fixed order.
    pub const ALL: [Self; 4] = [
        Self::DrainPumpWear,
        Self::DrumBearing,
        Self::HeaterScale,
        Self::DoorGasket,
    ];

    /// The fault class as labels and models name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DrainPumpWear => "drain_pump_wear",
            Self::DrumBearing => "drum_bearing",
            Self::HeaterScale => "heater_scale",
            Self::DoorGasket => "door_gasket",
        }
    }
}

/// When and how fast something wears out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultPlan {
    /// Kind of the fault.
    pub kind: FaultKind,
    /// Sound until then.
    pub onset: Timestamp,
    /// Days from the onset to full wear; above 0.
    pub days_to_failure: f64,
}

impl FaultPlan {
    /// Wear at a moment: 0 is sound, 1 about to fail. Slow first, faster later.
    pub fn wear(&self, at: Timestamp) -> f64 {
        let days = at.duration_since(self.onset).as_secs_f64() / 86_400.0;
        let share = (days / self.days_to_failure).clamp(0.0, 1.0);
        share * (0.4 + 0.6 * share)
    }
}

/// Wear of each part at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Wear {
    pub(crate) drain_pump: f64,
    pub(crate) bearing: f64,
    pub(crate) heater: f64,
    pub(crate) gasket: f64,
}

impl Wear {
    /// The wear that `plans` cause at `at`; the worst plan counts for each part.
    pub(crate) fn at(plans: &[FaultPlan], at: Timestamp) -> Self {
        let mut wear = Self::default();
        for plan in plans {
            let part = match plan.kind {
                FaultKind::DrainPumpWear => &mut wear.drain_pump,
                FaultKind::DrumBearing => &mut wear.bearing,
                FaultKind::HeaterScale => &mut wear.heater,
                FaultKind::DoorGasket => &mut wear.gasket,
            };
            *part = part.max(plan.wear(at));
        }
        wear
    }
}
