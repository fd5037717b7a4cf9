//! However readings are cut into messages and rounds, and wherever a scorer is killed or its detectors make room: what it tells is
//! what one tells of whole messages that never was.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;

use super::fake::{Fake, pumps, registry};
use super::*;

const CHANNELS: usize = 8;
const MANY: usize = 1_000;

/// Two pumps of which one loses its flow and has it back.
static ROWS: LazyLock<Vec<StoredRow>> = LazyLock::new(|| {
    let mut rows = pumps(&registry(), 1..=3, 520);
    rows.retain(|row| row.appliance != ApplianceId(2));
    numbered(rows)
});

/// What is told of whole messages by a scorer to which nothing happens.
static TOLD: LazyLock<Vec<Observation>> = LazyLock::new(|| {
    let mut through = Fake::new(ROWS.clone());
    let mut watch = through.start(&registry(), MANY);
    through.run(&mut watch, 100, Instant::now());
    through.told
});

fn numbered(mut rows: Vec<StoredRow>) -> Vec<StoredRow> {
    for (number, row) in (1..).zip(&mut rows) {
        row.ingest_no = number;
    }
    rows
}

/// Each row as messages: row by row, by which each channel is in.
fn cut(message_of: &[Vec<usize>]) -> Vec<StoredRow> {
    let messages = |(row, message_of): (&StoredRow, &Vec<usize>)| -> Vec<StoredRow> {
        let message = |message: usize| {
            let own = row.values.iter().zip(message_of);
            let values = own.map(|(value, of)| value.filter(|_| *of == message)).collect();
            StoredRow { values, ..row.clone() }
        };
        (0..CHANNELS).map(message).filter(is_reading).collect()
    };
    numbered(ROWS.iter().zip(message_of.iter().cycle()).flat_map(messages).collect())
}

#[test]
fn what_is_cut_holds_a_fault_that_ends() {
    let is_alarm = |seen: &Observation| matches!(seen, Observation::Alarm { .. });
    assert!(is_alarm(&TOLD[0]) && !is_alarm(&TOLD[TOLD.len() - 1]), "{}", TOLD.len());
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
        let (registry, mut now) = (registry(), Instant::now());
        let mut rounds = rounds.iter().copied().cycle();
        let mut store = Fake::new(cut(&message_of));
        // Each life ends after some rounds, the last of which is saved or not; but for the last life.
        let lives = lives.into_iter().map(Some).chain([None]);
        for life in lives {
            let mut watch = store.start(&registry, room);
            for round in 1.. {
                now += Duration::from_millis(400);
                let Some((commit, _)) = store.round(&mut watch, rounds.next().unwrap_or(1), now) else { break };
                let is_last = life.is_some_and(|(last, _)| round == last);
                if !is_last || life.is_some_and(|(_, is_saved)| is_saved) {
                    store.commit(commit);
                }
                if is_last {
                    break;
                }
            }
        }
        prop_assert_eq!(&store.told, &*TOLD);
        prop_assert_eq!(store.offset.ingest_no, store.rows.len() as i64);
    }
}
