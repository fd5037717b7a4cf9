//! What is told: what was found first, then what was false, by effect, then the bars.

use super::judge::{AHEAD_DAYS, Clean, Faulty, by_effect};
use super::learn::Learned;
use super::machine::Kit;
use super::poisson;
use crate::bar::Bar;
use crate::part::{Data, Evidence, Found, Part};
use tests_world::hard::{Course, Effects, VERSION};

/// Shares of machines that get a fault in a year, for the precision of calls; bars are on the second.
const FAULTS_A_YEAR: [f64; 3] = [0.005, 0.01, 0.05];
/// Effects that are printed.
const EFFECTS_MAX: usize = 12;
/// Amplitudes with bars, and what their names end with.
const WITH_BARS: [&str; 2] = ["", "-half"];

/// What an evaluation has to keep besides its rates.
pub struct Bounds {
    /// Months of units without a fault, at the least.
    pub device_months: f64,
    /// Upper bound of false tickets per 1,000 a month.
    pub tickets_at_most: f64,
    /// False would-have calls in all.
    pub calls: Option<f64>,
}

/// A detector and all that it was judged on.
pub struct Judged {
    name: &'static str,
    pub clean: Vec<Clean>,
    /// By amplitude.
    pub faulty: Vec<(f64, Vec<Faulty>)>,
}

impl Judged {
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            clean: Vec::new(),
            faulty: Vec::new(),
        }
    }

    /// What is known while it goes on.
    pub fn so_far(&self) -> String {
        format!(
            "{} false tickets and {} false would-have calls in {} device-months",
            self.tickets(),
            self.calls(),
            self.months()
        )
    }

    fn months(&self) -> u32 {
        self.clean.iter().map(|one| one.device_months).sum()
    }

    fn rate(&self, count: usize) -> (f64, f64, f64) {
        let per_1000 = 1_000.0 / f64::from(self.months().max(1));
        let (low, high) = poisson::bounds(count as u32);
        (count as f64 * per_1000, low * per_1000, high * per_1000)
    }

    /// A count with its rate and bounds.
    fn told(&self, count: usize) -> String {
        let (rate, low, high) = self.rate(count);
        format!("{count}, {rate:.2} per 1,000 a month (95 % {low:.2} to {high:.2})")
    }

    fn tickets(&self) -> usize {
        self.clean.iter().map(|one| one.tickets.len()).sum()
    }

    fn calls(&self) -> usize {
        self.clean.iter().map(|one| one.calls.len()).sum()
    }

    /// The same of calls: as they were counted.
    fn calls_precision(&self, a_year: f64, faulty: &[Faulty]) -> f64 {
        let called = share(faulty.iter(), |one| one.call_days.is_some());
        precision(a_year, called, self.rate(self.calls()).0)
    }
}

pub fn learned(kit: &Kit, learned: &Learned, units: u64) {
    println!(
        "hard world {VERSION}, {}: learned on {units} units of another fleet, {} device-months: thresholds {:.2} (tickets), {:.2} (calls); \
         limits {:.1} and {:.1} spreads",
        kit.appliance,
        learned.device_months,
        learned.settings.threshold,
        learned.calls,
        learned.limit_tickets,
        learned.limit_calls
    );
    for (channel, floor) in kit.channels.iter().zip(&learned.settings.fleet_floors) {
        if let Some(floor) = floor {
            println!("  floor of {:<20} {floor:.4}", channel.name);
        }
    }
}

/// Prints all and makes the part of it.
pub fn all(name: &'static str, kit: &Kit, judged: &[Judged], bounds: &Bounds, seeds: &str) -> Part {
    for of in judged {
        for (amplitude, faulty) in &of.faulty {
            found(kit, of, *amplitude, faulty);
        }
    }
    judged.iter().for_each(wrong);
    let mut part = Part {
        name,
        evidence: Evidence::Simulated,
        data: Data::Seeds(format!("hard world {VERSION}, {seeds}")),
        lines: table(kit, judged),
        found: judged.iter().flat_map(summary).collect(),
        bars: Vec::new(),
    };
    let Some(generic) = judged.first() else {
        return part;
    };
    let months: Vec<Effects> = generic
        .clean
        .iter()
        .flat_map(|one| one.months.iter().copied())
        .collect();
    let events = |of: fn(&Clean) -> &Vec<(Effects, usize)>| -> Vec<_> {
        generic.clean.iter().flat_map(|one| of(one).iter().copied()).collect()
    };
    for (what, events) in [
        ("tickets", events(|one| &one.tickets)),
        ("would-have calls", events(|one| &one.calls)),
    ] {
        part.lines.push(String::new());
        part.lines.push(effects(kit, what, &events, &months));
    }
    part.bars = bars(name, generic, bounds);
    part
}

