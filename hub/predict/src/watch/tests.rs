//! Scorers that are killed, that forget, and that make room: what they tell is what one tells that never was.

use super::fake::{Fake, PARTITION, pumps, registry};
use super::ledger::{KEPT_FOR, STRETCH_MAX};
use super::*;

const MANY: usize = 1_000;
/// Rows scored in one round.
const ROUND: i64 = 97;

fn classes(told: &[Observation]) -> Vec<String> {
    let class = |observation: &Observation| match observation {
        Observation::Alarm {
            appliance, prediction, ..
        } => format!("{appliance} {} {}", prediction.fault_class, prediction.at),
        Observation::Clear { appliance } => format!("{appliance} clear"),
    };
    told.iter().map(class).collect()
}

/// Killed before or after what it has scored is saved, in rounds of new rows and of rows that come again.
#[test]
fn a_scorer_that_is_killed_tells_what_one_tells_that_never_was() {
    let (registry, now) = (registry(), Instant::now());
    let mut through = Fake::new(pumps(&registry, 1..=3, 640));
    let mut watch = through.start(&registry, MANY);
    assert_eq!(through.run(&mut watch, ROUND, now), 0);
    let told = classes(&through.told);
    assert!(
        told.iter()
            .any(|line| line.starts_with("1 ") && line.contains("flow_loss")),
        "{told:?}"
    );
    assert!(
        told.contains(&"1 clear".to_owned()) && !told.contains(&"2 clear".to_owned()),
        "{told:?}"
    );

    for rounds in [2, 5] {
        let mut killed = Fake::new(through.rows.clone());
        let mut repeated = 0;
        for life in 0.. {
            assert!(life < 50, "it comes to no end");
            let mut watch = killed.start(&registry, MANY);
            // Some lives end before all has been read again.
            let mut left = if life % 3 == 2 { 1 } else { rounds };
            let mut done = true;
            while let Some((commit, again)) = killed.round(&mut watch, ROUND, now) {
                repeated += again;
                if again == 0 || life % 3 == 2 {
                    left -= 1;
                }
                done = left > 0;
                if done || life % 2 == 0 {
                    killed.commit(commit);
                }
                if !done {
                    break;
                }
            }
            if done {
                break;
            }
        }
        assert!(repeated > 0);
        assert_eq!(classes(&killed.told), told, "killed after {rounds} rounds");
        assert_eq!(killed.told, through.told);
    }
}

/// Told when it changes, and again after a restart where that is not known; never with each reading.
#[test]
fn whether_appliances_are_watched_is_told_when_it_changes() {
    let (registry, now) = (registry(), Instant::now());
    let mut through = Fake::new(pumps(&registry, 3..=4, 640));
    let mut watch = through.start(&registry, MANY);
    through.run(&mut watch, ROUND, now);
    // The first reading, tenths of the calibration as rounds end, and watched.
    assert!((8..=24).contains(&through.tellings), "{}", through.tellings);
    let state = |store: &Fake, pump| store.watching[&ApplianceId(pump)].state;
    assert_eq!([3, 4].map(|pump| state(&through, pump)), [WatchState::Watched; 2]);
    assert_eq!(watch.states()[&WatchState::Watched], 2);
    assert_eq!(watch.states().values().sum::<u64>(), 2);

    let mut killed = Fake::new(through.rows.clone());
    for _ in 0..4 {
        let mut watch = killed.start(&registry, MANY);
        for _ in 0..4 {
            if let Some((commit, _)) = killed.round(&mut watch, ROUND, now) {
                killed.commit(commit);
            }
        }
    }
    let mut watch = killed.start(&registry, MANY);
    killed.run(&mut watch, ROUND, now);
    assert_eq!([3, 4].map(|pump| state(&killed, pump)), [WatchState::Watched; 2]);
    assert!(killed.tellings <= 40, "{}", killed.tellings);
    let since = |store: &Fake| store.watching[&ApplianceId(3)].since;
    assert_eq!(since(&killed), since(&through));
    // One that makes room is counted no longer.
    watch.forget(ApplianceId(3));
    assert_eq!(watch.states()[&WatchState::Watched], 1);
}

#[test]
fn what_a_restart_reads_again_is_bounded_and_ends() {
    let (registry, now) = (registry(), Instant::now());
    let mut store = Fake::new(pumps(&registry, 3..=4, STRETCH_MAX));
    let mut watch = store.start(&registry, MANY);
    store.run(&mut watch, 100, now);
    let unsaved = store.offset.ingest_no - store.offset.kept_no;
    assert_eq!(store.offset.ingest_no, 2 * STRETCH_MAX);
    // Looked for once a second, and the clock stands still.
    assert!(unsaved > 0);
    // The next one catches up, and saves whose turn it is while it does.
    let mut watch = store.start(&registry, MANY);
    let again = store.run(&mut watch, 100, now);
    assert_eq!(i64::try_from(again).unwrap(), unsaved);
    assert!(watch.again(100, usize::MAX).is_empty());
    let later = now + SAVE_EVERY;
    let extra = store.rows.len() as i64;
    let mut more = pumps(&registry, 3..=4, STRETCH_MAX + 50).split_off(store.rows.len());
    store.rows.append(&mut more);
    store.run(&mut watch, 100, later);
    assert!(store.offset.kept_no > extra, "{:?}", store.offset);
}

