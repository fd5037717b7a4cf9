//! What a manifest must keep to.

use hub_core::call_rules::PROBABILITY_MIN;
use hub_core::profile::{ApplianceProfile, check_name, check_sentence};
use hub_core::release::EvidenceKind;

use super::{
    Autoencoder, DetectorKind, FaultClass, Feature, Generic, Manifest, Probability, Resampling, Running, Statistic,
    Transform,
};
use crate::course::POINTS_MAX;

/// Why a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("manifest of {family}/{version}: {what}")]
pub struct ManifestError {
    /// Family of the model.
    pub family: String,
    /// Its version.
    pub version: u32,
    /// What is wrong and what is expected.
    pub what: String,
}

impl Manifest {
    /// Checks what serde cannot: ranges, that the profile has the channels, and that all words can be shown and spoken.
    ///
    /// # Errors
    /// The first that is wrong, with what is expected.
    pub fn check(&self, profile: &ApplianceProfile) -> Result<(), ManifestError> {
        let refuse = |what: String| {
            Err(ManifestError {
                family: self.family.clone(),
                version: self.version,
                what,
            })
        };
        if profile.name != self.profile || profile.version < self.profile_version {
            return refuse(format!(
                "needs profile {} version {} or later, found {} version {}",
                self.profile, self.profile_version, profile.name, profile.version
            ));
        }
        let needs_some = self.kind() != Some(DetectorKind::Named);
        if self.features.is_empty() && needs_some || self.features.len() > 64 {
            return refuse("needs 1 to 64 features; kind named may do without".into());
        }
        for feature in &self.features {
            if profile.position(&feature.channel).is_none() {
                return refuse(format!(
                    "feature {}: profile has no channel {}",
                    feature.name, feature.channel
                ));
            }
            if let Some(per) = &feature.per
                && (profile.position(&per.channel).is_none() || per.reference <= 0.0 || !(1..=4).contains(&per.power))
            {
                return refuse(format!(
                    "feature {}: `per` needs a channel of the profile, reference > 0, power 1 to 4",
                    feature.name
                ));
            }
            let may_be_the_tables = self.detector.is_some() && feature.floor == 0.0;
            if !(may_be_the_tables || feature.floor > 0.0 && feature.floor.is_finite()) {
                return refuse(format!("feature {}: floor must be above 0", feature.name));
            }
        }
        if let Some(channel) = self.channel_of_phase()
            && profile.position(channel).is_none()
        {
            return refuse(format!("profile has no phase channel {channel}"));
        }
        for class in &self.classification.classes {
            if let Some(name) = class
                .signature
                .keys()
                .find(|name| !self.features.iter().any(|f| &f.name == *name))
            {
                return refuse(format!("class {}: signature names unknown feature {name}", class.name));
            }
        }
        if let Err(what) = self.check_evidence() {
            return refuse(what);
        }
        let words = self
            .features
            .iter()
            .try_for_each(|feature| feature.check_words(profile));
        let words = words.and_then(|()| self.classification.classes.iter().try_for_each(FaultClass::check_words));
        words
            .and_then(|()| self.check_numbers().map_err(str::to_owned))
            .and_then(|()| match (&self.detector, &self.autoencoder, &self.probability) {
                (None, Some(autoencoder), Some(probability)) => self.check_network(autoencoder, probability),
                (Some(rule), network, probability) => self.check_generic(rule).and_then(|()| match rule.kind {
                    DetectorKind::Generic => self.check_beside(rule, network.as_ref(), probability.as_ref()),
                    DetectorKind::Named => self.check_named(rule),
                }),
                _ => Err("needs [autoencoder] and [probability], or [detector]".to_owned()),
            })
            .or_else(refuse)
    }

    /// Kind of the detector without a network, if there is one.
    pub(crate) fn kind(&self) -> Option<DetectorKind> {
        self.detector.as_ref().map(|rule| rule.kind)
    }

    fn check_evidence(&self) -> Result<(), String> {
        let mut stated = self.evidence.verdicts.keys();
        let is_listed = |name: &&String| self.classification.classes.iter().any(|class| class.name == **name);
        match self.evidence.kind {
            EvidenceKind::Fleet => stated.find(|name| !is_listed(name)).map_or(Ok(()), |name| {
                Err(format!("evidence.verdicts names unknown class {name}"))
            }),
            EvidenceKind::Simulated | EvidenceKind::Laboratory => stated.next().map_or(Ok(()), |_| {
                Err("evidence.verdicts are those of a fleet: they need evidence.kind = \"fleet\"".into())
            }),
        }
    }

    /// The channel by which rows are of a run, or of none.
    fn channel_of_phase(&self) -> Option<&str> {
        match &self.resampling {
            Resampling::Cycle { phase_channel, .. } => Some(phase_channel),
            Resampling::Mean { running, .. } => Some(&running.as_ref()?.channel),
            Resampling::Period { .. } => None,
        }
    }

