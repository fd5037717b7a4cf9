use super::super::change::LedgerChange;
use super::super::gate::FIRST_LEVEL;
use super::super::history::HighestScore;
use super::super::judged::{Bin, JudgedTicket, Predicted, reliability};
use super::super::ledger::{Ledger, OTHER_MODELS};
use super::super::level::Basis;
use super::super::precision::Counted;
use super::super::study::{MODELS_MAX, Studied, Study};
use super::super::{Draws, Month};
use super::{Random, month, score};
use crate::id::ApplianceId;
use crate::outcome::Verdict;
use crate::release::GENERIC;
use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

const FAMILY: &str = "washing-machine";

/// The middle of the month so many months after January 2026.
fn at(months: i8) -> Timestamp {
    date(2026, 1 + months, 15).to_zoned(TimeZone::UTC).unwrap().timestamp()
}

fn judged(appliance: i64, closed_at: Timestamp, verdict: Verdict, probability: f32) -> JudgedTicket {
    JudgedTicket {
        appliance: ApplianceId(appliance),
        model: "WM-7".to_owned(),
        closed_at,
        predicted: Some(Predicted {
            family: FAMILY.to_owned(),
            score: 9.0,
            probability,
        }),
        verdict,
        repaired: false,
    }
}

/// A hundred machines of one model, and three of another, with the same scores each month but for one that is far above.
fn studied(judged: &[JudgedTicket]) -> Studied {
    let mut study = Study::new(month(4), judged);
    for of in study.months() {
        if of < month(0) {
            study.take(of, BTreeMap::new());
            continue;
        }
        let own = |id: i64| score(id, if id == 7 { 9.0 } else { 1.0 + 0.001 * id as f32 });
        let scores: Vec<HighestScore> = (0..100).map(own).collect();
        let few = (200..203).map(|id| score(id, 1.5)).collect();
        study.take(
            of,
            BTreeMap::from([("WM-7".to_owned(), scores), ("WM-8".to_owned(), few)]),
        );
    }
    study.end()
}

fn reviewed(ledger: &mut Ledger, judged: &[JudgedTicket], now: Timestamp) -> Vec<LedgerChange> {
    let mut random = Random(5);
    let mut draw = || random.bits();
    ledger.review(FAMILY, &studied(judged), judged, now, &mut Draws(&mut draw))
}

fn level(ledger: &Ledger, model: &str) -> f64 {
    ledger
        .model(model)
        .unwrap()
        .thresholds
        .as_ref()
        .unwrap()
        .tickets
        .in_force
}

#[test]
fn months_before_a_fault_do_not_raise_the_level() {
    let (mut with, mut without) = (Ledger::default(), Ledger::default());
    // Confirmed in the last of the four, it counts three back: none of them says anything of that machine.
    let fault = [judged(7, at(3), Verdict::Right, 0.4)];
    reviewed(&mut with, &[], at(4));
    reviewed(&mut without, &fault, at(4));
    assert!(
        level(&without, "WM-7") < 0.5 * level(&with, "WM-7"),
        "{} {}",
        level(&without, "WM-7"),
        level(&with, "WM-7")
    );
    // What it came to is what faults come to.
    let faults = [8.0, 9.5].map(|score| without.faults_at(score));
    assert_eq!(
        faults.map(|faults| (faults.confirmed, faults.reached)),
        [(1, 1), (1, 0)]
    );
    assert_eq!(with.faults_at(1.0).confirmed, 0);
}

/// Scores of months alone would put both far below.
#[test]
fn the_levels_of_family_generic_begin_with_its_first_one() {
    let fault = [judged(7, at(3), Verdict::Right, 0.4)];
    let (mut ledger, mut random) = (Ledger::default(), Random(5));
    let mut draw = || random.bits();
    ledger.review(GENERIC, &studied(&fault), &fault, at(4), &mut Draws(&mut draw));
    assert!((level(&ledger, "WM-7") / FIRST_LEVEL - 0.9).abs() < 1e-9);
    assert_eq!(level(&ledger, "WM-8"), FIRST_LEVEL);
}

