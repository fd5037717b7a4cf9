//! From values to batches: what closes one, what it holds, and what becomes of what does not fit.

use crate::rig::{CONFIG, EACH, PLENTY, Rig, Told, batches, births, column};
use agent_sdk_core::{Config, EventState, Lane, Metric, Overflow, Refused, Unsent};

const SLOW: Metric = Metric {
    channel: 2,
    deadband: 10,
    interval_ms: 5_000,
    overflow: Overflow::DropOldest,
};

#[test]
fn a_batch_closes_with_its_last_sample() {
    let mut rig = Rig::online();
    let metric = rig.agent.metric(EACH).expect("there is memory");
    for value in 0..9 {
        rig.now += 100;
        assert!(rig.agent.report(metric, value, rig.now));
    }
    let arrivals = rig.arrivals();
    let sent = batches(&arrivals);
    assert_eq!(sent.len(), 2, "four samples each, and one waits");
    for (batch, first) in sent.iter().zip([0_i32, 4]) {
        assert_eq!(batch.header.seq, u64::from(first.unsigned_abs()));
        assert_eq!(batch.header.boot_id, 7);
        assert_eq!(batch.header.t0_ms, 1_100 + 100 * i64::from(first));
        assert_eq!(batch.dt_ms().collect::<Vec<_>>(), [0, 100, 200, 300]);
        let expected: Vec<_> = (first..first + 4).map(Some).collect();
        assert_eq!(column(batch, 1), expected);
    }
}

#[test]
fn a_batch_closes_when_it_is_old_enough() {
    let mut rig = Rig::online();
    let metric = rig.agent.metric(EACH).expect("there is memory");
    assert!(rig.agent.report(metric, 1, rig.now));
    let due = rig.now + 20_000;
    assert_eq!(rig.agent.next_deadline(), Some(due));
    rig.wait(10_000);
    assert!(rig.agent.report(metric, 2, rig.now));
    rig.wait(9_999);
    assert!(rig.topics().is_empty());
    rig.wait(1);
    assert_eq!(batches(&rig.arrivals())[0].count(), 2);
    assert_ne!(rig.agent.next_deadline(), Some(due));
    rig.wait(20_000);
    assert!(rig.topics().is_empty(), "nothing is sent of nothing");
}

#[test]
fn a_batch_closes_before_a_reboot() {
    for close in [false, true] {
        let mut rig = Rig::online();
        let metric = rig.agent.metric(EACH).expect("there is memory");
        assert!(rig.agent.report(metric, 1, rig.now));
        let before = rig.agent.session().outbox_free_bytes();
        if close {
            rig.agent.close();
        } else {
            rig.agent.flush();
        }
        assert!(rig.agent.session().outbox_free_bytes() < before, "it is in the outbox");
        let count = batches(&rig.arrivals()).len();
        assert_eq!(count, usize::from(!close), "after a goodbye nothing is sent");
    }
}

#[test]
fn what_is_left_out_is_missing_in_its_column_only() {
    let mut rig = Rig::online();
    let slow = rig.agent.metric(SLOW).expect("there is memory");
    let each = rig.agent.metric(EACH).expect("there is memory");
    // Values of the slow one, and whether they become readings.
    let values = [(50, true), (60, false), (61, true), (51, false)];
    for (value, expected) in values {
        rig.now += 1_000;
        assert_eq!(rig.agent.report(slow, value, rig.now), expected, "{value}");
        assert!(rig.agent.report(each, 7, rig.now));
    }
    rig.now += 4_000;
    assert!(rig.agent.report(slow, 61, rig.now), "its interval has passed");
    rig.agent.flush();
    let arrivals = rig.arrivals();
    let sent = batches(&arrivals);
    assert_eq!(sent.len(), 2);
    assert_eq!(column(&sent[0], 1), [Some(7); 4]);
    assert_eq!(column(&sent[0], 2), [Some(50), None, Some(61), None]);
    assert_eq!(sent[1].columns().count(), 1);
    assert_eq!(column(&sent[1], 2), [Some(61)]);
    assert_eq!(sent[1].header.seq, 4);
}

