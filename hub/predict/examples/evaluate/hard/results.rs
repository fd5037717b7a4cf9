//! What an evaluation in the hard world says on the page of results, and its bars.

use super::judge::{Clean, Faulty, by_effect};
use super::report::{Appliance, FAULTS_A_YEAR, Judged, share};
use crate::bar::Bar;
use crate::part::{Data, Evidence, Found, Part};
use tests_world::hard::{Effects, VERSION};

/// Effects that are told.
const EFFECTS_MAX: usize = 12;
/// Amplitudes with bars, and what their names end with.
const WITH_BARS: [&str; 2] = ["", "-half"];
/// Place of the share of faults a year that bars are on.
const AT: usize = 1;

/// What an evaluation has to keep besides its rates.
pub struct Bounds {
    /// Months of units without a fault, at the least.
    pub device_months: f64,
    /// Upper bound of false tickets per 1,000 a month.
    pub tickets_at_most: f64,
    /// False would-have calls in all.
    pub calls: Option<f64>,
}

/// The part; bars are on the first detector.
pub fn part(name: &'static str, appliance: &Appliance, judged: &[Judged], bounds: &Bounds, seeds: &str) -> Part {
    let mut part = Part {
        name,
        evidence: Evidence::Simulated,
        data: Data::Seeds(format!("hard world {VERSION}, {seeds}")),
        lines: table(appliance, judged),
        found: judged.iter().flat_map(summary).collect(),
        bars: Vec::new(),
    };
    for of in judged.iter().take(2) {
        part.lines.extend(by_kind(appliance, of));
        let tickets = effects(of, "tickets", |one| &one.tickets);
        let calls = effects(of, "would-have calls", |one| &one.calls);
        part.lines.extend([String::new(), tickets, String::new(), calls]);
    }
    if let Some(first) = judged.first() {
        part.bars = bars(name, first, bounds);
    }
    part
}

/// A count with its rate and bounds.
fn told(of: &Judged, count: usize) -> String {
    let (rate, low, high) = of.rate(count);
    format!("{count}: {rate:.2} ({low:.2} to {high:.2})")
}

/// What each detector did, at every amplitude.
fn table(appliance: &Appliance, judged: &[Judged]) -> Vec<String> {
    let mut lines = vec![
        format!(
            "A {} of the hard world, units that nothing was learned from. Rates are per 1,000 units and month, with 95 % bounds. Slow faults: those that \
             grow and that the unit can show; called: 5 days before the failure at the latest. Precision of calls at {} % of the units with a \
             fault in a year.",
            appliance.name,
            FAULTS_A_YEAR.map(|a_year| (100.0 * a_year).to_string()).join(" / "),
        ),
        String::new(),
        "| detector | amplitude | slow faults | ticketed | called | all faults | ticketed | called at any time | precision of calls | clean \
         device-months | false tickets | false would-have calls |"
            .to_owned(),
        format!("|{}", " --- |".repeat(12)),
    ];
    for of in judged {
        for (amplitude, faulty) in &of.faulty {
            let slow: Vec<&Faulty> = faulty.iter().filter(|one| one.is_slow()).collect();
            let slow = || slow.iter().copied();
            let precision = FAULTS_A_YEAR.map(|a_year| format!("{:.2}", of.precision(a_year, faulty).0));
            lines.push(format!(
                "| {} | {amplitude} | {} | {:.0} % | {:.0} % | {} | {:.0} % | {:.0} % | {} | {} | {} | {} |",
                of.name,
                slow().count(),
                100.0 * share(slow(), |one| one.ticket_days.is_some()),
                100.0 * share(slow(), Faulty::called_ahead),
                faulty.len(),
                100.0 * share(faulty.iter(), |one| one.ticket_days.is_some()),
                100.0 * share(faulty.iter(), |one| one.call_days.is_some()),
                precision.join(" / "),
                of.months(),
                told(of, of.tickets()),
                told(of, of.calls()),
            ));
        }
    }
    lines
}

