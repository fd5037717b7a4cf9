use super::super::{fleet, named};
use super::*;
use crate::hard::watch::Watched;
use hub_predict::{Detector, Row, Verdict};
use jiff::Timestamp;
use tests_world::hard::{Effect, Effects, FaultKind, Faults, Fleet};

/// A folder of models with a profile, as a hub has it.
struct Models(tempfile::TempDir, &'static str);

impl Models {
    fn of(name: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("profiles")).unwrap();
        let profile = format!("profiles/{name}.toml");
        std::fs::copy(shipped().join(&profile), directory.path().join(&profile)).unwrap();
        Self(directory, name)
    }

    fn folder(&self) -> std::path::PathBuf {
        self.0.path().join(self.1)
    }
}

fn shipped() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

/// A fleet of which the hub is told nothing besides its readings.
fn untold(seed: u64) -> Fleet {
    Fleet {
        effects: Effects::ALL
            .without(Effect::NewOwner)
            .without(Effect::PartChange)
            .without(Effect::Firmware),
        ..fleet(seed)
    }
}

/// What six machines teach. They give no level of their own, so these are made up.
fn taught(kit: &Kit) -> (Named, Vec<Run>) {
    const DAYS: u32 = 120;
    let of = untold(701);
    let mut lived: Vec<Vec<Run>> = (0..6)
        .map(|number| kit.runs(&of, &mut of.washing_machine(number), f64::from(DAYS)))
        .collect();
    let named = named::learn(kit, (&lived, lived.len()), DAYS, &Settings::of_runs()).unwrap();
    (with_levels(named), lived.swap_remove(0))
}

fn with_levels(mut named: Named) -> Named {
    for signature in &mut named.faults.signatures {
        (signature.ticket_level, signature.call_level) = (5.0, 7.0);
    }
    (named.generic.threshold, named.faults.threshold, named.calls) = (2.5, 1.1, 1.2);
    named.device_months = 1;
    named
}

#[test]
fn the_hubs_detector_says_of_a_machine_what_the_evaluation_says() {
    let (models, kit) = (
        Models::of("washing-machine"),
        Kit::of_washing_machine(&shipped()).unwrap(),
    );
    let (named, usual) = taught(&kit);
    let written = Written {
        kit: &kit,
        named: &named,
        usual: &usual,
        told: &WASHING_MACHINE,
        learned: "six machines",
    };
    written.write(&models.folder()).unwrap();
    let model = Model::load(&models.folder()).unwrap();
    assert_eq!((model.version(), model.names_faults()), ("washing-machine/2", true));
    assert_eq!(
        toml::from_str::<FaultsFile>(&read(&models, "faults.toml")).unwrap(),
        written.faults().unwrap()
    );

    let of = Fleet {
        days: 700,
        faults: Faults::One {
            kind: FaultKind::DrumBearing,
            onset_day: 90.0,
        },
        ..untold(33)
    };
    let mut machine = of.washing_machine(3);
    let until = machine.life().faults().first().unwrap().failure_day;
    let expected = named::watch(&kit.runs(&of, &mut machine, until), &kit, &named);
    assert_alike(&model, kit.rows(&of, of.washing_machine(3), until), &expected, &named);
}

/// A step of a day, in which no programme is read.
#[test]
fn the_hubs_detector_says_of_a_fridge_what_the_evaluation_says() {
    let (models, kit) = (Models::of("fridge"), Kit::of_fridge(&shipped()).unwrap());
    let of = untold(751);
    let mut lived: Vec<Vec<Run>> = (0..6)
        .map(|number| kit.days(&of, &mut of.fridge(number), 120.0))
        .collect();
    let named = with_levels(named::learn(&kit, (&lived, lived.len()), 120, &Settings::default()).unwrap());
    let written = Written {
        kit: &kit,
        named: &named,
        usual: &lived.swap_remove(0),
        told: &FRIDGE,
        learned: "six fridges",
    };
    written.write(&models.folder()).unwrap();
    let model = Model::load(&models.folder()).unwrap();
    assert_eq!((model.version(), model.names_faults()), ("fridge/1", true));
    let of = Fleet {
        faults: Faults::One {
            kind: FaultKind::EvaporatorFan,
            onset_day: 60.0,
        },
        amplitude: 2.0,
        ..untold(33)
    };
    let mut fridge = of.fridge(2);
    let until = fridge.life().faults().first().unwrap().failure_day;
    let expected = named::watch(&kit.days(&of, &mut fridge, until), &kit, &named);
    assert_alike(&model, kit.rows(&of, of.fridge(2), until), &expected, &named);
}

fn assert_alike(model: &Model, rows: impl Iterator<Item = (Row, Timestamp)>, expected: &Watched, named: &Named) {
    let mut detector = Detector::new(model);
    let mut got: Vec<Verdict> = Vec::new();
    for (row, received) in rows {
        for pending in detector.take(model, &row, received).steps {
            got.push(detector.conclude(model, pending, None));
        }
        // A hub that is killed now and then, also within a step.
        if received.as_second() % 7 == 0 {
            detector = Detector::restore(model, &detector.checkpoint()).unwrap();
        }
    }
    got.retain(|verdict| verdict.judged);
    assert_eq!(got.len(), expected.said.len());
    assert!(got.len() > 40, "{}", got.len());
    for (verdict, said) in got.iter().zip(&expected.said) {
        let score = (said.ticket / named.faults.threshold) as f32;
        assert_eq!((verdict.score, verdict.alarm), (score, said.stands), "day {}", said.day);
        if said.rose {
            let signature = named.faults.signatures.get(said.top);
            let class = signature.map_or("unknown_fault", |signature| signature.class.as_str());
            assert_eq!(verdict.prediction.as_ref().unwrap().fault_class, class);
        }
    }
    assert!(
        expected.said.iter().any(|said| said.rose),
        "nothing was found: the test says little"
    );
}

fn read(models: &Models, name: &str) -> String {
    std::fs::read_to_string(models.folder().join(name)).unwrap()
}
