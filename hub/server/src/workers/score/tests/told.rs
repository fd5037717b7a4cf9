//! What the store refuses, what a worker says of itself and counts, and how far apart its rounds are.

use super::*;
use hub_core::metric::MetricValue;
use hub_core::situation::Observation;
use hub_store::prediction::{Checkpoint, ScoredUpTo, ScoringCommit};

fn checkpoint(appliance: ApplianceId) -> Checkpoint {
    Checkpoint {
        appliance,
        model: "pump-rig/1".to_owned(),
        ingest_no: 40,
        state: vec![7; 10],
    }
}

/// All that waits, as if it had been scored, with these checkpoints, and the end of an alarm of the first pump.
async fn scored(world: &World, checkpoints: Vec<Checkpoint>) -> Unsaved {
    let rows = world.store.unscored(1_000, None).await.unwrap().rows;
    let commit = ScoringCommit {
        offsets: ScoredUpTo::reach(&rows),
        checkpoints,
        observations: vec![Observation::Clear {
            appliance: world.ids[0],
        }],
        ..ScoringCommit::default()
    };
    Unsaved {
        commit,
        ..Unsaved::default()
    }
}

fn is_away(_: &ScoringCommit) -> Option<StoreError> {
    let away = std::io::Error::other("for a test");
    Some(StoreError::Unavailable(Box::new(away)))
}

fn refuses_observations(commit: &ScoringCommit) -> Option<StoreError> {
    let refused = || StoreError::Refused("for a test".to_owned());
    (!commit.observations.is_empty()).then(refused)
}

fn refuses_all(_: &ScoringCommit) -> Option<StoreError> {
    Some(StoreError::Unreadable {
        what: "finding",
        source: "for a test".into(),
    })
}

#[tokio::test]
async fn what_the_store_refuses_does_not_hold_up_the_rest() {
    let world = World::new().await;
    let unsaved = scored(&world, vec![checkpoint(ApplianceId(999)), checkpoint(world.ids[0])]).await;
    let whole = world.store.commit_scoring(&unsaved.commit, start()).await;
    assert!(matches!(whole, Err(StoreError::Refused(_))), "{whole:?}");
    let (mut worker, store) = world.noted_worker(Duration::ZERO);
    store.refuse(Some(refuses_observations));
    worker.unsaved = Some(unsaved);
    worker.save().await.unwrap();
    assert!(worker.unsaved.is_none());
    assert_eq!(world.scored().await, [(40, 40), (40, 40)]);
    let subjects = world.store.scoring_subjects(&world.ids[..1]).await.unwrap();
    assert_eq!(subjects[0].checkpoints, [checkpoint(world.ids[0])]);
    let counted = [Passed::Observation, Passed::Checkpoint, Passed::Row].map(|what| passed(&worker, what));
    assert_eq!(counted, [1, 1, 0]);
}

fn refuses_challengers(commit: &ScoringCommit) -> Option<StoreError> {
    let refused = || StoreError::Refused("for a test".to_owned());
    (!commit.shadow.is_empty()).then(refused)
}

#[tokio::test]
async fn what_challengers_say_holds_up_nothing_where_the_store_refuses_it() {
    let world = World::new().await;
    let mut unsaved = scored(&world, vec![checkpoint(world.ids[0])]).await;
    unsaved.commit.shadow.dropped = [("pump-rig".to_owned(), "for a test".to_owned())].into();
    let (mut worker, store) = world.noted_worker(Duration::ZERO);
    store.refuse(Some(refuses_challengers));
    worker.unsaved = Some(unsaved);
    worker.save().await.unwrap();
    assert!(worker.unsaved.is_none());
    assert_eq!(world.scored().await, [(40, 40), (40, 40)]);
    let counted = [Passed::Observation, Passed::Checkpoint].map(|what| passed(&worker, what));
    assert_eq!(counted, [1, 0]);
}

/// A finding that is due and cannot be read, for example: each commit looks at it, whatever it saves.
#[tokio::test]
async fn nothing_is_passed_over_where_the_store_takes_nothing_at_all() {
    let world = World::new().await;
    let (mut worker, store) = world.noted_worker(Duration::ZERO);
    worker.unsaved = Some(scored(&world, vec![checkpoint(world.ids[0])]).await);
    store.refuse(Some(refuses_all));
    for _ in 0..2 {
        let error = worker.save().await.unwrap_err();
        assert!(matches!(error, ScoringError::Common(_)), "{error:?}");
        worker.fail(&error).await;
        assert_eq!(store.commits(), 2, "the whole, and nothing");
        assert!(worker.unsaved.is_some() && !worker.is_careful());
    }
    store.refuse(None);
    worker.save().await.unwrap();
    assert_eq!(store.commits(), 1);
    assert_eq!(world.scored().await, [(40, 40), (40, 40)]);
    let counted = [Passed::Observation, Passed::Checkpoint].map(|what| passed(&worker, what));
    assert_eq!(counted, [0, 0]);
}