#[test]
fn metrics_are_declared_once_and_within_memory() {
    let mut rig = Rig::online();
    let on = |channel| Metric { channel, ..EACH };
    assert!(rig.agent.metric(on(1)).is_some());
    assert!(rig.agent.metric(on(1)).is_none(), "twice");
    assert!(rig.agent.metric(on(0)).is_none(), "no channel");
    for channel in [255, 3, 2] {
        assert!(rig.agent.metric(on(channel)).is_some());
    }
    assert!(rig.agent.metric(on(4)).is_none(), "there is memory for four");
}

#[test]
fn readings_with_another_policy_go_in_a_message_of_their_own() {
    let mut rig = Rig::online();
    let routine = rig.agent.metric(EACH).expect("there is memory");
    let kept = Metric {
        channel: 9,
        overflow: Overflow::DropNewest,
        ..EACH
    };
    let kept = rig.agent.metric(kept).expect("there is memory");
    for n in 0..4 {
        rig.now += 100;
        rig.agent.report(routine, n, rig.now);
        if n % 2 == 1 {
            rig.agent.report(kept, 10 * n, rig.now);
        }
    }
    let arrivals = rig.arrivals();
    let sent = batches(&arrivals);
    assert_eq!(sent.len(), 2);
    assert_eq!(column(&sent[0], 9), [Some(10), Some(30)]);
    assert_eq!((sent[0].header.seq, sent[0].header.t0_ms), (0, 1_200));
    assert_eq!(column(&sent[1], 1), [Some(0), Some(1), Some(2), Some(3)]);
    assert_eq!((sent[1].header.seq, sent[1].header.t0_ms), (2, 1_100));
    assert!(sent.iter().all(|batch| batch.columns().count() == 1));
}

#[test]
fn a_batch_that_does_not_fit_is_sent_in_parts() {
    let config = Config {
        batch_samples: 16,
        ..CONFIG
    };
    let mut rig = Rig::new(&config, PLENTY, 80);
    rig.connect();
    rig.arrivals();
    let metric = rig.agent.metric(EACH).expect("there is memory");
    let mut expected = Vec::new();
    for n in 0..16_i32 {
        rig.now += 100;
        // Far from each other: several bytes each.
        let value = n.wrapping_mul(0x5BD1_E995);
        rig.agent.report(metric, value, rig.now);
        expected.push((u64::from(n.unsigned_abs()), 1_100 + 100 * i64::from(n), Some(value)));
    }
    let arrivals = rig.arrivals();
    let sent = batches(&arrivals);
    assert!(sent.len() > 1);
    assert!(arrivals.iter().all(|arrival| arrival.payload.len() <= 80));
    let mut seen = Vec::new();
    for batch in sent {
        let times = batch.dt_ms().map(|dt_ms| batch.header.t0_ms + i64::from(dt_ms));
        let numbered = (batch.header.seq..).zip(times).zip(column(&batch, 1));
        seen.extend(numbered.map(|((seq, at_ms), value)| (seq, at_ms, value)));
    }
    assert_eq!(seen, expected);
    assert!(!rig.told().iter().any(|told| matches!(told, Told::Dropped(..))));
}

/// Fills an outbox of 300 bytes with batches of one sample.
fn overflow(rig: &mut Rig, samples: i32) {
    let metric = rig.agent.metric(EACH).expect("there is memory");
    for value in 0..samples {
        rig.now += 1_000;
        rig.agent.report(metric, value, rig.now);
        rig.agent.flush();
    }
}