/// The time comes with rows of others, or with its own.
#[test]
fn a_silent_appliance_is_saved_when_its_time_has_come() {
    let (registry, now) = (registry(), Instant::now());
    let mut rows = pumps(&registry, 1..=2, 40);
    let mut store = Fake::new(rows.drain(..40).collect());
    let mut watch = store.start(&registry, MANY);
    store.run(&mut watch, 100, now);
    assert!(store.checkpoints.is_empty());
    assert_eq!(store.offset.kept_no, 0);
    // Only one goes on.
    rows.retain(|row| row.appliance == ApplianceId(2));
    for (number, row) in rows.iter_mut().enumerate() {
        row.ingest_no = 41 + number as i64;
    }
    store.rows.append(&mut rows);
    store.run(&mut watch, 100, now + KEPT_FOR * 2);
    let numbers: Vec<(i64, i64)> = store
        .checkpoints
        .values()
        .map(|c| (c.appliance.0, c.ingest_no))
        .collect();
    assert_eq!(numbers, [(1, 39), (2, 60)]);
    assert_eq!((store.offset.ingest_no, store.offset.kept_no), (60, 60));
    let mut next = store.start(&registry, MANY);
    assert_eq!(store.run(&mut next, 100, now), 0);
}

#[test]
fn who_was_used_longest_ago_makes_room_and_is_saved() {
    let (registry, now) = (registry(), Instant::now());
    let all = pumps(&registry, 1..=6, 30);
    // One after the other, and the first once more.
    let mut rows: Vec<StoredRow> = Vec::new();
    for pump in [1, 2, 3, 4, 5, 6, 1] {
        let from = if rows.is_empty() { 0 } else { 15 };
        let own = all.iter().filter(|row| row.appliance == ApplianceId(pump));
        rows.extend(own.skip(from).take(15).cloned());
    }
    for (number, row) in rows.iter_mut().enumerate() {
        row.ingest_no = number as i64 + 1;
    }
    let mut store = Fake::new(rows);
    let mut watch = store.start(&registry, 3);
    let mut held = 0;
    while let Some((commit, _)) = store.round(&mut watch, 15, now) {
        assert!(commit.checkpoints.len() <= 1, "not all at once");
        store.commit(commit);
        held = held.max(watch.units.len());
    }
    assert_eq!((held, watch.units.len(), watch.by_use.len()), (3, 3, 3));
    let mut left: Vec<i64> = watch.units.keys().map(|appliance| appliance.0).collect();
    left.sort_unstable();
    assert_eq!(left, [1, 5, 6]);
    let saved: Vec<(i64, i64)> = store
        .checkpoints
        .values()
        .map(|c| (c.appliance.0, c.ingest_no))
        .collect();
    assert_eq!(saved, [(1, 15), (2, 30), (3, 45), (4, 60)]);
}

/// Nothing of before counts for the new baseline, whatever is read again.
#[test]
fn a_restarted_baseline_takes_only_what_comes_after() {
    let (registry, now) = (registry(), Instant::now());
    let mut store = Fake::new(pumps(&registry, 1..=2, 100));
    let all = std::mem::take(&mut store.rows);
    store.rows.extend_from_slice(&all[..120]);
    let mut watch = store.start(&registry, MANY);
    store.run(&mut watch, ROUND, now);
    watch.forget(ApplianceId(1));
    store.checkpoints.remove(&ApplianceId(1));
    store.fresh_after.insert(ApplianceId(1), store.offset.ingest_no);
    store.rows.extend_from_slice(&all[120..]);

    // Killed at once; the other appliance's rows are read again, and with them those of this one.
    let mut watch = store.start(&registry, MANY);
    assert!(store.run(&mut watch, ROUND, now) >= 120);
    let state = |watch: &Watch, appliance| watch.state(ApplianceId(appliance)).unwrap();
    let mut fresh = Fake::new(all[120..].to_vec());
    fresh.offset.ingest_no = 120;
    fresh.offset.kept_no = 120;
    let mut only_after = fresh.start(&registry, MANY);
    fresh.run(&mut only_after, ROUND, now);
    assert_eq!(state(&watch, 1), state(&only_after, 1));
    assert_ne!(state(&watch, 2), state(&only_after, 2));
}

/// Nobody waits for the disk where nothing is told: such an offset may be forgotten.
#[test]
fn rows_that_the_database_has_forgotten_are_not_given_twice() {
    let (registry, now) = (registry(), Instant::now());
    let mut through = Fake::new(pumps(&registry, 1..=2, 60));
    let mut one = through.start(&registry, MANY);
    through.run(&mut one, 20, now);

    let mut store = Fake::new(through.rows.clone());
    let mut watch = store.start(&registry, MANY);
    for _ in 0..3 {
        let (commit, _) = store.round(&mut watch, 20, now).unwrap();
        store.commit(commit);
    }
    store.offset.ingest_no = 20;
    store.run(&mut watch, 20, now);
    assert_eq!(store.offset.ingest_no, 120);
    let state = |watch: &Watch| watch.state(ApplianceId(2)).unwrap();
    assert_eq!(state(&watch), state(&one));
}

#[test]
fn where_a_row_is_searched_one_partition_after_the_other_is_read_again() {
    let registry = registry();
    let offset = |partition, kept_no| ScoredUpTo {
        partition,
        ingest_no: 50,
        kept_no,
        ..Fake::new(Vec::new()).offset
    };
    let offsets = [offset(3, 50), offset(PARTITION, 10), offset(9, 0)];
    let watch = Watch::new(registry, &offsets, Arc::new(()));
    let stretches = |partitions| -> Vec<(u8, i64, i64)> {
        let again = watch.again(100, partitions);
        again.iter().map(|s| (s.partition, s.after, s.up_to)).collect()
    };
    assert_eq!(stretches(1), [(PARTITION, 10, 50)]);
    assert_eq!(stretches(256), [(PARTITION, 10, 50), (9, 0, 50)]);
}
