//! One appliance under a model that names faults: its programme runs, or its days, to what the detector says of them.

mod told;

use hub_core::prediction::{Evidence, FaultPrediction};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Pending;
use super::generic::shares;
use crate::batch::GROWN;
use crate::course::Course;
use crate::features::Step;
use crate::generic::{self, ChannelBaseline, NamedStep, NamedUnit, Signs, Speed, Unit};
use crate::manifest::{Kit, Manifest};
use crate::model::{Model, Rules};
use crate::resampler::Completed;
use crate::run_features::RunFigures;
use crate::stuck::Stuck;
use crate::table::Row;
use crate::verdict::Verdict;
use told::{Fixed, Seen};

/// Usual deviations that are drawn as a floor: a fault moves its figures by tens of them.
const FOUR: f64 = 4.0;

/// State between runs: some 2 kB, saved, for 12 features and 14 figures, and up to 1 kB more while a run lasts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Own {
    unit: NamedUnit,
    stuck: Stuck,
    /// Figures of the run that is under way.
    run: RunFigures,
    /// Since when the score has been above the clearing level.
    since: Option<Timestamp>,
    alarm: Option<Standing>,
    /// Other faults that were seen apart while the alarm stands, at most one of each class.
    apart: Vec<Apart>,
    course: Course,
}

/// The alarm that stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Standing {
    /// Place of the signature that names it; none of what looks like no fault.
    fault: Option<u8>,
    /// Its highest score so far.
    peak: f32,
    /// Its level for calls was held.
    may_call: bool,
}

/// A fault that was told apart from the one that the alarm stands for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Apart {
    fault: u8,
    /// Run with which it was told first.
    since: Timestamp,
    /// Score with which it was told last.
    told: f32,
    may_call: bool,
}

/// What is said of a run that was compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    /// How far each feature was from what was normal at first, in floors, and behind them each compared figure, in fours of usual deviations.
    deviations: Vec<Option<f64>>,
    score: f32,
    unnamed_score: f32,
    alarm: bool,
    contributions: Vec<f32>,
    prediction: Option<FaultPrediction>,
    apart: Vec<FaultPrediction>,
}

impl Own {
    /// None of a model that names no faults.
    pub(super) fn new(kit: &Kit) -> Option<Self> {
        let (named, rule) = kit.named.as_ref().zip(kit.rule())?;
        Some(Self {
            unit: NamedUnit::new(rule),
            stuck: Stuck::new(kit.channels.len()),
            run: named.reader.begin(),
            since: None,
            alarm: None,
            apart: Vec::new(),
            course: Course::default(),
        })
    }

    /// Whether it may be that of this model.
    pub(super) fn fits(&self, kit: &Kit) -> bool {
        let Some((named, rule)) = kit.named.as_ref().zip(kit.rule()) else {
            return false;
        };
        let features = kit.channels.len();
        self.unit.fits(rule)
            && self.stuck.fits(features)
            && named.reader.fits(&self.run)
            && self.course.fits(features + named.channels.len())
    }

    pub(super) fn alarming(&self) -> bool {
        self.alarm.is_some()
    }