#[test]
fn a_model_with_few_months_and_one_that_nobody_knows_have_the_familys_level() {
    let mut ledger = Ledger::default();
    let changes = reviewed(&mut ledger, &[], at(4));
    let basis = |model: &str| ledger.model(model).unwrap().thresholds.as_ref().unwrap().basis;
    assert_eq!(
        ["WM-7", "WM-8", OTHER_MODELS].map(basis),
        [Basis::Own, Basis::Family, Basis::Family]
    );
    assert!(
        ledger
            .model("WM-8")
            .unwrap()
            .thresholds
            .as_ref()
            .unwrap()
            .calls
            .is_none()
    );
    assert_eq!(changes.len(), 3, "{changes:?}");
    let watched = |model: &str| ledger.model(model).unwrap().watched;
    assert_eq!(
        (
            ledger.watched(),
            watched("WM-7"),
            watched("WM-8"),
            watched(OTHER_MODELS)
        ),
        (103, 100, 3, 0)
    );
}

#[test]
fn it_is_reviewed_daily_and_levels_move_monthly_or_when_something_is_stated() {
    let mut ledger = Ledger::default();
    assert!(ledger.is_due(at(4)));
    reviewed(&mut ledger, &[], at(4));
    let hour = SignedDuration::from_hours(1);
    assert!(!ledger.is_due(at(4) + hour) && ledger.is_due(at(4) + hour * 24));
    assert!(
        reviewed(&mut ledger, &[], at(4) + hour * 24).is_empty(),
        "the same month"
    );
    let mut statement = super::ledger::statement(0.01, 0.01, 0.01);
    statement.at = at(4) + hour * 25;
    let before = level(&ledger, "WM-7");
    ledger.state(statement).unwrap();
    assert!(ledger.is_due(at(4) + hour * 26));
    assert!(!reviewed(&mut ledger, &[], at(4) + hour * 26).is_empty());
    assert!(level(&ledger, "WM-7") > before, "a smaller budget counts at once");
}

#[test]
fn verdicts_are_learned_again_from_all_tickets_so_that_corrections_count() {
    let mut ledger = Ledger::default();
    let told = |ledger: &Ledger| {
        let faults = ledger.faults_at(9.0);
        let precision = ledger.precision(
            "WM-7",
            9.0,
            faults,
            super::super::precision::Faults::default(),
            Month::at(at(4)),
        );
        precision.unwrap().counted
    };
    let wrong = [
        judged(1, at(2), Verdict::Wrong, 0.4),
        judged(2, at(3), Verdict::NotChecked, 0.4),
    ];
    reviewed(&mut ledger, &wrong, at(4));
    assert_eq!(told(&ledger), Counted { right: 0, wrong: 1 });
    let bins: Vec<Counted> = ledger.reliability().iter().map(|bin| bin.counted).collect();
    assert_eq!(
        bins,
        [Counted { right: 0, wrong: 1 }],
        "kept for those who are shown it"
    );
    let corrected = [judged(1, at(2), Verdict::Right, 0.4), wrong[1].clone()];
    reviewed(&mut ledger, &corrected, at(4) + SignedDuration::from_hours(24));
    assert_eq!(told(&ledger), Counted { right: 1, wrong: 0 });
    let foreign = JudgedTicket {
        predicted: None,
        ..corrected[0].clone()
    };
    reviewed(&mut ledger, &[foreign], at(4) + SignedDuration::from_hours(48));
    assert_eq!(told(&ledger), Counted::default());
}

#[test]
fn breakers_count_what_was_opened_since_the_last_look() {
    let mut ledger = Ledger::default();
    reviewed(&mut ledger, &[], at(4));
    let opened = |model: &str, count| BTreeMap::from([(model.to_owned(), count)]);
    let minute = SignedDuration::from_mins(1);
    assert!(ledger.count(&opened("WM-7", 50), at(4)).is_empty(), "it begins here");
    assert!(ledger.count(&opened("WM-7", 2), at(4) + minute).is_empty());
    let stopped = ledger.count(&opened("WM-7", 10), at(4) + minute * 2);
    assert!(
        matches!(&stopped[..], [LedgerChange::Stopped { model, tickets: 12, .. }] if model == "WM-7"),
        "{stopped:?}"
    );
    assert!(ledger.count(&opened("WM-7", 10), at(4) + minute * 3).is_empty(), "once");
    // One that has no entry counts among all that have none.
    let stopped = ledger.count(&opened("WM-9", 10), at(4) + minute * 4);
    assert!(
        matches!(&stopped[..], [LedgerChange::Stopped { model, .. }] if model == OTHER_MODELS),
        "{stopped:?}"
    );
    assert_eq!(ledger.stopped(at(4)).collect::<Vec<_>>(), [OTHER_MODELS, "WM-7"]);
}

