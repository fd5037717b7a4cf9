//! What a detector takes for normal, as people are told of it: a view of its state in each stage, which changes nothing.

use hub_core::normal::{Counted, LearnedNormal, LeftOut, Normal, NormalFeature, NormalStage};
use hub_core::watching::WatchState;
use jiff::Timestamp;

use super::{Detector, Stage, named};
use crate::baseline;
use crate::generic::{ChannelBaseline, Speed};
use crate::manifest::{Feature, Kit, Manifest, Resampling, Transform};
use crate::model::{Model, Rules};

impl Detector {
    /// What is normal for this appliance, of a state that was saved at `as_of` under this model. At most 64 features, and as many figures
    /// of named faults.
    pub fn normal(&self, model: &Model, as_of: Timestamp) -> LearnedNormal {
        let (rules, manifest) = (model.rules(), model.manifest());
        let (counted, period_s) = match &manifest.resampling {
            Resampling::Period { .. } => (Counted::Readings, None),
            Resampling::Cycle { .. } => (Counted::Runs, None),
            Resampling::Mean { period_s, .. } => (Counted::Periods, Some(*period_s)),
        };
        let (stage, refused_by, features, compared) = match &self.stage {
            Stage::Calibrating(_) => (NormalStage::Calibrating, None, Vec::new(), None),
            Stage::Watching(baseline) => (
                NormalStage::Calibrated,
                None,
                self.features_of_network(baseline, manifest),
                None,
            ),
            Stage::Generic(own) => {
                let unsteady = own.unsteady();
                let stage = match unsteady {
                    Some((_, true)) => NormalStage::CannotCalibrate,
                    _ if own.is_calibrating() => NormalStage::Calibrating,
                    _ => NormalStage::Calibrated,
                };
                (
                    stage,
                    unsteady.and_then(|(feature, _)| name_of(manifest, feature)),
                    match (stage, rules.kit) {
                        (NormalStage::Calibrated, Some(kit)) => {
                            self.features_of(&own.normals(kit), |i| own.is_stuck(i, manifest), kit, rules)
                        }
                        (NormalStage::Calibrated | NormalStage::Calibrating | NormalStage::CannotCalibrate, _) => {
                            Vec::new()
                        }
                    },
                    own.compared().map(u32::from),
                )
            }
            Stage::Named(own) => match (own.calibration(), rules.kit) {
                (None, Some(kit)) => {
                    let is_stuck = |i| own.is_stuck(i, manifest);
                    let mut features = self.features_of(&own.normals(kit), is_stuck, kit, rules);
                    features.extend(figures(own, kit));
                    (NormalStage::Calibrated, None, features, None)
                }
                (Some(_), _) | (None, None) => (NormalStage::Calibrating, None, Vec::new(), None),
            },
        };
        let standing = self.watching(model);
        let is_watched = stage == NormalStage::Calibrated && standing.state == WatchState::Watched;
        LearnedNormal {
            as_of,
            model: model.version().to_owned(),
            stage,
            counted,
            period_s,
            calibrated: standing.calibrated,
            calibration: standing.calibration,
            compared,
            watched_since: standing.since.filter(|_| is_watched),
            refused_by,
            features,
        }
    }

    fn features_of_network(&self, baseline: &baseline::Baseline, manifest: &Manifest) -> Vec<NormalFeature> {
        let told = |(i, feature): (usize, &Feature)| {
            let is_known = baseline.known.get(i).copied().unwrap_or(false);
            let normal = if is_known { network(baseline, i, feature) } else { None };
            NormalFeature {
                name: feature.name.clone(),
                unit: feature.unit.clone(),
                left_out: match normal {
                    None => Some(LeftOut::NotCalibrated),
                    Some(_) => self.sensors.left_out(i, feature),
                },
                normal,
            }
        };
        manifest.features.iter().enumerate().map(told).collect()
    }

