//! A detector as bytes: one byte for the form, then its state in postcard's form. The forms before are read as well.

mod before;

use super::{Detector, Resampler, Stage};
use crate::manifest::Resampling;
use crate::model::Model;

/// First byte of a checkpoint. Another kind of stage, behind those that there were, changes no byte of theirs and no form.
const VERSION: u8 = 5;

/// Bytes of most states without a network: written in one go.
const USUAL_BYTES: usize = 1 << 10;

/// Why a checkpoint cannot be continued. The caller starts a new detector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Written under another model or version.
    #[error("checkpoint of model {written}, now {wanted}")]
    OtherModel {
        /// The checkpoint's model.
        written: String,
        /// The model asked for.
        wanted: String,
        /// An alarm stood.
        alarming: bool,
    },
    /// Not a checkpoint of this program's version.
    #[error("checkpoint is damaged or of another program version")]
    Damaged,
}

impl Detector {
    /// Continues from a checkpoint: the same verdicts follow as if there had been no interruption.
    ///
    /// # Errors
    /// The checkpoint belongs to another model, or cannot be read.
    pub fn restore(model: &Model, checkpoint: &[u8]) -> Result<Detector, CheckpointError> {
        let manifest = model.manifest();
        let detector: Detector = match checkpoint.split_first() {
            Some((&VERSION, body)) => postcard::from_bytes(body).map_err(|_| unreadable(body, model.state()))?,
            Some((&before::FOURTH, body)) => before::read_fourth(body).ok_or(CheckpointError::Damaged)?,
            Some((&before::THIRD, body)) => before::read_third(body).ok_or(CheckpointError::Damaged)?,
            Some((&before::SECOND, body)) => before::read_second(body).ok_or(CheckpointError::Damaged)?,
            Some((&before::FIRST, body)) => before::read_first(body, manifest).ok_or(CheckpointError::Damaged)?,
            _ => return Err(CheckpointError::Damaged),
        };
        let wanted = model.state();
        if detector.model != wanted {
            return Err(CheckpointError::OtherModel {
                alarming: detector.alarming(),
                written: detector.model,
                wanted: wanted.to_owned(),
            });
        }
        if detector.fits(model) {
            Ok(detector)
        } else {
            Err(CheckpointError::Damaged)
        }
    }

    /// Whether its checkpoint reads back under this model.
    pub(crate) fn is_of(&self, model: &Model) -> bool {
        self.model == model.state() && self.fits(model)
    }

    fn fits(&self, model: &Model) -> bool {
        let (manifest, kit) = (model.manifest(), model.rules().kit);
        let n = manifest.features.len();
        let rule = matches!(
            (&self.resampler, &manifest.resampling),
            (Resampler::Period(_), Resampling::Period { .. })
                | (Resampler::Cycle(_), Resampling::Cycle { .. })
                | (Resampler::Mean(_), Resampling::Mean { .. })
        );
        let whole = match (&self.stage, kit, &manifest.autoencoder) {
            (Stage::Generic(own), Some(kit), _) => {
                return rule && kit.named.is_none() && own.fits(n) && self.opinion.fits(manifest);
            }
            (Stage::Named(own), Some(kit), _) => return rule && own.fits(kit),
            (Stage::Calibrating(_) | Stage::Watching(_), None, Some(autoencoder)) => autoencoder.window * n,
            (Stage::Generic(_) | Stage::Named(_) | Stage::Calibrating(_) | Stage::Watching(_), _, _) => return false,
        };
        let window = self.window.len() <= whole && self.window.len().is_multiple_of(n);
        rule && window && self.span.scaled.len() == n && self.sensors.last().len() == n && self.recent.fits(n)
    }

    /// The whole state. To be taken when every prepared step is concluded; at most 8 kB for a model of 8 features, a window
    /// of 32 steps and 240 points of evidence, 1 kB for one of 8 features without a network that has been calibrated, and 3 kB where
    /// it names faults by 14 figures. A network that gives a second opinion takes a byte for each feature and step that its window reaches
    /// back over, 64 steps at most.
    pub fn checkpoint(&self) -> Vec<u8> {
        // Writing to memory fails only for types that postcard has no form for, and the tests write every type.
        let mut written = Vec::with_capacity(USUAL_BYTES);
        written.push(VERSION);
        postcard::to_extend(self, written).expect("every type of the state has a postcard form")
    }
}

/// Why a state cannot be read, which begins with the id that it is of. Of another id its form may be another one too; whether an alarm stood
/// is not known then, and the end of one that did not says nothing.
fn unreadable(body: &[u8], wanted: &str) -> CheckpointError {
    match postcard::take_from_bytes::<&str>(body) {
        Ok((written, _)) if written != wanted => CheckpointError::OtherModel {
            written: written.to_owned(),
            wanted: wanted.to_owned(),
            alarming: true,
        },
        _ => CheckpointError::Damaged,
    }
}
