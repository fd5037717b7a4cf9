//! What is told of a named fault: its class, how sure, and the figures that it moves as people read them.

use hub_core::prediction::{Contribution, Evidence, FaultPrediction, UNKNOWN_FAULT};
use jiff::Timestamp;

use super::{FOUR, Own};
use crate::detector::generic::{causes, shares};
use crate::generic::{NamedRule, NamedStep, Sign, Signature, Step};
use crate::manifest::{Kit, Manifest, Named};

/// Causes of a prediction at most.
const TOP_MAX: usize = 5;

/// What belongs to the model.
#[derive(Clone, Copy)]
pub(super) struct Fixed<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) kit: &'a Kit,
    pub(super) named: &'a Named,
    pub(super) rule: NamedRule<'a>,
}

/// A class as far as it was seen in a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Place of its strongest signature.
    pub(super) fault: u8,
    /// Held score of that: 1 opens a ticket.
    pub(super) score: f32,
    /// The level for calls was held by one of its signatures.
    pub(super) may_call: bool,
}

impl<'a> Fixed<'a> {
    pub(super) fn of(manifest: &'a Manifest, kit: &'a Kit) -> Option<Self> {
        let (named, rule) = kit.named.as_ref().zip(kit.rule())?;
        Some(Self {
            manifest,
            kit,
            named,
            rule,
        })
    }

    fn signature(self, fault: u8) -> Option<&'a Signature> {
        self.rule.faults.signatures.get(usize::from(fault))
    }

    pub(super) fn class(self, fault: Option<u8>) -> &'a str {
        let signature = fault.and_then(|fault| self.signature(fault));
        signature.map_or(UNKNOWN_FAULT, |signature| signature.class.as_str())
    }

    /// Whether both signatures are of one class.
    pub(super) fn are_same(self, one: u8, other: u8) -> bool {
        self.class(Some(one)) == self.class(Some(other))
    }

    /// What is stated of an alarm.
    pub(super) fn probability(self, may_call: bool) -> f32 {
        let rule = self.manifest.detector.as_ref();
        let stated = rule.map_or(0.0, |rule| match may_call {
            true => rule.call_probability.unwrap_or(rule.probability),
            false => rule.probability,
        });
        stated as f32
    }

    /// Each class, the one with the highest score first.
    pub(super) fn seen(self, sign: &Sign) -> Vec<Seen> {
        let faults = self.rule.faults;
        let mut all: Vec<Seen> = Vec::new();
        let scores = sign.scores.iter().zip(&sign.named);
        for ((fault, signature), (score, named)) in (0_u8..).zip(&faults.signatures).zip(scores) {
            let score = (score / signature.ticket_level / faults.threshold) as f32;
            let may_call = named / signature.call_level >= self.named.calls;
            match all.iter_mut().find(|known| self.are_same(known.fault, fault)) {
                Some(known) => {
                    known.may_call |= may_call;
                    if score > known.score {
                        (known.fault, known.score) = (fault, score);
                    }
                }
                None => all.push(Seen { fault, score, may_call }),
            }
        }
        all.sort_by(|a, b| b.score.total_cmp(&a.score));
        all
    }

    /// The class of this signature, among those that were seen.
    pub(super) fn of_class(self, seen: &[Seen], fault: u8) -> Option<Seen> {
        seen.iter().copied().find(|one| self.are_same(one.fault, fault))
    }

    /// Classes that open a ticket, or may be called about, and are not the one that the alarm stands for; none while that has no name.
    pub(super) fn apart(self, seen: &[Seen], standing: Option<u8>) -> impl Iterator<Item = &Seen> {
        let others = seen.iter().filter(|one| one.score >= 1.0 || one.may_call);
        others.filter(move |one| standing.is_some_and(|fault| !self.are_same(fault, one.fault)))
    }

    /// A prediction without its time and its causes.
    pub(super) fn predicted(self, fault: Option<u8>, score: f32, may_call: bool) -> FaultPrediction {
        let class = self.class(fault);
        let classification = &self.manifest.classification;
        let known = classification.classes.iter().find(|known| known.name == class);
        FaultPrediction {
            fault_class: class.to_owned(),
            severity: known.map_or(classification.unknown_severity, |known| known.severity),
            probability: self.probability(may_call),
            basis: self.manifest.evidence.basis(class),
            below_call_level: fault.is_some() && !may_call,
            verdicts: None,
            score,
            model: self.manifest.id(),
            model_hash: None,
            at: Timestamp::UNIX_EPOCH,
            since: Timestamp::UNIX_EPOCH,
            top: Vec::new(),
            second_opinion: None,
        }
    }
}

