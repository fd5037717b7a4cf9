//! What `faults.toml` must keep to, and what it says in the words of the detector.

use hub_core::profile::ApplianceProfile;

use super::{FaultsFile, FigureCondition, RowsRule, Share, SignatureRule, Within};
use crate::generic::{CHANNELS_MAX, Channel, Condition, Metric, MetricError, Metrics, NamedFaults, Signature};
use crate::manifest::generic::fnv;
use crate::manifest::{Manifest, Per, Resampling};
use crate::run_features::{FromRows, RunFeature, RunReader, Source, Take};

/// Faults at the most.
const SIGNATURES_MAX: usize = 32;
/// Ranges by which rows of a figure are chosen, at the most.
const WITHIN_MAX: usize = 4;
/// Logarithms and shares: differences of them are compared, whatever the unit.
const UNIT: &str = "/";
/// Decimals of those.
const DECIMALS: u8 = 4;

/// Why a file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{entry}: {what}")]
pub struct FaultsError {
    /// Entry of the file.
    pub entry: String,
    /// What is wrong, and what to write.
    pub what: String,
}

/// Named faults in the words of the detector: read once, used for each run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Named {
    pub(crate) reader: RunReader,
    /// Places of the compared figures among those that are read.
    places: Vec<usize>,
    /// The compared figures.
    pub(crate) channels: Vec<Channel>,
    /// What people see of each of them.
    pub(crate) shown: Vec<ShownFigure>,
    pub(crate) faults: NamedFaults,
    /// Score, in levels for calls, from which a call may be made.
    pub(crate) calls: f64,
    /// Sum over what the figures are.
    pub(crate) sum: u64,
}

/// A compared figure as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownFigure {
    pub(crate) unit: String,
    /// It is compared by its logarithm.
    pub(crate) is_logarithm: bool,
}

impl FaultsFile {
    /// The file in the words of the detector, once it is checked.
    ///
    /// # Errors
    /// The first entry that is wrong, and what to write.
    pub(crate) fn named(&self, manifest: &Manifest, profile: &ApplianceProfile) -> Result<Named, FaultsError> {
        let phase_channel = match &manifest.resampling {
            Resampling::Cycle { phase_channel, .. } => Some(phase_channel.as_str()),
            Resampling::Mean { .. } => None,
            Resampling::Period { .. } => {
                return refuse(
                    "figures",
                    "they are of programme runs or of periods of the clock: the manifest needs [resampling] rule = \"cycle\" or \"mean\"",
                );
            }
        };
        self.check_sizes()?;
        let features = self.features(profile, phase_channel.is_some())?;
        let places = self.compared_places(manifest)?;
        let shown = places.iter().map(|place| shown(&features, *place, profile)).collect();
        let channel = |name: &String| Channel {
            name: name.clone(),
            unit: UNIT.into(),
            decimals: DECIMALS,
        };
        let faults = NamedFaults {
            conditions: self.conditions()?,
            signatures: self.signatures(manifest)?,
            metrics: self.metrics()?,
            threshold: self.threshold,
        };
        Ok(Named {
            reader: RunReader::new(&features, profile, phase_channel),
            channels: self.compared.iter().map(channel).collect(),
            sum: fnv([format!("{features:?}"), format!("{:?}", self.compared)]),
            calls: self.calls,
            places,
            shown,
            faults,
        })
    }

    fn check_sizes(&self) -> Result<(), FaultsError> {
        let is_level = |level: f64| level > 0.0 && level.is_finite();
        let checks = [
            (is_level(self.threshold), "threshold", "has to be above 0 and finite"),
            (is_level(self.calls), "calls", "has to be above 0 and finite"),
            (
                (1..=CHANNELS_MAX).contains(&self.figures.len()),
                "figures",
                "there have to be 1 to 64",
            ),
            (
                (1..=CHANNELS_MAX).contains(&self.compared.len()),
                "compared",
                "has to name 1 to 64 figures",
            ),
            (
                (1..=SIGNATURES_MAX).contains(&self.signatures.len()),
                "signatures",
                "there have to be 1 to 32",
            ),
        ];
        let failed = checks.iter().find(|(good, ..)| !good);
        failed.map_or(Ok(()), |(_, entry, what)| refuse(entry, what))
    }