/// What each detector did, at every amplitude.
fn table(kit: &Kit, judged: &[Judged]) -> Vec<String> {
    let mut lines = vec![
        format!(
            "Units of the {} of the hard world that nothing was learned from, until 5 days before the failure for calls. Slow faults: \
             those that grow and that the unit can show. Precision of calls at {} % of the units with a fault in a year.",
            kit.appliance,
            FAULTS_A_YEAR.map(|a_year| (100.0 * a_year).to_string()).join(" / "),
        ),
        String::new(),
        "| detector | clean device-months | false tickets | false would-have calls | amplitude | slow faults | ticketed | called, \
         5 days ahead | all faults | ticketed | called | precision of calls |"
            .to_owned(),
        format!("|{}", " --- |".repeat(12)),
    ];
    for of in judged {
        for (amplitude, faulty) in &of.faulty {
            let slow: Vec<&Faulty> = faulty.iter().filter(|one| one.is_slow()).collect();
            let slow = || slow.iter().copied();
            lines.push(format!(
                "| {} | {} | {} | {} | {amplitude} | {} | {:.0} % | {:.0} % | {} | {:.0} % | {:.0} % | {} |",
                of.name,
                of.months(),
                of.told(of.tickets()),
                of.told(of.calls()),
                slow().count(),
                100.0 * share(slow(), |one| one.ticket_days.is_some()),
                100.0 * share(slow(), Faulty::called_ahead),
                faulty.len(),
                100.0 * share(faulty.iter(), |one| one.ticket_days.is_some()),
                100.0 * share(faulty.iter(), |one| one.call_days.is_some()),
                FAULTS_A_YEAR
                    .map(|a_year| format!("{:.2}", of.calls_precision(a_year, faulty)))
                    .join(" / "),
            ));
        }
    }
    lines.push(String::new());
    let generic = judged.first().and_then(|of| Some((of, of.faulty.first()?)));
    if let Some((of, (amplitude, faulty))) = generic {
        let by_kind = kit.kinds.iter().filter_map(|kind| {
            let (all, ticketed, called) = counts(faulty, |one| one.fault.kind == *kind);
            (all > 0).then(|| format!("{} {ticketed} and {called} of {all}", kind.name()))
        });
        lines.push(format!(
            "{}, amplitude {amplitude}, ticketed and called: {}.",
            of.name,
            by_kind.collect::<Vec<_>>().join("; ")
        ));
    }
    lines
}

/// Tickets and calls of a detector at amplitude 1, for the table of all parts.
fn summary(of: &Judged) -> Vec<Found> {
    let Some((_, faulty)) = of.faulty.first() else {
        return Vec::new();
    };
    let row = |what: &str, is: fn(&Faulty) -> bool, wrong: usize| {
        let found = faulty.iter().filter(|one| is(one)).count() as f64;
        let all = faulty.len() as f64;
        let (per_1000, ..) = of.rate(wrong);
        Found {
            what: format!("{}, {what}", of.name),
            found,
            of: all,
            wrong: wrong as f64,
            watched: format!("{} device-months", of.months()),
            precision: Some(precision(FAULTS_A_YEAR[1], found / all.max(1.0), per_1000)),
        }
    };
    vec![
        row("tickets", |one| one.ticket_days.is_some(), of.tickets()),
        row("would-have calls", |one| one.call_days.is_some(), of.calls()),
    ]
}

