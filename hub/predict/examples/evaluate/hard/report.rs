//! What is printed: what was found first, then what was false, by effect.

use super::judge::{AHEAD_DAYS, Clean, Faulty, by_effect};
use super::learn::Learned;
use super::limits::Limits;
use super::named::Named;
use super::poisson;
use hub_predict::generic::Channel;
use tests_world::hard::{Course, Effects, FaultKind, VERSION};

/// Shares of units that get a fault in a year, for the precision of calls; bars are on the second.
pub const FAULTS_A_YEAR: [f64; 3] = [0.005, 0.01, 0.05];

/// What is told of an appliance model.
pub struct Appliance {
    pub name: &'static str,
    /// Faults that it can have.
    pub kinds: &'static [FaultKind],
    /// Those that the features of a step show; the others move what none of them is made of.
    pub shown: &'static [FaultKind],
}

pub const WASHING_MACHINE: Appliance = Appliance {
    name: "washing machine",
    kinds: FaultKind::WASHING_MACHINE,
    shown: &[
        FaultKind::DrainPumpWear,
        FaultKind::DrainPumpDebris,
        FaultKind::DrumBearing,
        FaultKind::HeaterScale,
        FaultKind::DoorGasket,
    ],
};
pub const FRIDGE: Appliance = Appliance {
    name: "fridge",
    kinds: FaultKind::FRIDGE,
    shown: FaultKind::FRIDGE.split_at(1).1,
};

/// Effects that are printed.
const EFFECTS_MAX: usize = 12;

/// A detector and all that it was judged on.
pub struct Judged {
    pub name: &'static str,
    /// Names of what a ticket can stand by.
    tops: Vec<String>,
    pub clean: Vec<Clean>,
    /// By amplitude.
    pub faulty: Vec<(f64, Vec<Faulty>)>,
}

