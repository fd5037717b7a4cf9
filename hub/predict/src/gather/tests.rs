//! Readings as they may come, and the rows that they become.

use super::*;

fn need() -> Need {
    Need {
        channels: vec![0, 1],
        phase: None,
        running: None,
        again_is_next: false,
        missing_max: 0,
        span_s: 0.75,
    }
}

fn at(s: f64) -> Timestamp {
    Timestamp::from_millisecond((s * 1000.0) as i64).unwrap()
}

/// Given readings (time, channels, seconds ahead of the hub's clock): rows that came out, and the reasons.
fn run(gather: &mut Gather, readings: &[(f64, &str, f64)]) -> (Vec<(f64, String)>, Vec<&'static str>) {
    run_for(gather, &need(), readings)
}

fn run_for(gather: &mut Gather, need: &Need, readings: &[(f64, &str, f64)]) -> (Vec<(f64, String)>, Vec<&'static str>) {
    let (mut rows, mut reasons) = (Vec::new(), Vec::new());
    for (time, channels, ahead) in readings {
        let value = |c: char| channels.contains(c).then_some(*time);
        let row = Row {
            at: at(*time),
            values: ['a', 'b', 'c'].map(value).to_vec(),
        };
        let (whole, why) = gather.push(&row, at(time - ahead), need);
        reasons.push(why.map_or("-", Into::into));
        for row in whole {
            let named = ['a', 'b', 'c'].into_iter().zip(&row.values);
            let names = named.filter_map(|(name, value)| value.map(|_| name)).collect();
            rows.push((row.at.as_millisecond() as f64 / 1000.0, names));
        }
    }
    (rows, reasons)
}

fn all(readings: &[(f64, &str, f64)]) -> (Vec<(f64, String)>, Vec<&'static str>) {
    run(&mut Gather::new(), readings)
}

#[test]
fn one_channel_a_message_is_one_row_a_period() {
    let (rows, reasons) = all(&[
        (1.0, "a", 0.0),
        (1.0, "b", 0.0),
        (2.0, "b", 0.0),
        (2.3, "a", 0.0),
        (3.0, "ab", 0.0),
    ]);
    assert_eq!(
        rows,
        [(1.0, "ab".to_owned()), (2.0, "ab".to_owned()), (3.0, "ab".to_owned())]
    );
    assert_eq!(reasons, ["joined", "-", "joined", "-", "-"]);
}

#[test]
fn a_row_that_lacks_a_channel_waits_for_the_next_period_until_the_channel_is_given_up() {
    let mut gather = Gather::new();
    let readings: Vec<_> = (0..12).map(|s| (f64::from(s), "a", 0.0)).collect();
    let (rows, reasons) = run(&mut gather, &readings);
    // Ten rows were without it, each given with the next; then two at once.
    assert_eq!(rows.len(), 12);
    assert_eq!((reasons[0], reasons[1], gather.missing()), ("joined", "-", 1));
    // It comes back, after its row was given: the next one waits for it.
    let (rows, reasons) = run(
        &mut gather,
        &[(12.0, "a", 0.0), (12.0, "b", 0.0), (13.0, "a", 0.0), (13.0, "b", 0.0)],
    );
    assert_eq!(rows, [(12.0, "a".to_owned()), (13.0, "ab".to_owned())]);
    assert_eq!(reasons, ["-", "repeated", "joined", "-"]);
    assert_eq!(gather.missing(), 0);
}

#[test]
fn a_row_begins_with_its_earliest_part_whichever_comes_first() {
    let readings = [
        (1.6, "a", 0.0),
        (1.0, "b", 0.0),
        (2.0, "a", 0.0),
        // Behind the row before, and not so far behind it that a row could begin there.
        (1.7, "b", 0.0),
    ];
    let (rows, reasons) = all(&readings);
    assert_eq!(rows, [(1.0, "ab".to_owned()), (2.0, "ab".to_owned())]);
    assert_eq!(reasons, ["joined", "-", "joined", "-"]);
}

/// Channels a and b, of which a tells the phase; rows a minute apart.
fn of_runs() -> Need {
    Need {
        channels: vec![0, 1],
        phase: Some(0),
        running: None,
        again_is_next: true,
        missing_max: 0,
        span_s: 45.0,
    }
}

