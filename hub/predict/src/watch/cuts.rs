//! However readings are cut into messages and rounds, and wherever a scorer is killed or its detectors make room: what it tells is
//! what one tells of whole messages that never was.

use std::sync::LazyLock;

use hub_core::id::TraceId;
use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;

use super::fake::{Fake, PARTITION, pumps, registry, row, untrained};
use super::*;

const CHANNELS: usize = 8;
const MANY: usize = 1_000;

/// What is cut, and what is told of it whole.
struct Case {
    registry: Arc<Registry>,
    rows: Vec<StoredRow>,
    /// By a scorer to which nothing happens.
    told: Vec<Observation>,
}

/// Two pumps of which one loses its flow and has it back, under a model with a network.
static TRAINED: LazyLock<Case> = LazyLock::new(|| {
    let registry = registry();
    let mut rows = pumps(&registry, 1..=3, 520);
    rows.retain(|row| row.appliance != ApplianceId(2));
    Case::new(registry, rows)
});

/// The same within months, under family `generic`.
static UNTRAINED: LazyLock<Case> = LazyLock::new(|| {
    let registry = untrained();
    let rows = days(&registry);
    Case::new(registry, rows)
});

impl Case {
    fn new(registry: Arc<Registry>, rows: Vec<StoredRow>) -> Self {
        let rows = numbered(rows);
        let mut through = Fake::new(rows.clone());
        let mut watch = through.start(&registry, MANY);
        through.run(&mut watch, 100, Instant::now());
        Self {
            registry,
            rows,
            told: through.told,
        }
    }

    /// Each row as messages: row by row, by which each channel is in.
    fn cut(&self, message_of: &[Vec<usize>]) -> Vec<StoredRow> {
        let messages = |(row, message_of): (&StoredRow, &Vec<usize>)| -> Vec<StoredRow> {
            let message = |message: usize| {
                let own = row.values.iter().zip(message_of);
                let values = own.map(|(value, of)| value.filter(|_| *of == message)).collect();
                StoredRow { values, ..row.clone() }
            };
            (0..CHANNELS).map(message).filter(is_reading).collect()
        };
        let rows = self.rows.iter().zip(message_of.iter().cycle());
        numbered(rows.flat_map(messages).collect())
    }

    /// Scores what is cut, in such rounds. Each life ends after some rounds, the last of which is saved or not; but for the last life.
    fn check(&self, message_of: &[Vec<usize>], rounds: &[i64], lives: &[(usize, bool)], room: usize) {
        let mut now = Instant::now();
        let mut rounds = rounds.iter().copied().cycle();
        let mut store = Fake::new(self.cut(message_of));
        for life in lives.iter().copied().map(Some).chain([None]) {
            let mut watch = store.start(&self.registry, room);
            for round in 1.. {
                now += Duration::from_millis(400);
                let Some((commit, _)) = store.round(&mut watch, rounds.next().unwrap_or(1), now) else {
                    break;
                };
                let is_last = life.is_some_and(|(last, _)| round == last);
                if !is_last || life.is_some_and(|(_, is_saved)| is_saved) {
                    store.commit(commit);
                }
                if is_last {
                    break;
                }
            }
        }
        assert_eq!(store.told, self.told);
        assert_eq!(store.offset.ingest_no, store.rows.len() as i64);
    }
}

