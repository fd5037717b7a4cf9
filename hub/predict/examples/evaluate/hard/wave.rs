//! Waves of firmware that nothing was learned from: thresholds come from a fleet without any, and then a whole fleet is changed within
//! two weeks. What would have been called before the breaker of calls stops them is counted by the rule itself.

use std::path::Path;

use hub_core::budget::Budgets;
use hub_core::budget::surge::{SurgeBreaker, expected_tickets};
use jiff::SignedDuration;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tests_world::hard::{Effect, Effects, Fleet, VERSION};

use super::each::each;
use super::judge::{Ticket, tickets};
use super::learn::Learned;
use super::machine::{Kit, Run};
use super::unit::Lived;
use super::watch::watch;
use super::{Size, fleet, learned, start};
use crate::bar::Bar;
use crate::part::{Data, Evidence, Part};

/// Seeds of the fleet that is learned from, of the one that gets the waves, and of the waves.
const SEEDS: (u64, u64, u64) = (741, 742, 743);
const LEARNED_UNITS: u64 = 600;
const UNITS: u64 = 5_000;
/// Length of a record, the day on which a wave begins, and the days within which all units have it.
const RECORD_DAYS: u32 = 190;
const WAVE_DAY: f64 = 130.0;
const ROLL_OUT_DAYS: f64 = 14.0;
/// Waves that are drawn, each in every size: times the most that firmware of the hard world changes.
const WAVES: usize = 8;
const SIZES: [f64; 3] = [1.0, 2.0, 4.0];
/// What firmware changes at most: a share, or an amount of the last.
const REACH: [(&str, f64); 4] = [
    ("spin_current", 0.06),
    ("spin_vibration", 0.12),
    ("drain_pump_current", 0.03),
    (LEVEL, 6.0),
];
/// Changed by an amount, mm.
const LEVEL: &str = "wash_level";
/// Share of the units that get a fault in a year, as far as the breaker expects tickets.
const FAULTS_A_YEAR: f64 = 0.01;

/// What came of one wave.
struct Outcome {
    tickets: usize,
    /// Calls without the breaker, and before it stops them.
    calls: usize,
    let_through: usize,
    /// Days from the wave's first unit to the breaker's stop.
    stopped: Option<f64>,
}

pub fn evaluate(models: &Path, size: &Size) -> anyhow::Result<Part> {
    let kit = Kit::washing_machines(models)?;
    let without = |seed| Fleet {
        effects: Effects::ALL.without(Effect::Firmware),
        ..fleet(seed)
    };
    let learned = learned(&kit, &without(SEEDS.0), LEARNED_UNITS, size.threads);
    let of_waves = Fleet {
        days: RECORD_DAYS,
        ..without(SEEDS.1)
    };
    let units = size.units.unwrap_or(UNITS);
    println!("firmware-wave: learned, now {units} units");
    let fleet = each(0..units, size.threads, |number| {
        Lived::live(&kit, &of_waves, number, |_| f64::from(RECORD_DAYS)).runs
    });
    let mut lines = vec![
        format!(
            "{units} washing machines of the hard world without firmware, learned from {LEARNED_UNITS} others without any. From day {WAVE_DAY} on all are \
             changed within {ROLL_OUT_DAYS} days: {WAVES} waves, each of which moves every quantity up or down. Calls: held score over the level \
             while a ticket stands, the breaker counting once a day. Worst of the waves:"
        ),
        String::new(),
        "| size, times the world's greatest | tickets | calls without the breaker | calls before it stops them | it stops them after, days |"
            .to_owned(),
        format!("|{}", " --- |".repeat(5)),
    ];
    let before = judge(&kit, &learned, &fleet, &[], 0.0, size.threads);
    lines.push(row("no wave", &before));
    let mut worst = 0;
    for times in SIZES {
        let mut rng = ChaCha8Rng::seed_from_u64(SEEDS.2);
        let outcomes: Vec<Outcome> = (0..WAVES)
            .map(|_| {
                let moves = REACH.map(|(name, most)| (name, if rng.random() { most } else { -most } * times));
                judge(&kit, &learned, &fleet, &moves, WAVE_DAY, size.threads)
            })
            .collect();
        for outcome in &outcomes {
            println!("firmware-wave {}", row(&times.to_string(), outcome));
        }
        if let Some(of) = outcomes.iter().max_by_key(|of| (of.let_through, of.calls)) {
            worst = worst.max(of.let_through);
            lines.push(row(&times.to_string(), of));
        }
    }
    Ok(Part {
        name: "firmware-wave",
        evidence: Evidence::Simulated,
        data: Data::Seeds(format!(
            "hard world {VERSION}, seeds {}, {} and {}",
            SEEDS.0, SEEDS.1, SEEDS.2
        )),
        lines,
        found: Vec::new(),
        bars: vec![
            Bar::at_most("firmware-wave-calls-before-breaker", worst as f64, 6.0),
            Bar::at_most(
                "firmware-wave-stops-without-wave",
                f64::from(u8::from(before.stopped.is_some())),
                0.0,
            ),
        ],
    })
}

