//! The hard world: frozen, the same for the same seed, effects one at a time, faults as stated.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod fridge;
mod frozen;
mod truth;
mod washing_machine;

use jiff::Timestamp;
use tests_world::hard::{Effects, Fault, Faults, Fleet, Row};

fn start() -> Timestamp {
    "2026-01-05T00:00:00Z".parse().unwrap()
}

/// A fleet in which nothing happens that is not asked for.
fn calm(days: u32) -> Fleet {
    let mut fleet = Fleet::new(7, start(), days);
    fleet.effects = Effects::NONE;
    fleet
}

/// Days of the record at which a row was taken.
fn day(row: &Row) -> f64 {
    row.taken.duration_since(start()).as_secs_f64() / 86_400.0
}

/// The first unit of a fleet whose one fault is like this, by number.
fn with_fault(of: impl Fn(u64) -> Fault, is_wanted: impl Fn(&Fault) -> bool) -> u64 {
    (0..500).find(|number| is_wanted(&of(*number))).unwrap()
}

fn one(fleet: &Fleet, kind: tests_world::hard::FaultKind, onset_day: f64) -> Fleet {
    Fleet {
        faults: Faults::One { kind, onset_day },
        ..*fleet
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let all: Vec<_> = values.collect();
    assert!(!all.is_empty());
    all.iter().sum::<f64>() / all.len() as f64
}
