//! What a manifest must keep to.

use hub_core::profile::{ApplianceProfile, check_name, check_sentence};
use hub_core::release::EvidenceKind;

use super::{FaultClass, Feature, Manifest, Resampling};

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
        if self.features.is_empty() || self.features.len() > 64 {
            return refuse("needs 1 to 64 features".into());
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
            if !(feature.floor > 0.0 && feature.floor.is_finite()) {
                return refuse(format!("feature {}: floor must be above 0", feature.name));
            }
        }
        if let Resampling::Cycle { phase_channel, .. } = &self.resampling
            && profile.position(phase_channel).is_none()
        {
            return refuse(format!("profile has no phase channel {phase_channel}"));
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
            .or_else(refuse)
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
                (2..=1024).contains(&self.autoencoder.window),
                "autoencoder.window must be 2 to 1024",
            ),
            (self.autoencoder.stride == 1, "autoencoder.stride must be 1"),
            (self.autoencoder.clip > 0.0, "autoencoder.clip must be above 0"),
            (
                self.autoencoder.threshold > 0.0,
                "autoencoder.threshold must be above 0",
            ),
            (
                (1..=600).contains(&self.persistence.hold),
                "persistence.hold must be 1 to 600",
            ),
            (
                (2..=300).contains(&self.persistence.evidence_points),
                "persistence.evidence_points must be 2 to 300",
            ),
            (self.probability.slope >= 0.0, "probability.slope must not be negative"),
            (
                (0.0..=1.0).contains(&self.probability.ceiling),
                "probability.ceiling must be 0 to 1",
            ),
            (
                self.period_is_sane(),
                "resampling: times must be above 0, gap_s a period or more, hold_gap_s at most 600 periods",
            ),
        ];
        checks
            .iter()
            .find(|(good, _)| !good)
            .map_or(Ok(()), |(_, what)| Err(what))
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
        }
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
