//! Simulated fleets: thresholds of a month from the months before it, judged on that month. It needs no model and no data.

use std::collections::BTreeMap;

use hub_core::budget::gate::Gate;
use hub_core::budget::history::{ConfirmedFault, HighestScore, History, MONTHS_FIRST, MONTHS_MAX, MonthOfScores};
use hub_core::budget::ledger::Ledger;
use hub_core::budget::level::Thresholds;
use hub_core::budget::precision::ScoreBand;
use hub_core::budget::{Budget, Draws, Month};
use hub_core::id::ApplianceId;
use hub_core::outcome::Verdict;
use hub_core::prediction::{FaultPrediction, Severity};
use hub_core::release::{Basis, Predicted, Release, Tally};
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tests_world::scores::{ScoredFleet, ScoredMonth};

use crate::bar::Bar;
use crate::part::{Data, Evidence, Found, Part};

/// Appliances of a fleet, and fleets that are drawn: of each size 4,800,000 appliances' months are judged.
const FLEETS: [(u32, u64); 3] = [(1_000, 400), (10_000, 40), (100_000, 4)];
/// Months that thresholds are taken from, with the names of the bars of each size of fleet.
const CASES: [(usize, [[&str; 3]; 3]); 2] = [
    (
        MONTHS_FIRST,
        [
            ["budget-tickets-1000", "budget-calls-1000", "budget-unattended-1000"],
            ["budget-tickets-10000", "budget-calls-10000", "budget-unattended-10000"],
            [
                "budget-tickets-100000",
                "budget-calls-100000",
                "budget-unattended-100000",
            ],
        ],
    ),
    (
        MONTHS_MAX,
        [
            [
                "budget-tickets-1000-year",
                "budget-calls-1000-year",
                "budget-unattended-1000-year",
            ],
            [
                "budget-tickets-10000-year",
                "budget-calls-10000-year",
                "budget-unattended-10000-year",
            ],
            [
                "budget-tickets-100000-year",
                "budget-calls-100000-year",
                "budget-unattended-100000-year",
            ],
        ],
    ),
];
/// Months before the first that is judged, the same for both, so that both are judged on the same ones.
const BEFORE: i32 = MONTHS_MAX as i32;
const JUDGED: i32 = 12;
/// Share of the tickets on which somebody says what was found.
const ANSWERED: f64 = 0.7;
/// Each prediction of these fleets names a class, and is of one model.
const CLASS: &str = "a_named_class";
const MODEL: &str = "washing-machine/1";

/// What thresholds of one kind did in the months that were judged.
#[derive(Default)]
struct Realised {
    wrong: u32,
    right: u32,
    months_over: u32,
    worst: f64,
}

/// All months of all fleets of one size.
#[derive(Default)]
struct Counts {
    device_months: u32,
    fleet_months: u32,
    showing: u32,
    tickets: Realised,
    calls: Realised,
    unattended: Realised,
}

pub fn evaluate() -> Part {
    let mut part = Part {
        name: "budgets",
        evidence: Evidence::Simulated,
        data: Data::Seeds("tests/world scores, a seed a fleet".into()),
        lines: vec![
            "Highest scores of simulated fleets, each month judged by thresholds of the months before it, a year long. False ones per 1,000 appliances and month."
                .to_owned(),
            String::new(),
            "| fleet | months of history | what | false (95 %) | budget | months over it | worst month | faults that show found | right |".to_owned(),
            format!("|{}", " --- |".repeat(9)),
        ],
        found: Vec::new(),
        bars: Vec::new(),
    };
    for (months, names) in CASES {
        for ((appliances, fleets), names) in FLEETS.into_iter().zip(names) {
            let mut tally = Counts::default();
            (0..fleets).for_each(|seed| live(appliances, seed, months, &mut tally));
            let budgets = Ledger::default().budgets();
            let kinds = [
                ("tickets", &tally.tickets, budgets.tickets),
                ("calls", &tally.calls, budgets.calls),
                ("unattended calls", &tally.unattended, budgets.calls),
            ];
            for ((kind, realised, budget), name) in kinds.into_iter().zip(names) {
                let value = tally.per_1000(realised);
                part.lines
                    .push(tally.row(&format!("{appliances} | {months} | {kind}"), realised, budget));
                println!("budgets {}", part.lines.last().map_or("", String::as_str));
                part.found
                    .push(tally.found(format!("{kind}, fleets of {appliances}, {months} months"), realised));
                part.bars.push(Bar::at_most(name, value, budget.per_1000()));
            }
        }
    }
    part
}

