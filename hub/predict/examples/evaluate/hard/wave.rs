//! Waves of firmware that nothing was learned from, of which the hub is not told: a whole fleet is changed within two weeks. What would
//! have been called before the breaker of calls stops them is counted by the rule itself. A wave is made in the figures of runs, so that one
//! simulated fleet serves for all of them.

use anyhow::Context;
use hub_core::budget::Budgets;
use hub_core::budget::surge::{SurgeBreaker, expected_tickets};
use jiff::SignedDuration;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tests_world::hard::{Effect, Effects, Fleet, VERSION};

use super::each::each;
use super::judge::{Ticket, tickets};
use super::kit::Run;
use super::{Detectors, Size, fleet, named, start};
use crate::bar::Bar;
use crate::part::{Data, Evidence, Part};

/// Seeds of the fleet that gets the waves, and of the waves.
const SEEDS: (u64, u64) = (742, 743);
const UNITS: u64 = 5_000;
/// Length of a record, the day on which a wave begins, and the days within which all units have it.
const RECORD_DAYS: u32 = 190;
const WAVE_DAY: f64 = 130.0;
const ROLL_OUT_DAYS: f64 = 14.0;
/// Waves that are drawn, each in every size: times the most that firmware of the hard world changes.
const WAVES: usize = 8;
const SIZES: [f64; 3] = [1.0, 2.0, 4.0];
/// What firmware of the hard world changes at most: motor current while spinning and while washing, vibration at full speed, current of
/// the drain pump, as shares; and the level, mm.
const REACH: [f64; 5] = [0.06, 0.06, 0.12, 0.03, 6.0];
/// Laundry's weight is taken out of what the spinning motor and the knocks say by these powers of the washing motor's current.
const BY_WASH: (f64, f64) = (0.8, 1.2);
/// How often the hub's breaker counts.
const MINUTES_A_DAY: i64 = 1_440;
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

/// Changes of single figures by a wave.
struct Wave {
    /// Factor and amount for the figures of a run, by place.
    values: Vec<(usize, f64, f64)>,
    /// Amount for the logarithms that parts are told by, by place.
    parts: Vec<(usize, f64)>,
}

impl Wave {
    /// The wave that changes by these.
    fn new(detectors: &Detectors, change: [f64; 5]) -> anyhow::Result<Self> {
        let [spin, wash, shaken, pump, level] = change;
        let channels = &detectors.kit.channels;
        let value = |name: &str, factor: f64, amount: f64| {
            let place = channels.iter().position(|channel| channel.name == name);
            anyhow::Ok((place.with_context(|| format!("no figure {name}"))?, factor, amount))
        };
        let part = |name: &str, amount: f64| {
            let place = detectors.kit.parts.channels.iter().position(|one| one.name == name);
            anyhow::Ok((place.with_context(|| format!("no part {name}"))?, amount))
        };
        Ok(Self {
            values: vec![
                value("spin_current", 1.0 + spin, 0.0)?,
                value("spin_vibration", 1.0 + shaken, 0.0)?,
                value("drain_pump_current", 1.0 + pump, 0.0)?,
                value("wash_level", 1.0, level)?,
            ],
            parts: vec![
                part("drain_pump", pump.ln_1p())?,
                part("spin_pump", pump.ln_1p())?,
                part("full_to_ramp", shaken.ln_1p())?,
                part("spin_to_wash", spin.ln_1p() - BY_WASH.0 * wash.ln_1p())?,
                part("knocks", -BY_WASH.1 * wash.ln_1p())?,
            ],
        })
    }

    fn change(&self, run: &Run) -> Run {
        let (mut values, mut parts) = (run.values.clone(), run.parts.clone());
        for (place, factor, amount) in &self.values {
            values[*place] = values[*place].map(|value| factor * value + amount);
        }
        for (place, amount) in &self.parts {
            parts[*place] = parts[*place].map(|value| value + amount);
        }
        Run {
            day: run.day,
            values,
            parts,
            afresh: run.afresh,
            told: run.told,
        }
    }
}

