//! What people found out about predictions: closed tickets, as their outcomes stand now. A corrected outcome counts as corrected,
//! since everything that is learned from them is learned again from all of them.

use super::Month;
use super::history::ConfirmedFault;
use super::precision::Counted;
use crate::id::ApplianceId;
use crate::outcome::Verdict;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Closed tickets of a tenant that are looked at, the newest: two years of those of 400,000 appliances.
pub const JUDGED_MAX: usize = 10_000;
/// Parts of the scale of probabilities: tenths.
pub const BINS: usize = 10;

/// A closed ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedTicket {
    /// Its appliance.
    pub appliance: ApplianceId,
    /// Appliance model.
    pub model: String,
    /// When it was closed.
    pub closed_at: Timestamp,
    /// Prediction that it was opened for; none where a person opened it.
    pub predicted: Option<Predicted>,
    /// Was the prediction right?
    pub verdict: Verdict,
    /// A part was changed.
    pub repaired: bool,
}

/// What a ticket's prediction said.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicted {
    /// Model family.
    pub family: String,
    /// Highest held score.
    pub score: f32,
    /// Probability, as it was stated.
    pub probability: f32,
}

/// One part of a reliability diagram: what was stated, and what people found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Mean of the stated probabilities.
    pub stated: f64,
    /// Verdicts.
    pub counted: Counted,
}

impl JudgedTicket {
    /// Whether there was a fault, whichever: the appliance's months before it say nothing of a healthy one.
    pub fn is_fault(&self) -> bool {
        self.repaired || matches!(self.verdict, Verdict::Right | Verdict::OtherFault)
    }

    /// Month (UTC) in which it was closed.
    pub fn month(&self) -> Month {
        Month::at(self.closed_at)
    }

    /// What was predicted by this family.
    pub fn predicted_by(&self, family: &str) -> Option<&Predicted> {
        self.predicted.as_ref().filter(|predicted| predicted.family == family)
    }

    /// The fault, with the highest score that the appliance came to about that time.
    pub(super) fn fault(&self, score: f32) -> ConfirmedFault {
        ConfirmedFault {
            appliance: self.appliance,
            month: self.month(),
            score,
        }
    }
}

/// Stated probabilities of a family against what people found, by tenths; tenths without a verdict are left out, and so are tickets that
/// nobody looked at.
pub fn reliability(tickets: &[JudgedTicket], family: &str) -> Vec<Bin> {
    let mut bins = [Bin::default(); BINS];
    for ticket in tickets {
        let Some(predicted) = ticket.predicted_by(family) else {
            continue;
        };
        let probability = f64::from(predicted.probability).clamp(0.0, 1.0);
        let place = ((probability * BINS as f64) as usize).min(BINS - 1);
        let Some(bin) = bins.get_mut(place) else { continue };
        match ticket.verdict {
            Verdict::Right => bin.counted.right += 1,
            Verdict::OtherFault | Verdict::Wrong => bin.counted.wrong += 1,
            Verdict::NotChecked => continue,
        }
        bin.stated += probability;
    }
    let filled = bins.into_iter().filter(|bin| bin.counted.all() > 0);
    filled
        .map(|bin| Bin {
            stated: bin.stated / f64::from(bin.counted.all()),
            ..bin
        })
        .collect()
}
