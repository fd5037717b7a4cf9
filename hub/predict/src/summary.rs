//! What came of a file that was scored: how many of its rows were judged, and why the others were not.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use hub_core::watching::{Unjudged, WatchState, Watching};

use crate::batch::Judged;
use crate::found::Found;
use crate::score::OfRow;

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Rows of the file.
    pub rows: usize,
    /// Model steps that they made, filled gaps included.
    pub steps: usize,
    /// Of these, steps that taught the unit's own normal.
    pub calibrating: usize,
    /// Of these, steps that both detectors have judged.
    pub judged: usize,
    /// Rows that made no step of their own, by reason.
    pub unjudged: BTreeMap<Unjudged, Found>,
    /// Steps after the calibration with too few others right before them.
    pub alone: Option<Found>,
    /// Steps of which half of the features, or more, have no value that can be trusted.
    pub unheard: Option<Found>,
    /// Values out of the profile's range, by channel: taken as missing.
    pub out_of_range: BTreeMap<String, Found>,
    /// The highest score, and the time stamp of its row.
    pub highest: Option<(f32, String)>,
    /// Alarms that began.
    pub alarms: usize,
    /// Fault class and time stamp of the first.
    pub first_alarm: Option<(String, String)>,
    /// What a hub would say of the appliance at the end of the file.
    pub watching: Watching,
    alarming: bool,
}

impl Found {
    /// One more of a kind, in this line.
    pub(crate) fn note<K: Ord>(all: &mut BTreeMap<K, Found>, kind: K, line: usize) {
        let found = all.entry(kind).or_insert(Found {
            count: 0,
            first_line: line,
        });
        found.count += 1;
    }

    fn one_more(found: &mut Option<Self>, line: usize) {
        let found = found.get_or_insert(Found {
            count: 0,
            first_line: line,
        });
        found.count += 1;
    }
}

impl Summary {
    pub(crate) fn new(out_of_range: BTreeMap<String, Found>) -> Self {
        Self {
            rows: 0,
            steps: 0,
            calibrating: 0,
            judged: 0,
            unjudged: BTreeMap::new(),
            alone: None,
            unheard: None,
            out_of_range,
            highest: None,
            alarms: 0,
            first_alarm: None,
            watching: Watching::nothing(WatchState::NoReadings),
            alarming: false,
        }
    }

    /// Adds what came of a row, which has this time stamp and line.
    pub(crate) fn add(&mut self, of_row: &OfRow, written: &str, line: usize) {
        self.rows += 1;
        if let Some(why) = of_row.unjudged {
            Found::note(&mut self.unjudged, why, line);
        }
        for step in &of_row.steps {
            self.add_step(step, written, line);
        }
    }

    fn add_step(&mut self, step: &Judged, written: &str, line: usize) {
        let verdict = &step.verdict;
        self.steps += 1;
        if verdict.calibrating {
            self.calibrating += 1;
        } else if !verdict.judged && verdict.suspect.len() < verdict.values.len() {
            Found::one_more(&mut self.alone, line);
        } else if verdict.suspect.len() * 2 >= verdict.values.len() {
            Found::one_more(&mut self.unheard, line);
        } else {
            self.judged += 1;
            if self
                .highest
                .as_ref()
                .is_none_or(|(highest, _)| verdict.score > *highest)
            {
                self.highest = Some((verdict.score, written.to_owned()));
            }
        }
        if let Some(prediction) = verdict.prediction.as_ref().filter(|_| !self.alarming) {
            self.alarms += 1;
            let first = || (prediction.fault_class.clone(), written.to_owned());
            self.first_alarm.get_or_insert_with(first);
        }
        self.alarming = verdict.alarm;
    }

    /// Why nothing was judged; none if something was.
    pub fn nothing_judged(&self) -> Option<String> {
        if self.judged > 0 {
            return None;
        }
        let told = &self.watching;
        let seconds = |ms: u64| ms as f64 / 1_000.0;
        Some(match told.state {
            WatchState::TooSeldom => format!(
                "rows come every {} s, and the model needs one every {} s",
                seconds(told.every_ms),
                seconds(told.needs_ms)
            ),
            WatchState::ChannelsMissing => {
                format!("{} of {} channels have no value", told.missing, told.channels)
            }
            WatchState::TimesPassed => "times stand still".to_owned(),
            WatchState::CannotCalibrate => {
                let channel = told.unsteady.as_deref().unwrap_or("a channel");
                format!("{channel} moves from state to state, so that no normal is found")
            }
            _ if told.calibrated < told.calibration => format!(
                "the baseline needs {} rows (programme runs, where a step is a run) and has {}; see --calibrate",
                told.calibration, told.calibrated
            ),
            WatchState::NoReadings | WatchState::NoModel | WatchState::Calibrating | WatchState::Watched => {
                "too few steps in a row follow the calibration".to_owned()
            }
        })
    }
}

/// In lines for a person.
impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "rows           {}", self.rows)?;
        writeln!(
            f,
            "model steps    {}: {} calibrating, {} judged",
            self.steps, self.calibrating, self.judged
        )?;
        let left_out = [
            (self.alone, "with too few others right before them"),
            (self.unheard, "with half of the channels missing, or more"),
        ];
        for (found, what) in left_out {
            if let Some(found) = found {
                writeln!(f, "               {}", found.as_line(what))?;
            }
        }
        let (told, is_done) = (&self.watching, self.watching.calibrated >= self.watching.calibration);
        let done = if is_done { "yes" } else { "no" };
        writeln!(f, "calibrated     {done}, {} of {}", told.calibrated, told.calibration)?;
        if told.several_states {
            writeln!(
                f,
                "               on several states, such as standing and running: faults may be missed"
            )?;
        }
        match &self.highest {
            Some((score, at)) => writeln!(f, "highest score  {score:.2} at {at}; 1 is the threshold")?,
            None => writeln!(f, "highest score  none")?,
        }
        match &self.first_alarm {
            Some((class, at)) => writeln!(f, "alarms         {}, the first at {at}: {class}", self.alarms)?,
            None => writeln!(f, "alarms         none")?,
        }
        for (why, found) in &self.unjudged {
            writeln!(f, "no step        {}", found.as_line(words(*why)))?;
        }
        for (channel, found) in &self.out_of_range {
            writeln!(f, "out of range   {}", found.as_line(channel))?;
        }
        Ok(())
    }
}

impl Found {
    fn as_line(self, what: &str) -> String {
        format!("{} {what}, first in line {}", self.count, self.first_line)
    }
}

fn words(why: Unjudged) -> &'static str {
    match why {
        Unjudged::Joined => "joined with others of their period",
        Unjudged::NoValue => "without a value that the model reads",
        Unjudged::TooSoon => "sooner than the model needs",
        Unjudged::Repeated => "of a time that came before",
        Unjudged::Unordered => "older than the newest step",
        Unjudged::Ahead => "ahead of the clock",
    }
}