fn found(kit: &Kit, of: &Judged, amplitude: f64, faulty: &[Faulty]) {
    let slow: Vec<&Faulty> = faulty.iter().filter(|one| one.is_slow()).collect();
    let mut days: Vec<f64> = slow.iter().filter_map(|one| one.ticket_days).collect();
    days.sort_by(f64::total_cmp);
    let of_slow = |slow: &[&Faulty]| {
        format!(
            "{}: ticketed {:.0} %, called {:.0} %, {AHEAD_DAYS} days ahead {:.0} %",
            slow.len(),
            100.0 * share(slow.iter().copied(), |one| one.ticket_days.is_some()),
            100.0 * share(slow.iter().copied(), |one| one.call_days.is_some()),
            100.0 * share(slow.iter().copied(), Faulty::called_ahead),
        )
    };
    println!(
        "{}, amplitude {amplitude}: slow faults {}; first ticket {:.0} days before (median), {} with a ticket before the onset, {} not \
         watched by then; precision of calls at {:?} faults a year {:.2?}; {} cannot show",
        of.name,
        of_slow(&slow),
        days.get(days.len() / 2).copied().unwrap_or(f64::NAN),
        slow.iter().filter(|one| one.early).count(),
        slow.iter().filter(|one| !one.watched).count(),
        FAULTS_A_YEAR,
        FAULTS_A_YEAR.map(|a_year| of.calls_precision(a_year, faulty)),
        faulty.iter().filter(|one| !one.can_show).count(),
    );
    let shown: Vec<&Faulty> = slow
        .iter()
        .copied()
        .filter(|one| kit.shown.contains(&one.fault.kind))
        .collect();
    println!("  slow ones that the features show: {}", of_slow(&shown));
    let part = |name: &str, (all, ticketed, called): (usize, usize, usize)| {
        if all > 0 {
            println!("  {name:<20} {all:>4}: ticketed {ticketed:>4}, called {called:>4}");
        }
    };
    part("all", counts(faulty, |_| true));
    for kind in kit.kinds {
        part(kind.name(), counts(faulty, |one| one.fault.kind == *kind));
    }
    for (name, course) in [
        ("linear", Course::Linear),
        ("accelerating", Course::Accelerating),
        ("step", Course::Step),
        ("intermittent", Course::Intermittent),
    ] {
        part(name, counts(faulty, |one| one.fault.course == course));
    }
}

/// Of those that are so: all, with a ticket, with a call.
fn counts(faulty: &[Faulty], is: impl Fn(&Faulty) -> bool) -> (usize, usize, usize) {
    let of = || faulty.iter().filter(|one| is(one));
    (
        of().count(),
        of().filter(|one| one.ticket_days.is_some()).count(),
        of().filter(|one| one.call_days.is_some()).count(),
    )
}

fn wrong(of: &Judged) {
    let over = of
        .clean
        .iter()
        .fold((0, 0), |sum, one| (sum.0 + one.over.0, sum.1 + one.over.1));
    println!(
        "{}: {} clean units, {} device-months watched; months over the thresholds {} and {}",
        of.name,
        of.clean.len(),
        of.months(),
        over.0,
        over.1
    );
    println!("  false tickets: {}", of.told(of.tickets()));
    println!("  false would-have calls: {}", of.told(of.calls()));
}

/// Effects that were at work oftener than at other times come first.
fn effects(kit: &Kit, what: &str, events: &[(Effects, usize)], months: &[Effects]) -> String {
    println!("false {what}, by effect within the weeks before: count, and what its share of all months would give");
    let mut told = Vec::new();
    for (effect, before, expected) in by_effect(events, months).into_iter().take(EFFECTS_MAX) {
        println!("  {:<20} {before:>4} {expected:>8.1}", effect.name());
        told.push(format!("{} {before} ({expected:.1})", effect.name()));
    }
    for (i, channel) in kit.channels.iter().enumerate() {
        let strongest = events.iter().filter(|(_, top)| *top == i).count();
        if strongest > 0 {
            println!("  strongest: {:<20} {strongest:>4}", channel.name);
        }
    }
    if told.is_empty() {
        return format!("False {what}: none.");
    }
    format!(
        "False {what} by effect at work within four weeks before, with what its share of all months would give: {}.",
        told.join(", ")
    )
}

fn bars(name: &str, of: &Judged, bounds: &Bounds) -> Vec<Bar> {
    let (tickets, _, most) = of.rate(of.tickets());
    let mut bars = vec![
        Bar::at_least(
            format!("{name}-device-months"),
            f64::from(of.months()),
            bounds.device_months,
        ),
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
        let precision = of.calls_precision(FAULTS_A_YEAR[1], faulty);
        bars.push(Bar::at_least(format!("{name}-precision{end}"), precision, 0.9));
    }
    bars
}

/// Of all tickets or calls, those for a fault, where such a share gets one in a year.
fn precision(a_year: f64, found: f64, wrong_per_1000: f64) -> f64 {
    let right = 1_000.0 * a_year / 12.0 * found;
    if right > 0.0 {
        right / (right + wrong_per_1000)
    } else {
        0.0
    }
}

fn share<'a>(of: impl Iterator<Item = &'a Faulty>, is: impl Fn(&Faulty) -> bool) -> f64 {
    let (count, all) = of.fold((0, 0), |(count, all), one| (count + usize::from(is(one)), all + 1));
    f64::from(count as u32) / f64::from(all.max(1))
}
