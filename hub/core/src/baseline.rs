//! Why an appliance's baseline starts over, and when its firmware makes it do so. Nothing here knows what a baseline holds.

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Longest version of a firmware, in characters; what is longer is no version.
pub const FIRMWARE_LEN_MAX: usize = 64;
/// Restarts of an appliance's baseline that are kept: the newest.
pub const RESTARTS_KEPT: usize = 20;
/// Shortest time from one restart for a firmware to the next. It doubles with each that follows.
const WAIT: SignedDuration = SignedDuration::from_hours(24);
/// How often it doubles: up to 16 days.
const DOUBLINGS_MAX: u32 = 4;
/// After so long without a restart for a firmware the next one is the first again.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Why a baseline starts over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum RestartReason {
    /// A ticket was closed as repaired: a part may be another one.
    Repaired,
    /// It serves another household.
    NewOwner,
    /// It reports by another profile.
    OtherProfile,
    /// Its firmware is another one.
    Firmware {
        /// Version that the baseline was learned under.
        from: String,
        /// Version that it is learned under from now on.
        to: String,
    },
}

/// A baseline that has started over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    /// Hub's time.
    pub at: Timestamp,
    /// Reason of it.
    pub reason: RestartReason,
}

/// Firmware of an appliance as its device tells it, and the one that its baseline was learned under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firmware {
    /// Newest version that the device told.
    pub told: String,
    /// When the hub first received it after another one.
    pub told_at: Timestamp,
    /// Version that the baseline is learned under.
    pub baseline: String,
    /// Restarts for a firmware of which each followed another within 30 days.
    pub restarts: u32,
    /// When the last of them was.
    pub restarted_at: Option<Timestamp>,
}

/// What is to be done about the firmware that was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirmwareChange {
    /// Nothing: it is the baseline's own.
    Nothing,
    /// The baseline starts over.
    Due,
    /// The baseline starts over when what was found has been closed: it must not become normal unseen.
    WaitsForFault,
    /// The baseline starts over then, since it did a short while ago.
    WaitsUntil(Timestamp),
}

/// The version in what a device says, if it says one: a text of 1 to 64 characters.
pub fn version(said: &str) -> Option<&str> {
    let said = said.trim();
    (!said.is_empty() && said.chars().count() <= FIRMWARE_LEN_MAX).then_some(said)
}

impl Firmware {
    /// The first version that a device tells: the baseline is taken for its own.
    pub fn first(version: &str, at: Timestamp) -> Self {
        Self {
            told: version.to_owned(),
            told_at: at,
            baseline: version.to_owned(),
            restarts: 0,
            restarted_at: None,
        }
    }

    /// Takes a version that was told at this time. One that is older than the newest changes nothing, nor does the same again.
    pub fn tell(&mut self, version: &str, at: Timestamp) {
        if self.told != version && at >= self.told_at {
            (self.told, self.told_at) = (version.to_owned(), at);
        }
    }

    /// What is to be done now; `holds_a_fault` where a finding is open, or a ticket about a fault is not closed.
    pub fn change(&self, holds_a_fault: bool, now: Timestamp) -> FirmwareChange {
        if self.told == self.baseline {
            return FirmwareChange::Nothing;
        }
        if holds_a_fault {
            return FirmwareChange::WaitsForFault;
        }
        match self.not_before() {
            Some(until) if now < until => FirmwareChange::WaitsUntil(until),
            Some(_) | None => FirmwareChange::Due,
        }
    }

    /// The baseline starts over for the version that was told last.
    pub fn restart(&mut self, now: Timestamp) {
        let is_forgotten = |at: Timestamp| now.duration_since(at) >= FORGOTTEN_AFTER;
        self.restarts = match self.restarted_at {
            Some(at) if !is_forgotten(at) => self.restarts.saturating_add(1),
            Some(_) | None => 1,
        };
        self.restarted_at = Some(now);
        self.settle();
    }

    /// The baseline has started over for another reason.
    pub fn settle(&mut self) {
        self.baseline.clone_from(&self.told);
    }

    /// Earliest time of the next restart.
    fn not_before(&self) -> Option<Timestamp> {
        let doublings = self.restarts.saturating_sub(1).min(DOUBLINGS_MAX);
        self.restarted_at?.checked_add(WAIT * (1 << doublings)).ok()
    }
}

/// What is told of an appliance's baseline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// What its device told of its firmware, if it did.
    pub firmware: Option<Firmware>,
    /// A finding is open, or a ticket about a fault is not closed.
    pub holds_a_fault: bool,
    /// The newest restarts, the last one first; at most [`RESTARTS_KEPT`].
    pub restarts: Vec<Restart>,
}

impl Baseline {
    /// What is to be done about its firmware.
    pub fn change(&self, now: Timestamp) -> FirmwareChange {
        let firmware = self.firmware.as_ref();
        firmware.map_or(FirmwareChange::Nothing, |firmware| {
            firmware.change(self.holds_a_fault, now)
        })
    }
}