#[test]
fn rows_of_a_run_end_with_a_channel_that_comes_again_and_with_their_time() {
    let mut gather = Gather::new();
    let (rows, reasons) = run_for(
        &mut gather,
        &of_runs(),
        &[
            (0.0, "c", 0.0),
            (0.7, "b", 0.0),
            (1.4, "a", 0.0),
            // Rows that come whole may be as close as they like.
            (10.0, "ab", 0.0),
            (20.0, "ab", 0.0),
            (20.7, "c", 0.0),
            // One message was lost.
            (80.0, "a", 0.0),
            (140.0, "b", 0.0),
            (140.7, "a", 0.0),
            (150.0, "a", 0.0),
            (160.0, "a", 0.0),
        ],
    );
    let times: Vec<(f64, &str)> = rows.iter().map(|(at, channels)| (*at, channels.as_str())).collect();
    let expected = [
        (0.7, "abc"),
        (10.0, "ab"),
        (20.0, "ab"),
        (80.0, "a"),
        (140.0, "ab"),
        (150.0, "a"),
    ];
    assert_eq!(times, expected);
    let expected = [
        "no_value", "joined", "-", "-", "-", "no_value", "joined", "-", "-", "joined", "-",
    ];
    assert_eq!(reasons, expected);
    assert_eq!(gather.end(&of_runs()).map(|row| row.at), Some(at(160.0)));
    assert_eq!(gather.end(&of_runs()), None);
}

#[test]
fn channels_that_never_come_with_the_phase_are_missing() {
    let mut gather = Gather::new();
    let apart = |n: i32| {
        [
            (f64::from(n) * 100.0, "a", 0.0),
            (f64::from(n) * 100.0 + 50.0, "b", 0.0),
        ]
    };
    let readings: Vec<_> = (0..12).flat_map(apart).collect();
    run_for(&mut gather, &of_runs(), &readings);
    assert_eq!(gather.missing(), 1);
    assert!(gather.lacks(&of_runs()));
    let (rows, _) = run_for(&mut gather, &of_runs(), &[(2_000.0, "ab", 0.0)]);
    assert_eq!(rows.last().map(|(_, channels)| channels.as_str()), Some("ab"));
    assert_eq!(gather.missing(), 0);
}

#[test]
fn times_that_passed_make_nothing_and_are_told_apart() {
    let readings = [
        (5.0, "ab", 0.0),
        (5.0, "ab", 0.0),
        (5.5, "ab", 0.0),
        (3.0, "ab", 0.0),
        (6.0, "a", 0.0),
        (4.0, "b", 0.0),
        (6.1, "a", 0.0),
        (6.2, "c", 0.0),
    ];
    let (rows, reasons) = all(&readings);
    assert_eq!(rows.len(), 1);
    let expected = [
        "-",
        "repeated",
        "too_soon",
        "unordered",
        "joined",
        "unordered",
        "repeated",
        "no_value",
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn one_reading_ahead_moves_nothing_and_a_clock_ahead_is_believed() {
    let (rows, reasons) = all(&[
        (1.0, "ab", 0.0),
        (571.0, "a", 570.0),
        (571.0, "b", 570.0),
        (2.0, "ab", 0.0),
        (3.0, "ab", 0.0),
    ]);
    assert_eq!(rows.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
    assert_eq!(reasons, ["-", "ahead", "ahead", "-", "-"]);
    // All of a device whose clock is ahead, and what it sends after a silence.
    let (rows, reasons) = all(&[
        (1.0, "ab", 90.0),
        (2.0, "ab", 90.0),
        (3.0, "ab", 90.0),
        (60.0, "ab", 90.0),
        (61.0, "ab", 90.0),
    ]);
    assert_eq!(
        rows.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        [1.0, 2.0, 3.0, 60.0, 61.0]
    );
    assert_eq!(reasons, ["ahead", "-", "-", "-", "-"]);
    // A batch of such a device, received at once.
    let (rows, _) = all(&[
        (91.0, "ab", 60.0),
        (92.0, "ab", 61.0),
        (150.0, "ab", 119.0),
        (151.0, "ab", 60.0),
    ]);
    assert_eq!(rows.len(), 4);
}

/// A channel that tells running from idle may come on change alone; where it never comes, nothing makes a step.
#[test]
fn a_channel_of_running_that_never_comes_is_told_and_one_that_came_once_is_not() {
    let need = Need {
        running: Some(1),
        missing_max: 1,
        ..need()
    };
    let lacks = |came: bool| {
        let mut gather = Gather::new();
        let mut lacks = Vec::new();
        for second in 0..30_i32 {
            let running = (came && second == 0).then_some(1.0);
            let row = Row {
                at: at(f64::from(second)),
                values: vec![Some(20.0), running],
            };
            gather.push(&row, row.at, &need);
            lacks.push(gather.lacks(&need));
        }
        (lacks[5], lacks[29], gather.missing())
    };
    assert_eq!(lacks(false), (false, true, 1));
    assert_eq!(lacks(true), (false, false, 1));
}