    fn features(&self, profile: &ApplianceProfile, has_phases: bool) -> Result<Vec<RunFeature>, FaultsError> {
        let mut features: Vec<RunFeature> = Vec::with_capacity(self.figures.len());
        for rule in &self.figures {
            let entry = format!("figure {:?}", rule.name);
            if rule.name.is_empty() || features.iter().any(|one| one.name == rule.name) {
                return refuse(&entry, "needs a name that no other figure has");
            }
            let source = match (&rule.rows, rule.sum.as_slice()) {
                (Some(rows), []) => Source::Rows(rows.checked(&entry, profile, has_phases)?),
                (None, [_, ..]) => {
                    let part = |share: &Share| {
                        let place = features.iter().position(|one| one.name == share.figure);
                        place.filter(|_| share.by.is_finite()).map(|place| (place, share.by))
                    };
                    let parts: Option<Vec<(usize, f64)>> = rule.sum.iter().map(part).collect();
                    match parts {
                        Some(parts) => Source::Sum(parts),
                        None => {
                            return refuse(
                                &entry,
                                "sum names figures that stand before it, each with a finite `by`",
                            );
                        }
                    }
                }
                _ => return refuse(&entry, "needs either rows or a sum, and not both"),
            };
            features.push(RunFeature {
                name: rule.name.clone(),
                source,
                logarithm: rule.logarithm,
            });
        }
        Ok(features)
    }

    fn compared_places(&self, manifest: &Manifest) -> Result<Vec<usize>, FaultsError> {
        let place = |(i, name): (usize, &String)| {
            let entry = format!("compared {name:?}");
            if self.compared[..i].contains(name) {
                return refuse(&entry, "is named twice: name it once");
            }
            if manifest.features.iter().any(|feature| feature.name == *name) {
                return refuse(
                    &entry,
                    "is the name of a feature of the manifest too: give the figure another one",
                );
            }
            let place = self.figures.iter().position(|figure| figure.name == *name);
            place.map_or_else(|| refuse(&entry, "is no figure: name one of [[figures]]"), Ok)
        };
        self.compared.iter().enumerate().map(place).collect()
    }

    /// Place of a compared figure.
    fn place(&self, name: &str) -> Option<usize> {
        self.compared.iter().position(|one| one == name)
    }

    fn conditions(&self) -> Result<Vec<Condition>, FaultsError> {
        let condition = |one: &FigureCondition| {
            let numbers = [one.reference, one.linear, one.square];
            let places = self.place(&one.figure).zip(self.place(&one.by));
            let Some((channel, by)) = places.filter(|(of, by)| of != by && numbers.iter().all(|n| n.is_finite()))
            else {
                let entry = format!("condition of {:?} by {:?}", one.figure, one.by);
                return refuse(&entry, "needs two compared figures and finite numbers");
            };
            Ok(Condition {
                channel,
                by,
                reference: one.reference,
                linear: one.linear,
                square: one.square,
            })
        };
        self.conditions.iter().map(condition).collect()
    }

    fn signatures(&self, manifest: &Manifest) -> Result<Vec<Signature>, FaultsError> {
        let classes = &manifest.classification.classes;
        let is_there = |class: &String| self.signatures.iter().any(|one| one.class == *class);
        if let Some(class) = classes.iter().find(|class| !is_there(&class.name)) {
            let entry = format!("class {:?} of the manifest", class.name);
            return refuse(&entry, "has no signature: write one, or take the class out");
        }
        self.signatures
            .iter()
            .map(|one| self.signature(one, manifest))
            .collect()
    }

    fn signature(&self, rule: &SignatureRule, manifest: &Manifest) -> Result<Signature, FaultsError> {
        let entry = format!("signature of {:?}", rule.class);
        let classes = &manifest.classification.classes;
        if !classes.iter().any(|class| class.name == rule.class) {
            return refuse(
                &entry,
                "has a class that is none of [[classification.classes]] of the manifest: add it there",
            );
        }
        let is_condition = |name: &str| self.conditions.iter().any(|one| one.by == name);
        let moved = |share: &Share| {
            let is_right = share.by != 0.0 && share.by.is_finite() && !is_condition(&share.figure);
            self.place(&share.figure)
                .filter(|_| is_right)
                .map(|place| (place, share.by))
        };
        let moves: Option<Vec<(usize, f64)>> = rule.moves.iter().map(moved).collect();
        let Some(moves) = moves.filter(|moves| !moves.is_empty()) else {
            let what =
                "moves at least one compared figure, none that tells a condition, each by a finite number other than 0";
            return refuse(&entry, what);
        };
        let words = manifest.detector.as_ref().map(|rule| &rule.words);
        let has_words = |share: &&Share| words.is_some_and(|words| words.contains_key(&share.figure));
        if let Some(share) = rule.moves.iter().find(|share| !has_words(share)) {
            let what = format!(
                "moves {:?}, which needs words in [detector.words] of the manifest",
                share.figure
            );
            return refuse(&entry, &what);
        }
        let borne_out_by = rule.borne_out_by.as_ref().map(|share| moved(share).ok_or(()));
        let Ok(borne_out_by) = borne_out_by.transpose() else {
            return refuse(
                &entry,
                "borne_out_by names a compared figure, with a finite number other than 0",
            );
        };
        let has_levels = rule.ticket_level > 0.0 && rule.call_level >= rule.ticket_level && rule.call_level.is_finite();
        if !has_levels {
            return refuse(
                &entry,
                "needs a ticket_level above 0 and a finite call_level that is not below it",
            );
        }
        Ok(Signature {
            class: rule.class.clone(),
            moves,
            speed: rule.speed,
            borne_out_by,
            ticket_level: rule.ticket_level,
            call_level: rule.call_level,
        })
    }