fn row(name: &str, of: &Outcome) -> String {
    format!(
        "| {name} | {} | {} | {} | {} |",
        of.tickets,
        of.calls,
        of.let_through,
        of.stopped.map_or("-".into(), |days| format!("{days:.0}"))
    )
}

/// A fleet with a wave; without moves there is none, and all days count.
fn judge(kit: &Kit, learned: &Learned, fleet: &[Vec<Run>], moves: &[(&str, f64)], from: f64, threads: u64) -> Outcome {
    let by_unit = each(0..fleet.len() as u64, threads, |number| {
        let mut rng = ChaCha8Rng::seed_from_u64(number);
        let installed = from + ROLL_OUT_DAYS * rng.random::<f64>();
        let runs: Vec<Run> = fleet[number as usize]
            .iter()
            .map(|run| changed(kit, run, if run.day >= installed { moves } else { &[] }))
            .collect();
        let watched = watch(&runs, &kit.channels, &learned.settings);
        let watched_from = watched.said.first().map(|said| said.day);
        (watched_from, tickets(&watched.said, learned.calls))
    });
    let of_fleet = |one: &&Ticket| one.day >= from;
    let all = || by_unit.iter().flat_map(|(_, tickets)| tickets);
    let called = || all().filter_map(|ticket| ticket.called).filter(|day| *day >= from);
    let stopped = stopped(&by_unit, from);
    Outcome {
        tickets: all().filter(of_fleet).count(),
        calls: called().count(),
        let_through: called()
            .filter(|day| stopped.is_none_or(|stopped| *day < stopped))
            .count(),
        stopped: stopped.map(|day| day - from),
    }
}

/// The end of the day on which the breaker first stops calls, counting from the record's first day on; none if it never does from the wave on.
fn stopped(by_unit: &[(Option<f64>, Vec<Ticket>)], from: f64) -> Option<f64> {
    let mut breaker = SurgeBreaker::default();
    let mut stopped = None;
    for day in 0..RECORD_DAYS {
        let (day, end) = (f64::from(day), f64::from(day + 1));
        let watched = by_unit
            .iter()
            .filter(|(from, _)| from.is_some_and(|from| from < end))
            .count() as u32;
        let of_day = by_unit
            .iter()
            .flat_map(|(_, tickets)| tickets)
            .filter(|ticket| (day..end).contains(&ticket.day))
            .count() as u32;
        let expected = expected_tickets(Budgets::default().tickets, FAULTS_A_YEAR / 12.0, watched, 1.0);
        let now = start() + SignedDuration::from_hours(24 * end as i64);
        if breaker.count(of_day, expected, now) {
            if end > from {
                stopped.get_or_insert(end);
            } else {
                // A person looked at it before the wave.
                breaker = SurgeBreaker::default();
            }
        }
    }
    stopped
}

fn changed(kit: &Kit, run: &Run, moves: &[(&str, f64)]) -> Run {
    let mut values = run.values.clone();
    for (name, change) in moves {
        let place = kit.channels.iter().position(|channel| channel.name == *name);
        if let Some(value) = place.and_then(|i| values[i].as_mut()) {
            *value = if *name == LEVEL {
                *value + change
            } else {
                *value * (1.0 + change)
            };
        }
    }
    Run {
        day: run.day,
        values,
        afresh: run.afresh,
    }
}
