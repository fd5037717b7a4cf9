//! A washing machine in a household: daily programmes, one sample a minute while one runs, one an hour otherwise.

use crate::climate::climate;
use crate::fault::Wear;
use crate::noise::{Stream, generator};
use crate::programme::Programme;
use crate::run::{CHANNELS, Run, idle};
use crate::unit::Unit;
use crate::{FaultPlan, Sample};
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use std::collections::VecDeque;

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;
/// When households start their runs, minutes after midnight: morning, noon, evening.
const USUAL_START_MIN: [i64; 3] = [420, 730, 1_100];

/// A simulated washing machine. Deterministic for a seed, however time is cut into steps.
#[derive(Debug, Clone)]
pub struct WashingMachine {
    unit: Unit,
    faults: Vec<FaultPlan>,
    /// The last second that has been lived through.
    lived_s: i64,
    next_day: i64,
    planned: VecDeque<(i64, Programme)>,
    running: Option<Run>,
}

impl WashingMachine {
    /// A machine switched on at `start`, with nothing worn.
    pub fn new(unit: Unit, start: Timestamp) -> Self {
        let lived_s = start.as_second();
        let next_day = (lived_s + unit.utc_offset_s).div_euclid(DAY_S);
        Self {
            unit,
            faults: Vec::new(),
            lived_s,
            next_day,
            planned: VecDeque::new(),
            running: None,
        }
    }

    /// The same machine with something that will wear out.
    #[must_use]
    pub fn with_fault(mut self, plan: FaultPlan) -> Self {
        self.faults.push(plan);
        self
    }

    /// Replaces what is worn at `at`; wear that starts later still comes.
    pub fn repair(&mut self, at: Timestamp) {
        self.faults.retain(|plan| plan.onset > at);
    }

    /// The worst wear at a moment, if any: the label for training and for telling the story.
    pub fn worst_fault(&self, at: Timestamp) -> Option<(crate::FaultKind, f64)> {
        let worn = self
            .faults
            .iter()
            .map(|plan| (plan.kind, plan.wear(at)))
            .filter(|(_, wear)| *wear > 0.0);
        worn.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Lives on until `now` and returns the samples taken after the previous call, up to and including `now`. A `now`
    /// before the previous one gives nothing.
    pub fn step_until(&mut self, now: Timestamp) -> Vec<Sample> {
        let mut samples = Vec::new();
        while let Some(sample) = self.next_sample(now.as_second()) {
            samples.push(sample);
        }
        samples
    }

    fn next_sample(&mut self, now_s: i64) -> Option<Sample> {
        if self.running.is_some() {
            return self.step_run(now_s);
        }
        let start_s = self.next_start();
        // Heartbeats come on the hour, whatever ran before.
        let heartbeat_s = (self.lived_s.div_euclid(HOUR_S) + 1) * HOUR_S;
        let at_s = start_s.min(heartbeat_s);
        if at_s > now_s {
            return None;
        }
        self.lived_s = at_s;
        if at_s == start_s
            && let Some((planned_s, programme)) = self.planned.pop_front()
        {
            self.running = Some(Run::start(
                &self.unit,
                planned_s,
                programme,
                &climate(&self.unit, second(at_s)),
            ));
        }
        Some(self.idle_sample(at_s))
    }

    fn step_run(&mut self, now_s: i64) -> Option<Sample> {
        let at_s = self.lived_s + MINUTE_S;
        if at_s > now_s {
            return None;
        }
        self.lived_s = at_s;
        let at = second(at_s);
        let (climate, wear) = (climate(&self.unit, at), Wear::at(&self.faults, at));
        let readings = self
            .running
            .as_mut()
            .and_then(|run| run.minute(&self.unit, &climate, &wear));
        match readings {
            Some(readings) => Some(sample(at, readings)),
            None => {
                self.running = None;
                Some(self.idle_sample(at_s))
            }
        }
    }

    fn idle_sample(&self, at_s: i64) -> Sample {
        let at = second(at_s);
        // One's complement: idle noise must not repeat the noise of a run planned for the same second.
        let mut rng = generator(self.unit.seed, Stream::Run(!at_s));
        sample(at, idle(&mut rng, &climate(&self.unit, at)))
    }

    /// When the next run starts: as planned, or a minute after the previous one ended.
    fn next_start(&mut self) -> i64 {
        loop {
            match self.planned.front() {
                Some((planned_s, _)) => return (*planned_s).max(self.lived_s + MINUTE_S),
                None => self.plan_day(),
            }
        }
    }

    fn plan_day(&mut self) {
        let rng = &mut generator(self.unit.seed, Stream::Day(self.next_day));
        let midnight_s = self.next_day * DAY_S - self.unit.utc_offset_s;
        let skipped = if rng.random_bool(self.unit.third_run) {
            None
        } else {
            Some(rng.random_range(0..3))
        };
        for (slot, usual_min) in USUAL_START_MIN.into_iter().enumerate() {
            let start_min = usual_min + self.unit.habit_min + rng.random_range(-25..=25);
            let programme = choose(rng);
            let start_s = midnight_s + start_min * MINUTE_S;
            if Some(slot) != skipped && start_s > self.lived_s {
                self.planned.push_back((start_s, programme));
            }
        }
        self.next_day += 1;
    }
}

fn choose(rng: &mut impl Rng) -> Programme {
    let total = Programme::ALL.iter().map(|programme| programme.weight).sum();
    let mut ticket = rng.random_range(0..total);
    for programme in Programme::ALL {
        if ticket < programme.weight {
            return programme;
        }
        ticket -= programme.weight;
    }
    Programme::ALL[0]
}

fn sample(at: Timestamp, readings: [f64; CHANNELS.len()]) -> Sample {
    Sample {
        at,
        values: (1..).zip(readings).collect(),
    }
}

fn second(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}