#[tokio::test]
async fn how_far_behind_it_is_is_said_when_that_is_saved() {
    let world = World::new().await;
    let (mut worker, store) = world.noted_worker(Duration::ZERO);
    // 50 of 80 readings; the oldest came 1,000 s ago.
    worker.rows = 50;
    assert_eq!(worker.round().await.unwrap(), Round::Scored { more: true });
    assert_eq!(store.said(), [Duration::from_secs(1_000)]);
    assert_eq!(worker.round().await.unwrap(), Round::Scored { more: false });
    assert_eq!(store.said(), [Duration::ZERO]);
    assert_eq!(worker.round().await.unwrap(), Round::Idle);
    assert_eq!(store.said(), [Duration::ZERO]);

    // Half of what waits is scored, but not saved at first.
    world.ingest(BEFORE, ALL).await;
    worker.rows = 20;
    store.refuse(Some(is_away));
    let error = worker.round().await.unwrap_err();
    worker.fail(&error).await;
    assert!(store.said().is_empty(), "{error:?}");
    store.refuse(None);
    assert_eq!(worker.round().await.unwrap(), Round::Scored { more: false });
    assert_eq!(store.said(), [Duration::ZERO]);
}

#[tokio::test]
async fn a_round_in_which_the_thread_ends_says_nothing() {
    let world = World::new().await;
    let (mut worker, store) = world.noted_worker(Duration::ZERO);
    end_at(&mut worker, world.partitions[0], 5..=5, false);
    worker.rows = 50;
    let error = worker.round().await.unwrap_err();
    assert!(matches!(error, ScoringError::Thread(_)), "{error:?}");
    assert!(store.said().is_empty());
    worker.fail(&error).await;
    assert_eq!(worker.round().await.unwrap(), Round::Scored { more: true });
    assert_eq!(store.said(), [Duration::from_secs(1_000)]);
}

/// How many readings were timed until their scores were saved.
fn timed(worker: &ScoreWorker) -> u64 {
    let metric = worker.figures.scoring.metric("scoring_seconds", "for a test");
    match &metric.samples[0].value {
        MetricValue::Histogram { count, .. } => *count,
        MetricValue::Number(number) => panic!("no histogram: {number}"),
    }
}

#[tokio::test]
async fn only_readings_that_a_detector_was_given_are_timed() {
    let mut world = World::new().await;
    // One of the first pump without a value.
    world.rows[2 * BEFORE].values.fill(None);
    world.ingest(BEFORE, BEFORE + 1).await;
    let mut worker = world.worker();
    worker.left_out.add(&RowRef::of(&row(1, world.partitions[1], 7)));
    assert_eq!(run(&mut worker).await, Ran::default());
    assert_eq!(world.scored().await.map(|(scored, _)| scored), [41, 41]);
    assert_eq!(timed(&worker), 82 - 2);
    // What is read again was timed before.
    let mut next = world.worker();
    assert_eq!(run(&mut next).await, Ran { failures: 0, again: 1 });
    assert_eq!(timed(&next), 0);
}

/// A reading waits for the pause or for a round, not for both.
#[tokio::test]
async fn a_pause_is_counted_from_the_start_of_a_round() {
    const PAUSE: Duration = Duration::from_millis(100);
    const ROUND: Duration = Duration::from_millis(60);
    let world = World::with(LONG).await;
    let (mut worker, store) = world.noted_worker(ROUND);
    let pause_ms = u64::try_from(PAUSE.as_millis()).unwrap();
    worker.pace = Scoring {
        pause_ms,
        lag_ms: pause_ms,
    };
    let stop = CancellationToken::new();
    let worker = tokio::spawn(worker.run(stop.clone()));
    let apart = || -> Vec<Duration> { store.rounds().windows(2).map(|pair| pair[1] - pair[0]).collect() };
    let is_near = |apart: &Duration| *apart < PAUSE + ROUND / 2;
    // Readings come, many in each round, until two rounds were nearer than a pause behind a round.
    for second in BEFORE..LONG {
        if apart().iter().any(is_near) {
            break;
        }
        world.ingest(second, second + 1).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    worker.await.unwrap();
    assert!(apart().iter().any(is_near), "{:?}", apart());
}