    fn check_numbers(&self) -> Result<(), &'static str> {
        let baseline = &self.baseline;
        let checks = [
            (baseline.calibration >= 10, "baseline.calibration must be at least 10"),
            (
                baseline.ewma > 0.0 && baseline.ewma <= 1.0,
                "baseline.ewma must be above 0 and at most 1",
            ),
            (
                (0.0..=1.0).contains(&baseline.shrinkage),
                "baseline.shrinkage must be 0 to 1",
            ),
            (
                baseline.recentre_steps == 0.0 || baseline.recentre_steps >= 1.0,
                "baseline.recentre_steps: 0 or ≥ 1",
            ),
            (baseline.threshold > 0.0, "baseline.threshold must be above 0"),
            (
                (1..=600).contains(&self.persistence.hold),
                "persistence.hold must be 1 to 600",
            ),
            (
                (2..=300).contains(&self.persistence.evidence_points),
                "persistence.evidence_points must be 2 to 300",
            ),
            (
                self.period_is_sane(),
                "resampling: times must be above 0, gap_s a period or more, hold_gap_s at most 600 periods",
            ),
        ];
        first_that_fails(&checks)
    }

    fn check_network(&self, autoencoder: &Autoencoder, probability: &Probability) -> Result<(), String> {
        autoencoder.check()?;
        probability.check()?;
        let checks = [
            (
                !matches!(self.resampling, Resampling::Mean { .. }),
                "resampling: rule mean is for a model with [detector]",
            ),
            (
                autoencoder.period_s.is_none() && autoencoder.inputs.is_empty(),
                "autoencoder.period_s and inputs are of a network beside [detector]",
            ),
        ];
        first_that_fails(&checks)?;
        self.check_signatures()
    }

    /// What kind `generic` keeps to besides, and what stands beside it.
    fn check_beside(
        &self,
        rule: &Generic,
        network: Option<&Autoencoder>,
        probability: Option<&Probability>,
    ) -> Result<(), String> {
        self.check_signatures()?;
        first_that_fails(&[
            (
                rule.call_probability.is_none() && rule.words.is_empty(),
                "detector.call_probability and detector.words are for kind named",
            ),
            (
                self.classification.min_cosine > 0.0 && self.classification.min_cosine <= 1.0,
                "classification.min_cosine must be above 0 and at most 1",
            ),
        ])?;
        if let Some(network) = network {
            network.check()?;
            self.check_opinion(network)?;
        }
        match probability {
            Some(_) if self.classification.classes.is_empty() => {
                Err("probability is that of alarms with a name: it needs classification.classes".to_owned())
            }
            Some(probability) => probability.check(),
            None => Ok(()),
        }
    }

    /// What kind `named` keeps to besides its faults.
    fn check_named(&self, rule: &Generic) -> Result<(), String> {
        let classes = &self.classification.classes;
        let states_calls = |stated: f64| stated >= rule.probability && stated <= 1.0;
        let checks = [
            (
                !matches!(self.resampling, Resampling::Period { .. }),
                "resampling: kind named reads programme runs or periods of the clock; write rule cycle or mean",
            ),
            (
                self.autoencoder.is_none() && self.probability.is_none(),
                "autoencoder and probability are for kind generic: of a named fault detector.probability and detector.call_probability are stated",
            ),
            (
                !classes.is_empty() && classes.iter().all(|class| class.signature.is_empty()),
                "classification.classes: kind named needs them without a signature: faults.toml says what each moves",
            ),
            (
                rule.call_probability.is_some_and(states_calls),
                "detector.call_probability must be detector.probability to 1 for kind named",
            ),
            (
                rule.call.is_none(),
                "detector.call is for kind generic: each signature has its call_level in faults.toml",
            ),
        ];
        first_that_fails(&checks)?;
        rule.words.iter().try_for_each(|(figure, words)| {
            check_name(words).map_err(|why| format!("detector.words of {figure}: {why}"))
        })
    }

    fn check_signatures(&self) -> Result<(), String> {
        let mut classes = self.classification.classes.iter();
        match classes.find(|class| class.signature.is_empty()) {
            None => Ok(()),
            Some(class) => Err(format!(
                "class {}: needs a signature, a number for at least one feature",
                class.name
            )),
        }
    }

    fn check_generic(&self, rule: &Generic) -> Result<(), String> {
        let (baseline, finite) = (&self.baseline, f64::is_finite);
        let checks = [
            (
                (40..=400).contains(&baseline.calibration),
                "baseline.calibration must be 40 to 400 without a network",
            ),
            (
                baseline.recentre_steps > 1.0 && finite(baseline.recentre_steps),
                "baseline.recentre_steps must be above 1 without a network",
            ),
            (
                baseline.recentre_below > 0.0 && finite(baseline.recentre_below),
                "baseline.recentre_below must be above 0 without a network",
            ),
            (finite(baseline.threshold), "baseline.threshold must be finite"),
            (
                self.persistence.clear_below > 0.0 && self.persistence.clear_below <= 1.0,
                "persistence.clear_below must be above 0 and at most 1 without a network",
            ),
            (
                self.persistence.evidence_points <= POINTS_MAX,
                "persistence.evidence_points must be at most 16 without a network",
            ),
            (
                rule.probability >= 0.0 && rule.probability < f64::from(PROBABILITY_MIN),
                "detector.probability must be 0 or more, and below 0.9: nothing rings by it",
            ),
            (
                rule.call.is_none_or(|call| call >= baseline.threshold && finite(call)),
                "detector.call must not be below baseline.threshold",
            ),
            (
                !matches!(self.resampling, Resampling::Period { .. }),
                "resampling: rule period is for a network; write mean, or cycle",
            ),
        ];
        first_that_fails(&checks)?;
        for feature in &self.features {
            if feature.transform != Transform::None {
                return Err(format!(
                    "feature {}: transform must be none without a network: A, W and m/s2 are compared by logarithms",
                    feature.name
                ));
            }
            let is_mean = matches!(self.resampling, Resampling::Mean { .. });
            if is_mean && (feature.statistic != Statistic::Mean || !feature.phases.is_empty()) {
                return Err(format!(
                    "feature {}: rule mean takes statistic mean and no phases",
                    feature.name
                ));
            }
        }
        for condition in &rule.conditions {
            let is_there = |name: &String| self.features.iter().any(|feature| feature.name == *name);
            let numbers = [condition.reference, condition.linear, condition.square];
            let by_itself = condition.feature == condition.by;
            if by_itself
                || !is_there(&condition.feature)
                || !is_there(&condition.by)
                || !numbers.iter().all(|n| finite(*n))
            {
                return Err(format!(
                    "detector.conditions: {} by {} needs two features of the model and finite numbers",
                    condition.feature, condition.by
                ));
            }
        }
        let tells = |name: &String| rule.conditions.iter().any(|condition| condition.by == *name);
        let is_watched = |feature: &Feature| !tells(&feature.name);
        if !self.features.is_empty() && !self.features.iter().any(is_watched) {
            return Err("detector.conditions: no feature is left to be watched".to_owned());
        }
        Ok(())
    }

    fn period_is_sane(&self) -> bool {
        match self.resampling {
            Resampling::Period { period_s, hold_gap_s } => {
                period_s > 0.0 && hold_gap_s >= period_s && hold_gap_s <= 600.0 * period_s
            }
            Resampling::Cycle {
                period_s,
                gap_s,
                min_rows,
                ..
            } => period_s > 0.0 && gap_s >= period_s && min_rows > 0,
            Resampling::Mean {
                period_s,
                row_s,
                gap_s,
                min_rows,
                ref running,
            } => {
                let whole = (1.0..=PERIOD_MAX_S).contains(&period_s) && period_s.fract() == 0.0;
                let runs = running.as_ref().is_none_or(|Running { from, .. }| from.is_finite());
                whole
                    && row_s > 0.0
                    && row_s <= period_s
                    && gap_s >= period_s
                    && gap_s.is_finite()
                    && min_rows > 0
                    && runs
            }
        }
    }
}

