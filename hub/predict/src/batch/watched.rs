//! One appliance among many: its detector, and what was told of it. Between two rounds it is kept as small as it can be: a fleet is
//! hundreds of thousands of them, and each is looked at for some microseconds a minute.

use std::sync::Arc;

use hub_core::prediction::FaultPrediction;
use hub_core::situation::Observation;
use hub_core::watching::{WatchState, Watching};

use super::{Judged, RowRef};
use crate::detector::{Detector, Pending, Standing};
use crate::model::Model;
use crate::network::Reconstruction;
use crate::verdict::Verdict;

/// An alarm is told again where its score has grown by so much, though the model is no surer: a fleet may have a level above.
pub(crate) const GROWN: f32 = 1.05;

/// An appliance in the table of all.
pub(super) enum Kept {
    /// As it is worked with.
    Awake(Box<Watched>),
    /// As its checkpoint. Only a quiet one, of which all that was told follows from its state: one that no network judges, since a window
    /// and its evidence are too large to be written for each row, and that is watched, since the steps of a calibration are, too. Its state
    /// has to read back under its model.
    Asleep {
        model: Arc<Model>,
        state: Box<[u8]>,
        watch: Option<WatchState>,
    },
}

/// One appliance being watched.
pub(super) struct Watched {
    pub(super) model: Arc<Model>,
    pub(super) detector: Detector,
    /// What was told last: an alarm, or the end of one.
    alarming: bool,
    told: Option<Told>,
    /// What was told last of whether it is watched.
    pub(super) standing: Option<Standing>,
}

/// What was told of an alarm.
struct Told {
    class: String,
    probability: f32,
    score: f32,
}

impl Kept {
    pub(super) fn model(&self) -> &Model {
        match self {
            Self::Awake(watched) => &watched.model,
            Self::Asleep { model, .. } => model,
        }
    }

    pub(super) fn rests(&self) -> bool {
        matches!(self, Self::Asleep { .. })
    }

    /// None while nothing was told of it yet.
    pub(super) fn watch_state(&self) -> Option<WatchState> {
        match self {
            Self::Awake(watched) => watched.detector.watch_state().map(|standing| standing.state),
            Self::Asleep { watch, .. } => *watch,
        }
    }

    pub(super) fn watching(&self) -> Watching {
        match self {
            Self::Awake(watched) => watched.detector.watching(&watched.model),
            Self::Asleep { model, state, .. } => read_back(model, state).watching(model),
        }
    }

    pub(super) fn checkpoint(&self) -> Vec<u8> {
        match self {
            Self::Awake(watched) => watched.detector.checkpoint(),
            Self::Asleep { state, .. } => state.to_vec(),
        }
    }

    /// The appliance as it is worked with.
    pub(super) fn wake(&mut self) -> &mut Watched {
        if let Self::Asleep { model, state, .. } = self {
            let detector = read_back(model, state);
            *self = Self::Awake(Box::new(Watched::new(model.clone(), detector)));
        }
        match self {
            Self::Awake(watched) => watched,
            Self::Asleep { .. } => unreachable!("it was awakened above"),
        }
    }

    /// Makes it small, if it may be; called when every prepared step is concluded.
    pub(super) fn rest(&mut self) {
        if let Self::Awake(watched) = self
            && watched.follows_from_its_state()
        {
            *self = Self::Asleep {
                watch: watched.standing.map(|standing| standing.state),
                state: watched.detector.checkpoint().into_boxed_slice(),
                model: watched.model.clone(),
            };
        }
    }
}

/// What this program has written a moment ago, under the same model.
fn read_back(model: &Model, state: &[u8]) -> Detector {
    Detector::restore(model, state).expect("a state reads back under the model that wrote it")
}

impl Watched {
    pub(super) fn new(model: Arc<Model>, detector: Detector) -> Self {
        let told = detector.standing(&model);
        let told = told.map(|(class, probability)| Told {
            class: class.to_owned(),
            probability,
            score: detector.told_score(),
        });
        Self {
            alarming: detector.alarming(),
            told,
            standing: detector.watch_state(),
            detector,
            model,
        }
    }