/// What was found of each kind at the first amplitude.
fn by_kind(appliance: &Appliance, of: &Judged) -> Vec<String> {
    let Some((amplitude, faulty)) = of.faulty.first() else {
        return Vec::new();
    };
    let kinds = appliance.kinds.iter().filter_map(|kind| {
        let of_kind = || faulty.iter().filter(|one| one.fault.kind == *kind);
        let ticketed = of_kind().filter(|one| one.ticket_days.is_some()).count();
        let called = of_kind().filter(|one| one.call_days.is_some()).count();
        let all = of_kind().count();
        (all > 0).then(|| format!("{} {ticketed} and {called} of {all}", kind.name()))
    });
    vec![
        String::new(),
        format!(
            "{}, amplitude {amplitude}, ticketed and called: {}.",
            of.name,
            kinds.collect::<Vec<_>>().join("; ")
        ),
    ]
}

/// Effects that were at work oftener than at other times come first.
fn effects(of: &Judged, what: &str, events: fn(&Clean) -> &Vec<(Effects, usize)>) -> String {
    let months: Vec<Effects> = of.clean.iter().flat_map(|one| one.months.iter().copied()).collect();
    let events: Vec<_> = of.clean.iter().flat_map(|one| events(one).iter().copied()).collect();
    let told = by_effect(&events, &months).into_iter().take(EFFECTS_MAX);
    let told: Vec<String> = told
        .map(|(effect, before, expected)| format!("{} {before} ({expected:.1})", effect.name()))
        .collect();
    if told.is_empty() {
        return format!("{}, false {what}: none.", of.name);
    }
    format!(
        "{}, false {what} by effect at work within four weeks before, with what its share of all months would give: {}.",
        of.name,
        told.join(", ")
    )
}

/// Tickets and calls of a detector at the first amplitude, for the table of all parts.
fn summary(of: &Judged) -> Vec<Found> {
    let Some((_, faulty)) = of.faulty.first() else {
        return Vec::new();
    };
    let all = faulty.len() as f64;
    let row = |what: &str, found: f64, wrong: usize, precision: f64| Found {
        what: format!("{}, {what}", of.name),
        found: (found * all).round(),
        of: all,
        wrong: wrong as f64,
        watched: format!("{} device-months", of.months()),
        precision: Some(precision),
    };
    let ticketed = share(faulty.iter(), |one| one.ticket_days.is_some());
    let right = 1_000.0 * FAULTS_A_YEAR[AT] / 12.0 * ticketed;
    let (wrong, ..) = of.rate(of.tickets());
    let called = share(faulty.iter(), |one| one.call_days.is_some());
    vec![
        row(
            "tickets",
            ticketed,
            of.tickets(),
            right / (right + wrong).max(f64::MIN_POSITIVE),
        ),
        row(
            "would-have calls",
            called,
            of.calls(),
            of.precision(FAULTS_A_YEAR[AT], faulty).0,
        ),
    ]
}

fn bars(name: &str, of: &Judged, bounds: &Bounds) -> Vec<Bar> {
    let (tickets, _, most) = of.rate(of.tickets());
    let months = f64::from(of.months());
    let mut bars = vec![
        Bar::at_least(format!("{name}-device-months"), months, bounds.device_months),
        Bar::at_most(format!("{name}-false-tickets"), tickets, 1.0),
        Bar::at_most(format!("{name}-false-tickets-bound"), most, bounds.tickets_at_most),
    ];
    if let Some(calls) = bounds.calls {
        bars.push(Bar::at_most(format!("{name}-false-calls"), of.calls() as f64, calls));
    }
    for ((_, faulty), end) in of.faulty.iter().zip(WITH_BARS) {
        let slow = || faulty.iter().filter(|one| one.is_slow());
        let ticketed = share(slow(), |one| one.ticket_days.is_some());
        bars.push(Bar::at_least(format!("{name}-slow-ticketed{end}"), ticketed, 0.9));
        let called = share(slow(), Faulty::called_ahead);
        bars.push(Bar::at_least(format!("{name}-slow-called{end}"), called, 0.6));
        let (precision, _) = of.precision(FAULTS_A_YEAR[AT], faulty);
        bars.push(Bar::at_least(format!("{name}-precision{end}"), precision, 0.9));
    }
    bars
}
