//! However readings are cut into messages, in whatever order those of a second come, wherever a batch ends and a detector goes on
//! from its checkpoint: the verdicts are those of whole messages in one go.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crate::common::{pump_rig, pump_rows};
use hub_core::id::ApplianceId;
use hub_core::watching::{Unjudged, Watching};
use hub_predict::{Detector, Detectors, Manner, Model, Row, Verdict, WINDOWS_MAX, stored};
use hub_store::telemetry::StoredRow;
use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;

const UNIT: ApplianceId = ApplianceId(1);
const CHANNELS: usize = 8;
const CALIBRATE: u32 = 100;

static MODEL: LazyLock<Arc<Model>> = LazyLock::new(|| Arc::new(pump_rig()));
/// 400 seconds of a pump whose flow falls from the 250th on.
static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| pump_rows(&MODEL, 400, 250));

/// What is sent of a second.
#[derive(Debug, Clone)]
struct Second {
    /// Which message each channel is in.
    message_of: Vec<usize>,
    /// How long after the second each message says that it was measured; the earliest of them says the second.
    after_ms: Vec<i64>,
    /// In which order they come.
    order: Vec<usize>,
    /// A channel that has no value.
    lost: Option<usize>,
    what: What,
}

/// What else is with a second.
#[derive(Debug, Clone, Copy)]
enum What {
    Nothing,
    /// None of it came.
    Gone,
    /// It comes once more, in one message.
    Twice,
    /// So does the third before it.
    Older,
    /// A reading from ten minutes ahead of the hub's clock.
    Ahead,
}

fn second() -> impl Strategy<Value = Second> {
    let message_of = prop_oneof![
        1 => Just(vec![0; CHANNELS]),
        2 => Just((0..CHANNELS).collect()),
        2 => vec(0..CHANNELS, CHANNELS),
    ];
    let after_ms = prop_oneof![Just(vec![0; CHANNELS]), vec(0_i64..700, CHANNELS)];
    let order = Just((0..CHANNELS).collect::<Vec<usize>>()).prop_shuffle();
    let lost = prop_oneof![4 => Just(None), 1 => (0..CHANNELS).prop_map(Some)];
    let what = prop_oneof![
        12 => Just(What::Nothing),
        1 => Just(What::Gone),
        1 => Just(What::Twice),
        1 => Just(What::Older),
        1 => Just(What::Ahead),
    ];
    (message_of, after_ms, order, lost, what).prop_map(|(message_of, after_ms, order, lost, what)| Second {
        message_of,
        after_ms,
        order,
        lost,
        what,
    })
}

impl Second {
    /// The messages of this row, in the order in which they come.
    fn messages(&self, row: &Row) -> Vec<Row> {
        let channels_of = |message: usize| (0..CHANNELS).filter(move |channel| self.message_of[*channel] == message);
        let has_any = |message: &usize| channels_of(*message).any(|channel| row.values[channel].is_some());
        let sent: Vec<usize> = self.order.iter().copied().filter(has_any).collect();
        let earliest = sent.iter().map(|message| self.after_ms[*message]).min().unwrap_or(0);
        let message = |message: usize| {
            let mut values = vec![None; CHANNELS];
            channels_of(message).for_each(|channel| values[channel] = row.values[channel]);
            let at = row.at + SignedDuration::from_millis(self.after_ms[message] - earliest);
            Row { at, values }
        };
        sent.into_iter().map(message).collect()
    }
}

