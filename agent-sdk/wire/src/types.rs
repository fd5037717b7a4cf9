//! The parts that messages are made of.

/// What the times of a message count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeBase {
    /// Milliseconds since the device started; the hub places them by a [`Clock`] message of the same boot.
    Uptime,
    /// Milliseconds since 1970-01-01T00:00:00Z by the device's own clock, which the hub measures and never trusts.
    Utc,
}

impl TimeBase {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Uptime => 0,
            Self::Utc => 1,
        }
    }

    /// The time base of a number on the wire.
    pub const fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::Uptime),
            1 => Some(Self::Utc),
            _ => None,
        }
    }
}

/// A sequence of numbered samples within one boot of a device. Each lane counts for itself, so that faults can
/// overtake routine readings without looking like a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Routine readings, topic `d/{id}/t`.
    Telemetry,
    /// Faults and crash reports, topic `d/{id}/e`.
    Event,
}

impl Lane {
    /// The number kept in duplicate guards; never changed.
    pub const fn code(self) -> u8 {
        match self {
            Self::Telemetry => 0,
            Self::Event => 1,
        }
    }
}

/// What all samples of a telemetry message share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What `t0_ms` counts from.
    pub time_base: TimeBase,
    /// Drawn at each start of the device; says nothing about order. At most [`crate::MAX_NUMBER`].
    pub boot_id: u64,
    /// Number of the first sample within (boot, lane); the following samples count on from it. At most
    /// [`crate::MAX_NUMBER`].
    pub seq: u64,
    /// Time that the samples' `dt_ms` count from, in milliseconds of `time_base`; at most [`crate::MAX_NUMBER`] either
    /// way, and not negative for uptime.
    pub t0_ms: i64,
}

/// One reading of one channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A whole number or a counter.
    Int(i64),
    /// A measurement; what firmware should send. A sensor without a reading is left out rather than sent as NaN.
    F32(f32),
    /// A measurement that needs more than 7 digits.
    F64(f64),
    /// A state; kept as 1 or 0.
    Bool(bool),
}

impl Value {
    /// The value as the hub computes with it. Not finite if the device sent NaN or an infinity.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(v) => v as f64,
            Self::F32(v) => f64::from(v),
            Self::F64(v) => v,
            Self::Bool(v) => f64::from(u8::from(v)),
        }
    }

    /// The shortest form of `value` that is still the same number after rounding to `decimals`, as the hub stores it.
    #[cfg(feature = "std")]
    pub fn at_resolution(value: f64, decimals: u8) -> Self {
        let scale = 10f64.powi(i32::from(decimals));
        let stored = |v: f64| (v * scale).round();
        // Whole numbers up to 16 bits take 3 bytes at most; above that a float is as short.
        if value.fract() == 0.0 && value.abs() <= f64::from(u16::MAX) && !(value == 0.0 && value.is_sign_negative()) {
            return Self::Int(value as i64);
        }
        let short = value as f32;
        if stored(f64::from(short)) == stored(value) {
            Self::F32(short)
        } else {
            Self::F64(value)
        }
    }
}

/// A pair of readings of the device's two clocks, taken together: places the records that carry uptime.
///
/// Sent on the telemetry topic after connecting; repeating it changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// The boot whose uptime this is.
    pub boot_id: u64,
    /// Milliseconds since the device started.
    pub uptime_ms: u64,
    /// Milliseconds since 1970-01-01T00:00:00Z at the same moment, as the device learned it.
    pub utc_ms: i64,
}

/// What an event says about its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventState {
    /// The condition has ended.
    Cleared,
    /// The condition has begun.
    Raised,
    /// A report without duration, such as a crash report.
    Reported,
}

impl EventState {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Cleared => 0,
            Self::Raised => 1,
            Self::Reported => 2,
        }
    }

    /// The state of a number on the wire.
    pub const fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::Cleared),
            1 => Some(Self::Raised),
            2 => Some(Self::Reported),
            _ => None,
        }
    }
}

/// A fault, its end, or a crash report: one numbered sample of the event lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'b> {
    /// What `at_ms` counts from.
    pub time_base: TimeBase,
    /// The boot this event belongs to.
    pub boot_id: u64,
    /// Its number in the event lane.
    pub seq: u64,
    /// When, in milliseconds of `time_base`.
    pub at_ms: i64,
    /// Begun, ended, or just reported.
    pub state: EventState,
    /// The maker's code as in its service manual, e.g. `E21`: 1 to [`crate::MAX_EVENT_CODE_BYTES`] bytes.
    pub code: &'b str,
    /// Free text or a crash report: up to [`crate::MAX_EVENT_DETAIL_BYTES`] bytes.
    pub detail: &'b str,
}
