//! May the hub ring by itself about what a model says? Only where people have found such predictions right in the field; until then a
//! person approves each call. What is counted is kept by a store, by tenant and [`Predicted`]. It knows neither tickets nor calls.

use crate::budget::precision::{Counted, EARNED_SURE, is_earned, verdicts_needed};
use crate::finding::Finding;
use crate::outcome::Verdict;
use crate::prediction::UNKNOWN_FAULT;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// Verdicts of the field from which calls may be released: fewer say nothing, however many are right.
pub const VERDICTS_MIN: u32 = 21;
/// The family that watches any appliance by its own baseline. It names sensors and no part.
pub const GENERIC: &str = "generic";

/// Kind of evidence that a model's figures stand on.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum EvidenceKind {
    /// A simulator: that the method finds what the simulator does. Also where nothing is stated.
    #[default]
    Simulated,
    /// Recordings of a test rig.
    Laboratory,
    /// Appliances in use, with what technicians found.
    Fleet,
}

impl EvidenceKind {
    /// Its word, as manifests and the API have it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What a model states of the evidence for one of its fault classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// Kind of evidence.
    pub kind: EvidenceKind,
    /// Verdicts of a fleet elsewhere, as its maker counted them. Of other kinds of evidence none count.
    #[serde(default)]
    pub stated: Counted,
}

/// Predictions that are counted together: of one model and version, and one fault class.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Predicted {
    /// Family and version, e.g. `washing-machine/1`.
    pub model: String,
    /// Word of the model's list, or `unknown_fault`.
    pub fault_class: String,
}

/// What people made of such predictions, in one tenant. Also a difference, where something is taken back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Closed tickets of which the predicted fault was found.
    pub right: i64,
    /// Closed tickets of which it was not: another fault, or none.
    pub wrong: i64,
    /// Calls that a person approved.
    pub approved: i64,
    /// Calls that a person refused.
    pub refused: i64,
}

/// Where predictions of one kind stand on their way to calls that nobody approves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// Model and fault class.
    pub predicted: Predicted,
    /// What the model states.
    pub basis: Basis,
    /// What people of this tenant made of them.
    pub tally: Tally,
}

/// Why a call about them needs an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, strum::IntoStaticStr, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Unreleased {
    /// No part is named, and so it stays: each such call is approved.
    NoNamedFault,
    /// Fewer than 21 verdicts of the field.
    TooFewVerdicts,
    /// Too many of them are wrong.
    TooOftenWrong,
}

impl Unreleased {
    /// Its word, as the API has it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Predicted {
    /// What a finding says.
    pub fn of(finding: &Finding) -> Self {
        Self {
            model: finding.prediction.model.clone(),
            fault_class: finding.fault_class.clone(),
        }
    }

    /// Whether it names a part that could be found worn. Of another one a call says nothing but that readings differ.
    pub fn names_a_part(&self) -> bool {
        let family = self.model.split('/').next().unwrap_or_default();
        self.fault_class != UNKNOWN_FAULT && family != GENERIC
    }
}

impl Tally {
    /// One more call that was approved.
    pub const APPROVED: Self = Self {
        approved: 1,
        ..Self::NOTHING
    };
    /// One more call that was refused.
    pub const REFUSED: Self = Self {
        refused: 1,
        ..Self::NOTHING
    };
    const NOTHING: Self = Self {
        right: 0,
        wrong: 0,
        approved: 0,
        refused: 0,
    };

    /// What is added where a ticket's verdict becomes `now`: the one that it was counts no more. Another fault than the predicted one is
    /// wrong, since the owner would have heard of a part that is sound; where nobody looked, nothing was learned.
    pub fn judged(was: Option<Verdict>, now: Option<Verdict>) -> Self {
        let right = |verdict| i64::from(verdict == Some(Verdict::Right));
        let wrong = |verdict| i64::from(matches!(verdict, Some(Verdict::Wrong | Verdict::OtherFault)));
        Self {
            right: right(now) - right(was),
            wrong: wrong(now) - wrong(was),
            ..Self::NOTHING
        }
    }

    /// Whether it changes nothing.
    pub fn is_nothing(self) -> bool {
        self == Self::NOTHING
    }

    fn counted(self) -> Counted {
        let count = |all: i64| u32::try_from(all.max(0)).unwrap_or(u32::MAX);
        Counted {
            right: count(self.right),
            wrong: count(self.wrong),
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.right = self.right.saturating_add(other.right);
        self.wrong = self.wrong.saturating_add(other.wrong);
        self.approved = self.approved.saturating_add(other.approved);
        self.refused = self.refused.saturating_add(other.refused);
    }
}

impl Release {
    /// Where the predictions of a finding stand.
    pub fn of(finding: &Finding, tally: Tally) -> Self {
        Self {
            predicted: Predicted::of(finding),
            basis: finding.prediction.basis,
            tally,
        }
    }

    /// Verdicts of the field: closed tickets, and what a model made from a fleet states. A simulator's and a test rig's count for nothing.
    pub fn verdicts(&self) -> Counted {
        let own = self.tally.counted();
        match self.basis.kind {
            EvidenceKind::Simulated | EvidenceKind::Laboratory => own,
            EvidenceKind::Fleet => Counted {
                right: own.right.saturating_add(self.basis.stated.right),
                wrong: own.wrong.saturating_add(self.basis.stated.wrong),
            },
        }
    }

    /// Verdicts from which they are released, as many being wrong as are now. None where nothing is named, or 10,000 would be too few.
    pub fn verdicts_needed(&self) -> Option<u32> {
        let needed = verdicts_needed(self.verdicts().wrong, EARNED_SURE)?;
        self.predicted.names_a_part().then_some(needed.max(VERDICTS_MIN))
    }

    /// Why a call about them needs an approval; none where the hub rings by itself.
    pub fn withheld(&self) -> Option<Unreleased> {
        let verdicts = self.verdicts();
        if !self.predicted.names_a_part() {
            return Some(Unreleased::NoNamedFault);
        }
        if verdicts.right.saturating_add(verdicts.wrong) < VERDICTS_MIN {
            return Some(Unreleased::TooFewVerdicts);
        }
        (!is_earned(verdicts)).then_some(Unreleased::TooOftenWrong)
    }

    /// Whether the hub rings about them by itself, as far as people's verdicts are concerned.
    pub fn is_released(&self) -> bool {
        self.withheld().is_none()
    }
}

#[cfg(test)]
mod tests;
