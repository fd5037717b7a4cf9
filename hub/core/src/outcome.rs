//! How a ticket ended: what was found, what was done, and whether the prediction was right. No ticket closes without it.

use serde::{Deserialize, Serialize};

/// What was done (结案结果), in the order in which a person chooses: most wished for first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// A technician repaired it.
    ConfirmedFixed,
    /// Repaired without a visit.
    ConfirmedRemoteFix,
    /// The fault is real, the repair is put off.
    ConfirmedDeferred,
    /// The appliance was checked and nothing found (检测无故障).
    NoFaultFound,
    /// A person judged from the evidence that there is no fault.
    FalseAlarm,
    /// The owner does not want it seen to.
    CustomerDeclined,
    /// The owner could not be reached.
    Unreachable,
}

impl Resolution {
    /// The verdict that it leaves no choice about, of a ticket with a prediction: a person is asked where a fault was found.
    pub fn implied_verdict(self) -> Option<Verdict> {
        match self {
            Resolution::ConfirmedFixed | Resolution::ConfirmedRemoteFix | Resolution::ConfirmedDeferred => None,
            Resolution::NoFaultFound | Resolution::FalseAlarm => Some(Verdict::Wrong),
            Resolution::CustomerDeclined | Resolution::Unreachable => Some(Verdict::NotChecked),
        }
    }
}

/// Was the prediction right? Feeds precision, thresholds and retraining.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The predicted fault was found.
    Right,
    /// A fault was found, but another one.
    OtherFault,
    /// There was no fault.
    Wrong,
    /// Nobody looked.
    NotChecked,
}

/// The end of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What was done.
    pub resolution: Resolution,
    /// Was the prediction right?
    pub verdict: Verdict,
    /// What was found and done, in the technician's words; at most 2,000 characters.
    pub note: String,
    /// Part that was replaced, by its name or number; 1 to 100 characters. None where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
}

/// Why an outcome is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutcomeError {
    /// Resolution and verdict contradict each other.
    #[error("the verdict {verdict:?} contradicts the resolution {resolution:?}")]
    Contradiction {
        /// As given.
        resolution: Resolution,
        /// As given.
        verdict: Verdict,
    },
    /// A judgement of a prediction that there is not.
    #[error("the ticket is about no prediction: its verdict is not_checked, and it is no false alarm")]
    NothingPredicted,
    /// The note is too long.
    #[error("a note has at most {NOTE_LEN_MAX} characters, this one has {0}")]
    NoteTooLong(usize),
    /// The part is not named in one to a hundred characters.
    #[error("a replaced part is named in 1 to {PART_LEN_MAX} characters, this one has {0}")]
    PartLen(usize),
    /// A part was replaced, and nothing was repaired.
    #[error("the resolution {0:?} is no repair, so no part was replaced")]
    PartWithoutRepair(Resolution),
}

/// Longest note, in characters.
pub const NOTE_LEN_MAX: usize = 2_000;
/// Longest name of a replaced part, in characters.
pub const PART_LEN_MAX: usize = 100;

impl Outcome {
    /// Checks that what was done and the verdict can both be true, of a ticket with a prediction or without one.
    pub fn check(&self, is_predicted: bool) -> Result<(), OutcomeError> {
        use {Resolution as R, Verdict as V};
        let (resolution, verdict) = (self.resolution, self.verdict);
        if !is_predicted && (verdict != V::NotChecked || resolution == R::FalseAlarm) {
            return Err(OutcomeError::NothingPredicted);
        }
        let possible = match resolution.implied_verdict() {
            Some(implied) => verdict == implied,
            None => matches!(verdict, V::Right | V::OtherFault),
        };
        if is_predicted && !possible {
            return Err(OutcomeError::Contradiction { resolution, verdict });
        }
        self.check_part()?;
        match self.note.chars().count() {
            n if n > NOTE_LEN_MAX => Err(OutcomeError::NoteTooLong(n)),
            _ => Ok(()),
        }
    }

    fn check_part(&self) -> Result<(), OutcomeError> {
        let Some(part) = &self.part else {
            return Ok(());
        };
        if !self.repaired() {
            return Err(OutcomeError::PartWithoutRepair(self.resolution));
        }
        match part.chars().count() {
            1..=PART_LEN_MAX => Ok(()),
            n => Err(OutcomeError::PartLen(n)),
        }
    }

    /// Whether a technician was there.
    pub fn had_a_visit(&self) -> bool {
        matches!(self.resolution, Resolution::ConfirmedFixed | Resolution::NoFaultFound)
    }

    /// Whether a repair changed the appliance, so that its baseline starts over.
    pub fn repaired(&self) -> bool {
        matches!(
            self.resolution,
            Resolution::ConfirmedFixed | Resolution::ConfirmedRemoteFix
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_without_a_fault_is_refused() {
        let outcome = |resolution, verdict| Outcome {
            resolution,
            verdict,
            note: String::new(),
            part: None,
        };
        assert_eq!(outcome(Resolution::ConfirmedFixed, Verdict::Right).check(true), Ok(()));
        assert!(outcome(Resolution::ConfirmedFixed, Verdict::Wrong).check(true).is_err());
        assert!(outcome(Resolution::Unreachable, Verdict::Right).check(true).is_err());
        assert!(
            Outcome {
                note: "x".repeat(2_001),
                ..outcome(Resolution::FalseAlarm, Verdict::Wrong)
            }
            .check(true)
            .is_err()
        );
    }

    #[test]
    fn a_part_is_named_where_something_was_repaired() {
        let replaced = |resolution, verdict, part: &str| {
            let outcome = Outcome {
                resolution,
                verdict,
                note: String::new(),
                part: Some(part.to_owned()),
            };
            outcome.check(true)
        };
        let fixed = |part: &str| replaced(Resolution::ConfirmedFixed, Verdict::Right, part);
        assert_eq!(fixed("排水泵 4055"), Ok(()));
        assert_eq!(fixed(""), Err(OutcomeError::PartLen(0)));
        assert_eq!(fixed(&"x".repeat(101)), Err(OutcomeError::PartLen(101)));
        let sound = replaced(Resolution::NoFaultFound, Verdict::Wrong, "pump");
        assert_eq!(sound, Err(OutcomeError::PartWithoutRepair(Resolution::NoFaultFound)));
        // What was closed before parts were named has none.
        let before = r#"{"resolution":"confirmed_fixed","verdict":"right","note":""}"#;
        assert_eq!(serde_json::from_str::<Outcome>(before).unwrap().part, None);
    }

    #[test]
    fn without_a_prediction_nothing_is_said_of_one() {
        let checked = |resolution, verdict| {
            let note = String::new();
            let outcome = Outcome {
                resolution,
                verdict,
                note,
                part: None,
            };
            outcome.check(false)
        };
        assert_eq!(checked(Resolution::ConfirmedFixed, Verdict::NotChecked), Ok(()));
        let refused = Err(OutcomeError::NothingPredicted);
        assert_eq!(checked(Resolution::ConfirmedFixed, Verdict::Right), refused);
        assert_eq!(checked(Resolution::FalseAlarm, Verdict::NotChecked), refused);
    }
}
