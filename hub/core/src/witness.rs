//! Whether what is old enough may be deleted. Nothing brings deleted readings back, so the machine's clock alone is never
//! believed: a second witness says how late it is at the least, and what is deleted is what is too old by the earlier of the
//! two. Refusing the use of what has expired is no matter of this rule.
//!
//! A witness is never a value that this run has stamped, nor the word of one device. The table of all cases is the test of this
//! module, and in words in `docs/operations/retention.md`.

use jiff::{SignedDuration, Timestamp};

/// The machine's clock may be ahead of a clock that runs now by this much. Deletion goes by the earlier of the two, so this
/// bounds no loss: beyond it one of the two is wrong, and a person has to look.
pub const LEAD_MAX: SignedDuration = SignedDuration::from_hours(24);
/// A site may be off for so long without anybody having to say anything. Until a clock that runs now tells more, deletion goes
/// by the time that is known to have passed. What tells more than this beyond it may have the machine's own clock, as devices
/// have that ask the hub for the time, and overrules nothing.
pub const SEASON: SignedDuration = SignedDuration::from_hours(24 * 120);
/// So many devices must agree.
pub const DEVICES_MIN: usize = 3;
/// Clocks agree that are no further apart than this. It holds the time that messages wait on their way.
pub const AGREE_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// Clocks, all at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// The machine's.
    pub now: Timestamp,
    /// The machine's clock was set since the start, and is not back.
    pub is_moved: bool,
    /// That of a given database.
    pub database: Option<DatabaseClock>,
    /// What enough devices agree on: see [`agreed`].
    pub devices: Option<Timestamp>,
    /// What was vouched for before this start, or by a person since, and the time that has passed since it: at least so late
    /// it is.
    pub before: Option<Timestamp>,
}

/// The clock of a given database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseClock {
    /// What it says.
    pub at: Timestamp,
    /// It is another machine's, as far as its address tells. One on this machine has the same clock: it can contradict and never
    /// confirm.
    pub is_elsewhere: bool,
}

/// Who vouches for the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// A given database.
    Database,
    /// Several devices.
    Devices,
    /// What was vouched for before the start, or by a person since.
    Before,
}

/// What may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// What is too old at this time, and nothing else.
    May {
        /// The earlier of the machine's clock and the witness.
        until: Timestamp,
        /// Who vouches for it.
        by: Witness,
    },
    /// Nothing.
    Wait(Reason),
}

/// Why deletion waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The machine's clock was set since the start.
    Moved,
    /// Nobody vouches for any time yet: a database that is new.
    NoWitness,
    /// The machine's clock is ahead of what a witness allows.
    Ahead {
        /// Witness that vouches for it.
        of: Witness,
        /// By how much.
        by: SignedDuration,
    },
}

impl Clocks {
    /// What may be deleted by these clocks.
    pub fn verdict(&self) -> Verdict {
        if self.is_moved {
            return Verdict::Wait(Reason::Moved);
        }
        if let Some(database) = self.database {
            let told = self.told(database.at, Witness::Database, LEAD_MAX);
            if matches!(told, Verdict::Wait(_)) {
                return told;
            }
            // One that has the machine's own clock is heard only where it says otherwise. And whether another machine is
            // another one is not certain: devices may contradict it.
            if database.is_elsewhere && self.before.is_none_or(|before| is_near(database.at, before)) {
                return self.contradicted_by_devices().unwrap_or(told);
            }
        }
        match (self.devices, self.before) {
            (None, None) => Verdict::Wait(Reason::NoWitness),
            (Some(devices), None) => self.told(devices, Witness::Devices, LEAD_MAX),
            (Some(devices), Some(before)) if devices > before && is_near(devices, before) => {
                self.told(devices, Witness::Devices, LEAD_MAX)
            }
            // Devices that are behind what has passed for certain send what they kept: they tell nothing new. Those that are
            // too far ahead of it may have the machine's clock.
            (devices, Some(before)) => match self.told(before, Witness::Before, SEASON) {
                Verdict::May { until, by } => Verdict::May {
                    until: devices.map_or(until, |devices| devices.min(until)),
                    by,
                },
                waits @ Verdict::Wait(_) => waits,
            },
        }
    }

    /// The latest time that is vouched for now: what counts as known from here on, and before the next start. It never hangs on
    /// the machine's clock. What was known gives way to devices that agree on less: it may have been vouched for by a wrong clock.
    pub fn vouched(&self) -> Option<Timestamp> {
        match self.verdict() {
            Verdict::May {
                by: Witness::Database, ..
            } => self.database.map(|database| database.at),
            Verdict::May {
                by: Witness::Devices, ..
            } => self.devices,
            Verdict::Wait(Reason::Moved) => self.before,
            Verdict::May {
                by: Witness::Before, ..
            }
            | Verdict::Wait(_) => match self.devices.zip(self.before) {
                Some((devices, before)) if before.duration_since(devices) > LEAD_MAX => Some(devices),
                _ => self.before,
            },
        }
    }

    /// Where devices tell more than is known to have passed, and by that the machine's clock is ahead.
    fn contradicted_by_devices(&self) -> Option<Verdict> {
        let (devices, before) = self.devices.zip(self.before)?;
        let told = self.told(devices, Witness::Devices, LEAD_MAX);
        (devices > before && matches!(told, Verdict::Wait(_))).then_some(told)
    }

    /// What follows from the word of one witness.
    fn told(&self, at: Timestamp, by: Witness, lead_max: SignedDuration) -> Verdict {
        let lead = self.now.duration_since(at);
        if lead > lead_max {
            return Verdict::Wait(Reason::Ahead { of: by, by: lead });
        }
        Verdict::May {
            until: self.now.min(at),
            by,
        }
    }
}

/// Whether a clock may be believed that is so far ahead of what is known to have passed.
fn is_near(clock: Timestamp, before: Timestamp) -> bool {
    clock.duration_since(before) <= SEASON
}

/// The time by devices' clocks, of which each is given as it would show now: the earliest of those that agree, where they are
/// [`DEVICES_MIN`] or more, and more than half of all that were heard.
pub fn agreed(mut clocks: Vec<Timestamp>) -> Option<Timestamp> {
    clocks.sort_unstable();
    for (place, first) in clocks.iter().enumerate() {
        let end = clocks.partition_point(|clock| clock.duration_since(*first) <= AGREE_WITHIN);
        let near = end - place;
        if near >= DEVICES_MIN && 2 * near > clocks.len() {
            return Some(*first);
        }
    }
    None
}

#[cfg(test)]
mod tests;