/// All that comes, as it is stored: with each second `cut` into messages, or whole.
fn readings(pattern: &[Second], cut: impl Fn(&Second, &Row) -> Vec<Row>) -> Vec<StoredRow> {
    let mut rows: Vec<StoredRow> = Vec::new();
    let mut store = |readings: Vec<Row>, ahead: SignedDuration| {
        for mut row in stored(UNIT, MODEL.profile(), rows.len() as i64 + 1, &readings) {
            row.received_at = row.at - ahead;
            rows.push(row);
        }
    };
    let now = SignedDuration::ZERO;
    for (number, row) in ROWS.iter().enumerate() {
        let second = &pattern[number % pattern.len()];
        let mut row = row.clone();
        // A channel that is never there is another matter: nobody waits for it, so it counts one row later when it comes back.
        if let Some(lost) = second.lost.filter(|_| number.is_multiple_of(2)) {
            row.values[lost] = None;
        }
        if !matches!(second.what, What::Gone) || number.is_multiple_of(3) {
            store(cut(second, &row), now);
        }
        match second.what {
            What::Nothing | What::Gone => {}
            What::Twice => store(vec![row], now),
            What::Older => store(
                number
                    .checked_sub(3)
                    .map(|before| ROWS[before].clone())
                    .into_iter()
                    .collect(),
                now,
            ),
            What::Ahead => {
                let ahead = SignedDuration::from_secs(600);
                store(
                    vec![Row {
                        at: row.at + ahead,
                        ..row
                    }],
                    ahead,
                );
            }
        }
    }
    rows
}

/// Verdicts, and what is told of the unit, of readings in such batches, of which some end with a restart.
fn judged(mut rows: Vec<StoredRow>, batches: &[(usize, bool)]) -> (Vec<Verdict>, Watching, BTreeMap<Unjudged, u32>) {
    let mut detectors = Detectors::default();
    detectors.insert(UNIT, MODEL.clone(), Detector::with_calibration(&MODEL, CALIBRATE));
    let manner = Manner {
        again: false,
        windows: WINDOWS_MAX,
        progress: &(),
    };
    let (mut verdicts, mut unjudged) = (Vec::new(), BTreeMap::new());
    for (count, restarts) in batches.iter().cycle() {
        if rows.is_empty() {
            break;
        }
        let rest = rows.split_off((*count).min(rows.len()));
        let batch = detectors.score(std::mem::replace(&mut rows, rest), &manner);
        assert!(batch.failed.is_empty());
        verdicts.extend(batch.judged.into_iter().map(|step| step.verdict));
        for (_, why) in batch.unjudged {
            *unjudged.entry(why).or_default() += 1;
        }
        if *restarts {
            let state = detectors.checkpoint(UNIT).unwrap();
            detectors.insert(UNIT, MODEL.clone(), Detector::restore(&MODEL, &state).unwrap());
        }
    }
    (verdicts, detectors.watching(UNIT).unwrap(), unjudged)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_cut_into_messages_changes_a_verdict(
        pattern in vec(second(), 1..12),
        batches in vec((1_usize..60, any::<bool>()), 1..6),
    ) {
        let (expected, whole, _) = judged(readings(&pattern, |_, row| vec![row.clone()]), &[(usize::MAX, false)]);
        let (verdicts, parts, unjudged) = judged(readings(&pattern, Second::messages), &batches);
        for (told, wanted) in verdicts.iter().zip(&expected) {
            prop_assert_eq!(told, wanted);
        }
        prop_assert_eq!(verdicts.len(), expected.len());
        prop_assert_eq!(&parts.unjudged, &unjudged);
        // What joins others is counted by message; all else is left out alike, and told of the unit alike.
        let told = |mut watching: Watching| {
            watching.unjudged.remove(&Unjudged::Joined);
            // Event time of a reading: where one row is several, it is one of theirs.
            Watching { since: None, ..watching }
        };
        prop_assert_eq!(told(parts), told(whole));
    }
}

/// The property says nothing if nothing alarms.
#[test]
fn what_is_cut_holds_a_fault() {
    let (verdicts, ..) = judged(readings(&[plain()], Second::messages), &[(7, true)]);
    assert!(verdicts.iter().any(|verdict| verdict.alarm));
    assert_eq!(
        verdicts,
        judged(readings(&[plain()], |_, row| vec![row.clone()]), &[(1, false)]).0
    );
}

/// One channel a message.
fn plain() -> Second {
    Second {
        message_of: (0..CHANNELS).collect(),
        after_ms: vec![0; CHANNELS],
        order: (0..CHANNELS).rev().collect(),
        lost: None,
        what: What::Nothing,
    }
}