    /// What is told of the alarm that stands.
    pub(super) fn standing<'a>(&self, manifest: &'a Manifest, kit: &'a Kit) -> Option<(&'a str, f32)> {
        let (alarm, fixed) = self.alarm.zip(Fixed::of(manifest, kit))?;
        Some((fixed.class(alarm.fault), fixed.probability(alarm.may_call)))
    }

    /// Runs in hand for the normals of most figures, and those that are needed; none once it watches.
    pub(super) fn calibration(&self) -> Option<(u32, u32)> {
        self.unit.signs().calibration()
    }

    /// What is normal for each feature of the detector without names; nothing while that calibrates, which takes longer.
    pub(super) fn normals(&self, kit: &Kit) -> Vec<ChannelBaseline> {
        self.unit.beside().baseline(&kit.channels, &kit.settings)
    }

    /// What is normal for each figure, and how far it is from that.
    pub(super) fn signs(&self) -> &Signs {
        self.unit.signs()
    }

    /// Whether the sensor of a feature has repeated itself for too long.
    pub(super) fn is_stuck(&self, feature: usize, manifest: &Manifest) -> bool {
        self.stuck.is_stuck(feature, manifest)
    }

    /// Takes a row, for what it says of sensors.
    pub(super) fn see(&mut self, row: &Row, rules: Rules<'_>) {
        self.stuck.see(row, rules.manifest, rules.profile);
    }

    /// Takes what a row completes: the runs that wait to be concluded, each with whether nothing of it could be compared.
    pub(super) fn take(
        &mut self,
        row: &Row,
        completed: Completed,
        is_under_way: bool,
        manifest: &Manifest,
        kit: &Kit,
    ) -> Vec<(Pending, bool)> {
        let Some(fixed) = Fixed::of(manifest, kit) else {
            return Vec::new();
        };
        let reader = &fixed.named.reader;
        let read = reader.follow(&mut self.run, row, completed.run_until, is_under_way);
        let figures = fixed.named.compared(&read.unwrap_or_default());
        let step = |step: Step| {
            let has_figure = figures.iter().any(Option::is_some);
            let is_empty = !has_figure && Unit::is_empty(&kit.channels, &kit.settings, &step.raw);
            (self.step(step, &figures, fixed), is_empty)
        };
        completed.steps.into_iter().map(step).collect()
    }

    fn step(&mut self, mut step: Step, figures: &[Option<f64>], fixed: Fixed<'_>) -> Pending {
        self.stuck.judge(&mut step, fixed.manifest);
        let told = self.unit.step(fixed.rule, &step.raw, figures);
        let said = self.said(&told, &step, figures, fixed);
        let missing = step.raw.iter().enumerate().filter(|(_, value)| value.is_none());
        Pending {
            at: step.at,
            suspect: missing.map(|(feature, _)| feature).collect(),
            after_gap: step.after_gap,
            raw: step.raw,
            watched: None,
            said: None,
            named: said.map(Box::new),
        }
    }

    fn said(&mut self, told: &NamedStep, step: &Step, figures: &[Option<f64>], fixed: Fixed<'_>) -> Option<Said> {
        let Some(sign) = &told.sign else {
            (self.since, self.alarm, self.apart) = (None, None, Vec::new());
            return None;
        };
        let threshold = fixed.rule.faults.threshold;
        let score = (sign.score / threshold) as f32;
        let unnamed_score = (told.unnamed / fixed.rule.settings.threshold / threshold) as f32;
        if sign.alarm || score >= fixed.manifest.persistence.clear_below {
            self.since.get_or_insert(step.at);
        } else {
            self.since = None;
        }
        let (mut prediction, mut apart) = (None, Vec::new());
        if sign.alarm {
            let seen = fixed.seen(sign);
            let alarm = self.stand(&seen, unnamed_score, fixed);
            let of = |fault: Option<u8>, score: f32, may_call: bool, since: Timestamp| FaultPrediction {
                at: step.at,
                since,
                top: self.causes(fault, told, fixed),
                ..fixed.predicted(fault, score, may_call)
            };
            let since = self.since.unwrap_or(step.at);
            prediction = Some(of(alarm.fault, alarm.peak, alarm.may_call, since));
            let news = fixed.apart(&seen, alarm.fault).filter(|one| self.is_news(one, fixed));
            let news: Vec<&Seen> = news.collect();
            let may_call = |one: &Seen| one.may_call || self.known(one, fixed).is_some_and(|known| known.may_call);
            // The first fault may have stood for months.
            let since = |one: &Seen| self.known(one, fixed).map_or(step.at, |known| known.since);
            let news_of = |one: &&Seen| of(Some(one.fault), one.score, may_call(one), since(one));
            apart.extend(news.iter().map(news_of));
            news.into_iter().for_each(|one| self.note_apart(one, step.at, fixed));
        } else {
            (self.alarm, self.apart) = (None, Vec::new());
        }
        let top = match &told.beside {
            generic::Step::Watching { top, .. } => top.as_slice(),
            generic::Step::Calibrating { .. } | generic::Step::CannotCalibrate { .. } => &[],
        };
        Some(Said {
            deviations: self.deviations(step, figures, fixed),
            contributions: shares(top, fixed.kit.channels.len()),
            alarm: sign.alarm,
            score,
            unnamed_score,
            prediction,
            apart,
        })
    }

    /// The alarm as it stands with this run. It is named when it rises, or as soon as a fault is seen in what had no name; another fault
    /// does not take its name over.
    fn stand(&mut self, seen: &[Seen], unnamed_score: f32, fixed: Fixed<'_>) -> Standing {
        let opens = seen.first().filter(|one| one.score >= 1.0);
        let named = match self.alarm {
            None => opens.filter(|one| one.score > unnamed_score),
            Some(Standing { fault: None, .. }) => opens,
            Some(Standing { fault: Some(_), .. }) => None,
        };
        let before = self.alarm.filter(|_| named.is_none()).unwrap_or(Standing {
            fault: named.map(|one| one.fault),
            peak: 0.0,
            may_call: false,
        });
        let own = before.fault.and_then(|fault| fixed.of_class(seen, fault));
        let now = match before.fault {
            None => unnamed_score,
            Some(_) => own.map_or(0.0, |one| one.score),
        };
        let alarm = Standing {
            peak: before.peak.max(now),
            may_call: before.may_call || own.is_some_and(|one| one.may_call),
            ..before
        };
        self.alarm = Some(alarm);
        alarm
    }

    /// What was told of another fault.
    fn known(&self, one: &Seen, fixed: Fixed<'_>) -> Option<Apart> {
        let mut apart = self.apart.iter().copied();
        apart.find(|known| fixed.are_same(known.fault, one.fault))
    }

    /// Whether another fault is to be told: it was not, or it has grown, or it may be called about now.
    fn is_news(&self, one: &Seen, fixed: Fixed<'_>) -> bool {
        let known = self.known(one, fixed);
        known.is_none_or(|known| one.score >= GROWN * known.told || one.may_call && !known.may_call)
    }

    fn note_apart(&mut self, one: &Seen, at: Timestamp, fixed: Fixed<'_>) {
        let known = self.known(one, fixed);
        self.apart.retain(|known| !fixed.are_same(known.fault, one.fault));
        self.apart.push(Apart {
            fault: one.fault,
            since: known.map_or(at, |known| known.since),
            told: known.map_or(one.score, |known| known.told.max(one.score)),
            may_call: one.may_call || known.is_some_and(|known| known.may_call),
        });
    }

    fn deviations(&self, step: &Step, figures: &[Option<f64>], fixed: Fixed<'_>) -> Vec<Option<f64>> {
        let (channels, settings) = (fixed.rule.channels, fixed.rule.settings);
        let mut all = self.unit.beside().deviations(channels, settings, &step.raw);
        let apart = self.unit.signs().deviations(Speed::Newest).into_iter().zip(figures);
        let usual = |channel: usize| fixed.rule.faults.metrics.newest.usual(channel);
        let apart = apart
            .enumerate()
            .map(|(i, (apart, figure))| figure.and(apart).map(|apart| apart / (FOUR * usual(i))));
        all.extend(apart);
        all
    }

    /// Adds a run that is concluded to what a ticket draws.
    pub(super) fn draw(&mut self, at: Timestamp, said: &Said, manifest: &Manifest) {
        let points = manifest.persistence.evidence_points;
        self.course.push(at, said.score, &said.deviations, points);
    }

    /// The newest runs to freeze with a ticket.
    pub(super) fn evidence(&self, manifest: &Manifest, kit: &Kit, prediction: &FaultPrediction) -> Evidence {
        match Fixed::of(manifest, kit) {
            Some(fixed) => self.drawn(fixed, prediction),
            None => Evidence::left_out(),
        }
    }
}

impl Said {
    /// Puts it into the verdict. Its score was held already.
    pub(super) fn tell(self, verdict: &mut Verdict, model: &Model) {
        let hashed = |prediction: FaultPrediction| FaultPrediction {
            model_hash: Some(model.hash().to_owned()),
            ..prediction
        };
        verdict.judged = true;
        verdict.score = self.score;
        verdict.held = self.score;
        verdict.baseline_score = self.unnamed_score;
        verdict.alarm = self.alarm;
        verdict.contributions = self.contributions;
        verdict.prediction = self.prediction.map(hashed);
        verdict.apart = self.apart.into_iter().map(hashed).collect();
    }
}