impl Judged {
    pub fn new((name, tops): (&'static str, Vec<String>)) -> Self {
        Self {
            name,
            tops,
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

    pub fn months(&self) -> u32 {
        self.clean.iter().map(|one| one.device_months).sum()
    }

    pub fn rate(&self, count: usize) -> (f64, f64, f64) {
        let per_1000 = 1_000.0 / f64::from(self.months().max(1));
        let (low, high) = poisson::bounds(count as u32);
        (count as f64 * per_1000, low * per_1000, high * per_1000)
    }

    pub fn tickets(&self) -> usize {
        self.clean.iter().map(|one| one.tickets.len()).sum()
    }

    pub fn calls(&self) -> usize {
        self.clean.iter().map(|one| one.calls.len()).sum()
    }

    /// Of all calls, those for a fault, where such a share of the units gets one in a year: as it was counted, and with the upper bound of
    /// false ones.
    pub fn precision(&self, a_year: f64, faulty: &[Faulty]) -> (f64, f64) {
        let faults = 1_000.0 * a_year / 12.0;
        let right = faults * share(faulty.iter(), |one| one.call_days.is_some());
        let misnamed = faults * share(faulty.iter(), |one| one.misnamed);
        let (wrong, _, most) = self.rate(self.calls());
        let of = |wrong: f64| {
            if right > 0.0 {
                right / (right + misnamed + wrong)
            } else {
                0.0
            }
        };
        (of(wrong), of(most))
    }
}

pub fn learned(appliance: &Appliance, channels: &[Channel], learned: &Learned, limits: &Limits, units: u64) {
    println!(
        "hard world {VERSION}, {}: learned on {units} units of another fleet, {} device-months: thresholds {:.2} (tickets), \
         {:.2} (calls); limits {:.1} and {:.1} spreads",
        appliance.name, learned.device_months, learned.settings.threshold, learned.calls, limits.tickets, limits.calls
    );
    for (channel, floor) in channels.iter().zip(&learned.settings.fleet_floors) {
        if let Some(floor) = floor {
            println!("  floor of {:<20} {floor:.4}", channel.name);
        }
    }
}

/// What a fleet taught of named faults.
pub fn named(named: &Named, limits: &Limits, machines: usize) {
    println!(
        "named faults: learned on {machines} units of several fleets, {} device-months: thresholds {:.2} (tickets), {:.2} (calls), in levels; unnamed \
         {:.2}; limits of parts {:.1} and {:.1} spreads",
        named.device_months, named.faults.threshold, named.calls, named.generic.threshold, limits.tickets, limits.calls
    );
    for signature in &named.faults.signatures {
        let metric = named.faults.metrics.of(signature.speed);
        let first = signature
            .moves
            .first()
            .map_or((0.0, 0.0), |(channel, by)| (metric.usual(*channel), *by));
        println!(
            "  {:<14} levels {:>5.2} and {:>5.2} usual deviations; one is {:.4} of its first channel, which goes {:.2} at failure",
            signature.class, signature.ticket_level, signature.call_level, first.0, first.1
        );
    }
}

pub fn all(appliance: &Appliance, judged: &[Judged]) {
    for of in judged {
        for (amplitude, faulty) in &of.faulty {
            found(appliance, of, *amplitude, faulty);
        }
    }
    for of in judged {
        wrong(of);
    }
    for of in judged.iter().take(2) {
        let months: Vec<Effects> = of.clean.iter().flat_map(|one| one.months.iter().copied()).collect();
        let events = |events: fn(&Clean) -> &Vec<(Effects, usize)>| -> Vec<_> {
            of.clean.iter().flat_map(|one| events(one).iter().copied()).collect()
        };
        effects(of, "tickets", &events(|one| &one.tickets), &months);
        effects(of, "would-have calls", &events(|one| &one.calls), &months);
    }
}

fn found(appliance: &Appliance, of: &Judged, amplitude: f64, faulty: &[Faulty]) {
    let slow: Vec<&Faulty> = faulty.iter().filter(|one| one.is_slow()).collect();
    let mut days: Vec<f64> = slow.iter().filter_map(|one| one.ticket_days).collect();
    days.sort_by(f64::total_cmp);
    let precision = FAULTS_A_YEAR.map(|a_year| of.precision(a_year, faulty));
    println!(
        "{}, amplitude {amplitude}: slow faults {}: ticketed {:.0} %, called {:.0} %, {AHEAD_DAYS} days ahead {:.0} %; first ticket {:.0} days before \
         (median), {} with a ticket before the onset, {} not watched by then; all {}: ticketed {:.0} %, called {:.0} %; precision of calls at \
         {FAULTS_A_YEAR:?} faults a year, and with the upper bound of false ones {precision:.2?}; {} cannot show, {} calls misnamed, {} tickets by another fault's name",
        of.name,
        slow.len(),
        100.0 * share(slow.iter().copied(), |one| one.ticket_days.is_some()),
        100.0 * share(slow.iter().copied(), |one| one.call_days.is_some()),
        100.0 * share(slow.iter().copied(), Faulty::called_ahead),
        days.get(days.len() / 2).copied().unwrap_or(f64::NAN),
        slow.iter().filter(|one| one.early).count(),
        slow.iter().filter(|one| !one.watched).count(),
        faulty.len(),
        100.0 * share(faulty.iter(), |one| one.ticket_days.is_some()),
        100.0 * share(faulty.iter(), |one| one.call_days.is_some()),
        faulty.iter().filter(|one| !one.can_show).count(),
        faulty.iter().filter(|one| one.misnamed).count(),
        faulty.iter().filter(|one| one.otherwise).count(),
    );
    let shown = || {
        slow.iter()
            .copied()
            .filter(|one| appliance.shown.contains(&one.fault.kind))
    };
    println!(
        "  slow ones that the features show: {}: ticketed {:.0} %, called {:.0} %, {AHEAD_DAYS} days ahead {:.0} %",
        shown().count(),
        100.0 * share(shown(), |one| one.ticket_days.is_some()),
        100.0 * share(shown(), |one| one.call_days.is_some()),
        100.0 * share(shown(), Faulty::called_ahead),
    );
    let part = |name: &str, of: Vec<&Faulty>| {
        if !of.is_empty() {
            let ticketed = of.iter().filter(|one| one.ticket_days.is_some()).count();
            let called = of.iter().filter(|one| one.call_days.is_some()).count();
            println!(
                "  {name:<20} {:>4}: ticketed {ticketed:>4}, called {called:>4}",
                of.len()
            );
        }
    };
    for kind in appliance.kinds {
        part(
            kind.name(),
            faulty.iter().filter(|one| one.fault.kind == *kind).collect(),
        );
    }
    for (name, course) in [
        ("linear", Course::Linear),
        ("accelerating", Course::Accelerating),
        ("step", Course::Step),
        ("intermittent", Course::Intermittent),
    ] {
        part(name, faulty.iter().filter(|one| one.fault.course == course).collect());
    }
}

fn wrong(of: &Judged) {
    let over = of
        .clean
        .iter()
        .fold((0, 0), |sum, one| (sum.0 + one.over.0, sum.1 + one.over.1));
    println!(
        "{}: {} clean machines, {} device-months watched; months over the thresholds {} and {}",
        of.name,
        of.clean.len(),
        of.months(),
        over.0,
        over.1
    );
    for (what, count) in [("false tickets", of.tickets()), ("false would-have calls", of.calls())] {
        let (rate, low, high) = of.rate(count);
        println!("  {what}: {count}, {rate:.2} per 1,000 a month (95 % {low:.2} to {high:.2})");
    }
}

/// Effects that were at work oftener than at other times come first.
fn effects(of: &Judged, what: &str, events: &[(Effects, usize)], months: &[Effects]) {
    println!(
        "{}: false {what}, by effect within the weeks before: count, and what its share of all months would give",
        of.name
    );
    for (effect, before, expected) in by_effect(events, months).into_iter().take(EFFECTS_MAX) {
        println!("  {:<20} {before:>4} {expected:>8.1}", effect.name());
    }
    for (i, name) in of.tops.iter().enumerate() {
        let strongest = events.iter().filter(|(_, top)| *top == i).count();
        if strongest > 0 {
            println!("  strongest: {name:<20} {strongest:>4}");
        }
    }
}

pub fn share<'a>(of: impl Iterator<Item = &'a Faulty>, is: impl Fn(&Faulty) -> bool) -> f64 {
    let (count, all) = of.fold((0, 0), |(count, all), one| (count + usize::from(is(one)), all + 1));
    f64::from(count as u32) / f64::from(all.max(1))
}
