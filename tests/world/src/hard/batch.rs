//! Batches: a supplier changes in one production month, and a part of all units of that month is another.

use super::draw::{Stream, generator, mix};
use super::effect::{Effect, Effects};
use super::episode::{Episode, Shape};
use super::figure::{ASSUMED, Figure};
use super::quantity::Quantity;
use rand::Rng;

const MONTHS: Figure = Figure::new(
    Effect::Batch,
    "production months of a fleet's units",
    24.0,
    24.0,
    ASSUMED,
);
const CHANGED: Figure = Figure::new(Effect::Batch, "share of months with a change", 0.2, 0.2, ASSUMED);
const SHIFT: Figure = Figure::new(
    Effect::Batch,
    "change of the part, share, up or down",
    0.03,
    0.12,
    ASSUMED,
);

/// Ranges of this file.
#[cfg(test)]
pub(super) const FIGURES: &[Figure] = &[MONTHS, CHANGED, SHIFT];

/// What the unit's production month did to it.
pub(super) fn of_unit(fleet_seed: u64, seed: u64, parts: &[Quantity], effects: Effects) -> Option<Episode> {
    let unit = &mut generator(seed, Stream::Effect(Effect::Batch));
    let month = unit.random_range(0..MONTHS.high as u64);
    let rng = &mut generator(mix(fleet_seed, month), Stream::Fleet(Effect::Batch));
    if !effects.has(Effect::Batch) || !CHANGED.happens(rng) {
        return None;
    }
    let part = parts[rng.random_range(0..parts.len())];
    let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
    Some(Episode::lasting(Effect::Batch, 0.0).moving(part, sign * SHIFT.draw(rng), Shape::Step))
}

#[cfg(test)]
mod tests {
    use super::{Effects, Quantity, of_unit};
    use std::collections::BTreeSet;

    #[test]
    fn units_of_a_changed_month_share_the_change() {
        let parts = [Quantity::PumpCurrent, Quantity::SpinCurrent];
        let changed: Vec<_> = (0..2_000)
            .filter_map(|unit| of_unit(5, unit, &parts, Effects::ALL))
            .collect();
        // A few months of 24, each with a size of its own.
        let sizes: BTreeSet<_> = changed.iter().map(|one| one.shifts[0].change.to_bits()).collect();
        assert!((1..=12).contains(&sizes.len()), "{}", sizes.len());
        assert!((2_000 / 24 / 2..1_000).contains(&changed.len()), "{}", changed.len());
        assert!(
            changed
                .iter()
                .all(|one| (0.03..=0.12).contains(&one.shifts[0].change.abs()))
        );
    }
}