#[test]
fn drops_are_counted_told_and_reported_and_events_stay() {
    let mut rig = Rig::new(&CONFIG, 300, 512);
    rig.agent
        .event(EventState::Raised, "E21", "", rig.now)
        .expect("there is room");
    overflow(&mut rig, 40);
    let told = rig.told();
    let [Told::Dropped(Lane::Telemetry, dropped)] = told[..] else {
        panic!("drops of one lane: {told:?}")
    };
    assert!(dropped > 20, "{dropped}");
    rig.connect();
    let arrivals = rig.arrivals();
    let sent = batches(&arrivals);
    assert_eq!(sent.len() + usize::try_from(dropped).unwrap_or(0), 40);
    let first = u64::from(dropped);
    let numbers: Vec<u64> = sent.iter().map(|batch| batch.header.seq).collect();
    assert_eq!(
        numbers,
        (first..40).collect::<Vec<_>>(),
        "the newest are kept, in order"
    );
    assert!(arrivals.iter().any(|arrival| arrival.topic == "d/wm/e"));
    // The full outbox had no room for the birth message before the first acknowledgement.
    let birth = births(&arrivals);
    assert_eq!(birth.len(), 1);
    assert_eq!((birth[0].dropped_events, birth[0].dropped_telemetry), (0, first));
}

#[test]
fn a_policy_may_keep_what_is_old_and_the_hub_sees_the_gap() {
    let mut rig = Rig::new(&CONFIG, 300, 512);
    let kept = Metric {
        overflow: Overflow::DropNewest,
        ..EACH
    };
    let metric = rig.agent.metric(kept).expect("there is memory");
    for value in 0..40 {
        rig.now += 1_000;
        rig.agent.report(metric, value, rig.now);
        rig.agent.flush();
    }
    rig.connect();
    rig.agent.report(metric, 40, rig.now + 1);
    rig.agent.flush();
    let arrivals = rig.arrivals();
    let numbers: Vec<u64> = batches(&arrivals).iter().map(|batch| batch.header.seq).collect();
    let (last, kept) = numbers.split_last().expect("some are kept");
    let expected: Vec<u64> = (0..).take(kept.len()).collect();
    assert_eq!(kept, expected);
    assert_eq!(*last, 40, "what was dropped has its numbers");
    let dropped = 40 - u64::try_from(kept.len()).unwrap_or(0);
    assert_eq!(births(&arrivals)[0].dropped_telemetry, dropped);
}

#[test]
fn drops_while_connected_are_told_once_a_minute() {
    let mut rig = Rig::new(&CONFIG, 300, 512);
    rig.connect();
    let told_at = rig.now;
    rig.arrivals();
    // Faster than the transport takes it.
    overflow(&mut rig, 40);
    assert!(births(&rig.arrivals()).is_empty(), "not so soon");
    assert!(rig.told().iter().any(|told| matches!(told, Told::Dropped(..))));
    assert_eq!(rig.agent.next_deadline(), Some(told_at + 60_000));
    rig.wait(19_999);
    assert!(births(&rig.arrivals()).is_empty());
    rig.wait(1);
    assert_eq!(rig.now, told_at + 60_000);
    let arrivals = rig.arrivals();
    let told = births(&arrivals);
    assert_eq!(told.len(), 1);
    assert!(told[0].dropped_telemetry > 20);
    rig.wait(60_000);
    assert!(births(&rig.arrivals()).is_empty(), "nothing was dropped since");
}

#[test]
fn an_event_that_is_out_of_bounds_is_not_taken() {
    let mut rig = Rig::online();
    let long = "x".repeat(600);
    for (code, detail) in [("", ""), (&long[..33], ""), ("E1", &long[..])] {
        let refused = rig.agent.event(EventState::Raised, code, detail, rig.now);
        assert!(matches!(refused, Err(Unsent::Form(_))), "{code} {detail}");
    }
    rig.cut();
    let mut taken = 0;
    while rig.agent.event(EventState::Raised, "E1", &long[..400], rig.now).is_ok() {
        taken += 1;
    }
    assert!(taken > 5, "{taken}");
    let refused = rig.agent.event(EventState::Raised, "E1", &long[..400], rig.now);
    assert_eq!(refused, Err(Unsent::Outbox(Refused::Full)));
    rig.connect();
    assert_eq!(births(&rig.arrivals())[0].dropped_events, 2);
}