    fn features_of(
        &self,
        normals: &[ChannelBaseline],
        is_stuck: impl Fn(usize) -> bool,
        kit: &Kit,
        rules: Rules<'_>,
    ) -> Vec<NormalFeature> {
        let need = rules.need();
        let told = |(i, feature): (usize, &Feature)| {
            let known = normals.iter().find(|normal| normal.channel == i);
            let is_silent = || {
                let position = rules.profile.position(&feature.channel);
                position.is_some_and(|position| self.intake.gather.misses(position, &need))
            };
            let left_out = match known {
                None if kit.settings.conditions.iter().any(|condition| condition.by == i) => Some(LeftOut::Condition),
                None => Some(LeftOut::NotCalibrated),
                Some(normal) if !normal.silent => None,
                // A sensor that has fallen silent repeats nothing.
                Some(_) if is_stuck(i) && !is_silent() => Some(LeftOut::Stuck),
                Some(_) => Some(LeftOut::Silent),
            };
            NormalFeature {
                name: feature.name.clone(),
                unit: feature.unit.clone(),
                left_out,
                normal: known.map(generic).filter(Normal::is_finite),
            }
        };
        rules.manifest.features.iter().enumerate().map(told).collect()
    }
}

/// Figures that named faults are told by, behind the features: how far each is by its quick average, in what is usual of a healthy fleet.
fn figures(own: &named::Own, kit: &Kit) -> Vec<NormalFeature> {
    let Some((named, rule)) = kit.named.as_ref().zip(kit.rule()) else {
        return Vec::new();
    };
    let (signs, faults) = (own.signs(), rule.faults);
    let all = named.channels.iter().zip(&named.shown).enumerate();
    let told = all.map(|(i, (channel, shown))| {
        let usual = faults.metrics.of(Speed::Quick).usual(i);
        let apart = faults.apart(signs, i, Speed::Quick);
        let normal = signs.normal(i).zip(apart).map(|(normal, (apart, _))| Normal {
            now: shown.plain(normal, usual).0,
            first: None,
            average: shown.plain(normal + apart, usual).0,
            by_ratio: shown.is_logarithm,
            floor: usual,
            harmless: usual,
            deviation: apart / usual,
            deviation_from_first: None,
        });
        NormalFeature {
            name: channel.name.clone(),
            unit: shown.unit.clone(),
            left_out: match (signs.normal(i), apart) {
                _ if faults.conditions.iter().any(|condition| condition.by == i) => Some(LeftOut::Condition),
                (None, _) => Some(LeftOut::NotCalibrated),
                (Some(_), None) => Some(LeftOut::Silent),
                (Some(_), Some(_)) => None,
            },
            normal: normal.filter(Normal::is_finite),
        }
    });
    told.collect()
}

fn name_of(manifest: &Manifest, feature: usize) -> Option<String> {
    Some(manifest.features.get(feature)?.name.clone())
}

/// Of a detector that keeps no first normal. None of a damaged state.
fn network(baseline: &baseline::Baseline, i: usize, feature: &Feature) -> Option<Normal> {
    let (centre, average, scale) = (
        *baseline.centre.get(i)?,
        *baseline.average.get(i)?,
        *baseline.scale.get(i)?,
    );
    let in_unit = |value: f64| feature.transform.undo(value, 0.0).0;
    let normal = Normal {
        now: in_unit(centre),
        first: None,
        average: in_unit(average),
        by_ratio: feature.transform == Transform::Log,
        floor: feature.floor,
        harmless: scale,
        deviation: (average - centre) / scale,
        deviation_from_first: None,
    };
    normal.is_finite().then_some(normal)
}

fn generic(of: &ChannelBaseline) -> Normal {
    Normal {
        now: of.centre,
        first: Some(of.first_centre),
        average: of.average,
        by_ratio: of.by_ratio,
        floor: match of.by_ratio {
            true => of.floor / of.first_centre,
            false => of.floor,
        },
        harmless: of.width,
        deviation: of.deviation,
        deviation_from_first: Some(of.slow_deviation),
    }
}