    /// Whether [`Self::new`] makes the same of its detector, which is small.
    fn follows_from_its_state(&self) -> bool {
        !self.model.has_network()
            && !self.alarming
            && self.told.is_none()
            && !self.detector.alarming()
            && self.detector.watch_state() == self.standing
            && self.standing.is_some_and(|told| told.state == WatchState::Watched)
            && self.detector.is_of(&self.model)
    }

    pub(super) fn judge(&mut self, row: RowRef, pending: Pending, made: Option<Reconstruction>, again: bool) -> Judged {
        let verdict = self.detector.conclude(&self.model, pending, made);
        let mut news = Vec::new();
        if !again {
            news.extend(self.news(&row, &verdict));
            news.extend(verdict.apart.iter().map(|prediction| self.told_of(&row, prediction)));
        }
        Judged { row, verdict, news }
    }

    fn told_of(&self, row: &RowRef, prediction: &FaultPrediction) -> Observation {
        Observation::Alarm {
            appliance: row.appliance,
            prediction: Box::new(prediction.clone()),
            evidence: self.detector.evidence(&self.model, prediction),
            trace: row.trace,
        }
    }

    fn news(&mut self, row: &RowRef, verdict: &Verdict) -> Option<Observation> {
        let appliance = row.appliance;
        let ended = self.alarming && !verdict.alarm;
        self.alarming = verdict.alarm;
        if ended {
            self.told = None;
            self.detector.note_told(None);
            return Some(Observation::Clear { appliance });
        }
        let prediction = verdict.prediction.as_ref()?;
        let is_news = match &self.told {
            None => true,
            Some(told) => {
                told.class != prediction.fault_class
                    || prediction.probability > told.probability
                    || prediction.score >= GROWN * told.score
            }
        };
        if !is_news {
            return None;
        }
        self.told = Some(Told {
            class: prediction.fault_class.clone(),
            probability: prediction.probability,
            score: prediction.score,
        });
        self.detector.note_told(Some(prediction.score));
        Some(self.told_of(row, prediction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Detectors, Manner, WINDOWS_MAX, dequantise};
    use crate::table::{Row, stored};
    use hub_core::id::{ApplianceId, TraceId};
    use jiff::{SignedDuration, Timestamp};
    use std::path::Path;

    fn verdict(calibrating: bool) -> Verdict {
        Verdict {
            at: Timestamp::UNIX_EPOCH,
            calibrating,
            judged: !calibrating,
            score: 0.0,
            held: 0.0,
            baseline_score: 0.0,
            autoencoder_score: 0.0,
            alarm: false,
            prediction: None,
            apart: vec![],
            contributions: vec![],
            values: vec![],
            suspect: vec![],
        }
    }

    /// Figures that had never come begin to, and more of them are learned than compared: nobody would tell the end later.
    #[test]
    fn an_alarm_whose_detector_learns_again_ends() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/evaluation/pump-rig-1");
        let model = Arc::new(Model::load(&folder).unwrap());
        let row = RowRef {
            place: (0, 1),
            appliance: ApplianceId(1),
            trace: TraceId::new(Timestamp::UNIX_EPOCH, [0; 10]),
        };
        let appliance = row.appliance;
        for calibrating in [false, true] {
            let mut watched = Watched {
                detector: Detector::new(&model),
                model: model.clone(),
                alarming: true,
                told: Some(Told {
                    class: "flow_loss".to_owned(),
                    probability: 0.3,
                    score: 1.2,
                }),
                standing: None,
            };
            let told = watched.news(&row, &verdict(calibrating));
            assert_eq!(told, Some(Observation::Clear { appliance }));
            assert!(watched.told.is_none() && !watched.alarming);
            assert_eq!(watched.news(&row, &verdict(calibrating)), None, "once");
        }
    }

    /// Seconds of a pump: more than the 40 steps of five seconds in which version 2 learns what is normal. Its flow falls for a while.
    fn seconds(count: u32) -> Vec<Row> {
        let row = |second: u32| {
            let flow = if (250..400).contains(&second) { 0.94 } else { 1.0 };
            let values = [0.21, 0.27, 2.0, 0.2, 90.0, 26.0, 230.0, 125.0 * flow];
            Row {
                at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second.into()),
                values: values
                    .map(|value| Some(value * (1.0 + 0.001 * f64::from(second % 7))))
                    .to_vec(),
            }
        };
        (0..count).map(row).collect()
    }