/// A week.
const PERIOD_MAX_S: f64 = 7.0 * 86_400.0;

fn first_that_fails(checks: &[(bool, &'static str)]) -> Result<(), &'static str> {
    let failed = checks.iter().find(|(good, _)| !good);
    failed.map_or(Ok(()), |(_, what)| Err(what))
}

impl Autoencoder {
    fn check(&self) -> Result<(), &'static str> {
        first_that_fails(&[
            (
                (2..=1024).contains(&self.window),
                "autoencoder.window must be 2 to 1024",
            ),
            (self.stride == 1, "autoencoder.stride must be 1"),
            (self.clip > 0.0, "autoencoder.clip must be above 0"),
            (self.threshold > 0.0, "autoencoder.threshold must be above 0"),
        ])
    }
}

impl Probability {
    fn check(&self) -> Result<(), String> {
        let checks = [
            (self.slope >= 0.0, "probability.slope must not be negative"),
            (
                (0.0..=1.0).contains(&self.ceiling),
                "probability.ceiling must be 0 to 1",
            ),
        ];
        first_that_fails(&checks).map_err(str::to_owned)
    }
}

impl Feature {
    /// A feature that bears a channel's name has the channel's words.
    fn check_words(&self, profile: &ApplianceProfile) -> Result<(), String> {
        match &self.words {
            Some(words) => check_name(words).map_err(|why| format!("feature {}: words: {why}", self.name)),
            None if profile.position(&self.name).is_some() => Ok(()),
            None => Err(format!(
                "feature {} needs words, since the profile has no channel of its name",
                self.name
            )),
        }
    }
}

impl FaultClass {
    fn check_words(&self) -> Result<(), String> {
        check_name(&self.words).map_err(|why| format!("class {}: words: {why}", self.name))?;
        check_sentence(&self.spoken).map_err(|why| format!("class {}: spoken: {why}", self.name))
    }
}
