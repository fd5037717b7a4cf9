//! What was to be seen of a fault at all: how far its channel had gone when it failed and some days before, and whether its own score was
//! over its levels then. It says which part of a missed bar no threshold can win back.

use tests_world::hard::{Fault, FaultKind};

use super::judge::{AHEAD_DAYS, Faulty};
use super::named::Named;
use super::parts::class_of;
use super::watch::Watched;

/// A fault's own signature on one day.
#[derive(Clone, Copy, Default)]
pub struct Look {
    /// Usual deviations of its first channel.
    pub apart: f64,
    /// Score in its levels for tickets and for calls.
    pub ticket: f64,
    pub call: f64,
}

/// The newest look at a fault before it failed, and before the days in which a call comes too late.
#[derive(Clone, Copy, Default)]
pub struct Seen {
    pub last: Look,
    pub ahead: Look,
    /// Runs from the onset to the failure.
    pub runs: usize,
}

pub fn seen(fault: &Fault, watched: &Watched, named: &Named) -> Seen {
    let until = |day: f64| {
        let run = watched.said.iter().rposition(|said| said.day <= day);
        let traces = run.and_then(|run| watched.traces.get(run));
        let of = traces.into_iter().flatten().zip(&named.faults.signatures);
        let own = of.filter(|(_, signature)| signature.class == class_of(fault.kind));
        own.fold(Look::default(), |best, (trace, signature)| Look {
            apart: best.apart.max(trace.apart),
            ticket: best.ticket.max(trace.ticket / signature.ticket_level),
            call: best.call.max(trace.call / signature.call_level),
        })
    };
    Seen {
        last: until(fault.failure_day),
        ahead: until(fault.failure_day - AHEAD_DAYS),
        runs: watched.said.iter().filter(|said| said.day >= fault.onset_day).count(),
    }
}

/// A line a kind, of slow faults.
pub fn print(kinds: &[FaultKind], amplitude: f64, faulty: &[Faulty]) {
    println!(
        "slow faults, amplitude {amplitude}, by their own signature: usual deviations of the first channel at the last run (median, lowest tenth) \
         and at the last run {AHEAD_DAYS} days ahead; share over the level for tickets at the last run, for tickets and for calls \
         {AHEAD_DAYS} days ahead"
    );
    for kind in kinds {
        let slow = faulty.iter().filter(|one| one.is_slow() && one.fault.kind == *kind);
        let seen: Vec<Seen> = slow.filter_map(|one| one.seen).collect();
        if seen.is_empty() {
            continue;
        }
        let at = |of: fn(&Seen) -> f64, share: f64| {
            let mut all: Vec<f64> = seen.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all[((all.len() - 1) as f64 * share) as usize]
        };
        let over = |of: fn(&Seen) -> f64| {
            let count = seen.iter().filter(|one| of(one) >= 1.0).count();
            100.0 * count as f64 / seen.len() as f64
        };
        println!(
            "  {:<18} {:>3}: {:>5.1} {:>5.1}; {:>5.1} {:>5.1}; {:>3.0} %; {:>3.0} % {:>3.0} %; runs {:.0}",
            kind.name(),
            seen.len(),
            at(|one| one.last.apart, 0.5),
            at(|one| one.last.apart, 0.1),
            at(|one| one.ahead.apart, 0.5),
            at(|one| one.ahead.apart, 0.1),
            over(|one| one.last.ticket),
            over(|one| one.ahead.ticket),
            over(|one| one.ahead.call),
            at(|one| one.runs as f64, 0.5),
        );
    }
}