impl Own {
    /// Figures that a fault moves, with where they are now; of what has no name the features that moved most.
    pub(super) fn causes(&self, fault: Option<u8>, told: &NamedStep, fixed: Fixed<'_>) -> Vec<Contribution> {
        if let Some(signature) = fault.and_then(|fault| fixed.signature(fault)) {
            return self.moved(signature, fixed);
        }
        match &told.beside {
            Step::Watching { top, slow, .. } => {
                let shares = shares(top, fixed.kit.channels.len());
                causes(self.unit.beside(), top, &shares, *slow, fixed.kit)
            }
            Step::Calibrating { .. } | Step::CannotCalibrate { .. } => Vec::new(),
        }
    }

    fn moved(&self, signature: &Signature, fixed: Fixed<'_>) -> Vec<Contribution> {
        let signs = self.unit.signs();
        let part = |(channel, _): &(usize, f64)| {
            let (apart, usual) = fixed.rule.faults.apart(signs, *channel, signature.speed)?;
            Some((*channel, signs.normal(*channel)?, apart, usual))
        };
        let parts: Vec<_> = signature.moves.iter().filter_map(part).collect();
        let square = |apart: f64, usual: f64| (apart / usual) * (apart / usual);
        let sum: f64 = parts.iter().map(|(.., apart, usual)| square(*apart, *usual)).sum();
        let cause = |(channel, normal, apart, usual): &(usize, f64, f64, f64)| {
            let (of, shown) = fixed
                .named
                .channels
                .get(*channel)
                .zip(fixed.named.shown.get(*channel))?;
            let (baseline_mean, baseline_deviation) = shown.plain(*normal, *usual);
            let (value, _) = shown.plain(normal + apart, *usual);
            let share = if sum > 0.0 { square(*apart, *usual) / sum } else { 0.0 };
            Some(Contribution {
                channel: of.name.clone(),
                share: share as f32,
                value,
                baseline_mean,
                baseline_deviation,
                unit: shown.unit.clone(),
            })
        };
        let mut top: Vec<Contribution> = parts.iter().filter_map(cause).collect();
        top.sort_by(|a, b| b.share.total_cmp(&a.share));
        top.truncate(TOP_MAX);
        top
    }

    /// The newest runs as a ticket draws them.
    pub(super) fn drawn(&self, fixed: Fixed<'_>, prediction: &FaultPrediction) -> Evidence {
        let columns = fixed.rule.channels.iter().chain(fixed.rule.figures);
        let columns: Vec<&str> = columns.map(|channel| channel.name.as_str()).collect();
        let value_at = |place, apart| self.value_at(place, apart, fixed);
        self.course.evidence(prediction, &columns, value_at)
    }

    /// The value of a feature that is so many floors from normal, or of a compared figure that is so many fours of usual deviations from it.
    fn value_at(&self, place: usize, apart: f64, fixed: Fixed<'_>) -> Option<f64> {
        let (features, settings) = (fixed.rule.channels, fixed.rule.settings);
        let Some(figure) = place.checked_sub(features.len()) else {
            return self.unit.beside().value_at(features, settings, place, apart);
        };
        let usual = fixed.rule.faults.metrics.newest.usual(figure);
        let normal = self.unit.signs().normal(figure)?;
        let (value, _) = fixed
            .named
            .shown
            .get(figure)?
            .plain(normal + apart * FOUR * usual, usual);
        Some(value)
    }
}