/// Tickets, one a minute, until the calls of the first model stop.
fn wave(ledger: &mut Ledger, from: Timestamp, quiet_to: Timestamp) -> u32 {
    let minute = SignedDuration::from_mins(1);
    let (mut seen, mut now) = (quiet_to, from);
    for tickets in 1..100 {
        now += minute;
        let one = BTreeMap::from([("WM-7".to_owned(), 1)]);
        if !ledger.count_after_quiet(seen, &one, now).is_empty() {
            return tickets;
        }
        seen = now;
    }
    panic!("no stop")
}

#[test]
fn a_wave_after_quiet_hours_stops_after_as_many_tickets_as_without_them() {
    let mut ledger = Ledger::default();
    reviewed(&mut ledger, &[], at(4));
    // So many that the expectation of hours counts.
    let mut entries = ledger.models().clone();
    entries.get_mut("WM-7").unwrap().watched = 100_000;
    let mut ledger = ledger.with_models(entries);
    ledger.count(&BTreeMap::new(), at(4));
    let quiet = at(4) + SignedDuration::from_hours(20);
    let at_once = wave(&mut ledger.clone(), at(4), at(4));
    assert_eq!(wave(&mut ledger.clone(), quiet, quiet), at_once);
    // As it was: all that was expected of the quiet hours hides the wave.
    assert!(wave(&mut ledger, quiet, at(4)) > at_once);
}

#[test]
fn a_ledger_is_kept_where_something_was_opened_or_stops_and_once_a_day() {
    let mut before = Ledger::default();
    reviewed(&mut before, &[], at(4));
    let nothing = BTreeMap::new();
    let counted = |ledger: &Ledger, hours| {
        let mut next = ledger.clone();
        next.count(&nothing, at(4) + SignedDuration::from_hours(hours));
        next
    };
    assert!(counted(&before, 0).is_news(&before, false), "it begins here");
    let begun = counted(&before, 0);
    assert!(!counted(&begun, 1).is_news(&begun, false));
    assert!(counted(&begun, 1).is_news(&begun, true));
    assert!(counted(&begun, 24).is_news(&begun, false));
    let mut stops = begun.clone();
    assert!(stops.breaker("WM-7").count(20, 0.1, at(4)));
    assert!(stops.is_news(&begun, false));
    // Sums of quiet are the same however often they are counted.
    let mut summed = begun.clone();
    summed.breaker("WM-7").count(2, 0.1, at(4));
    let (hour, two) = (
        at(4) + SignedDuration::from_hours(1),
        at(4) + SignedDuration::from_hours(2),
    );
    let mut at_once = summed.clone();
    at_once.count_after_quiet(hour, &nothing, two);
    assert!(!at_once.is_news(&summed, false));
}

#[test]
fn appliance_models_are_bounded_and_the_largest_stay() {
    let mut study = Study::new(month(1), &[]);
    let models = i64::try_from(MODELS_MAX).unwrap() + 20;
    let scores = (0..models).map(|n| {
        let appliances = (0..=n).map(|id| score(1_000 * n + id, 1.0)).collect();
        (format!("WM-{n}"), appliances)
    });
    study.take(month(0), scores.collect());
    let studied = study.end();
    assert_eq!(studied.histories.len(), MODELS_MAX + 1);
    assert!(!studied.histories.contains_key("WM-19") && studied.histories.contains_key("WM-20"));
}

#[test]
fn reliability_is_told_by_tenths_with_counts() {
    let tickets = [
        judged(1, at(1), Verdict::Right, 0.42),
        judged(2, at(1), Verdict::Wrong, 0.48),
        judged(3, at(1), Verdict::NotChecked, 0.48),
        judged(4, at(1), Verdict::OtherFault, 1.0),
    ];
    let bins = reliability(&tickets, FAMILY);
    let counted = |right, wrong| Counted { right, wrong };
    assert_eq!(bins.len(), 2);
    assert!((bins[0].stated - 0.45).abs() < 1e-6);
    assert_eq!(
        (bins[0].counted, bins[1]),
        (
            counted(1, 1),
            Bin {
                stated: 1.0,
                counted: counted(0, 1)
            }
        )
    );
    assert!(reliability(&tickets, "fridge").is_empty());
}
