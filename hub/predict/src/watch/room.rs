//! What an appliance takes of memory, by its kind of detector: how many there is room for follows from that.

use hub_core::watching::WatchState;

use crate::model::Model;

/// Bytes of appliances in memory. Beyond it those that were used longest ago are saved and read back when needed.
pub(super) const BYTES_MAX: usize = 1 << 30;
/// A calibrated detector with its place here takes about 10 kB by what its parts hold: 8 features, a window of 32 steps and
/// 240 points of evidence.
pub(super) const DETECTOR_BYTES: usize = 10 << 10;
/// One that no network judges, while it does not rest: it has no window, and its evidence in bytes.
const AWAKE_BYTES: usize = 7 << 9;
/// The same while it rests, as it does between two rounds where it is watched and quiet: `make bench-predict` saw some 1 kB of resident
/// memory each with the table of detectors, and the places here take some hundred bytes more.
const RESTING_BYTES: usize = 5 << 8;
/// One that names faults: figures of the run under way, and evidence of them besides.
const NAMED_BYTES: usize = 6 << 10;
/// Of a step and feature that such a one calibrates with.
const STEP_BYTES: usize = 4;
/// An appliance that no model watches has a place and no detector.
const PLACE_BYTES: usize = 256;

/// What an appliance in this state takes under this model; less where it rests, which one does not of which an alarm stands.
pub(super) fn bytes_of(model: Option<&Model>, state: WatchState, rests: bool) -> usize {
    let Some(model) = model else {
        return PLACE_BYTES;
    };
    if model.has_network() {
        return DETECTOR_BYTES;
    }
    let manifest = model.manifest();
    let steps = match state {
        WatchState::Watched => 0,
        _ => usize::try_from(manifest.baseline.calibration).unwrap_or(usize::MAX),
    };
    let learned = steps.saturating_mul(manifest.features.len() * STEP_BYTES);
    let own = match (model.names_faults(), rests) {
        (true, _) => NAMED_BYTES,
        (false, true) => RESTING_BYTES,
        (false, false) => AWAKE_BYTES,
    };
    own.saturating_add(learned).saturating_add(manifest.kept_for_opinion())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::load_family;
    use std::path::Path;

    #[test]
    fn one_without_a_network_takes_about_an_eighth_of_one_with_a_network() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
        let pump = Model::load(&models.join("evaluation/pump-rig-1")).unwrap();
        let file = models.join("profiles/fridge.toml");
        let fridge = Model::generic(&file, load_family(&file).unwrap().profile).unwrap();
        let watched = bytes_of(Some(&fridge), WatchState::Watched, true);
        let network = bytes_of(Some(&pump), WatchState::Watched, false);
        assert!(
            (7 * watched..=9 * watched).contains(&network),
            "{watched} and {network}"
        );
        // 40 steps of six features, while they are collected.
        let calibrating = bytes_of(Some(&fridge), WatchState::Calibrating, false);
        assert_eq!(calibrating, AWAKE_BYTES + 40 * 6 * STEP_BYTES);
        assert!(bytes_of(None, WatchState::NoModel, false) < watched);
    }
}