/// 140 days of two pumps, two rows a day; the flow of the first falls from day 60 to day 80.
fn days(registry: &Registry) -> Vec<StoredRow> {
    let model = registry.of(None, "pump-rig").unwrap();
    let profile = Arc::new(model.profile().clone());
    let start = Timestamp::from_second(1_700_000_000).unwrap();
    let mut rows = Vec::new();
    for half in 0..280_i64 {
        for pump in [1, 3] {
            let noise = |k: i64| ((half * 7_919 + pump * 31_337 + k * 104_729) % 1_009) as f64 / 1_009.0 - 0.5;
            let is_lost = pump == 1 && (120..160).contains(&half);
            let flow = if is_lost { 115.0 } else { 125.0 };
            let values = [
                0.21 + 0.004 * noise(1),
                0.27 + 0.004 * noise(2),
                2.0 + 0.05 * noise(3),
                0.2 + 0.05 * noise(4),
                90.0 + 0.5 * noise(5),
                26.0 + 0.5 * noise(6),
                230.0 + 2.0 * noise(7),
                flow + 0.5 * noise(8),
            ];
            let at = start + SignedDuration::from_hours(12 * half);
            let stored = profile.channels.iter().zip(values);
            rows.push(StoredRow {
                at,
                received_at: at,
                profile: profile.clone(),
                values: stored.map(|(channel, value)| channel.quantise(value)).collect(),
                trace: TraceId::new(at, [1; 10]),
                ..row(pump, PARTITION, 0)
            });
        }
    }
    rows
}

fn numbered(mut rows: Vec<StoredRow>) -> Vec<StoredRow> {
    for (number, row) in (1..).zip(&mut rows) {
        row.ingest_no = number;
    }
    rows
}

#[test]
fn what_is_cut_holds_a_fault_that_ends() {
    let is_alarm = |seen: &Observation| matches!(seen, Observation::Alarm { .. });
    for case in [&*TRAINED, &*UNTRAINED] {
        let told = &case.told;
        assert!(is_alarm(&told[0]) && !is_alarm(&told[told.len() - 1]), "{}", told.len());
    }
}

/// What is frozen with an alarm ends with the step that it is told with, however many were prepared by then.
#[test]
fn evidence_holds_nothing_that_came_behind_the_alarm() {
    let case = &*UNTRAINED;
    let mut store = Fake::new(case.rows.clone());
    let mut watch = store.start(&case.registry, MANY);
    store.run(&mut watch, i64::MAX / 2, Instant::now());
    assert_eq!(store.told, case.told);
    for told in &store.told {
        if let Observation::Alarm {
            prediction, evidence, ..
        } = told
        {
            assert_eq!(evidence.points.last().map(|point| point.at), Some(prediction.at));
        }
    }
}

/// Or the room that all may take would be passed where alarms stand: one in alarm is not written into its checkpoint and back each round.
#[test]
fn an_appliance_in_alarm_counts_as_one_that_does_not_rest() {
    let case = &*UNTRAINED;
    let (now, pump) = (Instant::now(), ApplianceId(1));
    let mut store = Fake::new(case.rows.clone());
    let mut watch = store.start(&case.registry, MANY);
    let (mut stands, mut counted) = (false, BTreeSet::new());
    while let Some((commit, _)) = store.round(&mut watch, 1, now) {
        for told in commit.observations.iter().filter(|told| told.appliance() == pump) {
            stands = matches!(told, Observation::Alarm { .. });
        }
        store.commit(commit);
        let unit = &watch.units[&pump];
        if unit.state == WatchState::Watched {
            assert_eq!(watch.detectors.rests(pump), !stands);
            counted.insert((stands, unit.bytes));
        }
        let all: usize = watch.units.values().map(|unit| unit.bytes).sum();
        assert_eq!(watch.bytes, all);
    }
    let counted: Vec<(bool, usize)> = counted.into_iter().collect();
    assert!(
        matches!(counted[..], [(false, rests), (true, stands)] if 2 * rests < stands),
        "{counted:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_cut_and_no_kill_changes_what_is_told(
        message_of in vec(vec(0..CHANNELS, CHANNELS), 1..6),
        rounds in vec(1_i64..400, 1..6),
        lives in vec((1_usize..10, any::<bool>()), 0..6),
        room in 1_usize..3,
    ) {
        TRAINED.check(&message_of, &rounds, &lives, room);
    }

    #[test]
    fn nor_of_what_has_no_network(
        message_of in vec(vec(0..CHANNELS, CHANNELS), 1..6),
        rounds in vec(1_i64..400, 1..6),
        lives in vec((1_usize..10, any::<bool>()), 0..6),
        room in 1_usize..3,
    ) {
        UNTRAINED.check(&message_of, &rounds, &lives, room);
    }
}