/// A fleet from the first month on; those after a year are judged.
fn live(appliances: u32, seed: u64, months: usize, tally: &mut Counts) {
    let mut fleet = ScoredFleet::draw(appliances, seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut verdicts = ChaCha8Rng::seed_from_u64(seed + 1_000_000);
    let mut draw = || rng.next_u64();
    let mut ledger = Ledger::default();
    let mut known: BTreeMap<String, Past> = BTreeMap::new();
    let mut judged = Judged::default();
    for number in 0..BEFORE + JUDGED {
        let month = Month::of(date(2026, 1, 1)).plus(number);
        if number >= BEFORE {
            let histories: BTreeMap<String, History> = known
                .iter()
                .map(|(model, past)| (model.clone(), past.newest(months)))
                .collect();
            ledger.renew(month, None, &histories, &mut Draws(&mut draw));
            ledger.learn_faults(histories.values());
        }
        let lived = fleet.next_month();
        if number >= BEFORE {
            tally.judge(&lived, &ledger);
            tally.ring(month, &lived, &ledger, judged);
            answer(month, &lived, &mut ledger, &mut judged, &mut verdicts);
        }
        for (model, units) in lived.iter().enumerate() {
            known.entry(name(model)).or_default().learn(month, units);
        }
    }
}

fn name(model: usize) -> String {
    format!("model {model}")
}

/// What people made of a fleet's predictions.
#[derive(Clone, Copy, Default)]
struct Judged(Tally);

impl Judged {
    /// Whether that has earned calls, in a hub whose model states nothing of its own.
    fn is_released(self) -> bool {
        let release = Release {
            predicted: Predicted {
                model: MODEL.to_owned(),
                fault_class: CLASS.to_owned(),
            },
            basis: Basis::default(),
            tally: self.0,
        };
        release.is_released()
    }
}

/// A prediction with this score.
fn prediction(score: f32, at: Timestamp) -> FaultPrediction {
    FaultPrediction {
        fault_class: CLASS.to_owned(),
        probability: 1.0,
        verdicts: None,
        severity: Severity::Major,
        score,
        model: MODEL.to_owned(),
        model_hash: None,
        below_call_level: false,
        at,
        since: at,
        top: Vec::new(),
        second_opinion: None,
        basis: Basis::default(),
    }
}

/// When a month begins (UTC).
fn first_moment(month: Month) -> Timestamp {
    let (year, before) = (month.number().div_euclid(12), month.number().rem_euclid(12));
    let day = date(year as i16, before as i8 + 1, 1);
    TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).unwrap_or_default()
}

/// People say what they found behind the tickets of a month.
fn answer(month: Month, lived: &[Vec<ScoredMonth>], ledger: &mut Ledger, judged: &mut Judged, rng: &mut ChaCha8Rng) {
    for (model, units) in lived.iter().enumerate() {
        let entry = ledger.model(&name(model));
        let Some((ticket, call)) = entry.and_then(|entry| entry.thresholds.as_ref()).map(levels) else {
            continue;
        };
        for unit in units.iter().filter(|unit| f64::from(unit.score) >= ticket) {
            let verdict = if unit.fault_shows {
                Verdict::Right
            } else {
                Verdict::Wrong
            };
            if rng.random::<f64>() < ANSWERED {
                judged.0 += Tally::judged(None, Some(verdict));
                ledger.observe(ScoreBand::of(f64::from(unit.score), call), verdict, month);
            }
        }
    }
}

/// Thresholds of tickets and of calls.
fn levels(thresholds: &Thresholds) -> (f64, Option<f64>) {
    (
        thresholds.tickets.in_force,
        thresholds.calls.map(|calls| calls.in_force),
    )
}

/// What was seen of one appliance model.
#[derive(Default)]
struct Past {
    months: Vec<MonthOfScores>,
    faults: Vec<ConfirmedFault>,
}

impl Past {
    fn learn(&mut self, month: Month, units: &[ScoredMonth]) {
        let appliance = |unit: usize| ApplianceId(unit as i64);
        let scores = units.iter().enumerate();
        let highest = scores.clone().map(|(unit, lived)| HighestScore {
            appliance: appliance(unit),
            score: lived.score,
        });
        self.months.push(MonthOfScores::new(month, highest));
        let confirmed = scores.filter(|(_, lived)| lived.fault_confirmed);
        // A fault is highest in the month in which it fails.
        self.faults.extend(confirmed.map(|(unit, lived)| ConfirmedFault {
            appliance: appliance(unit),
            month,
            score: lived.score,
        }));
    }

