//! Washing programmes as tables.

/// The phase channel: what the machine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// No programme; also the last sample of every run.
    Idle = 0,
    /// The inlet valve is open.
    Fill = 1,
    /// Tumbling without the heater.
    Wash = 2,
    /// Tumbling with the heater.
    Heat = 3,
    /// The drain pump runs until the tub is empty.
    Drain = 4,
    /// Spinning, the drain pump running.
    Spin = 5,
    /// Tumbling in clear water.
    Rinse = 6,
}

/// A programme of the selector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Programme {
    /// Name on the selector.
    pub name: &'static str,
    /// Wash temperature, °C.
    pub(crate) wash_c: f64,
    /// Minutes of washing after heating.
    pub(crate) wash_min: u32,
    pub(crate) rinses: u32,
    pub(crate) spin_min: u32,
    /// Share of the unit's top spin speed.
    pub(crate) spin_share: f64,
    /// Water level of the wash with a half load.
    pub(crate) level_mm: f64,
    /// How often it is chosen, against the others.
    pub(crate) weight: u32,
}

impl Programme {
    /// All programmes of the selector.
    pub const ALL: [Self; 4] = [
        Self::new("cotton-60", 60.0, (32, 3, 10), 1.0, 105.0, 3),
        Self::new("cotton-40", 40.0, (30, 2, 10), 1.0, 105.0, 4),
        Self::new("synthetics-40", 40.0, (22, 2, 6), 0.7, 115.0, 2),
        Self::new("quick-30", 30.0, (9, 1, 5), 0.85, 95.0, 3),
    ];

    const fn new(
        name: &'static str,
        wash_c: f64,
        (wash_min, rinses, spin_min): (u32, u32, u32),
        spin_share: f64,
        level_mm: f64,
        weight: u32,
    ) -> Self {
        Self {
            name,
            wash_c,
            wash_min,
            rinses,
            spin_min,
            spin_share,
            level_mm,
            weight,
        }
    }

    /// The phases of a run in order.
    pub(crate) fn phases(&self) -> Vec<Phase> {
        let mut phases = vec![Phase::Fill, Phase::Heat, Phase::Wash, Phase::Drain];
        for _ in 0..self.rinses {
            phases.extend([Phase::Fill, Phase::Rinse, Phase::Drain]);
        }
        phases.push(Phase::Spin);
        phases
    }
}