pub fn evaluate(detectors: &Detectors, size: &Size) -> anyhow::Result<Part> {
    let of_waves = Fleet {
        days: RECORD_DAYS,
        effects: Effects::ALL.without(Effect::Firmware),
        ..fleet(SEEDS.0)
    };
    let units = size.units.unwrap_or(UNITS);
    let fleet = each(0..units, size.threads, |number| {
        let mut machine = of_waves.washing_machine(number);
        detectors.kit.runs(&of_waves, &mut machine, f64::from(RECORD_DAYS))
    });
    println!("firmware-wave: {units} units have lived");
    let mut lines = vec![
        format!(
            "{units} washing machines of the hard world without firmware of their own. From day {WAVE_DAY} on all are changed within {ROLL_OUT_DAYS} days, and \
             the hub is not told: {WAVES} waves, each of which moves every quantity that firmware of the world moves, up or down. Calls: held score \
             over the level while a ticket stands; the breaker counts each minute. Worst of the waves:"
        ),
        String::new(),
        "| size, times the world's greatest | tickets | calls without the breaker | calls before it stops them | it stops them after, days |"
            .to_owned(),
        format!("|{}", " --- |".repeat(5)),
    ];
    let without = judge(detectors, &fleet, None, size.threads);
    lines.push(row("no wave", &without));
    let mut worst = 0;
    for times in SIZES {
        let mut rng = ChaCha8Rng::seed_from_u64(SEEDS.1);
        let mut outcomes = Vec::new();
        for _ in 0..WAVES {
            let change = REACH.map(|most| times * if rng.random() { most } else { -most });
            let outcome = judge(detectors, &fleet, Some(&Wave::new(detectors, change)?), size.threads);
            println!("firmware-wave {}", row(&times.to_string(), &outcome));
            outcomes.push(outcome);
        }
        if let Some(of) = outcomes.iter().max_by_key(|of| (of.let_through, of.calls)) {
            worst = worst.max(of.let_through);
            lines.push(row(&times.to_string(), of));
        }
    }
    Ok(Part {
        name: "firmware-wave",
        evidence: Evidence::Simulated,
        data: Data::Seeds(format!("hard world {VERSION}, seeds {} and {}", SEEDS.0, SEEDS.1)),
        lines,
        found: Vec::new(),
        bars: vec![Bar::at_most("firmware-wave-calls-before-breaker", worst as f64, 6.0)],
    })
}

fn row(name: &str, of: &Outcome) -> String {
    format!(
        "| {name} | {} | {} | {} | {} |",
        of.tickets,
        of.calls,
        of.let_through,
        of.stopped.map_or("-".into(), |days| format!("{days:.1}"))
    )
}

/// The fleet with a wave, from its first day on; without one all the same days are counted.
fn judge(detectors: &Detectors, fleet: &[Vec<Run>], wave: Option<&Wave>, threads: u64) -> Outcome {
    let by_unit = each(0..fleet.len() as u64, threads, |number| {
        let mut rng = ChaCha8Rng::seed_from_u64(number);
        let installed = WAVE_DAY + ROLL_OUT_DAYS * rng.random::<f64>();
        let runs = &fleet[number as usize];
        let watched = match wave {
            None => named::watch(runs, &detectors.kit, &detectors.named),
            Some(wave) => {
                let before = runs.partition_point(|run| run.day < installed);
                let runs: Vec<Run> = runs
                    .iter()
                    .enumerate()
                    .map(|(i, run)| if i < before { run.clone() } else { wave.change(run) })
                    .collect();
                named::watch(&runs, &detectors.kit, &detectors.named)
            }
        };
        let watched_from = watched.said.first().map(|said| said.day);
        (watched_from, tickets(&watched.said, detectors.named.calls))
    });
    let all = || by_unit.iter().flat_map(|(_, tickets)| tickets);
    let called = || {
        let days = all().filter_map(|ticket| ticket.called).map(|(day, _)| day);
        days.filter(|day| *day >= WAVE_DAY)
    };
    let stopped = stopped(&by_unit);
    Outcome {
        tickets: all().filter(|ticket| ticket.day >= WAVE_DAY).count(),
        calls: called().count(),
        let_through: called()
            .filter(|day| stopped.is_none_or(|stopped| *day < stopped))
            .count(),
        stopped: stopped.map(|day| day - WAVE_DAY),
    }
}

/// The end of the minute in which the breaker stops calls, in days, from the wave's first day on; none if it never does.
fn stopped(by_unit: &[(Option<f64>, Vec<Ticket>)]) -> Option<f64> {
    let in_order = |mut days: Vec<f64>| {
        days.sort_by(f64::total_cmp);
        days
    };
    let watched = in_order(by_unit.iter().filter_map(|(from, _)| *from).collect());
    let tickets = by_unit.iter().flat_map(|(_, tickets)| tickets);
    let opened = in_order(tickets.map(|ticket| ticket.day).collect());
    let until = |days: &[f64], end: f64| days.partition_point(|day| *day < end) as u32;
    let mut breaker = SurgeBreaker::default();
    let mut counted = 0;
    for minute in 1..=i64::from(RECORD_DAYS) * MINUTES_A_DAY {
        let end = minute as f64 / MINUTES_A_DAY as f64;
        let (watched, opened) = (until(&watched, end), until(&opened, end));
        let days = 1.0 / MINUTES_A_DAY as f64;
        let expected = expected_tickets(Budgets::default().tickets, FAULTS_A_YEAR / 12.0, watched, days);
        let stops = breaker.count(opened - counted, expected, start() + SignedDuration::from_mins(minute));
        counted = opened;
        if stops {
            if end > WAVE_DAY {
                return Some(end);
            }
            // A person looked at it before the wave.
            breaker = SurgeBreaker::default();
        }
    }
    None
}