    /// What is told of a pump that is given its rows in rounds of so many, and after each round whether it rests. It says and holds what
    /// a twin does that is given one row after the other and never rests.
    fn beside_a_twin(folder: &str, count: u32, round: usize) -> (Vec<Observation>, Vec<bool>) {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
        let model = Arc::new(Model::load(&models.join(folder)).unwrap());
        let manner = Manner {
            again: false,
            windows: WINDOWS_MAX,
            progress: &(),
        };
        let unit = ApplianceId(1);
        let mut twin = Watched::new(model.clone(), Detector::new(&model));
        let mut detectors = Detectors::default();
        detectors.insert(unit, model.clone(), Detector::new(&model));
        let (mut told, mut rests) = (Vec::new(), Vec::new());
        for rows in stored(unit, model.profile(), 1, &seconds(count)).chunks(round) {
            let mut own = Vec::new();
            for row in rows {
                let taken = twin
                    .detector
                    .take(&model, &dequantise(row, model.profile()), row.received_at);
                for pending in taken.steps {
                    let window = pending.window();
                    let made = window.and_then(|window| model.reconstruct(&[window]).unwrap().pop());
                    own.push(twin.judge(RowRef::of(row), pending, made, false));
                }
            }
            let batch = detectors.score(rows.to_vec(), &manner);
            assert_eq!(batch.judged, own);
            assert_eq!(detectors.checkpoint(unit), Some(twin.detector.checkpoint()));
            assert_eq!(detectors.watching(unit), Some(twin.detector.watching(&model)));
            told.extend(own.into_iter().flat_map(|judged| judged.news));
            rests.push(detectors.rests(unit));
        }
        (told, rests)
    }

    #[test]
    fn a_quiet_appliance_that_no_network_judges_rests_and_wakes_as_it_was() {
        for round in [1, 7, 60] {
            let (told, mut rests) = beside_a_twin("pump-rig", 700, round);
            let is_alarm = |told: &Observation| matches!(told, Observation::Alarm { .. });
            assert!(is_alarm(&told[0]) && !is_alarm(&told[told.len() - 1]), "{told:?}");
            // It learns what is normal, is quiet, an alarm stands, and it is quiet again.
            rests.dedup();
            assert_eq!(rests, [false, true, false, true], "rounds of {round}");
        }
        let (_, judged_by_a_network) = beside_a_twin("evaluation/pump-rig-1", 400, 60);
        assert!(judged_by_a_network.iter().all(|rests| !rests));
    }

    #[test]
    fn a_detector_of_another_model_stays_awake() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
        let pump = Arc::new(Model::load(&models.join("pump-rig")).unwrap());
        let generic = Model::generic(&models.join("profiles/pump-rig.toml"), pump.profile().clone()).unwrap();
        let mut detector = Detector::new(&pump);
        for row in seconds(240) {
            for pending in detector.prepare(&pump, &row) {
                detector.conclude(&pump, pending, None);
            }
        }
        let unit = ApplianceId(1);
        for (model, rests) in [(pump, true), (Arc::new(generic), false)] {
            let mut detectors = Detectors::default();
            detectors.insert(unit, model, detector.clone());
            assert_eq!(detectors.rests(unit), rests);
            assert_eq!(detectors.checkpoint(unit), Some(detector.checkpoint()));
            assert!(
                detectors.watching(unit).is_some(),
                "it is not read back under the other"
            );
        }
    }
}
