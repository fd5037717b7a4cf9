//! A machine watched by a detector, run by run, as what tickets and calls are made of.

use hub_predict::generic::{Channel, Settings, Step, Unit};

use super::kit::Run;

/// Days of a month in which scores are counted.
pub const MONTH_DAYS: f64 = 30.0;

/// What a detector said of one run.
#[derive(Clone, Copy)]
pub struct Said {
    pub day: f64,
    /// Score that was held for the hold time, and by which tickets are opened.
    pub ticket: f64,
    /// The same by which calls are made: what creeps is for tickets only.
    pub call: f64,
    /// An alarm rose on this run: a ticket.
    pub rose: bool,
    pub stands: bool,
    /// Feature that deviates most; of named faults the fault, and one more for what none of them is.
    pub top: usize,
    /// Named fault by which a call would be made.
    pub called: Option<usize>,
}

/// A named fault beside a machine.
#[derive(Clone, Copy)]
pub struct Trace {
    /// Held score, for tickets and for calls.
    pub ticket: f64,
    pub call: f64,
    /// How far the channel is that it cannot be told without, in the fault's direction, in usual deviations.
    pub apart: f64,
}

/// A machine as it was watched.
#[derive(Default)]
pub struct Watched {
    /// Runs since the calibration, oldest first.
    pub said: Vec<Said>,
    /// How far its features wander.
    pub wander: Vec<(usize, f64)>,
    /// Run by run, score of the detector without names beside named faults.
    pub unnamed: Vec<f64>,
    /// Run by run, of each named fault.
    pub traces: Vec<Vec<Trace>>,
}

/// The lowest of the newest scores, as many as an alarm is held for; 0 until there are so many.
pub struct Held {
    newest: Vec<f64>,
    hold: usize,
}

impl Held {
    pub fn new(hold: usize) -> Self {
        Self {
            newest: Vec::new(),
            hold,
        }
    }

    pub fn next(&mut self, score: f64) -> f64 {
        self.newest.push(score);
        if self.newest.len() < self.hold {
            return 0.0;
        }
        let lowest = self.newest.iter().copied().fold(f64::INFINITY, f64::min);
        self.newest.remove(0);
        lowest
    }
}

pub fn watch(runs: &[Run], channels: &[Channel], settings: &Settings) -> Watched {
    let mut unit = Unit::new(channels, settings);
    let hold = settings.hold as usize;
    let (mut quick, mut slow) = (Held::new(hold), Held::new(hold));
    let mut said: Vec<Said> = Vec::with_capacity(runs.len());
    let mut stood = false;
    for run in runs {
        if run.afresh {
            unit.restart(channels, settings);
            (quick, slow, stood) = (Held::new(hold), Held::new(hold), false);
        }
        let step = unit.step(channels, settings, &run.values, false, stood);
        if let Step::Watching {
            score,
            slow_score,
            top,
            alarm,
            rose,
            ..
        } = step
        {
            let call = quick.next(score);
            stood = alarm;
            said.push(Said {
                day: run.day,
                ticket: call.max(slow.next(slow_score)),
                call,
                rose,
                stands: alarm,
                top: top.first().map_or(0, |(channel, _)| *channel),
                called: None,
            });
        }
    }
    Watched {
        wander: unit.wander(channels),
        said,
        ..Watched::default()
    }
}

impl Watched {
    /// Months of the record from the first one that it was watched in all of; a normal that begins again is learned meanwhile.
    pub fn months(&self, days: u32) -> std::ops::Range<u32> {
        let until = (f64::from(days) / MONTH_DAYS) as u32;
        let from = self
            .said
            .first()
            .map_or(until, |said| (said.day / MONTH_DAYS) as u32 + 1);
        from.min(until)..until
    }

    /// Runs of a month, by their place.
    pub fn runs_of_month(&self, month: u32) -> impl Iterator<Item = usize> {
        let runs = self.said.iter().enumerate();
        runs.filter(move |(_, said)| (said.day / MONTH_DAYS) as u32 == month)
            .map(|(run, _)| run)
    }

    /// What was said in a month.
    pub fn of_month(&self, month: u32) -> impl Iterator<Item = &Said> {
        self.said
            .iter()
            .filter(move |said| (said.day / MONTH_DAYS) as u32 == month)
    }
}