    fn newest(&self, months: usize) -> History {
        let mut history = History::default();
        let first = self.months.len().saturating_sub(months);
        self.months[first..]
            .iter()
            .cloned()
            .for_each(|month| history.record(month));
        self.faults.iter().copied().for_each(|fault| history.confirm(fault));
        history
    }
}

impl Counts {
    fn judge(&mut self, lived: &[Vec<ScoredMonth>], ledger: &Ledger) {
        let (mut watched, mut tickets, mut calls) = (0, 0, 0);
        for (model, units) in lived.iter().enumerate() {
            let thresholds = ledger.model(&name(model)).and_then(|entry| entry.thresholds.as_ref());
            let ticket = thresholds.map(|these: &Thresholds| these.tickets.in_force);
            let call = thresholds.and_then(|these| these.calls).map(|these| these.in_force);
            watched += units.len() as u32;
            self.showing += units.iter().filter(|unit| unit.fault_shows).count() as u32;
            tickets += self.tickets.count(units, ticket);
            calls += self.calls.count(units, call);
        }
        self.device_months += watched;
        self.fleet_months += 1;
        let budgets = ledger.budgets();
        self.tickets.month(tickets, watched, budgets.tickets);
        self.calls.month(calls, watched, budgets.calls);
    }

    /// Calls that the hub lets out without a person, by its own rules: what closed tickets have released, and the ledger's gate. The breaker,
    /// which counts by the day, is left open.
    fn ring(&mut self, month: Month, lived: &[Vec<ScoredMonth>], ledger: &Ledger, judged: Judged) {
        let all: u32 = lived.iter().map(|units| units.len() as u32).sum();
        let at = first_moment(month);
        let mut false_ones = 0;
        for (model, units) in lived.iter().enumerate().filter(|_| judged.is_released()) {
            let gate = Gate::new(ledger.clone(), &name(model));
            let Some(ticket) = gate.ticket_level() else { continue };
            for unit in units.iter().filter(|unit| f64::from(unit.score) >= ticket) {
                if gate.withheld(&prediction(unit.score, at), at).is_none() {
                    self.unattended.add(unit.fault_shows);
                    false_ones += u32::from(!unit.fault_shows);
                }
            }
        }
        self.unattended.month(false_ones, all, ledger.budgets().calls);
    }

    fn per_1000(&self, realised: &Realised) -> f64 {
        1_000.0 * f64::from(realised.wrong) / f64::from(self.device_months)
    }

    /// What came of a budget, as a row of the table.
    fn row(&self, of: &str, realised: &Realised, budget: Budget) -> String {
        let (wrong, right) = (f64::from(realised.wrong), f64::from(realised.right));
        let thousands = f64::from(self.device_months) / 1_000.0;
        // The square root of a Poisson count has a deviation of a half (Bartlett, Supplement to the JRSS 3, 1936).
        let bound = |deviations: f64| (wrong.sqrt() + deviations / 2.0).max(0.0).powi(2) / thousands;
        format!(
            "| {of} | {:.3} ({:.3} to {:.3}) | {} | {:.0} % | {:.2} | {:.0} % | {:.0} % |",
            self.per_1000(realised),
            bound(-1.96),
            bound(1.96),
            budget.per_1000(),
            100.0 * f64::from(realised.months_over) / f64::from(self.fleet_months),
            realised.worst,
            100.0 * right / f64::from(self.showing),
            100.0 * right / (right + wrong).max(1.0),
        )
    }

    fn found(&self, what: String, realised: &Realised) -> Found {
        let (wrong, right) = (f64::from(realised.wrong), f64::from(realised.right));
        Found {
            what,
            found: right,
            of: f64::from(self.showing),
            wrong,
            watched: format!("{} device-months", self.device_months),
            precision: Some(right / (right + wrong).max(1.0)),
        }
    }
}

impl Realised {
    /// Counts those that a threshold opens; how many of them are false.
    fn count(&mut self, units: &[ScoredMonth], threshold: Option<f64>) -> u32 {
        let reached = |unit: &&ScoredMonth| threshold.is_some_and(|threshold| f64::from(unit.score) >= threshold);
        let mut wrong = 0;
        for unit in units.iter().filter(reached) {
            self.add(unit.fault_shows);
            wrong += u32::from(!unit.fault_shows);
        }
        wrong
    }

    fn add(&mut self, is_right: bool) {
        if is_right {
            self.right += 1;
        } else {
            self.wrong += 1;
        }
    }

    fn month(&mut self, wrong: u32, watched: u32, budget: Budget) {
        let per_1000 = 1_000.0 * f64::from(wrong) / f64::from(watched);
        self.months_over += u32::from(per_1000 > budget.per_1000());
        self.worst = self.worst.max(per_1000);
    }
}