    fn metrics(&self) -> Result<Metrics, FaultsError> {
        let metric = |name: &str, rows: &[Vec<f64>]| {
            let refused = |why: MetricError| FaultsError {
                entry: format!("metrics.{name}"),
                what: why.to_string(),
            };
            Metric::of_rows(self.compared.len(), rows).map_err(refused)
        };
        Ok(Metrics {
            newest: metric("newest", &self.metrics.newest)?,
            quick: metric("quick", &self.metrics.quick)?,
            slow: metric("slow", &self.metrics.slow)?,
        })
    }
}

impl RowsRule {
    fn checked(&self, entry: &str, profile: &ApplianceProfile, has_phases: bool) -> Result<FromRows, FaultsError> {
        let is_there = |channel: &str| profile.position(channel).is_some();
        if !is_there(&self.channel) {
            let what = format!(
                "the profile has no channel {:?}: name one of its channels",
                self.channel
            );
            return refuse(entry, &what);
        }
        match (has_phases, self.phases.as_slice()) {
            (true, []) => return refuse(entry, "needs the phases of the programme whose rows count"),
            (false, [_, ..]) => return refuse(entry, "a period of the clock has no phases: leave them out"),
            (true, [_, ..]) | (false, []) => {}
        }
        let is_range =
            |of: &Within| is_there(&of.channel) && of.least <= of.most && of.least.is_finite() && of.most.is_finite();
        if self.within.len() > WITHIN_MAX || !self.within.iter().all(is_range) {
            return refuse(
                entry,
                "`within` needs a list of at most 4 channels of the profile, each with finite bounds, the least first",
            );
        }
        let is_per = |of: &Per| {
            is_there(&of.channel) && of.reference > 0.0 && of.reference.is_finite() && (1..=4).contains(&of.power)
        };
        if !self.per.as_ref().is_none_or(is_per) {
            return refuse(
                entry,
                "`per` needs a channel of the profile, reference above 0, power 1 to 4",
            );
        }
        if let Take::Loss { refill, .. } = self.take
            && !(refill > 0.0 && refill.is_finite())
        {
            return refuse(entry, "a loss needs a refill above 0");
        }
        let within = self.within.iter().map(|of| (of.channel.clone(), of.least, of.most));
        Ok(FromRows {
            channel: self.channel.clone(),
            take: self.take,
            phases: self.phases.clone(),
            within: within.collect(),
            per: self.per.clone(),
        })
    }
}

impl Named {
    /// The compared ones of the figures that were read.
    pub(crate) fn compared(&self, read: &[Option<f64>]) -> Vec<Option<f64>> {
        let value = |place: &usize| read.get(*place).copied().flatten();
        self.places.iter().map(value).collect()
    }
}

impl ShownFigure {
    /// A value of the scale of comparison as people see it, with a deviation there.
    pub(crate) fn plain(&self, value: f64, deviation: f64) -> (f64, f64) {
        match self.is_logarithm {
            true => (value.exp(), value.exp() * deviation),
            false => (value, deviation),
        }
    }
}

/// Unit of a figure, and whether it is a logarithm. A sum of several is of no unit.
fn shown(features: &[RunFeature], place: usize, profile: &ApplianceProfile) -> ShownFigure {
    let of_none = || ShownFigure {
        unit: UNIT.into(),
        is_logarithm: false,
    };
    let Some(feature) = features.get(place) else {
        return of_none();
    };
    match &feature.source {
        Source::Rows(rows) => {
            let channel = profile.channels.iter().find(|channel| channel.name == rows.channel);
            let unit = channel.map_or(UNIT, |channel| channel.unit.as_str());
            let unit = match rows.take {
                Take::Mean | Take::Highest => unit.to_owned(),
                Take::Scatter => UNIT.to_owned(),
                Take::WholeRise | Take::FastestFall | Take::Loss { .. } => format!("{unit}/min"),
            };
            ShownFigure {
                unit,
                is_logarithm: feature.logarithm,
            }
        }
        Source::Sum(parts) => {
            let mut counted = parts.iter().filter(|(_, by)| *by != 0.0);
            // Each part stands before its sum, so this ends.
            let first = counted
                .next()
                .map_or_else(of_none, |(part, _)| shown(features, *part, profile));
            let is_logarithm = first.is_logarithm || feature.logarithm;
            match counted.next() {
                None => ShownFigure { is_logarithm, ..first },
                Some(_) => ShownFigure {
                    is_logarithm,
                    ..of_none()
                },
            }
        }
    }
}

fn refuse<T>(entry: &str, what: &str) -> Result<T, FaultsError> {
    Err(FaultsError {
        entry: entry.to_owned(),
        what: what.to_owned(),
    })
}

#[cfg(test)]
mod tests;
