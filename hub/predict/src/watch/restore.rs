//! A detector goes on from its checkpoint, or begins where there is none that it can go on from.

use std::sync::Arc;

use hub_core::situation::Observation;
use hub_store::prediction::ScoringSubject;

use super::Watch;
use crate::detector::{CheckpointError, Detector};
use crate::model::Model;

impl Watch {
    /// The row behind which the detector goes on.
    pub(super) fn restore(&mut self, subject: &ScoringSubject, model: &Arc<Model>) -> i64 {
        let own = subject.checkpoints.iter().find(|c| c.model == model.version());
        let detector = match own.map(|c| Detector::restore(model, &c.state)) {
            Some(Ok(detector)) => detector,
            // The model is of other features now, for all of its appliances: a profile has got a channel.
            Some(Err(CheckpointError::OtherModel { alarming, .. })) => {
                if self.begun_again.insert(model.state().to_owned()) {
                    tracing::warn!(
                        model = model.version(),
                        profile = model.profile().name,
                        "features of the model have changed: the baselines of its appliances start again"
                    );
                }
                if alarming {
                    let appliance = subject.appliance;
                    tracing::info!(%appliance, "an alarm ends, since what raised it is not known any more");
                    self.ended.push(Observation::Clear { appliance });
                }
                Detector::new(model)
            }
            Some(Err(error @ CheckpointError::Damaged)) => {
                tracing::warn!(appliance = %subject.appliance, error = &error as &dyn std::error::Error, "checkpoint cannot be read: the baseline starts again");
                Detector::new(model)
            }
            None => Detector::new(model),
        };
        self.detectors.insert(subject.appliance, model.clone(), detector);
        own.map_or(0, |c| c.ingest_no).max(subject.fresh_after)
    }
}
