//! What a technician does after a failure: the right part, a wrong one, or nothing that was found.

use super::draw::{Stream, generator};
use super::effect::{Effect, Effects};
use super::episode::{Episode, Shape};
use super::fault::Fault;
use super::figure::{ASSUMED, Figure};
use crate::noise::normal;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const WAIT_DAYS: Figure = Figure::base("repair", "from failure to the first visit, days", 2.0, 14.0, ASSUMED);
const AGAIN_DAYS: Figure = Figure::base("repair", "from one visit to the next, days", 7.0, 30.0, ASSUMED);
const WRONG_PART: Figure = Figure::base(
    "repair",
    "share of first visits that replace a wrong part",
    0.1,
    0.1,
    ASSUMED,
);
const NOT_FOUND: Figure = Figure::base(
    "repair",
    "share of first visits without a fault found",
    0.1,
    0.1,
    ASSUMED,
);
const NEW_PART: Figure = Figure::new(
    Effect::PartChange,
    "new part against the old one's level, share, one standard deviation",
    0.04,
    0.04,
    ASSUMED,
);

/// Ranges of this file.
#[cfg(test)]
pub(super) const FIGURES: &[Figure] = &[WAIT_DAYS, AGAIN_DAYS, WRONG_PART, NOT_FOUND, NEW_PART];

/// A technician's visit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Visit {
    /// Day of the record. The appliance works from then on, whatever was found.
    pub day: f64,
    /// What came of it.
    pub result: VisitResult,
}

/// What came of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VisitResult {
    /// The part that was worn is new; the fault is gone.
    RightPart,
    /// Another part is new; the fault stays.
    WrongPart,
    /// Nothing was found; the fault stays.
    NoFaultFound,
}

/// The visits after a failure: one, or a second that puts right what the first did not.
pub(super) fn visits(failure_day: f64, rng: &mut ChaCha8Rng) -> Vec<Visit> {
    let day = failure_day + WAIT_DAYS.draw(rng);
    let again = day + AGAIN_DAYS.draw(rng);
    let drawn = rng.random::<f64>();
    let result = if drawn < WRONG_PART.low {
        VisitResult::WrongPart
    } else if drawn < WRONG_PART.low + NOT_FOUND.low {
        VisitResult::NoFaultFound
    } else {
        VisitResult::RightPart
    };
    let first = Visit { day, result };
    let second = Visit {
        day: again,
        result: VisitResult::RightPart,
    };
    if result == VisitResult::RightPart {
        vec![first]
    } else {
        vec![first, second]
    }
}

/// The new parts of a unit: each is as good as the old one was, and not the same.
pub(super) fn new_parts(seed: u64, faults: &[Fault], effects: Effects) -> Vec<Episode> {
    if !effects.has(Effect::PartChange) {
        return Vec::new();
    }
    let rng = &mut generator(seed, Stream::Effect(Effect::PartChange));
    let new_part = |fault: &Fault| {
        let moved = fault.kind.moves().iter().filter(|(quantity, _)| quantity.is_factor());
        moved.fold(
            Episode::lasting(Effect::PartChange, fault.repaired_day()),
            |episode, (quantity, _)| episode.moving(*quantity, normal(rng, 0.0, NEW_PART.low), Shape::Step),
        )
    };
    faults.iter().map(new_part).collect()
}
